"""Which datasets can be rewritten whole, so that ``unlist apply`` may touch them.

Reading takes more forms than rewriting does: a form is in here once *every* file that carries its
rows is rewritten in step.  Whatever else lies in the folder and goes row by row with the tables
is refused, not left behind.
"""

from collections.abc import Iterable
from typing import Final, get_args

from unlist.formats.layout import images, laion
from unlist.formats.listing import (
    DatasetFormat,
    Layout,
    Listing,
    NotADataset,
    ShardFiles,
    UnknownFormat,
    by_stem,
    listing_of,
    stats_by_stem,
)

REWRITABLE: Final[tuple[DatasetFormat, ...]] = ("img2dataset", "laion", "images")
"""The formats that ``unlist apply`` takes for ``--format``."""


def rewritable(
    names: Iterable[str],
    format: DatasetFormat | str | None = None,  # noqa: A002  # the word users know it by
) -> Layout:
    """The layout of a dataset that can be rewritten, from the names of its files.

    Args:
        names: file names relative to the dataset's folder, with ``/`` between parts; any order.
        format: the form to take it for; ``None`` tells it from the names.

    Raises:
        NotADataset: nothing there fits, two forms are mixed and neither was named, or some of its
            files cannot be kept in step.
        UnknownFormat: ``format`` is not one of ``REWRITABLE``.
    """
    listing = listing_of(names)
    form = _told_apart(listing) if format is None else _known(format)
    shards = {"img2dataset": _webdataset, "laion": _laion, "images": images}[form](listing)
    return Layout(form, shards, "webdataset" if form == "img2dataset" else None)


def _known(name: str) -> DatasetFormat:
    for form in REWRITABLE:
        if form == name:
            return form
    if name in get_args(DatasetFormat):
        raise UnknownFormat(
            f"The format {name!r} is read but not rewritten by this version; rewritten are: "
            f"{', '.join(REWRITABLE)}."
        )
    raise UnknownFormat(f"The format {name!r} is not known; known are: {', '.join(REWRITABLE)}.")


def _told_apart(listing: Listing) -> DatasetFormat:
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
            "this version rewrites `webdataset` (tar shards). To use one kind alone, name it with "
            "--format."
        )
    if listing.tables:
        return "laion"
    if listing.images:
        return "images"
    raise _nothing_found(listing)


def _nothing_found(listing: Listing) -> NotADataset:
    _refuse_packed(listing)
    return NotADataset(
        "The folder holds no dataset: there is no .tar shard, no .parquet table and no image in "
        "it. Point at the folder that img2dataset wrote, at metadata parquet files, or at a folder "
        "of images."
    )


def _webdataset(listing: Listing) -> tuple[ShardFiles, ...]:
    if not listing.tars:
        raise NotADataset(
            "The folder holds no .tar shard, so it is not img2dataset's `webdataset` output; "
            "metadata tables alone are of the format laion."
        )
    _refuse_packed(listing)
    _refuse_arrays(listing)
    tars, tables, stats = by_stem(listing.tars), by_stem(listing.tables), stats_by_stem(listing)
    return tuple(
        ShardFiles(name, table=tables.get(name), archive=tars.get(name), stats=stats.get(name))
        for name in sorted(tars.keys() | tables.keys())
    )


def _laion(listing: Listing) -> tuple[ShardFiles, ...]:
    shards = laion(listing)
    if listing.stats:
        raise NotADataset(
            f"The folder is img2dataset's `parquet` output ({listing.stats[0]}); "
            "of img2dataset's outputs this version rewrites `webdataset` (tar shards)."
        )
    _refuse_packed(listing)
    _refuse_arrays(listing)
    return shards


def _refuse_packed(listing: Listing) -> None:
    """A compressed tar would be carried along unread, whatever rows it holds."""
    if listing.packed:
        raise NotADataset(
            f"The folder holds compressed tar files ({listing.packed[0]}); "
            "unpack them to plain .tar first."
        )


def _refuse_arrays(listing: Listing) -> None:
    """Arrays beside the tables go row for row with them: leaving them alone would break that."""
    if listing.arrays:
        raise NotADataset(
            f"The folder holds arrays that go row by row with the tables ({listing.arrays[0]}), "
            "which this version cannot keep in step; move them out and make them again afterwards."
        )
