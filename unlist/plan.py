"""Which rows of which shard have to go: found out for the whole dataset before a byte is written.

Planning reads what identifies rows (tables' columns, tar headers, image files) and refuses a shard
it cannot be sure of: no identifying column, a cut-off file, a sample that no row describes.  So a
dataset that cannot be cleaned is found out while it is still whole.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from unlist.blocklist import Blocklist, NothingToKnowBy, identifying_columns
from unlist.files import Advance
from unlist.formats import ShardFiles, find_columns
from unlist.formats.refused import DatasetRefused
from unlist.formats.stats import stats_load
from unlist.formats.tables import table_batches, table_open
from unlist.formats.tars import spans
from unlist.keys import NotIdentifying

_SIDECARS: Final = frozenset((".txt", ".json", ".caption"))
_CHUNK: Final = 1 << 20

Status = tuple[str | None, str | None]


class ShardUnsure(DatasetRefused):
    """A shard's rows cannot be told for certain; the message names the shard and what mends it."""


@dataclass(frozen=True)
class ShardPlan:
    """What has to happen to one shard.

    Attributes:
        shard: its files.
        rows: rows (or images) it has now.
        dropped_rows: 0-based rows of its table to leave out, ascending.
        dropped_keys: keys of the tar's samples to leave out.
        dropped_status: how many dropped rows there are per status and error message.
        dropped_files: image files, and files that go with them, to leave out.
        seen: size and modification time of each file as planned.
    """

    shard: ShardFiles
    rows: int
    dropped_rows: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    dropped_keys: frozenset[str] = frozenset()
    dropped_status: "Counter[Status]" = field(default_factory=Counter)
    dropped_files: tuple[str, ...] = ()
    rows_removed: int = 0
    seen: "dict[str, tuple[int, int]]" = field(default_factory=dict)


def shard_plan(
    root: Path, shard: ShardFiles, names: frozenset[str], blocklist: Blocklist, advance: Advance
) -> ShardPlan:
    """Find the rows of one shard that are listed.

    Args:
        root: the dataset's folder.
        shard: the shard's files.
        names: every file name of the dataset, for the files that go with an image.
        blocklist: the list to apply.
        advance: told the bytes dealt with.

    Raises:
        ShardUnsure: the shard's rows cannot be told for certain.
        TableBroken, TarBroken, StatsBroken: a file is not intact.
    """
    if shard.images:
        return _plan_images(root, shard, names, blocklist, advance)
    return _plan_table(root, shard, blocklist, advance)


