"""What the subject may know of their request, and nothing that would help a stranger.

The status never holds a row's pixels, URL, caption or score: who merely holds a photo must not
learn more of it here than they sent.
"""

import datetime as dt
from collections import Counter, defaultdict
from typing import Any

from catalog.selectors import DatasetCoverage, datasets_covered
from removal import content, reasons
from removal.content import FoundRow
from removal.models import (
    Candidate,
    Kind,
    Photo,
    Purpose,
    RemovalRequest,
    State,
    Verdict,
)
from removal.sealing import Place, PrivateKey, Stored
from removal.selectors.progress import REASONS, SearchProgress, search_progress
from removal.selectors.subject import OpenedRequest, case_key, domain, rows_opened

_DECIDED = frozenset({State.APPROVED, State.PARTLY_APPROVED, State.DENIED, State.NO_MATCH})
_WITH_COMPLAINT = frozenset({State.PARTLY_APPROVED, State.DENIED, State.NO_MATCH})


def request_status(*, opened: OpenedRequest) -> dict[str, Any]:
    """Return what the subject may know, in the form that `POST status/` answers."""
    request = opened.request
    request.refresh_from_db()
    case = case_key(opened)
    rows = rows_opened(request, case)
    progress = search_progress(request)
    return {
        "state": request.state,
        "received_on": request.received_on.isoformat(),
        "due_on": request.due_on.isoformat(),
        "extended": request.extended_on is not None,
        "extension_reason": _words(request, case, content.EXTENSION, request.extension_sealed),
        "photos": [_photo_status(request, photo) for photo in request.photos.all()],
        "datasets": _datasets(request, progress),
        "groups_gone": progress.gone,
        "found": _found(request, rows),
        "questions": [],
        "other_rows_removed": _other_rows_removed(rows),
        "messages": [],
        "decision": _decision(request, case),
    }


def _words(
    request: RemovalRequest, case: PrivateKey | None, item: str, sealed: Stored
) -> str | None:
    if case is None or not sealed:
        return None
    return case.open(sealed, Place(request.pk, Purpose.CASE, item)).decode()


def _photo_status(request: RemovalRequest, photo: Photo) -> dict[str, Any]:
    held = photo.state == Photo.State.HELD
    return {
        "n": photo.n,
        "state": photo.state,
        "deletes_on": request.photos_delete_on.isoformat() if held else None,
        "deleted_on": photo.deleted_on.isoformat() if photo.deleted_on else None,
        "flags": list(photo.flags),
    }


def _datasets(request: RemovalRequest, progress: SearchProgress) -> list[dict[str, Any]]:
    """Return what was searched of every covered dataset, and what was not yet, and why."""
    if request.case_deleted_on is not None:
        return []
    return [_dataset(request, dataset, progress) for dataset in datasets_covered()]


def _dataset(
    request: RemovalRequest, dataset: DatasetCoverage, progress: SearchProgress
) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "rows": dataset.rows,
        "groups": dataset.groups,
        "groups_searched": progress.searched[dataset.name],
        "searched_on": _day(progress.searched_on.get(dataset.name)),
        "not_searched": _not_searched(request, dataset, progress),
    }


def _not_searched(
    request: RemovalRequest, dataset: DatasetCoverage, progress: SearchProgress
) -> list[dict[str, Any]]:
    """Say why groups were not searched, while the search goes on."""
    counts = Counter(progress.waiting.get(dataset.name, ()))
    if request.state == State.RECEIVED:
        counts["waiting"] = dataset.groups_ready
    elif request.state != State.SEARCHING:
        return []
    known = progress.searched[dataset.name] + counts.total()
    counts["not_indexed"] = max(dataset.groups - known, 0)
    return [{"reason": why, "groups": counts[why]} for why in REASONS if counts[why]]


def _day(day: dt.date | None) -> str | None:
    return day.isoformat() if day else None


def _found(request: RemovalRequest, rows: list[tuple[Candidate, FoundRow]]) -> list[dict[str, Any]]:
    """Return how often, and where, the subject's own picture was found: counts, never rows."""
    groups: dict[tuple[str, str], list[tuple[Candidate, FoundRow]]] = defaultdict(list)
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
        }
        for (dataset, kind), members in sorted(groups.items())
    ]


def _outcome(members: list[tuple[Candidate, FoundRow]]) -> str:
    verdicts = {candidate.verdict for candidate, _ in members}
    return verdicts.pop() if len(verdicts) == 1 else "partly"


def _approved(members: list[tuple[Candidate, FoundRow]]) -> list[FoundRow]:
    return [row for candidate, row in members if candidate.verdict == Verdict.APPROVED]


def _domains(members: list[tuple[Candidate, FoundRow]]) -> list[str] | None:
    """Return the sites of the approved rows; None before any is approved."""
    approved = _approved(members)
    if not approved:
        return None
    return sorted({name for row in approved if (name := domain(row.url))})


def _released_in(
    request: RemovalRequest, members: list[tuple[Candidate, FoundRow]]
) -> list[int] | None:
    return list(request.released_in) if request.released_in and _approved(members) else None


def _other_rows_removed(rows: list[tuple[Candidate, FoundRow]]) -> int:
    return sum(
        candidate.kind == Kind.SIMILAR and candidate.verdict == Verdict.APPROVED
        for candidate, _ in rows
    )


def _decision(request: RemovalRequest, case: PrivateKey | None) -> dict[str, Any] | None:
    if request.outcome not in _DECIDED:
        return None
    return {
        "outcome": request.outcome,
        "reason": request.reason or None,
        "explanation": reasons.REASONS.get(request.reason),
        "statement": _words(request, case, content.STATEMENT, request.statement_sealed),
        "complaint": reasons.complaint_text() if request.outcome in _WITH_COMPLAINT else None,
        "decided_on": _day(request.decided_on),
    }
