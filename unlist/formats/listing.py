"""File names sorted by what their endings say they are, and the shards made of them.

The vocabulary of layouts: what a shard's files are, and the two refusals that every layout can
meet.  Hidden files and folders (``.git``, our own journal) are no part of a dataset.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import PurePosixPath
from typing import Final, Literal, TypeVar

from unlist.formats.refused import DatasetRefused

DatasetFormat = Literal[
    "img2dataset", "laion", "clip-retrieval", "datacomp", "coyo", "tsv", "images"
]
Output = Literal["webdataset", "files", "parquet"]

IMAGE_SUFFIXES: Final = frozenset(
    (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif")
)
ARRAY_SUFFIXES: Final = (".npy", ".npz")
STATS: Final = "_stats.json"
STREAMED: Final = (".tar.gz", ".tgz", ".tar.zst", ".tzst")
"""Compressed tars that readers read; the first ending of a name that fits is taken off."""
_PACKED: Final = (
    *STREAMED,
    *(".tar.bz2", ".tar.xz", ".tar.lz4", ".tar.z"),
    *(".tbz", ".tbz2", ".txz"),
)
_K = TypeVar("_K")
TSVS: Final = (".tsv", ".tsv.gz", ".tsv.zst")


class NotADataset(DatasetRefused):
    """The folder holds no dataset in a form that can be read; the message says why."""


class UnknownFormat(DatasetRefused):
    """A format name was given that no part of Unlist knows; the message lists those that are."""


@dataclass(frozen=True)
class ShardFiles:
    """The files of one shard, as names relative to the dataset's folder, with ``/`` between parts.

    Attributes:
        name: the shard's own name, ``00000`` or ``part/00000``; for ``images`` the folder (``.``).
        table: the file with one row per sample, if there is one: parquet, or ``tsv``'s text.
        archive: the tar file with the samples' members, if there is one; may be compressed.
        stats: img2dataset's ``_stats.json``, if there is one.
        images: the image files themselves, for ``images`` and img2dataset's ``files`` output.
        embeddings: the npy or npz file with one image embedding per row of the table.
        aligned: further arrays that go row for row with the table (embeddings of the captions).
    """

    name: str
    table: str | None = None
    archive: str | None = None
    stats: str | None = None
    images: tuple[str, ...] = ()
    embeddings: str | None = None
    aligned: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """Every file of the shard."""
        single = (self.table, self.archive, self.stats, self.embeddings)
        return tuple(name for name in single if name is not None) + self.aligned + self.images


@dataclass(frozen=True)
class Layout:
    """A dataset's form and its shards, in the order of their names.

    ``output`` says which of img2dataset's outputs it is; ``arrays`` names arrays that lie beside
    the tables and that this form does not read.
    """

    format: DatasetFormat
    shards: tuple[ShardFiles, ...]
    output: Output | None = None
    arrays: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listing:
    """Names by what their ending says they are; each group sorted."""

    tars: Sequence[str]
    tables: Sequence[str]
    stats: Sequence[str]
    images: Sequence[str]
    arrays: Sequence[str]
    packed: Sequence[str]
    tsvs: Sequence[str]


def listing_of(names: Iterable[str]) -> Listing:
    """Sort names into a listing; hidden ones and those of no known ending are left out."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        if not any(part.startswith(".") for part in PurePosixPath(name).parts):
            groups[_ending(name.lower())].append(name)
    return Listing(**{field.name: groups[field.name] for field in fields(Listing)})


def stem(name: str) -> str:
    """A name without its ending, compressed tars' two parts of it included."""
    lowered = name.lower()
    double = next((end for end in (*_PACKED, *TSVS) if lowered.endswith(end)), None)
    return name[: -len(double)] if double else str(PurePosixPath(name).with_suffix(""))


def by_stem(names: Iterable[str]) -> dict[str, str]:
    """Files by the shard they belong to: one each, so that no second one is passed over.

    Raises:
        NotADataset: two files name the same shard.
    """
    files: dict[str, str] = {}
    for name in names:
        keep_one(files, stem(name), name)
    return files


def keep_one(files: "dict[_K, str]", shard: _K, name: str) -> None:
    """Note the file of a shard, the only one of its kind.

    Raises:
        NotADataset: there is one already.
    """
    other = files.setdefault(shard, name)
    if other != name:
        raise NotADataset(
            f"The folder holds {other} and {name}, which name the same shard; "
            "rename one, or take it out of the folder."
        )


def stats_by_stem(listing: Listing) -> dict[str, str]:
    """img2dataset's statistics by the shard they belong to."""
    return {name[: -len(STATS)]: name for name in listing.stats}


def _ending(lowered: str) -> str:
    if lowered.endswith(STATS):
        return "stats"
    if lowered.endswith(_PACKED):
        return "packed"
    if lowered.endswith(TSVS):
        return "tsvs"
    suffix = PurePosixPath(lowered).suffix
    if suffix in IMAGE_SUFFIXES:
        return "images"
    if suffix in ARRAY_SUFFIXES:
        return "arrays"
    return {".tar": "tars", ".parquet": "tables"}.get(suffix, "other")
