"""A release's manifest: what the release is, which files carry it and how they are checked.

Frozen values with one way in (``manifest_load``, which refuses what is not a manifest) and one way
out (``manifest_dump``, the same bytes for the same value wherever it runs).  Kinds and tiers that
this version does not know are read, so that old clients can still show and prove a release, but
``Manifest.require_understood`` refuses to *apply* one: leaving out a file it does not understand
would keep rows that asked to go.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from unlist.jsonfields import Fields
from unlist.keys import KINDS

FORMAT: Final = "unlist-release/1"
TREE_ALG: Final = "rfc6962-sha256"
LIST_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_HEX256: Final = re.compile(r"[0-9a-f]{64}")


class ManifestInvalid(ValueError):
    """Bytes that are no manifest of a release; the message names the field and the fault."""


class ManifestTooNew(ManifestInvalid):
    """A release carries what this version of the client does not understand; updating mends it."""


@dataclass(frozen=True)
class ListFile:
    """One file of keys.  ``path`` is a bare name beside the manifest; ``sha256`` is hex."""

    path: str
    kind: str
    tier: str
    bits: int | None
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class DatasetCovered:
    """A dataset that the release was made from, and the rows that were searched."""

    name: str
    revision: str | None
    rows: int


@dataclass(frozen=True)
class Tree:
    """The Merkle tree over the published values: algorithm, leaves, root in hex."""

    size: int
    root: str
    alg: str = TREE_ALG


@dataclass(frozen=True)
class Counts:
    """How many entries the list has, and how many came and went since the release before."""

    entries: int
    added: int
    withdrawn: int


@dataclass(frozen=True)
class DeltaFile:
    """A file that leads from an earlier release to this one."""

    from_release: int
    path: str
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """One release of one list.  Days are UTC; digests are lower-case hex."""

    list: str
    release: int
    created_on: date
    valid_until: date
    previous_manifest_sha256: str | None
    audit_head: str | None
    datasets: tuple[DatasetCovered, ...]
    files: tuple[ListFile, ...]
    keyset_sha256: str
    tree: Tree
    counts: Counts
    collateral: Mapping[str, Any] | None = None
    deltas: tuple[DeltaFile, ...] = field(default=())

    @property
    def files_in_order(self) -> "tuple[ListFile, ...]":
        """The files in the order that tree and key set digest go by: that of their paths."""
        return tuple(sorted(self.files, key=lambda file: file.path))

    def require_understood(self) -> None:
        """Refuse a release that holds files this version cannot apply.

        Raises:
            ManifestTooNew: a tier or kind is unknown here.
        """
        for file in self.files:
            if file.tier != "exact" or file.kind not in KINDS or file.bits is not None:
                raise ManifestTooNew(
                    f"Release {self.release} of list {self.list!r} holds {file.path!r} of tier "
                    f"{file.tier!r} and kind {file.kind!r}, which this version of unlist cannot "
                    "apply; update it (pip install --upgrade unlist)."
                )


def manifest_dump(manifest: Manifest) -> bytes:
    """The manifest as JSON: fields in the specified order, two spaces, UTF-8, a newline."""
    fields = {
        "format": FORMAT,
        "list": manifest.list,
        "release": manifest.release,
        "created_on": manifest.created_on.isoformat(),
        "valid_until": manifest.valid_until.isoformat(),
        "previous_manifest_sha256": manifest.previous_manifest_sha256,
        "audit_head": manifest.audit_head,
        "datasets": [
            {"name": covered.name, "revision": covered.revision, "rows": covered.rows}
            for covered in manifest.datasets
        ],
        "files": [_file_fields(file) for file in manifest.files_in_order],
        "keyset_sha256": manifest.keyset_sha256,
        "tree": {
            "alg": manifest.tree.alg,
            "size": manifest.tree.size,
            "root": manifest.tree.root,
        },
        "counts": {
            "entries": manifest.counts.entries,
            "added": manifest.counts.added,
            "withdrawn": manifest.counts.withdrawn,
        },
        "collateral": None if manifest.collateral is None else dict(manifest.collateral),
        "deltas": [
            {"from": delta.from_release, "path": delta.path, "sha256": delta.sha256}
            for delta in manifest.deltas
        ],
    }
    return (json.dumps(fields, indent=2, ensure_ascii=False) + "\n").encode()


def manifest_sha256(data: bytes) -> str:
    """The digest by which the next release names this one: of the manifest file's bytes."""
    return hashlib.sha256(data).hexdigest()


