"""Questions: a reviewer asks whether look-alike rows show the subject, each as a tiny tile.

It is the only way in which anything of a `similar` row reaches a subject: `tiles` says how little.
The request waits for the answers in `needs_info`; the last one brings it back to review. The clock
of GDPR Art. 12(3) runs on meanwhile: the law knows no stop for it. Audit entries hold counts, never
answers.
"""

import datetime as dt
import uuid
from collections.abc import Collection
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from catalog.pictures import row_picture
from indexer.decode import ImageRefused
from removal import audit
from removal.custody import content
from removal.custody.content import row_opened
from removal.custody.sealing import seal
from removal.custody.shred import KeyShredded
from removal.life.messages import MESSAGE_MAX, ConversationInvalid, message_add
from removal.life.plaintext import plain_text
from removal.life.tiles import tile_made
from removal.lifecycle import TransitionRefused, outcome_kept, step_taken
from removal.models import Author, Candidate, Kind, Purpose, Question, RemovalRequest, State, today
from removal.selectors.desk import case_key_held, request_found
from removal.selectors.subject import OpenedRequest

QUESTIONS_MAX: Final = 10
"""Tiles that a request can ever bring its subject: docs/privacy.md "Not a people search"."""
ANSWER_DAYS: Final = 30


def question_put(
    *,
    request_id: uuid.UUID,
    reviewer: User,
    candidate_ids: Collection[uuid.UUID],
    text: str = "",
) -> None:
    """Ask the subject whether look-alike rows show them, each as a tile, perhaps with a message.

    The subject has `ANSWER_DAYS` days. What needs words alone is asked by `message_send`, which
    stops no decision.

    Args:
        request_id: which request; it must be in review.
        reviewer: who asks.
        candidate_ids: `similar` candidates of it that were not asked about before.
        text: a message that goes with them; may be empty.

    Raises:
        ConversationInvalid: a sentence says what to mend.
        TransitionRefused: the request is not in review (any more).
        RequestGone: there is no such request, or its case was deleted.
    """
    words = plain_text(text, limit=MESSAGE_MAX, refusal=ConversationInvalid) if text.strip() else ""
    request = request_found(request_id)
    if request.state != State.IN_REVIEW:
        raise TransitionRefused("question_put")
    questions = _questions_made(request, _askable(request, set(candidate_ids)))
    with step_taken(
        request_id,
        "question_put",
        State.NEEDS_INFO,
        actor=audit.staff(reviewer.pk),
        detail={"questions": len(questions), "message": bool(words)},
        where={"state_seq": request.state_seq},
        changes={"answer_due_on": today() + dt.timedelta(days=ANSWER_DAYS)},
    ):
        Question.objects.bulk_create(questions)
        if words:
            message_add(request, Author.MAINTAINER, words)


def question_answer(*, opened: OpenedRequest, question: uuid.UUID, mine: bool) -> None:
    """Take the subject's answer to one question; with the last one the review goes on.

    Until then an answer can be changed.

    Raises:
        ConversationInvalid: no such question was put to this subject.
        TransitionRefused: the request does not wait for answers (any more).
    """
    with transaction.atomic():
        asked = RemovalRequest.objects.select_for_update().filter(
            pk=opened.request_id, state=State.NEEDS_INFO
        )
        request = asked.first()
        if request is None:
            raise TransitionRefused("question_answered")
        questions = request.questions.filter(pk=question)
        if not questions.update(mine=mine, answered_on=today()):
            raise ConversationInvalid(
                "question_unknown", _("This question was not put to you: load the page again.")
            )
        _answer_noted(request, left=request.questions.filter(answered_on__isnull=True).count())


def requests_expire() -> int:
    """End the requests whose subjects were asked and did not answer in time; return how many.

    Nothing else ever expires: a backlog of ours ends no request.
    """
    late = {"state": State.NEEDS_INFO, "answer_due_on__lt": today(), "held_on__isnull": True}
    due = RemovalRequest.objects.filter(**late).order_by("answer_due_on", "pk")
    return sum(_expired(request_id) for request_id in due.values_list("pk", flat=True))


def _expired(request_id: uuid.UUID) -> bool:
    """End one; tell whether this call did it. Its photos fall due at once."""
    day = today()
    try:
        with step_taken(
            request_id,
            "expired",
            State.EXPIRED,
            actor=audit.RETENTION,
            where={"answer_due_on__lt": day, "held_on__isnull": True},
            changes={
                "outcome": outcome_kept(State.EXPIRED),
                "closed_on": day,
                "photos_delete_on": day,
            },
        ):
            pass
    except (TransitionRefused, KeyShredded):
        return False  # answered, withdrawn or erased at this very moment
    return True


def _askable(request: RemovalRequest, wanted: set[uuid.UUID]) -> list[Candidate]:
    """Return the candidates to ask about.

    Raises:
        ConversationInvalid: one is not a look-alike of this request, or was asked about before.
    """
    chosen = list(_similar(request).filter(pk__in=wanted).order_by("pk"))
    if not wanted or len(chosen) != len(wanted):
        raise ConversationInvalid(
            "rows_not_similar",
            "Choose similar rows of this request to ask about; a question in words alone is sent "
            "as a message.",
        )
    asked = set(request.questions.values_list("candidate", flat=True))
    if asked & wanted:
        raise ConversationInvalid("asked_before", "A row can be asked about once.")
    if len(asked | wanted) > QUESTIONS_MAX:
        raise ConversationInvalid(
            "too_many_questions",
            f"A person is asked about {QUESTIONS_MAX} rows at most: choose the likeliest.",
        )
    return chosen


def _similar(request: RemovalRequest) -> QuerySet[Candidate]:
    return Candidate.objects.filter(request=request, kind=Kind.SIMILAR, offered=False)


def _questions_made(request: RemovalRequest, chosen: list[Candidate]) -> list[Question]:
    case = case_key_held(request)
    questions = []
    for candidate in chosen:
        row = row_opened(candidate, case)
        question = Question(request=request, candidate=candidate, asked_on=today())
        tile = _tile(row_picture(row.dataset, row.shard, row.key, row.index, row.offset))
        item = content.tile_item(question.pk)
        question.tile_sealed = seal(request.pk, Purpose.CASE, item, tile)
        questions.append(question)
    return questions


def _tile(picture: bytes | None) -> bytes:
    try:
        if picture is not None:
            return tile_made(picture)
    except ImageRefused:
        pass  # a stored file that is no picture is as good as none
    raise ConversationInvalid(
        "no_picture",
        "The dataset holds no picture of a chosen row (or its file changed since it was indexed), "
        "so there is nothing to show the person: leave it out.",
    )


def _answer_noted(request: RemovalRequest, *, left: int) -> None:
    if left:
        audit.audit_append(
            act="answer_given",
            actor=audit.SUBJECT,
            tag=audit.subject_tag(request),
            detail={"left": left},
        )
        return
    with step_taken(
        request.pk,
        "question_answered",
        State.IN_REVIEW,
        actor=audit.SUBJECT,
        changes={"answer_due_on": None},
    ):
        pass
