"""The local cache of one list: where it lies, how it changes, and how it is trusted again.

``<cache>/<list>/current`` names a state folder, which holds the pinned root, the TUF metadata as
the client last trusted it, and the release's files.  A state is made whole beside the others and
never changed; switching ``current`` is the one step that puts it in force, so whoever reads the
cache sees the old list or the new one, never a mixture.  Opening trusts nothing that lies there:
the whole TUF workflow runs again over the cached metadata, expiry included, and every file is
digested.
"""

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final

from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.ngclient import Updater

from unlist import durable
from unlist.fetch import CacheFetcher
from unlist.keyfile import KeyFileInvalid, keyfile_read, keyset_sha256
from unlist.keys import Keys
from unlist.manifest import LIST_NAME, Manifest
from unlist.refusals import CacheDamaged, ListExpired, ListUnknown, NothingPulled, refusal_for
from unlist.trust import MANIFEST_NAME, files_of, fresh_until, manifest_of, release_current

ROOT: Final = "root.json"
METADATA: Final = "metadata"
FILES: Final = "files"
_CURRENT: Final = "current"
_STATE: Final = "state-"
_UNFINISHED: Final = ".new-"


@dataclass(frozen=True)
class CachedRelease:
    """A release that was found signed, fresh and whole in the cache.

    Attributes:
        manifest: the release.
        manifest_data: the manifest's bytes as signed.
        fresh_until: when its timestamp runs out (UTC).
        keys: the keys of each file, by its path.
    """

    manifest: Manifest
    manifest_data: bytes
    fresh_until: datetime
    keys: dict[str, Keys]

    def age_days(self, today: date) -> int:
        """Days since the release was made."""
        return (today - self.manifest.created_on).days


