"""The TUF repository: what is signed, by whom, for how long, and in which order it is written.

What always holds:

- A versioned file (`3.snapshot.json`, a target with its hash in its name) is written once and
  never again, so that a copy of it can be cached for ever.
- Only `timestamp.json` says what is current, and it is the last file written. A process killed
  before that leaves files which nothing refers to; the next run takes higher version numbers.
- Nothing is written that clients would refuse: each signature is checked against the role's keys
  as root (or, for a list, targets) names them, before the file exists.

The base class is python-tuf's own (`tuf.repository`); specification: theupdateframework.io, 1.0.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from securesystemslib.signer import Signer
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.repository import Repository

from releases.signing import TOP_ROLES
from unlist import durable

_DAY = timedelta(days=1)
LIFETIMES: Mapping[str, timedelta] = {
    "root": 365 * _DAY,
    "targets": 365 * _DAY,
    "snapshot": 7 * _DAY,
    "timestamp": 3 * _DAY,
}
LIST_LIFETIME = 30 * _DAY
_TYPES: Mapping[str, Callable[..., Signed]] = {
    "root": Root,
    "snapshot": Snapshot,
    "timestamp": Timestamp,
}
_UNSIGNED_YET = datetime.max.replace(tzinfo=UTC)


class RepositoryRefused(Exception):
    """The repository cannot be changed as asked, because clients would refuse the outcome."""


def lifetime(role: str) -> timedelta:
    """Return how long a new version of the role's metadata is good for."""
    return LIFETIMES.get(role, LIST_LIFETIME)


