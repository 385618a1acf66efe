"""From a listing of file names to the shards of a dataset, or one sentence why it is none.

Only names are looked at, never contents, so the same function serves a local folder, an archive
listing and an object store.  Files that belong to no shard are left out of the layout: who copies
a dataset copies them untouched.  Hidden files and folders (``.git``, our own journal) are no part
of a dataset.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, Literal, get_args

from unlist.formats.refused import DatasetRefused

DatasetFormat = Literal["img2dataset", "laion", "images"]
FORMATS: Final[tuple[DatasetFormat, ...]] = get_args(DatasetFormat)

IMAGE_SUFFIXES: Final = frozenset(
    (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif")
)
_ROW_ALIGNED_SUFFIXES: Final = (".npy", ".npz")
_STATS: Final = "_stats.json"
_PACKED: Final = (
    *(".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar.lz4", ".tar.z"),
    *(".tgz", ".tbz", ".tbz2", ".txz", ".tzst"),
)


class NotADataset(DatasetRefused):
    """The folder holds no dataset in a form that can be read; the message says why."""


class UnknownFormat(DatasetRefused):
    """A format name was given that no part of Unlist knows; the message lists those that are."""


@dataclass(frozen=True)
class ShardFiles:
    """The files of one shard, as names relative to the dataset's folder, with ``/`` between parts.

    Attributes:
        name: the shard's own name, ``00000`` or ``part/00000``; for ``images`` the folder (``.``).
        table: the parquet file with one row per sample, if there is one.
        archive: the tar file with the samples' members, if there is one.
        stats: img2dataset's ``_stats.json``, if there is one.
        images: the image files themselves, for ``images`` only.
    """

    name: str
    table: str | None = None
    archive: str | None = None
    stats: str | None = None
    images: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """Every file of the shard."""
        single = (self.table, self.archive, self.stats)
        return tuple(name for name in single if name is not None) + self.images


@dataclass(frozen=True)
class Layout:
    """A dataset's form and its shards, in the order of their names."""

    format: DatasetFormat
    shards: tuple[ShardFiles, ...]


@dataclass(frozen=True)
class _Listing:
    """Names by what their ending says they are; each group sorted."""

    tars: Sequence[str]
    tables: Sequence[str]
    stats: Sequence[str]
    images: Sequence[str]
    aligned: Sequence[str]
    packed: Sequence[str]


def detect(
    names: Iterable[str],
    format: DatasetFormat | str | None = None,  # noqa: A002  # the word users know it by
) -> Layout:
    """The layout of a dataset from the names of its files.

    Args:
        names: file names relative to the dataset's folder, with ``/`` between parts; any order.
        format: the form to take it for; ``None`` tells it from the names.

    Raises:
        NotADataset: nothing there fits, or two forms are mixed and neither was named.
        UnknownFormat: ``format`` is not one of ``FORMATS``.
    """
    listing = _sorted_out(names)
    form = _told_apart(listing) if format is None else _known(format)
    shards = {"img2dataset": _img2dataset, "laion": _laion, "images": _images}[form](listing)
    return Layout(form, shards)


def _known(name: str) -> DatasetFormat:
    for form in FORMATS:
        if form == name:
            return form
    raise UnknownFormat(f"The format {name!r} is not known; known are: {', '.join(FORMATS)}.")


def _sorted_out(names: Iterable[str]) -> _Listing:
    groups: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        if not any(part.startswith(".") for part in PurePosixPath(name).parts):
            groups[_ending(name.lower())].append(name)
    return _Listing(**{field: groups[field] for field in _Listing.__dataclass_fields__})


def _ending(lowered: str) -> str:
    if lowered.endswith(_STATS):
        return "stats"
    if lowered.endswith(_PACKED):
        return "packed"
    suffix = PurePosixPath(lowered).suffix
    if suffix in IMAGE_SUFFIXES:
        return "images"
    if suffix in _ROW_ALIGNED_SUFFIXES:
        return "aligned"
    return {".tar": "tars", ".parquet": "tables"}.get(suffix, "other")


