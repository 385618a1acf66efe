"""What the page of a request says of each tile and of each row in it."""

import base64
from typing import Any

from removal.desk import evidence, words
from removal.desk.forms import DecisionForm, TalkForm
from removal.desk.grouping import RowGroup
from removal.models import Kind, Verdict
from removal.selectors import CandidateView, ReviewCase


def kind_shown(
    kind: Kind, groups: list[RowGroup], case: ReviewCase, form: DecisionForm, talk: TalkForm
) -> dict[str, Any]:
    """Return the tiles whose surest row is of one kind."""
    return {
        "kind": kind.value,
        "name": words.KIND_WORDS[kind],
        "help": words.KIND_HELP[kind],
        "ticked": kind.value in form.kinds,
        "count": sum(len(group.rows) for group in groups),
        "tiles": [tile_shown(group, case, form, talk) for group in groups],
    }


def tile_shown(
    group: RowGroup, case: ReviewCase, form: DecisionForm, talk: TalkForm
) -> dict[str, Any]:
    """Return one tile: what is shown for all its rows, and each row."""
    first = group.first
    verdicts = {row.verdict for row in group.rows}
    return {
        "first": first,
        "count": len(group.rows),
        "sentence": evidence.evidence_sentence(first),
        "verified": evidence.is_verified(first),
        "more": next((said for row in group.rows if (said := evidence.shows_more(row))), ""),
        "ticked": form.takes(group) or any(str(row.id) in form.rows for row in group.rows),
        "listed": verdicts == {Verdict.APPROVED},
        "verdict": next(iter(verdicts)) if len(verdicts) == 1 else "partly",
        "best": max(row.score for row in group.rows),
        "photographed": bool(first.photos) and any(photo.held for photo in case.photos),
        "source": _source(first, case),
        "others": max(row.other_requests for row in group.rows),
        "rows": [_row(row, talk) for row in group.rows],
    }


def _source(first: CandidateView, case: ReviewCase) -> CandidateView | None:
    """Return the approved row that a duplicate was found by."""
    wanted = first.duplicate_of
    return next((row for row in case.candidates if wanted and row.id == wanted), None)


def _row(row: CandidateView, talk: TalkForm) -> dict[str, Any]:
    """Return one row of a tile, with what the person was asked about it."""
    return {
        "row": row,
        "measures": evidence.measures_words(row.evidence),
        "asked": str(row.id) in talk.asked,
        "tile": base64.b64encode(row.question.tile).decode() if row.question else "",
    }
