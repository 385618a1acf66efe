"""Evidence becomes a verdict: `conclude` is the one way from raw hits to kind and score.

Each candidate's measures (`indexer.evidence.measures`) are weighed by the calibration
(`indexer.evidence.calibration`): with the pixels' geometry where a stored picture could be laid
over the query, by fingerprints alone where it could not. The score is the probability that comes
out. `shortlist` says which few rows are worth that look, over all groups together.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import numpy as np

from indexer import PDQ_RADIUS
from indexer.evidence.calibration import PDQ_COPY, calibration, probability
from indexer.evidence.hits import Candidate, GroupHits, Row
from indexer.evidence.measures import Surroundings, fingerprint_measures, pixel_measures
from indexer.placement import Placement

if TYPE_CHECKING:  # loads OpenCV
    from indexer.geometry.verify import Geometry

Kind = Literal["exact", "copy", "similar"]
Basis = Literal["digest", "pixels", "fingerprints"]
RowId = tuple[str, str, int]  # dataset, shard, index

# How many rows of a query are worth reading their pictures for. A copy is among the first three
# nearly always; a crop or a busy collage may hide behind look-alikes.
SHORTLIST: Final = 16
_HIGHEST: Final = 0.999999  # 1 is for equal digests


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a row is thought to hold the photo.

    Attributes:
        digest: a digest or URL that the row records, or its stored picture's digest, equals
            the query's.
        pdq: least Hamming distance (of 256) over the query's orientations and parts; None where
            one side's picture is too plain to compare, or missing.
        phash: likewise, of 64.
        cosine: of the embeddings, the best over the query's views.
        inliers: keypoints on which the two pictures agree; None where their pixels were not
            compared, as are the next three.
        agreement: share of their common textured area that shows the same, 0..1.
        overlap: share of the stored picture that lies within the query, 0..1.
        mirrored: whether it lies there mirrored.
        basis: what the verdict rests on: equal `digest`s, the `pixels` of both pictures, or
            `fingerprints` alone.
        box: where the stored picture lies in the query: left, top, right, bottom as shares of
            the query's sides; None where that is not known.
    """

    digest: bool
    pdq: int | None
    phash: int | None
    cosine: float | None
    inliers: int | None
    agreement: float | None
    overlap: float | None
    mirrored: bool | None
    basis: Basis
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A row of a dataset with its verdict.

    Attributes:
        dataset, group: where it was found.
        key, shard, index, url, sha256, md5, offset: the row, see `indexer.evidence.hits.Row`.
        kind: `exact`, `copy`, or `similar` for a human to look at.
        score: probability that the row holds the photo, 0..1.
        evidence: why.
        placement: how its picture lies on the query, to be drawn; None where that is not known.
    """

    dataset: str
    group: int
    key: str
    shard: str
    index: int
    url: str | None
    sha256: str | None
    md5: str | None
    offset: int | None
    kind: Kind
    score: float
    evidence: Evidence
    placement: Placement | None = None


@dataclass(frozen=True, slots=True)
class Shortlisted:
    """A row whose stored picture is worth laying over the query.

    Attributes:
        dataset, group: where it was found.
        row: which.
    """

    dataset: str
    group: int
    row: Row

    @property
    def id(self) -> RowId:
        """By which `conclude` knows its geometry."""
        return self.dataset, self.row.shard, self.row.index

    @property
    def place(self) -> tuple[str, str, str, int, int | None]:
        """Where its stored picture lies: dataset, shard, key, index, offset."""
        row = self.row
        return self.dataset, row.shard, row.key, row.index, row.offset

    def as_json(self) -> dict[str, Any]:
        """As JSON types; `from_json` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """Read what `as_json` made."""
        return cls(facts["dataset"], facts["group"], Row(**facts["row"]))


class _Query:
    """Everything found for one photo, judged together."""

    def __init__(self, hits: Sequence[GroupHits]) -> None:
        self._hits = hits

    @cached_property
    def _around(self) -> dict[str, Surroundings]:
        rows = sum(hit.rows for hit in self._hits)
        encoders = {hit.encoder for hit in self._hits}
        return {
            encoder: Surroundings.of([hit for hit in self._hits if hit.encoder == encoder], rows)
            for encoder in encoders
        }

    def candidates(self) -> Iterator[tuple[GroupHits, Candidate]]:
        return ((hit, candidate) for hit in self._hits for candidate in hit.candidates)

    def by_fingerprints(self, hit: GroupHits, candidate: Candidate) -> float:
        """Log-odds that the candidate is a copy, its pixels aside."""
        if not _is_compared(candidate):
            return -np.inf
        measures = fingerprint_measures(candidate, self._around[hit.encoder])
        regime = calibration().fingerprints
        odds = regime.log_odds(measures)
        if hit.encoder != calibration().encoder:
            odds = min(odds, regime.copy_log_odds - 1)
        return max(odds, _pdq_odds(candidate))

    def measured(
        self, hit: GroupHits, candidate: Candidate, geometry: Mapping[RowId, "Geometry"]
    ) -> tuple[RowId, dict[str, float], dict[str, float] | None]:
        """Its measures without and, if its pixels were compared, with them."""
        row = (hit.dataset, candidate.row.shard, candidate.row.index)
        around, seen = self._around[hit.encoder], geometry.get(row)
        alone = fingerprint_measures(candidate, around)
        return row, alone, None if seen is None else pixel_measures(candidate, around, seen)

    def by_pixels(self, hit: GroupHits, candidate: Candidate, geometry: "Geometry") -> float:
        """Log-odds that the candidate is a copy, its pixels having been compared."""
        measures = pixel_measures(candidate, self._around[hit.encoder], geometry)
        return max(calibration().pixels.log_odds(measures), _pdq_odds(candidate))


