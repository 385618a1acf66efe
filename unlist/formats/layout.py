"""From a listing of file names to the shards of a dataset, or one sentence why it is none.

Only names are looked at, never contents, so the same function serves a local folder, an archive
listing and an object store.  Files that belong to no shard are left out of the layout: who copies
a dataset copies them untouched.  ``detect`` is for readers and wants the form named; which
layouts can be rewritten is told by ``unlist.formats.rewritable``.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Final, get_args

from unlist.formats.listing import (
    STREAMED,
    DatasetFormat,
    Layout,
    Listing,
    NotADataset,
    Output,
    ShardFiles,
    UnknownFormat,
    by_stem,
    keep_one,
    listing_of,
    stats_by_stem,
)

FORMATS: Final[tuple[DatasetFormat, ...]] = get_args(DatasetFormat)

# clip-retrieval's writer: https://github.com/rom1504/clip-retrieval clip_inference/writer.py
_NUMBERED: Final = re.compile(r"(img_emb|text_emb|metadata)_(\d+)\.(?:npy|parquet)", re.IGNORECASE)


def detect(
    names: Iterable[str],
    format: DatasetFormat | str,  # noqa: A002  # the word users know it by
) -> Layout:
    """The layout of a dataset of a form, from the names of its files.

    Args:
        names: file names relative to the dataset's folder, with ``/`` between parts; any order.
        format: one of ``FORMATS``.

    Raises:
        NotADataset: the names do not fit the form.
        UnknownFormat: ``format`` is not one of ``FORMATS``.
    """
    listing = listing_of(names)
    form = _known(format)
    if form == "img2dataset":
        output = _output(listing)
        return Layout(form, _OUTPUTS[output](listing), output)
    arrays = () if form in ("clip-retrieval", "datacomp") else tuple(listing.arrays)
    return Layout(form, _LAYOUTS[form](listing), arrays=arrays)


def laion(listing: Listing) -> tuple[ShardFiles, ...]:
    """Metadata tables, each a shard.

    Raises:
        NotADataset: there is no table, or there are tar shards beside them.
    """
    if not listing.tables:
        raise NotADataset(
            "The folder holds no .parquet file, so there is no metadata table to read."
        )
    if listing.tars:
        raise NotADataset(
            f"The folder holds tar shards too ({listing.tars[0]}), whose rows would no longer fit "
            "the tables; use --format img2dataset."
        )
    tables = by_stem(listing.tables)
    return tuple(ShardFiles(name, table=tables[name]) for name in sorted(tables))


def images(listing: Listing) -> tuple[ShardFiles, ...]:
    """Image files, each folder of them a shard.

    Raises:
        NotADataset: there is none.
    """
    if not listing.images:
        raise NotADataset("The folder holds no image file (.jpg, .png, .webp and the like).")
    folders = _by_folder(listing)
    return tuple(ShardFiles(folder, images=folders[folder]) for folder in sorted(folders))


def _known(name: str) -> DatasetFormat:
    for form in FORMATS:
        if form == name:
            return form
    raise UnknownFormat(f"The format {name!r} is not known; known are: {', '.join(FORMATS)}.")


def _output(listing: Listing) -> Output:
    """Which of img2dataset's outputs the names are: tars, loose images, or tables alone."""
    if listing.tars or listing.packed:
        return "webdataset"
    if not listing.tables:
        raise NotADataset(
            "The folder holds no .tar shard and no .parquet table, so it is none of img2dataset's "
            "outputs `webdataset`, `files` and `parquet`; a folder of images alone is of the "
            "format images."
        )
    return "files" if listing.images else "parquet"


def _webdataset(listing: Listing) -> tuple[ShardFiles, ...]:
    unread = [name for name in listing.packed if not name.lower().endswith(STREAMED)]
    if unread:
        raise NotADataset(
            f"The folder holds {unread[0]}, compressed in a way that is not read; of compressed "
            "tars .tar.gz and .tar.zst are. Unpack it, or pack it as one of these."
        )
    tars = by_stem([*listing.tars, *listing.packed])
    tables, stats = by_stem(listing.tables), stats_by_stem(listing)
    return tuple(
        ShardFiles(name, table=tables.get(name), archive=tars.get(name), stats=stats.get(name))
        for name in sorted(tars.keys() | tables.keys())
    )


