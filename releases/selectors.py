"""What pages, API and proofs read of the releases: published ones only."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from releases import places
from releases.models import Release
from releases.repository import ListRepository
from unlist.manifest import Manifest, manifest_load


class NotReleased(LookupError):
    """There is no release yet that answers the question."""


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """A file of a release as clients can get it; `path` is below `/targets/`."""

    name: str
    target: str
    path: str
    bytes: int
    sha256: str


def releases_published(*, list_name: str = places.PUBLIC_LIST) -> list[Release]:
    """Return the releases that clients can see, the latest first."""
    public = [Release.State.PUBLISHED, Release.State.SETTLED]
    return list(Release.objects.filter(list_name=list_name, state__in=public).order_by("-number"))


def release_latest(*, list_name: str = places.PUBLIC_LIST) -> Release:
    """Return the release that clients get now.

    Raises:
        NotReleased: the list has none yet.
    """
    published = releases_published(list_name=list_name)
    if not published:
        raise NotReleased(f"The list {list_name!r} has no release yet.")
    return published[0]


def release_manifest(release: Release) -> Manifest:
    """Return the manifest of a release."""
    folder = places.release_dir(release.list_name, release.number)
    return manifest_load((folder / places.MANIFEST_NAME).read_bytes())


def release_targets(release: Release) -> list[PublishedFile]:
    """Return the files of a published release with the addresses that carry their hashes."""
    repository = ListRepository.reader(places.repository_dir())
    prefix = places.target_name(release.list_name, release.number, "")
    return [
        PublishedFile(
            name=name.removeprefix(prefix),
            target=name,
            path=target.get_prefixed_paths()[0],
            bytes=target.length,
            sha256=target.hashes["sha256"],
        )
        for name, target in sorted(repository.list_targets(release.list_name).items())
        if name.startswith(prefix)
    ]


def fresh_until() -> datetime | None:
    """Return when clients stop accepting what is published now; None before the first time."""
    repository = ListRepository.reader(places.repository_dir())
    return repository.expires("timestamp") if repository.exists("timestamp") else None


def release_facts(release: Release) -> dict[str, Any]:
    """Return a release as the API shows it."""
    return {
        "list": release.list_name,
        "release": release.number,
        "created_on": release.created_on.isoformat(),
        "published_on": release.published_on and release.published_on.isoformat(),
        "entries": release.entries,
        "added": release.added,
        "withdrawn": release.withdrawn,
        "manifest_sha256": release.manifest_sha256,
        "keyset_sha256": release.keyset_sha256,
        "tree_root": release.tree_root,
    }


def latest_facts(release: Release) -> dict[str, Any]:
    """Return the latest release as the API shows it: its facts, files and freshness."""
    fresh = fresh_until()
    files = [
        {
            "name": file.name,
            "target": file.target,
            "path": f"/targets/{file.path}",
            "bytes": file.bytes,
            "sha256": file.sha256,
        }
        for file in release_targets(release)
    ]
    facts = release_facts(release)
    return {**facts, "fresh_until": fresh and fresh.isoformat(), "files": files}