def seen_now(root: Path, names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Size and modification time (ns) of files, by which a change between plan and work shows."""
    stats = {name: (root / name).stat() for name in names}
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()}


def _plan_table(root: Path, shard: ShardFiles, blocklist: Blocklist, advance: Advance) -> ShardPlan:
    if shard.table is None:
        raise ShardUnsure(
            f"{shard.archive} has no table beside it ({shard.name}.parquet), so its samples cannot "
            "be matched. Fetch the table, or take the shard out of the folder."
        )
    seen = seen_now(root, shard.files)
    rows = _listed_rows(root, shard, blocklist)
    if shard.archive is not None:
        _members_check(root / shard.archive, shard.table, frozenset(rows.keys))
    if shard.stats is not None:
        stats_load(shard.stats, (root / shard.stats).read_bytes())
    advance(sum(size for size, _ in seen.values()))
    dropped = rows.dropped()
    return ShardPlan(
        shard,
        rows.count,
        dropped_rows=np.array(dropped, dtype=np.int64),
        dropped_keys=frozenset(rows.keys[row] for row in dropped if rows.keys),
        dropped_status=Counter(rows.statuses[row] for row in dropped if row in rows.statuses),
        rows_removed=len(dropped),
        seen=seen,
    )


@dataclass
class _Rows:
    """What is known of a table's rows: which are listed, and, for a tar's sake, their keys."""

    count: int = 0
    listed: list[int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    statuses: dict[int, Status] = field(default_factory=dict)

    def dropped(self) -> list[int]:
        """Listed rows, and rows that share a key with one: their sample cannot be told apart."""
        if not self.keys or not self.listed:
            return self.listed
        going = {self.keys[row] for row in self.listed}
        return [row for row, key in enumerate(self.keys) if key in going]


def _listed_rows(root: Path, shard: ShardFiles, blocklist: Blocklist) -> _Rows:
    path = root / (shard.table or "")
    table = table_open(path)
    names = table.schema_arrow.names
    columns = find_columns(names)
    wanted = [name for _, name in _identifying(shard, names)]
    if shard.archive is not None and columns.key is None:
        raise ShardUnsure(
            f"{shard.table} has no column 'key', so its rows cannot be joined to the samples of "
            f"{shard.archive}. Write the shard again with img2dataset's own columns."
        )
    extra = (columns.key if shard.archive else None, columns.status, columns.error)
    wanted += [name for name in extra if name is not None and name not in wanted]
    rows = _Rows()
    for batch in table_batches(path, table, wanted):
        _note(rows, batch, _masked(shard, blocklist, batch), extra)
    return rows


def _note(
    rows: _Rows,
    batch: pa.RecordBatch,
    listed: npt.NDArray[np.bool_],
    extra: tuple[str | None, str | None, str | None],
) -> None:
    key, status, error = extra
    rows.listed += (np.flatnonzero(listed) + rows.count).tolist()
    if key is not None:
        rows.keys += [str(value) for value in batch.column(key).to_pylist()]
    if status is not None:
        states: list[Any] = batch.column(status).to_pylist()
        errors = batch.column(error).to_pylist() if error is not None else [None] * len(states)
        pairs = enumerate(zip(states, errors, strict=True), start=rows.count)
        rows.statuses.update(pairs)
    rows.count += batch.num_rows


def _identifying(shard: ShardFiles, names: list[str]) -> list[tuple[Any, str]]:
    try:
        return list(identifying_columns(names))
    except NothingToKnowBy as error:
        raise ShardUnsure(f"{shard.table}: {error}") from error


def _masked(
    shard: ShardFiles, blocklist: Blocklist, batch: pa.RecordBatch
) -> npt.NDArray[np.bool_]:
    try:
        mask: npt.NDArray[np.bool_] = blocklist.mask(batch).to_numpy(zero_copy_only=False)
    except NotIdentifying as error:
        raise ShardUnsure(f"{shard.table}: {error}") from error
    return mask


def _members_check(archive: Path, table: str, keys: frozenset[str]) -> None:
    """Every sample of the tar must be described by the table, else nobody can tell what it is."""
    for span in spans(archive):
        if span.key is not None and span.key not in keys:
            raise ShardUnsure(
                f"{archive.name} holds {span.name}, which no row of {table} describes, so whether "
                "it is listed cannot be told. Fetch the shard's tar and table again, together."
            )


def _plan_images(
    root: Path, shard: ShardFiles, names: frozenset[str], blocklist: Blocklist, advance: Advance
) -> ShardPlan:
    seen = seen_now(root, shard.images)
    listed = [name for name in shard.images if _image_listed(root / name, blocklist, advance)]
    kept_stems = {_stem(name) for name in set(shard.images) - set(listed)}
    sidecars = _sidecars(names)
    beside = sorted(name for image in listed for name in _beside(image, sidecars, kept_stems))
    return ShardPlan(
        shard,
        len(shard.images),
        dropped_files=(*listed, *dict.fromkeys(beside)),
        rows_removed=len(listed),
        seen=seen,
    )


def _image_listed(path: Path, blocklist: Blocklist, advance: Advance) -> bool:
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sha256.update(chunk)
            md5.update(chunk)
            advance(len(chunk))
    return blocklist.lists("sha256", sha256.hexdigest()) or blocklist.lists("md5", md5.hexdigest())


def _sidecars(names: frozenset[str]) -> Mapping[str, list[str]]:
    """Captions and the like, in any case of their suffix, by what stands before it."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if PurePosixPath(name).suffix.lower() in _SIDECARS:
            found[_stem(name)].append(name)
    return found


def _beside(image: str, sidecars: Mapping[str, list[str]], kept_stems: set[str]) -> Iterator[str]:
    """What goes with an image: ``a.jpg.json``, and ``a.json`` unless another ``a`` stays."""
    yield from sidecars.get(image, ())
    if _stem(image) not in kept_stems:
        yield from sidecars.get(_stem(image), ())


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))