def manifest_load(data: bytes | Mapping[str, Any]) -> Manifest:
    """The manifest in a file's bytes, or in the object a proof carries.

    Fields that are not known are passed over.

    Raises:
        ManifestTooNew: the format is a later one.
        ManifestInvalid: it is no manifest; a field is missing or wrong.
    """
    fields = Fields("manifest", _parsed(data), ManifestInvalid)
    _check_format(fields.text("format"))
    files = tuple(_file(item) for item in fields.objects("files"))
    manifest = Manifest(
        list=fields.matching("list", LIST_NAME),
        release=fields.count("release", least=1),
        created_on=fields.day("created_on"),
        valid_until=fields.day("valid_until"),
        previous_manifest_sha256=fields.optional_digest("previous_manifest_sha256"),
        audit_head=fields.optional_text("audit_head"),
        datasets=tuple(_dataset(item) for item in fields.objects("datasets")),
        files=files,
        keyset_sha256=fields.matching("keyset_sha256", _HEX256),
        tree=_tree(fields.object("tree")),
        counts=_counts(fields.object("counts")),
        collateral=fields.optional_object("collateral"),
        deltas=tuple(_delta(item) for item in fields.objects("deltas")),
    )
    _check_whole(manifest)
    return manifest


def _check_format(name: str) -> None:
    if name == FORMAT:
        return
    if name.startswith("unlist-release/"):
        raise ManifestTooNew(
            f"The manifest is in format {name!r}; this version of unlist reads {FORMAT!r}. "
            "Update it (pip install --upgrade unlist)."
        )
    raise ManifestInvalid(f"The manifest's format is {name!r} where {FORMAT!r} must stand.")


def _check_whole(manifest: Manifest) -> None:
    """What must hold between fields."""
    paths = [file.path for file in manifest.files]
    if len(set(paths)) != len(paths):
        raise ManifestInvalid("The manifest names a file twice.")
    if manifest.tree.alg != TREE_ALG:
        raise ManifestTooNew(
            f"The manifest's tree is of kind {manifest.tree.alg!r}, unknown here; update unlist."
        )
    rows = sum(file.rows for file in manifest.files)
    if rows != manifest.tree.size:
        raise ManifestInvalid(
            f"The manifest's files have {rows} rows together, its tree {manifest.tree.size} leaves."
        )


def _parsed(data: bytes | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(data, Mapping):
        return data
    try:
        parsed = json.loads(data)
    except ValueError as error:
        raise ManifestInvalid(f"The manifest is not JSON ({error}).") from error
    if not isinstance(parsed, dict):
        raise ManifestInvalid("The manifest is not a JSON object.")
    return parsed


def _file(fields: Fields) -> ListFile:
    return ListFile(
        path=fields.matching("path", _FILE_NAME),
        kind=fields.text("kind"),
        tier=fields.text("tier"),
        bits=fields.optional_count("bits"),
        rows=fields.count("rows"),
        bytes=fields.count("bytes"),
        sha256=fields.matching("sha256", _HEX256),
    )


def _file_fields(file: ListFile) -> dict[str, Any]:
    names = ("path", "kind", "tier", "bits", "rows", "bytes", "sha256")
    return {name: getattr(file, name) for name in names}


def _dataset(fields: Fields) -> DatasetCovered:
    return DatasetCovered(
        fields.text("name"), fields.optional_text("revision"), fields.count("rows")
    )


def _tree(fields: Fields) -> Tree:
    return Tree(fields.count("size"), fields.matching("root", _HEX256), fields.text("alg"))


def _counts(fields: Fields) -> Counts:
    return Counts(fields.count("entries"), fields.count("added"), fields.count("withdrawn"))


def _delta(fields: Fields) -> DeltaFile:
    return DeltaFile(
        fields.count("from", least=1),
        fields.matching("path", _FILE_NAME),
        fields.matching("sha256", _HEX256),
    )
