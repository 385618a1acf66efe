"""What one index group found for one query: the raw evidence, before any verdict.

A group knows only its own rows, and a cosine means something only beside the cosines of all rows
searched. So a group reports facts, never verdicts: its candidate rows with their distances, and
its best cosines per view, from which `indexer.evidence` takes the query's background over all
groups together.
"""

from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from indexer.wire import pack, unpack

_FORM: Final = "hits/1"


@dataclass(frozen=True, slots=True)
class Row:
    """Where a candidate lies in its dataset, and the digests that the dataset records.

    Attributes:
        key: the row's native key.
        shard, index: 0-based row of the shard's metadata table.
        url, sha256, md5: as recorded, where they are; digests in hex.
        offset: of the picture's tar member, where there is one.
    """

    key: str
    shard: str
    index: int
    url: str | None
    sha256: str | None
    md5: str | None
    offset: int | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One row with its raw evidence.

    Attributes:
        row: which.
        digest: a digest or URL equals the query's.
        pdq: least Hamming distance (of 256) over the query's orientations and parts; None where
            one side's picture is too plain to compare, or missing.
        phash: likewise, of 64.
        cosines: one per query view, in the query's order; empty where nothing was compared.
    """

    row: Row
    digest: bool
    pdq: int | None
    phash: int | None
    cosines: tuple[float, ...]


@dataclass(frozen=True, eq=False, slots=True)
class GroupHits:
    """The candidates of one group for one query.

    Attributes:
        dataset, group: whose rows.
        rows: how many were searched.
        encoder: by which the cosines were had.
        views: the query's views.
        flags: the query's, such as `too_plain`.
        candidates: in row order.
        top_cosines: float32[views, k], each view's best cosines in this group, falling.
        near: how many rows share a digest or URL or lie within the hashes' radii, whether or not
            they are all candidates.
    """

    dataset: str
    group: int
    rows: int
    encoder: str
    views: tuple[str, ...]
    flags: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    top_cosines: NDArray[np.float32]
    near: int

    def to_bytes(self) -> bytes:
        """Serialize without pickle; `from_bytes` reads it."""
        facts = {
            "dataset": self.dataset,
            "group": self.group,
            "rows": self.rows,
            "near": self.near,
            "encoder": self.encoder,
            "views": self.views,
            "flags": self.flags,
            "candidates": [asdict(candidate) for candidate in self.candidates],
        }
        return pack(_FORM, facts, {"top_cosines": self.top_cosines})

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote.

        Raises:
            WireInvalid: it is something else.
        """
        facts, arrays = unpack(_FORM, data)
        candidates = tuple(_candidate(fact) for fact in facts.pop("candidates"))
        facts.setdefault("near", len(candidates))  # what an earlier version wrote and was sealed
        facts["views"] = tuple(facts["views"])
        facts["flags"] = tuple(facts["flags"])
        return cls(**facts, candidates=candidates, top_cosines=arrays["top_cosines"])


def _candidate(fact: dict[str, Any]) -> Candidate:
    row = Row(**fact.pop("row"))
    cosines = tuple(fact.pop("cosines"))
    return Candidate(row=row, cosines=cosines, **fact)
