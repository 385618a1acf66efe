"""What a release is made from, frozen: after this, nothing of the database is asked any more.

`input.json` and `ledger.parquet` lie beside the release's files. They hold all that decides its
bytes, so that anyone who has the two can make the release again, years later. The ledger there is
the keys alone, in their order: when and why one came onto the list is in neither file.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from releases.places import INPUT_NAME, LEDGER_NAME
from unlist import durable
from unlist.version import __version__ as unlist_version

INPUT_FORMAT: Final = "unlist-release-input/1"
_FIELDS: list["pa.Field[Any]"] = [
    pa.field("tier", pa.string(), nullable=False),
    pa.field("kind", pa.string(), nullable=False),
    pa.field("key", pa.binary(16), nullable=False),
]
LEDGER_SCHEMA = pa.schema(_FIELDS)
Entry = tuple[str, str, bytes]  # tier, kind, key


class InputDamaged(Exception):
    """A frozen input is absent, cut short or altered."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AuditPoint(_Frozen):
    """The head of the audit chain when the ledger was read."""

    seq: int
    digest: str


class DatasetCovered(_Frozen):
    """A dataset that was searched when the release was made."""

    name: str
    revision: str | None
    rows: int


class Previous(_Frozen):
    """The release before."""

    release: int
    manifest_sha256: str


class LedgerFacts(_Frozen):
    """The frozen ledger's size and digest, and how it differs from the release before."""

    rows: int
    sha256: str
    added: int
    withdrawn: int


class FrozenInput(_Frozen):
    """All that decides the bytes of a release, but for the keys in `ledger.parquet`."""

    format: Literal["unlist-release-input/1"] = INPUT_FORMAT
    list: str
    release: int
    created_on: date
    valid_until: date
    previous: Previous | None
    audit_head: AuditPoint
    datasets: tuple[DatasetCovered, ...]
    ledger: LedgerFacts
    writers: Mapping[str, str]


def writers_now() -> dict[str, str]:
    """Return the versions on which the bytes of a release depend."""
    return {"unlist": unlist_version, "pyarrow": version("pyarrow")}


def ledger_dump(entries: Sequence[Entry]) -> bytes:
    """Return the bytes of `ledger.parquet`; `entries` come sorted and without repeats."""
    columns = list(zip(*entries, strict=True)) or [(), (), ()]
    arrays = [
        pa.array(column, field.type) for column, field in zip(columns, LEDGER_SCHEMA, strict=True)
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_arrays(arrays, schema=LEDGER_SCHEMA), sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data


def ledger_changes(before: Sequence[Entry], now: Sequence[Entry]) -> tuple[int, int]:
    """Return how many keys came and how many went; one that moves to another tier does both."""
    old, new = set(before), set(now)
    return len(new - old), len(old - new)


def input_write(folder: Path, frozen: FrozenInput, ledger: bytes) -> None:
    """Write `input.json` and `ledger.parquet`."""
    durable.file_write(folder / LEDGER_NAME, ledger)
    durable.file_write(folder / INPUT_NAME, f"{frozen.model_dump_json(indent=2)}\n".encode())


def input_read(folder: Path) -> tuple[FrozenInput, list[Entry]]:
    """Read a frozen input back and check it against itself.

    Raises:
        InputDamaged: saying which file is at fault.
    """
    try:
        frozen = FrozenInput.model_validate_json((folder / INPUT_NAME).read_bytes())
        data = (folder / LEDGER_NAME).read_bytes()
    except OSError as error:
        raise InputDamaged(f"{Path(str(error.filename)).name} cannot be read.") from None
    except ValidationError as error:
        raise InputDamaged(
            f"{INPUT_NAME} is not a frozen input: {error.errors()[0]['msg']}."
        ) from None
    if hashlib.sha256(data).hexdigest() != frozen.ledger.sha256:
        raise InputDamaged(f"{LEDGER_NAME} is not the one that {INPUT_NAME} names.")
    table = pq.read_table(pa.BufferReader(data), schema=LEDGER_SCHEMA)
    columns = [table.column(name).to_pylist() for name in LEDGER_SCHEMA.names]
    entries: list[Entry] = list(zip(*columns, strict=True))
    if len(entries) != frozen.ledger.rows:
        raise InputDamaged(f"{LEDGER_NAME} has {len(entries)} rows, not {frozen.ledger.rows}.")
    return frozen, entries