def _files(listing: Listing) -> tuple[ShardFiles, ...]:
    """A folder of images named for its table: ``00000/000000012.jpg`` beside ``00000.parquet``."""
    tables, stats, folders = by_stem(listing.tables), stats_by_stem(listing), _by_folder(listing)
    return tuple(
        ShardFiles(
            name, table=tables.get(name), stats=stats.get(name), images=folders.get(name, ())
        )
        for name in sorted(tables.keys() | folders.keys())
    )


def _parquet(listing: Listing) -> tuple[ShardFiles, ...]:
    tables, stats = by_stem(listing.tables), stats_by_stem(listing)
    return tuple(
        ShardFiles(name, table=tables[name], stats=stats.get(name)) for name in sorted(tables)
    )


def _clip_retrieval(listing: Listing) -> tuple[ShardFiles, ...]:
    """``img_emb/img_emb_0.npy`` and ``metadata/metadata_0.parquet`` are partition ``0``.

    The folders of the two may be named otherwise (LAION's are); where several sets lie below one
    folder, the path above tells them apart.
    """
    parts: dict[str, dict[str, str]] = {"img_emb": {}, "text_emb": {}, "metadata": {}}
    for name in (*listing.arrays, *listing.tables):
        if found := _NUMBERED.fullmatch(PurePosixPath(name).name):
            above = PurePosixPath(name).parent.parent / found[2]
            keep_one(parts[found[1].lower()], str(above), name)
    arrays, tables = parts["img_emb"], parts["metadata"]
    if not arrays:
        raise NotADataset(
            "The folder holds no img_emb_0.npy and the like, so there are no image embeddings as "
            "clip-retrieval writes them; metadata tables alone are of the format laion."
        )
    return tuple(
        ShardFiles(
            name,
            table=tables.get(name),
            embeddings=arrays.get(name),
            aligned=_there(parts["text_emb"].get(name)),
        )
        for name in sorted(arrays.keys() | tables.keys())
    )


def _datacomp(listing: Listing) -> tuple[ShardFiles, ...]:
    """``<uid>.parquet`` with ``<uid>.npz`` beside it; arrays of other names are no shard's."""
    if not listing.tables:
        raise NotADataset(
            "The folder holds no .parquet file: point at the metadata folder that DataComp's "
            "download_upstream.py wrote."
        )
    tables = by_stem(listing.tables)
    arrays = by_stem(name for name in listing.arrays if name.lower().endswith(".npz"))
    return tuple(
        ShardFiles(name, table=tables[name], embeddings=arrays.get(name)) for name in sorted(tables)
    )


def _tsv(listing: Listing) -> tuple[ShardFiles, ...]:
    if not listing.tsvs:
        raise NotADataset("The folder holds no .tsv file (.tsv, .tsv.gz or .tsv.zst).")
    tables = by_stem(listing.tsvs)
    return tuple(ShardFiles(name, table=tables[name]) for name in sorted(tables))


def _by_folder(listing: Listing) -> Mapping[str, tuple[str, ...]]:
    folders: dict[str, list[str]] = defaultdict(list)
    for name in listing.images:
        folders[str(PurePosixPath(name).parent)].append(name)
    return {folder: tuple(names) for folder, names in folders.items()}


def _there(name: str | None) -> tuple[str, ...]:
    return () if name is None else (name,)


_OUTPUTS: Final[Mapping[Output, Callable[[Listing], tuple[ShardFiles, ...]]]] = {
    "webdataset": _webdataset,
    "files": _files,
    "parquet": _parquet,
}
_LAYOUTS: Final[Mapping[str, Callable[[Listing], tuple[ShardFiles, ...]]]] = {
    "laion": laion,
    "coyo": laion,
    "clip-retrieval": _clip_retrieval,
    "datacomp": _datacomp,
    "tsv": _tsv,
    "images": images,
}
