"""``pull``: bring the current release of a list into the cache, or say why it is refused.

python-tuf's client checks signatures, versions, expiry, lengths and hashes from the root file that
the user pinned.  On top of that a release may not go back to an earlier number, nor rewrite one
that was published.  Whatever is refused, the cache stays as it was.
"""

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.api.metadata import Metadata, Root, TargetFile
from tuf.ngclient import Updater

from unlist.cache import FILES, METADATA, ROOT, ListCache, Renewal, keys_checked
from unlist.fetch import Source, source_of
from unlist.keyfile import KeyFileInvalid
from unlist.manifest import Manifest, manifest_load, manifest_sha256
from unlist.refusals import ListDamaged, ListRolledBack, ListUnavailable, RootUnusable, refusal_for
from unlist.trust import (
    MANIFEST_NAME,
    SignedRelease,
    files_of,
    fresh_until,
    manifest_of,
    release_current,
)


@dataclass(frozen=True)
class Pulled:
    """What a pull brought.

    Attributes:
        list: the list's name.
        release: the release now in the cache.
        entries: how many entries it has.
        created_on: the day it was made (UTC).
        age_days: days from then until today.
        fresh_until: when it must have been pulled again (UTC).
        changed: whether it is another release than before.
    """

    list: str
    release: int
    entries: int
    created_on: date
    age_days: int
    fresh_until: datetime
    changed: bool


def pull(url: str, root: Path, *, list_name: str = "public", cache: Path) -> Pulled:
    """Fetch and verify the current release of a list, and put it in force in the cache.

    Args:
        url: the site (``http(s)``), or a local folder, that has ``metadata/`` and ``targets/``.
        root: the TUF root file to trust, got by a way that you trust.
        list_name: which list.
        cache: the cache folder; made where missing.

    Raises:
        ListUnavailable: the list is refused; the subclass and its message say why.
    """
    anchor = _root_read(root)
    source = source_of(url)
    with ListCache(cache, list_name).renewal() as renewal:
        _root_check(anchor, renewal.before)
        (renewal.folder / ROOT).write_bytes(anchor)
        try:
            pulled = _fetch(source, anchor, list_name, renewal)
        except (RepositoryError, DownloadError) as error:
            raise refusal_for(error, source.base) from error
        except OSError as error:
            raise ListUnavailable(f"The cache {cache} cannot be written ({error}).") from error
        renewal.commit()
    return pulled


def _root_read(root: Path) -> bytes:
    try:
        data = root.read_bytes()
        Metadata[Root].from_bytes(data).verify_delegate("root", Metadata[Root].from_bytes(data))
    except OSError as error:
        raise RootUnusable(f"The root file {root} cannot be read ({error.strerror}).") from error
    except (RepositoryError, ValueError) as error:
        raise RootUnusable(
            f"{root} is no TUF root file signed by its own keys ({error}); "
            "get it from the list's publisher by a way that you trust."
        ) from error
    return data


def _root_check(anchor: bytes, before: Path | None) -> None:
    """A cache follows one root: the one it began with, or one that root led to."""
    if before is None:
        return
    known = [before / ROOT, *(before / METADATA / "root_history").glob("*.root.json")]
    if not any(path.read_bytes() == anchor for path in known if path.is_file()):
        raise RootUnusable(
            "This cache follows another root file than the one given. Use the root file it began "
            "with, or another --cache for another publisher."
        )


def _fetch(source: Source, anchor: bytes, list_name: str, renewal: Renewal) -> Pulled:
    updater = Updater(
        str(renewal.metadata),
        source.metadata,
        str(renewal.files),
        source.targets,
        fetcher=source.fetcher,
        bootstrap=anchor,
    )
    signed = release_current(updater, renewal.metadata, list_name)
    data = _manifest_fetch(updater, signed, renewal.files)
    manifest = manifest_of(signed, data)
    before = _manifest_before(renewal.before)
    _history_check(manifest, data, before)
    for path, info in files_of(updater, signed, manifest).items():
        _file_fetch(updater, info, path, renewal)
    try:
        keys_checked(renewal.files, manifest)
    except KeyFileInvalid as error:
        raise ListDamaged(
            f"{error} The release is signed but faulty; tell the publisher."
        ) from error
    return Pulled(
        list=list_name,
        release=manifest.release,
        entries=manifest.counts.entries,
        created_on=manifest.created_on,
        age_days=(datetime.now(UTC).date() - manifest.created_on).days,
        fresh_until=fresh_until(renewal.metadata),
        changed=before != data,
    )


def _manifest_fetch(updater: Updater, signed: SignedRelease, files: Path) -> bytes:
    return Path(updater.download_target(signed.manifest, str(files / MANIFEST_NAME))).read_bytes()


def _file_fetch(updater: Updater, info: TargetFile, path: str, renewal: Renewal) -> None:
    """Take a file from the state in force if it is the same, else download it."""
    target = renewal.files / path
    held = renewal.before / FILES / path if renewal.before else None
    if held is None or updater.find_cached_target(info, str(held)) is None:
        updater.download_target(info, str(target))
        return
    try:
        os.link(held, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(held, target)


def _manifest_before(before: Path | None) -> bytes | None:
    path = before / FILES / MANIFEST_NAME if before else None
    return path.read_bytes() if path and path.is_file() else None


def _history_check(manifest: Manifest, data: bytes, before: bytes | None) -> None:
    """Refuse what goes back to an earlier release, or changes one that was published."""
    if before is None or before == data:
        return
    held = manifest_load(before)
    if manifest.release < held.release:
        raise ListRolledBack(
            f"The site offers release {manifest.release} of {manifest.list!r}, older than release "
            f"{held.release} already here. It is refused; what is here stays in force."
        )
    follows = manifest.previous_manifest_sha256 == manifest_sha256(before)
    rewritten = manifest.release == held.release
    if rewritten or (manifest.release == held.release + 1 and not follows):
        raise ListRolledBack(
            f"The site's release {manifest.release} of {manifest.list!r} rewrites release "
            f"{held.release} already here, which a publisher never does. It is refused; if the "
            "publisher confirms the change, delete the cache and pull again."
        )
