"""`index.json`: what an index directory holds, what it was made with, and digests to check it by.

Facts about files, never code. The manifest is written last; a directory without a manifest that
fits it is not an index.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

SCHEMA: Final = 2
MANIFEST_FILE: Final = "index.json"


class GroupUnreadable(RuntimeError):
    """The directory is no index to search: missing, damaged or of another version."""


class EncoderMismatch(GroupUnreadable):
    """A query was embedded by another encoder than the index."""


@dataclass(frozen=True, slots=True)
class IndexFile:
    """A file of the directory: its name, size in bytes and SHA-256 in hex."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class EncoderFacts:
    """The encoder whose vectors the index holds."""

    name: str
    preprocessing: str
    dim: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows a group has, and how many of them have what they can be found by.

    Attributes:
        rows: in the row table; all can be found by digest and URL.
        vectors, pdq, phash: of these, those with an embedding or that hash.
    """

    rows: int
    vectors: int
    pdq: int
    phash: int


@dataclass(frozen=True, slots=True)
class ListFacts:
    """How a large group's inverted lists were made and are searched (`indexer.vectors.lists`).

    Attributes:
        lists: how many there are.
        axes, bits: how many coordinates of a vector are coded, with how many bits each.
        probes: how many lists a search looks into.
        depth: how many rows, nearest by code, are compared exactly.
        recall: the share of the true ten nearest that was found so, measured on rows of the
            group altered like queries, each row itself not counted.
    """

    lists: int
    axes: int
    bits: int
    probes: int
    depth: int
    recall: float


@dataclass(frozen=True, slots=True)
class GroupManifest:
    """What there is to know about an index without searching it.

    Attributes:
        schema: version of the directory's layout.
        dataset, group: whose rows.
        counts: what was indexed.
        encoder: whose vectors.
        search: how the vectors are searched, and the recall measured; None where a query is
            compared with every vector.
        shards: the identities of the shards that were read.
        refused: how many pictures could not be used, by reason.
        files: every other file.
    """

    schema: int
    dataset: str
    group: int
    counts: Counts
    encoder: EncoderFacts
    search: ListFacts | None
    shards: tuple[dict[str, Any], ...]
    refused: dict[str, int]
    files: tuple[IndexFile, ...]

    @property
    def rows(self) -> int:
        """How many rows can be found, by whatever they have."""
        return self.counts.rows

    @property
    def sha256(self) -> str:
        """Digest of the manifest as it is stored, in hex: it stands for the whole index."""
        return hashlib.sha256(self.to_json()).hexdigest()

    def to_json(self) -> bytes:
        """The bytes of `index.json`."""
        return (json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n").encode()


def read_manifest(directory: Path) -> GroupManifest:
    """Read `index.json` and check that every file it names is there in full size.

    Raises:
        GroupUnreadable: it is not.
    """
    try:
        manifest = _from_json((directory / MANIFEST_FILE).read_bytes())
    except FileNotFoundError as error:
        raise GroupUnreadable(
            f"There is no index in {directory.name!r}: run index_dataset again."
        ) from error
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise _damaged(MANIFEST_FILE) from error
    for file in manifest.files:
        path = directory / file.name
        if not path.is_file() or path.stat().st_size != file.bytes:
            raise _damaged(file.name)
    return manifest


def verify_files(directory: Path, manifest: GroupManifest) -> None:
    """Compare every file's digest with the manifest's.

    Raises:
        GroupUnreadable: one differs.
    """
    for file in manifest.files:
        if describe_file(directory / file.name) != file:
            raise _damaged(file.name)


def describe_file(path: Path) -> IndexFile:
    """Name, size and digest of a file."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return IndexFile(path.name, path.stat().st_size, digest)


def _from_json(data: bytes) -> GroupManifest:
    facts = json.loads(data)
    if facts["schema"] != SCHEMA:
        raise GroupUnreadable(
            f"The index has layout {facts['schema']}, this version reads {SCHEMA}: "
            "run index_dataset again."
        )
    facts["counts"] = Counts(**facts["counts"])
    facts["search"] = None if facts["search"] is None else ListFacts(**facts["search"])
    facts["encoder"] = EncoderFacts(**facts["encoder"])
    facts["shards"] = tuple(facts["shards"])
    facts["files"] = tuple(IndexFile(**file) for file in facts["files"])
    if any(Path(file.name).name != file.name for file in facts["files"]):
        raise ValueError("a file outside the directory")
    return GroupManifest(**facts)


def _damaged(name: str) -> GroupUnreadable:
    return GroupUnreadable(f"The index is damaged ({name}): remove it and run index_dataset again.")
