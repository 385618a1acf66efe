"""Rows that hold one picture make one tile, so that they are decided once.

Two rows belong together for one of three reasons, and for no other:

- a list could not tell them apart: they have the same address or the same recorded digest;
- both are the very file that was sent, or of one approved row;
- both are copies of the same part of the same photo, or approved row, turned the same way, and
  each so near to it that they cannot be far from each other: by PDQ's triangle inequality, or
  because the pixels of both agree with it nearly everywhere.

Look-alikes are never put together for looking alike: each may show somebody else. Nor are rows put
together about which an earlier decision said different things, or of which one may show something
else than the photo.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from removal.models import Kind
from removal.selectors import CandidateView

_KINDS: Final = tuple(Kind)
_PDQ_ALIKE: Final = 31
"""Of 256 bits: within it PDQ's authors take two pictures for one."""
_AGREES: Final = 0.95
_SAME_PART: Final = 0.05
"""Parts whose edges lie nearer than this share of the photo are one."""


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Rows that are decided together, the surest first."""

    rows: tuple[CandidateView, ...]

    @property
    def first(self) -> CandidateView:
        """Return the one that is shown for all."""
        return self.rows[0]

    @property
    def kind(self) -> Kind:
        """Return the surest kind among them."""
        return Kind(self.first.kind)


def rows_grouped(candidates: Sequence[CandidateView], *, apart: bool = False) -> list[RowGroup]:
    """Put rows together, the surest group first.

    Args:
        candidates: in the order of `ReviewCase.candidates`, the surest first.
        apart: leave each by itself.
    """
    if apart:
        return [RowGroup((one,)) for one in candidates]
    leader = {one.id: one.id for one in candidates}
    for one, other in _pairs(candidates):
        old, new = leader[other.id], leader[one.id]
        leader.update({member: new for member, its in leader.items() if its == old})
    groups: dict[Hashable, list[CandidateView]] = {}
    for one in candidates:
        groups.setdefault(leader[one.id], []).append(one)
    return [RowGroup(tuple(rows)) for rows in groups.values()]


def _pairs(
    candidates: Sequence[CandidateView],
) -> Iterator[tuple[CandidateView, CandidateView]]:
    """Yield pairs that belong together: enough of them to lead from each row to all of its own."""
    first: dict[Hashable, CandidateView] = {}
    for one in candidates:
        for name in _names(one):
            known = first.setdefault((one.verdict, one.kind == Kind.SIMILAR, name), one)
            if known is not one:
                yield known, one
    copies = [one for one in candidates if one.kind == Kind.COPY]
    for place, one in enumerate(copies):
        yield from ((one, other) for other in copies[place + 1 :] if _is_near(one, other))


def _names(one: CandidateView) -> Iterable[Hashable]:
    """Return what a list would know a row by, and the file that it is."""
    if one.url:
        yield "url", one.url
    yield from (("digest", digest) for digest in one.digests)
    if one.evidence.get("digest"):
        yield from (("sent", n) for n in one.photos)
        if one.duplicate_of:
            yield "row", one.duplicate_of


def _is_near(one: CandidateView, other: CandidateView) -> bool:
    if one.verdict != other.verdict or not _same_part(one, other):
        return False
    if one.evidence.get("mirrored") != other.evidence.get("mirrored"):
        return False
    far = [bits for each in (one, other) if (bits := each.evidence.get("pdq")) is not None]
    if len(far) == 2 and sum(far) <= _PDQ_ALIKE:
        return True
    return all((each.evidence.get("agreement") or 0) >= _AGREES for each in (one, other))


def _same_part(one: CandidateView, other: CandidateView) -> bool:
    """Tell whether both cover the same part of one photo, as far as the pixels were compared."""
    if len(one.corners) and len(other.corners):
        pairs = zip(one.corners, other.corners, strict=True)
        corners = all(
            abs(a - c) < _SAME_PART and abs(b - d) < _SAME_PART for (a, b), (c, d) in pairs
        )
        return corners and _one_source(one, other)
    shared = one.regions.keys() & other.regions.keys()
    return any(one.regions[n] is not None and one.regions[n] == other.regions[n] for n in shared)


def _one_source(one: CandidateView, other: CandidateView) -> bool:
    """Tell whether one photo led to both, or one approved row."""
    if one.duplicate_of or other.duplicate_of:
        return one.duplicate_of == other.duplicate_of
    return bool(set(one.photos) & set(other.photos))
