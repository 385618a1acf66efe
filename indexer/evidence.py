"""Evidence becomes a verdict: `conclude` is the one way from raw hits to kind and score.

A cosine alone says little: a picture of the sea lies near every picture of the sea. So each view
of the query is measured against its own background, the cosines of the rows that come close
without being the best, as SSCD normalizes its scores (Pizzi et al., "A Self-Supervised Descriptor
for Image Copy Detection", 2022). What stands out from the background, and how near the hashes
are, add up to log-odds; the score is the probability they stand for.

The constants were fitted by logistic regression on one seed of the evaluation; docs/matching.md
says which, what the thresholds were chosen on, and what came out on the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from indexer import DEFAULT_ENCODER, PDQ_RADIUS
from indexer.hits import Candidate, GroupHits

Kind = Literal["exact", "copy", "similar"]

# The background of a view: the mean of its cosines of these ranks over all rows searched. The
# first few ranks are left out, for they may be copies.
_RANKS: Final = slice(5, 40)
# In a collection too small, or too unlike the query, to have a background: what is usual among
# photographs. In one with many copies of the query: the most that look-alikes reach.
_USUAL: Final = 0.6
_LOWEST: Final = 0.5
_HIGHEST: Final = 0.8
_SHARE: Final = 0.5  # of the background that is taken off a cosine
# A half of a picture has more look-alikes than a whole.
_HALVES: Final = frozenset({"left", "right", "top", "bottom"})
_HALF_PENALTY: Final = 0.04

# Log-odds that a candidate is a copy: a constant, a slope for what stands out, and for each hash
# a slope and a curve of how far it lies below what pairs of different pictures reach.
_CONSTANT: Final = -25.6
_STANDS_OUT: Final = 48.0
_PDQ_CHANCE: Final = 96
_PDQ_SLOPE: Final = 0.6 / 64
_PDQ_CURVE: Final = 0.6 / 64**2
_PHASH_CHANCE: Final = 16
_PHASH_SLOPE: Final = 4.6 / 8
_PHASH_CURVE: Final = 3.7 / 8**2

# A copy from these log-odds on. The highest that look-alikes reached was 5.
_COPY: Final = 6.0
# Within PDQ's own radius a row is a copy whatever the embedding says.
_PDQ_COPY: Final = 7.0
# Less than 1 in 100: not worth a maintainer's look.
_FLOOR: Final = -4.6
# Embeddings of encoders whose constants nobody has measured order the candidates, no more.
_MEASURED: Final = frozenset({DEFAULT_ENCODER})


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
        inliers: of geometric verification; None where there was none.
    """

    digest: bool
    pdq: int | None
    phash: int | None
    cosine: float | None
    inliers: int | None


@dataclass(frozen=True, slots=True)
class Match:
    """A row of a dataset with its verdict.

    Attributes:
        dataset, group: where it was found.
        key, shard, index, url, sha256, md5, offset: the row, see `indexer.hits.Row`.
        kind: `exact`, `copy`, or `similar` for a human to look at.
        score: probability that the row holds the photo, 0..1.
        evidence: why.
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


def conclude(hits: Sequence[GroupHits], *, top: int) -> list[Match]:
    """Join what all groups found for ONE photo into matches, by falling score.

    Args:
        hits: one per group searched, in any order; the outcome does not depend on it.
        top: the most matches to return.
    """
    backgrounds = {
        encoder: _background([hit for hit in hits if hit.encoder == encoder])
        for encoder in {hit.encoder for hit in hits}
    }
    matches = [
        match
        for hit in hits
        for candidate in hit.candidates
        if (match := _match(hit, candidate, backgrounds[hit.encoder])) is not None
    ]
    matches.sort(key=lambda match: (-match.score, match.dataset, match.shard, match.index))
    return matches[:top]


def _background(hits: Sequence[GroupHits]) -> NDArray[np.float64]:
    """What to take off each view's cosines: float64[views]."""
    views = hits[0].views
    tables = [hit.top_cosines for hit in hits if hit.top_cosines.size]
    usual = np.full((len(views), _RANKS.stop), _USUAL)
    merged = -np.sort(-np.concatenate(tables, axis=1), axis=1) if tables else usual[:, :0]
    # Ranks that a small collection does not have are filled up with what is usual.
    ranked = np.concatenate([merged, usual[:, merged.shape[1] :]], axis=1)
    level: NDArray[np.float64] = ranked[:, _RANKS].mean(axis=1, dtype=np.float64)
    penalty = np.array([_HALF_PENALTY if view in _HALVES else 0.0 for view in views])
    background: NDArray[np.float64] = _SHARE * level.clip(_LOWEST, _HIGHEST) + penalty
    return background


def _match(hit: GroupHits, candidate: Candidate, background: NDArray[np.float64]) -> Match | None:
    odds = _log_odds(candidate, background, measured=hit.encoder in _MEASURED)
    if not candidate.digest and odds < _FLOOR:
        return None
    kind: Kind = "exact" if candidate.digest else "copy" if odds >= _COPY else "similar"
    row = candidate.row
    return Match(
        dataset=hit.dataset,
        group=hit.group,
        key=row.key,
        shard=row.shard,
        index=row.index,
        url=row.url,
        sha256=row.sha256,
        md5=row.md5,
        offset=row.offset,
        kind=kind,
        score=1.0 if candidate.digest else min(0.999999, round(1 / (1 + exp(-odds)), 6)),
        evidence=Evidence(
            digest=candidate.digest,
            pdq=candidate.pdq,
            phash=candidate.phash,
            cosine=max(candidate.cosines, default=None),
            inliers=None,
        ),
    )


def _log_odds(candidate: Candidate, background: NDArray[np.float64], *, measured: bool) -> float:
    """Log-odds that the candidate is a copy of the query, digests aside."""
    if not candidate.cosines or candidate.pdq is None or candidate.phash is None:
        return -np.inf
    stands_out = float((np.array(candidate.cosines) - background).max())
    pdq = max(0, _PDQ_CHANCE - candidate.pdq)
    phash = max(0, _PHASH_CHANCE - candidate.phash)
    odds = (
        _CONSTANT
        + _STANDS_OUT * stands_out
        + _PDQ_SLOPE * pdq
        + _PDQ_CURVE * pdq**2
        + _PHASH_SLOPE * phash
        + _PHASH_CURVE * phash**2
    )
    if candidate.pdq <= PDQ_RADIUS:
        return max(odds, _PDQ_COPY) + (PDQ_RADIUS - candidate.pdq) / PDQ_RADIUS
    return odds if measured else min(odds, _COPY - 1)
