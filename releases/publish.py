"""Publishing: target files, then metadata, then `timestamp.json`, the only switch.

Killed at any point, nothing is lost and a second run completes: what was written before the switch
is referred to by nobody, what comes after it (the state in the database, the word to the requests)
is read off the state and done again. With nothing new to publish, a run renews the clock: put it
into cron, and the list stays fresh.
"""

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.utils import timezone
from tuf.api.metadata import TargetFile

from releases import locks, places, signing, trees
from releases.models import Release
from releases.repository import ListRepository
from removal.custody.shred import KeyShredded
from removal.life.closing import request_release
from removal.lifecycle import TransitionRefused
from removal.selectors import RequestGone, requests_awaiting_release
from unlist.manifest import manifest_load


class ReleaseAltered(Exception):
    """A built release's files are not those that were built."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """What a run of the publisher did."""

    releases: tuple[int, ...]
    requests_told: int
    fresh_until: datetime


def releases_publish(*, list_name: str = places.PUBLIC_LIST) -> Published:
    """Publish all built releases of a list in order, and renew what nears its end.

    Raises:
        signing.SigningRefused: this process is not the one that signs.
        signing.KeyUnusable: a key is missing.
        ReleaseAltered: a release was changed after it was built; nothing was published then.
        locks.AlreadyRunning: another build or publication is under way.
    """
    signing.signing_check()
    role = signing.list_role(list_name)
    with locks.held(places.lock_path()):
        now = timezone.now()
        repository = ListRepository(places.repository_dir(), signing.signer_load, now=now)
        built = Release.objects.filter(list_name=list_name, state=Release.State.BUILT)
        pending = list(built.order_by("number"))
        files: dict[str, TargetFile] = {}
        for release in pending:
            files |= _targets_place(repository, release)
        _sign(repository, role, files)
        built.filter(pk__in=[release.pk for release in pending]).update(
            state=Release.State.PUBLISHED, published_on=now.date()
        )
        for release in pending:
            trees.tree_prepare(release)
        return Published(
            releases=tuple(release.number for release in pending),
            requests_told=_requests_tell(list_name),
            fresh_until=repository.expires("timestamp"),
        )


def release_files(release: Release) -> dict[str, Path]:
    """Return a built release's files by name, after checking that they are those of its build.

    Raises:
        ReleaseAltered: naming the file that is missing or changed.
    """
    folder = places.release_dir(release.list_name, release.number)
    manifest_path = folder / places.MANIFEST_NAME
    _digest_check(release, manifest_path, release.manifest_sha256)
    manifest = manifest_load(manifest_path.read_bytes())
    for listed in manifest.files:
        _digest_check(release, folder / listed.path, listed.sha256)
    paths = [*(folder / listed.path for listed in manifest.files), manifest_path]
    return {path.name: path for path in paths}


def _digest_check(release: Release, path: Path, sha256: str) -> None:
    try:
        with path.open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        same = False
    if not same:
        raise ReleaseAltered(
            f"{path.name} of release {release.number} is not the file that was built: restore it "
            f"(`verify_release {release.number}` says what differs)."
        )


def _targets_place(repository: ListRepository, release: Release) -> dict[str, TargetFile]:
    targets = {}
    for file_name, path in release_files(release).items():
        name = places.target_name(release.list_name, release.number, file_name)
        targets[name] = repository.target_place(name, path)
    return targets


def _sign(repository: ListRepository, role: str, files: Mapping[str, TargetFile]) -> None:
    """Write the metadata, `timestamp.json` last.

    The keys of root and targets may be away: they are needed on the first run and when their
    metadata has ended, and an early renewal is left to the day they are there.
    """
    with _key_may_be_away(repository, "root"):
        repository.root_ensure()
    with _key_may_be_away(repository, "targets"):
        repository.targets_ensure(role)
    repository.list_sign(role, files)
    repository.snapshot_sign()
    repository.timestamp_switch()


def _key_may_be_away(repository: ListRepository, role: str) -> AbstractContextManager[None]:
    usable = repository.exists(role) and repository.expires(role) > timezone.now()
    return suppress(signing.KeyUnusable) if usable else nullcontext()


def _requests_tell(list_name: str) -> int:
    """Tell the requests which release carries their rows; return how many were told."""
    told = 0
    published = Release.objects.filter(list_name=list_name, state=Release.State.PUBLISHED)
    for release in published.order_by("number"):
        for request_id in requests_awaiting_release(up_to_seq=release.audit_seq):
            # Appealed, erased or given more rows at this very moment: nothing to tell then.
            with suppress(TransitionRefused, RequestGone, KeyShredded):
                request_release(
                    request_id=request_id, release=release.number, up_to_seq=release.audit_seq
                )
                told += 1
        release.state = Release.State.SETTLED
        release.save(update_fields=["state"])
    return told