class ListRepository(Repository):
    """A repository in a folder; one instance is one run of a publisher.

    `signer_for` loads a role's key when (and only when) that role signs, so that keys which are
    kept elsewhere are needed only on the day their role changes.
    """

    def __init__(self, folder: Path, signer_for: Callable[[str], Signer], *, now: datetime) -> None:
        self.metadata = folder / "metadata"
        self.targets_folder = folder / "targets"
        self._signer_for = signer_for
        self._now = now.replace(microsecond=0)
        self._written: dict[str, bytes] = {}  # by role: what this run wrote

    @classmethod
    def reader(cls, folder: Path) -> Self:
        """Open what is published for reading alone: no key is at hand."""
        return cls(folder, _no_signer, now=_UNSIGNED_YET)

    # --- reading -----------------------------------------------------------------------------

    def data(self, role: str) -> bytes | None:
        """Return the role's current metadata file: this run's, else the one that is published."""
        if role in self._written:
            return self._written[role]
        if role == Root.type:
            version = self._highest(role)
        elif role == Timestamp.type:
            path = self.metadata / "timestamp.json"
            return path.read_bytes() if path.is_file() else None
        else:
            version = self._published_version(role)
        return None if version == 0 else self._path(role, version).read_bytes()

    def open(self, role: str) -> Metadata[Any]:
        """Return the role's current metadata, or an unsigned first one with version 0."""
        data = self.data(role)
        if data is not None:
            return Metadata.from_bytes(data)
        signed = _TYPES.get(role, Targets)(expires=_UNSIGNED_YET)
        signed.version = 0
        return Metadata(signed)

    def exists(self, role: str) -> bool:
        """Tell whether clients can see the role, or will after this run."""
        return self.data(role) is not None

    def expires(self, role: str) -> datetime:
        """Return when the role's current metadata ends; it must exist."""
        expires: datetime = self.open(role).signed.expires
        return expires

    def aged(self, role: str) -> bool:
        """Tell whether the role is absent or less than half of its life is left."""
        return not self.exists(role) or self.expires(role) - self._now < lifetime(role) / 2

    @property
    def targets_infos(self) -> dict[str, MetaFile]:
        """Name every targets role that clients shall see, with version, length and hash."""
        names = ["targets"]
        delegations = self.targets().delegations
        if delegations is not None and delegations.roles is not None:
            names += [name for name in delegations.roles if self.exists(name)]
        return {f"{name}.json": self._meta_file(name) for name in names}

    @property
    def snapshot_info(self) -> MetaFile:
        """Describe the current snapshot for the timestamp."""
        return self._meta_file(Snapshot.type)

    def _meta_file(self, role: str) -> MetaFile:
        data = self.data(role)
        if data is None:
            raise RepositoryRefused(f"The role {role!r} has no metadata yet: sign it first.")
        version: int = Metadata[Any].from_bytes(data).signed.version
        return MetaFile.from_data(version, data, ["sha256"])

    def _published_version(self, role: str) -> int:
        if not self.exists(Timestamp.type):
            return 0
        snapshot = self.timestamp().snapshot_meta.version
        if role == Snapshot.type:
            return snapshot
        named = Metadata[Snapshot].from_bytes(self._path("snapshot", snapshot).read_bytes())
        found = named.signed.meta.get(f"{role}.json")
        return found.version if found else 0

    def _highest(self, role: str) -> int:
        versions = (path.name.split(".")[0] for path in self.metadata.glob(f"*.{role}.json"))
        return max((int(version) for version in versions if version.isdecimal()), default=0)

    def _path(self, role: str, version: int) -> Path:
        name = "timestamp.json" if role == Timestamp.type else f"{version}.{role}.json"
        return self.metadata / name

    # --- writing -----------------------------------------------------------------------------

    def close(self, role: str, md: Metadata[Any]) -> None:
        """Sign a new version of the role and write it.

        Raises:
            RepositoryRefused: the key at hand is not the one that clients know for this role.
        """
        version = md.signed.version if role == Timestamp.type else self._highest(role)
        md.signed.version = max(version, md.signed.version) + 1
        md.signed.expires = self._now + lifetime(role)
        md.signatures.clear()
        md.sign(self._signer_for(role), append=True)
        self._signature_check(role, md)
        data = md.to_bytes()
        durable.folder_make(self.metadata)
        durable.file_write(self._path(role, md.signed.version), data)
        self._written[role] = data

    def _signature_check(self, role: str, md: Metadata[Any]) -> None:
        delegator: Root | Targets = self.root() if role in TOP_ROLES else self.targets()
        if role == Root.type and not self.exists(role):
            delegator = md.signed
        try:
            delegator.verify_delegate(role, md.signed_bytes, md.signatures)
        except (UnsignedMetadataError, ValueError):
            raise RepositoryRefused(
                f"The key of the role {role!r} in the release secrets is not the one that this "
                "repository's root trusts: restore the key that belongs to it."
            ) from None

    def root_ensure(self) -> None:
        """Make the first root, or sign the same once more when it nears its end."""
        if not self.aged(Root.type):
            return
        with self.edit_root() as root:
            if root.version == 0:
                root.consistent_snapshot = True
                for role in TOP_ROLES:
                    root.add_key(self._signer_for(role).public_key, role)

    def targets_ensure(self, list_name: str) -> None:
        """Delegate `lists/<list>/` to the list's own role, or renew when targets nears its end."""
        delegations = self.targets().delegations or Delegations({}, {})
        roles = delegations.roles if delegations.roles is not None else {}
        if list_name in roles and not self.aged(Targets.type):
            return
        with self.edit_targets() as targets:
            targets.delegations = delegations
            if list_name not in roles:
                # In a TUF path pattern, `*` does not cross a slash.
                paths = [f"lists/{list_name}/*/*"]
                roles[list_name] = DelegatedRole(list_name, [], 1, terminating=True, paths=paths)
                targets.add_key(self._signer_for(list_name).public_key, list_name)

    def list_sign(self, list_name: str, files: Mapping[str, TargetFile]) -> None:
        """Add target files to a list; with none new, sign again only when it nears its end.

        Raises:
            RepositoryRefused: a file of this name is published with another content.
        """
        listed = self.targets(list_name).targets
        for name in files.keys() & listed.keys():
            if files[name] != listed[name]:
                raise RepositoryRefused(
                    f"{name} is published with another content: a release never changes. "
                    "Restore the releases folder and the database to the same state."
                )
        if not self.aged(list_name) and files.keys() <= listed.keys():
            return
        with self.edit_targets(list_name) as targets:
            targets.targets.update(files)

    def snapshot_sign(self) -> None:
        """Say which versions belong together, if that changed or the snapshot nears its end."""
        current = self.targets_infos
        if not self.aged(Snapshot.type) and self.snapshot().meta == current:
            return
        with self.edit_snapshot() as snapshot:
            snapshot.meta = current

    def timestamp_switch(self) -> None:
        """Point clients at the current snapshot: the one step that publishes."""
        info = self.snapshot_info
        with self.edit_timestamp() as timestamp:
            timestamp.snapshot_meta = info

    def target_place(self, name: str, source: Path) -> TargetFile:
        """Copy a file to `targets/` under its hash; return what the list's role signs of it."""
        data = source.read_bytes()
        target = TargetFile.from_data(name, data, ["sha256"])
        path = self.target_path(target)
        if not path.is_file():
            durable.folder_make(path.parent)
            durable.file_write(path, data)
        return target

    def target_path(self, target: TargetFile) -> Path:
        """Return where a target's bytes lie."""
        return self.targets_folder / target.get_prefixed_paths()[0]

    def list_targets(self, list_name: str) -> dict[str, TargetFile]:
        """Return the files of a list that clients can see, by target name."""
        return self.targets(list_name).targets


def _no_signer(role: str) -> Signer:
    raise RepositoryRefused(f"Reading needs no key, yet {role!r} was to sign.")