def shortlist(
    hits: Sequence[GroupHits], *, datasets: Collection[str], top: int = SHORTLIST
) -> list[Shortlisted]:
    """Choose the rows that are worth reading their stored pictures for, the likeliest first.

    Args:
        hits: for ONE photo, from all groups, in any order; the outcome does not depend on it.
        datasets: those that hold pictures: rows of the others take no place on the list.
        top: the most rows to choose.
    """
    query = _Query(hits)
    ranked = sorted(
        (
            -query.by_fingerprints(hit, candidate),
            hit.dataset,
            candidate.row.shard,
            candidate.row.index,
            hit.group,
            candidate.row,
        )
        for hit, candidate in query.candidates()
        if hit.dataset in datasets and _is_compared(candidate)
    )
    return [Shortlisted(dataset, group, row) for _, dataset, _, _, group, row in ranked[:top]]


def conclude(
    hits: Sequence[GroupHits],
    *,
    top: int,
    geometry: Mapping[RowId, "Geometry"] = MappingProxyType({}),
) -> list[Match]:
    """Join what all groups found for ONE photo into matches, by falling score.

    Args:
        hits: one per group searched, in any order; the outcome does not depend on it.
        top: the most matches to return.
        geometry: of the rows whose pixels were compared. A row that is not there could not be,
            which says nothing against it.
    """
    query = _Query(hits)
    matches = [
        match
        for hit, candidate in query.candidates()
        if (match := _match(query, hit, candidate, geometry)) is not None
    ]
    matches.sort(key=lambda match: (-match.score, match.dataset, match.shard, match.index))
    return matches[:top]


def measured(
    hits: Sequence[GroupHits], geometry: Mapping[RowId, "Geometry"]
) -> list[tuple[RowId, dict[str, float], dict[str, float] | None]]:
    """What the calibration is fitted to: each candidate's measures, without and with pixels.

    Args:
        hits: as `conclude` takes them.
        geometry: likewise.

    Returns:
        Row, measures by fingerprints, measures by pixels (None where they were not compared).
    """
    query = _Query(hits)
    return [
        query.measured(hit, candidate, geometry)
        for hit, candidate in query.candidates()
        if _is_compared(candidate)
    ]


def _is_compared(candidate: Candidate) -> bool:
    """Whether any fingerprint of the candidate was compared, digests aside."""
    return bool(candidate.cosines) or candidate.pdq is not None or candidate.phash is not None


def _pdq_odds(candidate: Candidate) -> float:
    """Within PDQ's radius a row is a copy whatever else there is; the nearer the surer."""
    if candidate.pdq is None or candidate.pdq > PDQ_RADIUS:
        return -np.inf
    return PDQ_COPY + (PDQ_RADIUS - candidate.pdq) / PDQ_RADIUS


def _match(
    query: _Query, hit: GroupHits, candidate: Candidate, geometry: Mapping[RowId, "Geometry"]
) -> Match | None:
    row = candidate.row
    seen = geometry.get((hit.dataset, row.shard, row.index))
    if seen is None:
        regime, odds = calibration().fingerprints, query.by_fingerprints(hit, candidate)
    else:
        regime, odds = calibration().pixels, query.by_pixels(hit, candidate, seen)
    score = 1.0 if candidate.digest else min(_HIGHEST, round(probability(odds), 6))
    if score < calibration().floor:
        return None
    kind: Kind = "exact" if candidate.digest else "copy" if score >= regime.copy else "similar"
    return Match(
        dataset=hit.dataset,
        group=hit.group,
        **asdict(row),
        kind=kind,
        score=score,
        evidence=_evidence(candidate, seen),
        placement=None if seen is None else seen.placement,
    )


def _evidence(candidate: Candidate, seen: "Geometry | None") -> Evidence:
    return Evidence(
        digest=candidate.digest,
        pdq=candidate.pdq,
        phash=candidate.phash,
        cosine=max(candidate.cosines, default=None),
        inliers=None if seen is None else seen.inliers,
        agreement=None if seen is None else seen.agreement,
        overlap=None if seen is None else seen.overlap,
        mirrored=None if seen is None else seen.mirrored,
        basis="digest" if candidate.digest else "fingerprints" if seen is None else "pixels",
        box=None if seen is None else seen.box,
    )