def default_cache() -> Path:
    """``$XDG_CACHE_HOME/unlist``, else ``~/.cache/unlist``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "unlist"


class ListCache:
    """The cache of one list.

    Args:
        cache: the cache folder; need not exist.
        list_name: which list.

    Raises:
        ListUnknown: ``list_name`` cannot be a list's name.
    """

    def __init__(self, cache: Path, list_name: str) -> None:
        if not LIST_NAME.fullmatch(list_name):
            raise ListUnknown(
                f"{list_name!r} is no name of a list (small letters, digits, hyphens)."
            )
        self.folder = cache / list_name
        self._list = list_name

    def state(self) -> Path | None:
        """The folder of the state in force; ``None`` where nothing was pulled."""
        pointer = self.folder / _CURRENT
        if not pointer.is_file():
            return None
        name = pointer.read_text("utf-8").strip()
        folder = self.folder / name
        if not name.startswith(_STATE) or "/" in name or not folder.is_dir():
            raise CacheDamaged(
                f"The cache {self.folder} points at a state that is not there; "
                "delete the folder and pull again."
            )
        return folder

    def open(self) -> CachedRelease:
        """The release in force, after everything about it was checked again, offline.

        Raises:
            NothingPulled: no list of this name was pulled.
            ListExpired: its timestamp has run out.
            CacheDamaged: something that lies there is not what was signed.
        """
        state = self.state()
        if state is None:
            raise NothingPulled(
                f"No list {self._list!r} has been pulled into {self.folder.parent}; "
                "pull it first: unlist pull URL --root root.json"
            )
        return state_verify(state, self._list)

    @contextlib.contextmanager
    def renewal(self) -> Iterator["Renewal"]:
        """A new state in the making; without ``Renewal.commit`` it leaves no trace."""
        made = not self.folder.exists()
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with _locked(self.folder):
                for left in self.folder.glob(f"{_UNFINISHED}*"):  # of a pull that was killed
                    shutil.rmtree(left)
                unfinished = self.folder / f"{_UNFINISHED}{secrets.token_hex(8)}"
                try:
                    yield Renewal(self, unfinished)
                finally:
                    shutil.rmtree(unfinished, ignore_errors=True)
        finally:
            if made:
                with contextlib.suppress(OSError):  # not empty: the pull succeeded
                    self.folder.rmdir()
                    self.folder.parent.rmdir()

    def switch(self, unfinished: Path) -> None:
        """Put a finished state in force; the one before stays for whoever is reading it."""
        before = self.state()
        state = self.folder / f"{_STATE}{secrets.token_hex(8)}"
        durable.folder_place(unfinished, state)
        durable.file_write(self.folder / _CURRENT, f"{state.name}\n".encode())
        for old in self.folder.glob(f"{_STATE}*"):
            if old not in {state, before}:
                shutil.rmtree(old, ignore_errors=True)


class Renewal:
    """A state being made: metadata goes on from the state in force, files are filled in.

    Args:
        cache: the cache it is made for.
        folder: where it is made.
    """

    def __init__(self, cache: ListCache, folder: Path) -> None:
        self._cache, self.folder = cache, folder
        self.before = cache.state()
        self.metadata, self.files = folder / METADATA, folder / FILES
        self.files.mkdir(parents=True)
        if self.before is None:
            self.metadata.mkdir()
        else:
            shutil.copytree(self.before / METADATA, self.metadata, symlinks=True)

    def commit(self) -> None:
        """Put it in force."""
        self._cache.switch(self.folder)


def state_verify(state: Path, list_name: str) -> CachedRelease:
    """Run the whole TUF workflow over a state's own files, and digest every one of them.

    Raises:
        ListExpired: its timestamp has run out.
        CacheDamaged: something is not what was signed.
        ListNotUnderstood: it holds what this version cannot apply.
    """
    with tempfile.TemporaryDirectory(prefix="unlist-") as scratch:
        try:
            updater = Updater(
                scratch,
                "cache://metadata/",
                fetcher=CacheFetcher(state / METADATA),
                bootstrap=(state / ROOT).read_bytes(),
            )
            return _verified(state, list_name, updater, Path(scratch))
        except (RepositoryError, DownloadError, OSError, ValueError) as error:
            refusal = refusal_for(error, "the cache")
            if isinstance(refusal, ListExpired):
                raise ListExpired(
                    f"The list in the cache has expired ({error}); pull it again before using it."
                ) from error
            raise _damaged(state, str(error)) from error


def _verified(state: Path, list_name: str, updater: Updater, metadata: Path) -> CachedRelease:
    signed = release_current(updater, metadata, list_name)
    data = (state / FILES / MANIFEST_NAME).read_bytes()
    signed.manifest.verify_length_and_hashes(data)
    manifest = manifest_of(signed, data)
    for path, info in files_of(updater, signed, manifest).items():
        with (state / FILES / path).open("rb") as file:
            info.verify_length_and_hashes(file)
    keys = keys_checked(state / FILES, manifest)
    return CachedRelease(manifest, data, fresh_until(metadata), keys)


def keys_checked(folder: Path, manifest: Manifest) -> dict[str, Keys]:
    """The keys of every file of a release, with the manifest's row counts and set digest checked.

    Raises:
        KeyFileInvalid: a file breaks a rule, or the manifest says otherwise.
    """
    keys = {file.path: keyfile_read(folder / file.path) for file in manifest.files}
    for file in manifest.files:
        if len(keys[file.path]) != file.rows:
            raise KeyFileInvalid(f"{file.path} holds {len(keys[file.path])} keys, not {file.rows}.")
    if keyset_sha256(keys.items()) != manifest.keyset_sha256:
        raise KeyFileInvalid("The keys are not those that the manifest's keyset_sha256 names.")
    return keys


def _damaged(state: Path, detail: str) -> CacheDamaged:
    return CacheDamaged(
        f"The list in the cache {state.parent} is not what was pulled ({detail}); "
        "delete the folder and pull again."
    )


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One pull at a time per list; a second waits."""
    try:
        import fcntl  # noqa: PLC0415  # not on every system
    except ImportError:  # Windows has none: there the last of two simultaneous pulls wins
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


__all__ = [
    "CachedRelease",
    "ListCache",
    "Renewal",
    "default_cache",
    "keys_checked",
    "state_verify",
]