def _told_apart(listing: _Listing) -> DatasetFormat:
    """The one form that the listing can be."""
    tars = [*listing.tars, *listing.packed]
    if tars and listing.images:
        raise NotADataset(
            f"The folder mixes tar shards ({tars[0]}) with loose images "
            f"({listing.images[0]}); point at a folder that holds one kind, or name the one meant "
            "with --format."
        )
    if listing.tars:
        return "img2dataset"
    if listing.tables and listing.images:
        raise NotADataset(
            f"The folder mixes tables ({listing.tables[0]}) with loose images "
            f"({listing.images[0]}), as img2dataset's `files` output does; of its outputs "
            "this version reads `webdataset` (tar shards). To use one kind alone, name it with "
            "--format."
        )
    if listing.tables:
        return "laion"
    if listing.images:
        return "images"
    raise _nothing_found(listing)


def _nothing_found(listing: _Listing) -> NotADataset:
    _refuse_packed(listing)
    return NotADataset(
        "The folder holds no dataset: there is no .tar shard, no .parquet table and no image in "
        "it. Point at the folder that img2dataset wrote, at metadata parquet files, or at a folder "
        "of images."
    )


def _img2dataset(listing: _Listing) -> tuple[ShardFiles, ...]:
    if not listing.tars:
        raise NotADataset(
            "The folder holds no .tar shard, so it is not img2dataset's `webdataset` output; "
            "metadata tables alone are of the format laion."
        )
    _refuse_packed(listing)
    _refuse_aligned(listing)
    tars, tables = _by_stem(listing.tars), _by_stem(listing.tables)
    stats = {name[: -len(_STATS)]: name for name in listing.stats}
    return tuple(
        ShardFiles(name, table=tables.get(name), archive=tars.get(name), stats=stats.get(name))
        for name in sorted(tars.keys() | tables.keys())
    )


def _laion(listing: _Listing) -> tuple[ShardFiles, ...]:
    if not listing.tables:
        raise NotADataset(
            "The folder holds no .parquet file, so there is no metadata table to read."
        )
    if listing.tars:
        raise NotADataset(
            f"The folder holds tar shards too ({listing.tars[0]}), whose rows would no longer fit "
            "the tables; use --format img2dataset."
        )
    if listing.stats:
        raise NotADataset(
            f"The folder is img2dataset's `parquet` output ({listing.stats[0]}); "
            "of img2dataset's outputs this version reads `webdataset` (tar shards)."
        )
    _refuse_packed(listing)
    _refuse_aligned(listing)
    tables = _by_stem(listing.tables)
    return tuple(ShardFiles(name, table=tables[name]) for name in sorted(tables))


def _images(listing: _Listing) -> tuple[ShardFiles, ...]:
    if not listing.images:
        raise NotADataset("The folder holds no image file (.jpg, .png, .webp and the like).")
    folders: dict[str, list[str]] = defaultdict(list)
    for name in listing.images:
        folders[str(PurePosixPath(name).parent)].append(name)
    return tuple(ShardFiles(folder, images=tuple(folders[folder])) for folder in sorted(folders))


def _by_stem(names: Sequence[str]) -> dict[str, str]:
    """Files by the shard they belong to: one each, so that no second one is passed over."""
    files: dict[str, str] = {}
    for name in names:
        other = files.setdefault(_stem(name), name)
        if other != name:
            raise NotADataset(
                f"The folder holds {other} and {name}, which name the same shard; "
                "rename one, or take it out of the folder."
            )
    return files


def _refuse_packed(listing: _Listing) -> None:
    """A compressed tar would be carried along unread, whatever rows it holds."""
    if listing.packed:
        raise NotADataset(
            f"The folder holds compressed tar files ({listing.packed[0]}); "
            "unpack them to plain .tar first."
        )


def _refuse_aligned(listing: _Listing) -> None:
    """Arrays beside the tables go row for row with them: leaving them alone would break that."""
    if listing.aligned:
        raise NotADataset(
            f"The folder holds arrays that go row by row with the tables ({listing.aligned[0]}), "
            "which this version cannot keep in step; move them out and make them again afterwards."
        )


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))
