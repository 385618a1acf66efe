"""What a search found, as far as its subject may know: counts and their own photo, never a row."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from removal.custody.content import FoundRow, Region
from removal.models import Candidate, Kind, RemovalRequest, Verdict
from removal.selectors.subject import domain

Rows = list[tuple[Candidate, FoundRow]]

_SAME: Final = 0.05
"""Regions whose sides differ by less than this share of the photo are shown as one."""
_MOST: Final = 8


def found_counted(request: RemovalRequest, rows: Rows) -> list[dict[str, Any]]:
    """Return how often, and where, the subject's own picture was found."""
    groups: dict[tuple[str, str], Rows] = defaultdict(list)
    for candidate, row in rows:
        if candidate.kind != Kind.SIMILAR:
            groups[row.dataset, candidate.kind].append((candidate, row))
    return [
        {
            "kind": kind,
            "dataset": dataset,
            "rows": len(members),
            "domains": _domains(members),
            "outcome": _outcome(members),
            "released_in": _released_in(request, members),
            "waiting": len(_approved(members)) - len(_carried(members)),
        }
        for (dataset, kind), members in sorted(groups.items())
    ]


def other_rows_removed(rows: Rows) -> int:
    """Count the look-alikes that a maintainer removed: all that is ever told of them."""
    return sum(
        candidate.kind == Kind.SIMILAR and candidate.verdict == Verdict.APPROVED
        for candidate, _ in rows
    )


def regions_matched(rows: Rows) -> dict[int, list[Region]]:
    """Return the parts of each photo that were found, by the photo's place.

    A photo that was not found is missing; an empty list says that the part is not known. The
    parts are the photo's own: of the row's picture they say only that it covers them.
    """
    found: dict[int, list[Region]] = {}
    for candidate, row in rows:
        if candidate.kind != Kind.SIMILAR:
            for n, region in row.regions.items():
                found.setdefault(n, []).extend([region] if region else [])
    return {n: _distinct(regions) for n, regions in found.items()}


def _distinct(regions: Iterable[Region]) -> list[Region]:
    kept: list[Region] = []
    for region in sorted(regions):
        if not any(_near(region, other) for other in kept):
            kept.append(region)
    return kept[:_MOST]


def _near(one: Region, other: Region) -> bool:
    return all(abs(a - b) < _SAME for a, b in zip(one, other, strict=True))


def _outcome(members: Rows) -> str:
    verdicts = {candidate.verdict for candidate, _ in members}
    return verdicts.pop() if len(verdicts) == 1 else "partly"


def _approved(members: Rows) -> list[FoundRow]:
    return [row for candidate, row in members if candidate.verdict == Verdict.APPROVED]


def _domains(members: Rows) -> list[str] | None:
    """Return the sites of the approved rows; None before any is approved."""
    approved = _approved(members)
    if not approved:
        return None
    return sorted({name for row in approved if (name := domain(row.url))})


def _carried(members: Rows) -> list[FoundRow]:
    """Return the approved rows, without duplicates that no release told to the request carries."""
    return _approved([one for one in members if not one[0].unreleased])


def _released_in(request: RemovalRequest, members: Rows) -> list[int] | None:
    return list(request.released_in) or None if _carried(members) else None
