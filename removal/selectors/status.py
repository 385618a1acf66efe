"""What the subject may know of their request, and nothing that would help a stranger.

The status never holds a row's pixels, URL, caption or score: who merely holds a photo must not
learn more of it here than they sent. The one exception is a tile that a reviewer put to the
subject as a question.
"""

import base64
import datetime as dt
from collections import Counter
from typing import Any

from catalog.selectors import DatasetCoverage, datasets_covered
from removal import reasons
from removal.custody import content
from removal.custody.content import FoundRow, Region
from removal.custody.sealing import Place, PrivateKey, Stored
from removal.models import (
    Author,
    Candidate,
    Photo,
    Purpose,
    RemovalRequest,
    State,
)
from removal.selectors.conversation import MessageView, QuestionView, messages_read, questions_read
from removal.selectors.decided import decided_by
from removal.selectors.duplicates import more_found
from removal.selectors.found import found_counted, other_rows_removed, regions_matched
from removal.selectors.progress import REASONS, SearchProgress, search_progress
from removal.selectors.subject import OpenedRequest, case_key, rows_opened

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
        "photos": _photos(request, rows),
        "datasets": _datasets(request, progress),
        "groups_gone": progress.gone,
        "found": found_counted(request, rows),
        "questions": [_question(one) for one in questions_read(request, case)],
        "answer_due_on": _day(request.answer_due_on),
        "other_rows_removed": other_rows_removed(rows),
        "messages": [_message(one) for one in messages_read(request, case)],
        "decision": _decision(request, case),
        "more_found": [
            {"day": more.day.isoformat(), "rows": more.rows} for more in more_found(request)
        ],
        "appeal": _appeal(request, case),
        "case_deleted_on": _day(request.case_deleted_on),
    }


def _words(
    request: RemovalRequest, case: PrivateKey | None, item: str, sealed: Stored
) -> str | None:
    if case is None or not sealed:
        return None
    return case.open(sealed, Place(request.pk, Purpose.CASE, item)).decode()


def _photos(
    request: RemovalRequest, rows: list[tuple[Candidate, FoundRow]]
) -> list[dict[str, Any]]:
    matched = regions_matched(rows)
    return [_photo(request, photo, matched.get(photo.n)) for photo in request.photos.all()]


def _photo(request: RemovalRequest, photo: Photo, regions: list[Region] | None) -> dict[str, Any]:
    held = photo.state == Photo.State.HELD
    return {
        "n": photo.n,
        "state": photo.state,
        "deletes_on": request.photos_delete_on.isoformat() if held else None,
        "deleted_on": _day(photo.deleted_on),
        "flags": list(photo.flags),
        "matched": None if regions is None else [list(region) for region in regions],
    }


def _datasets(request: RemovalRequest, progress: SearchProgress) -> list[dict[str, Any]]:
    """Return what was searched of every covered dataset, and what was not, and why."""
    if request.case_deleted_on is not None:
        return []
    return [_dataset(request, dataset, progress) for dataset in datasets_covered()]


def _dataset(
    request: RemovalRequest, dataset: DatasetCoverage, progress: SearchProgress
) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "rows": dataset.rows,
        "rows_searched": progress.rows[dataset.name],
        "groups": dataset.groups,
        "groups_searched": progress.searched[dataset.name],
        "searched_on": _day(progress.searched_on.get(dataset.name)),
        "not_searched": _not_searched(request, dataset, progress),
    }


def _not_searched(
    request: RemovalRequest, dataset: DatasetCoverage, progress: SearchProgress
) -> list[dict[str, Any]]:
    """Say why groups were not searched: while the search goes on, and when it is over."""
    waiting = progress.waiting.get(dataset.name, Counter())
    counts: Counter[str] = Counter({str(why): groups for why, groups in waiting.items()})
    rest = "not_indexed"
    if request.state == State.RECEIVED:
        counts["waiting"] = dataset.groups_ready
    elif request.state != State.SEARCHING:
        begun = request.searched_on is not None or progress.parts or progress.gone
        counts = Counter(given_up=waiting.total())
        rest = "added_later" if begun else "given_up"
    known = progress.searched[dataset.name] + counts.total()
    counts[rest] = max(dataset.groups - known, 0)
    return [{"reason": why, "groups": counts[why]} for why in REASONS if counts[why]]


def _day(day: dt.date | None) -> str | None:
    return day.isoformat() if day else None


def _question(question: QuestionView) -> dict[str, Any]:
    picture = base64.b64encode(question.tile).decode()
    return {
        "id": str(question.id),
        "tile": f"data:image/png;base64,{picture}",
        "mine": question.mine,
        "asked_on": question.asked_on.isoformat(),
    }


def _message(message: MessageView) -> dict[str, Any]:
    sender = "you" if message.author == Author.SUBJECT else "maintainer"
    return {"from": sender, "day": message.day.isoformat(), "text": message.text}


def _decision(request: RemovalRequest, case: PrivateKey | None) -> dict[str, Any] | None:
    if request.outcome not in _DECIDED:
        return None
    explanation = reasons.REASONS.get(request.reason)
    return {
        "outcome": request.outcome,
        "reason": request.reason or None,
        "explanation": str(explanation) if explanation else None,
        "statement": _words(request, case, content.STATEMENT, request.statement_sealed),
        "complaint": reasons.complaint_text() if request.outcome in _WITH_COMPLAINT else None,
        "decided_on": _day(request.decided_on),
        "by": decided_by(request),
    }


def _appeal(request: RemovalRequest, case: PrivateKey | None) -> dict[str, Any] | None:
    if request.appealed_on is None:
        return None
    text = _words(request, case, content.APPEAL, request.appeal_sealed)
    return {"day": request.appealed_on.isoformat(), "text": text}
