"""Questions: what a subject is ever shown of a look-alike, and how long its request waits."""

import datetime as dt
import io
import uuid
from typing import Any

import pytest
from PIL import Image

from removal import audit
from removal.life import retention, review
from removal.life.destroying import case_destroy
from removal.life.messages import ConversationInvalid
from removal.life.questions import QUESTIONS_MAX, question_answer, question_put, requests_expire
from removal.life.tiles import tile_made
from removal.lifecycle import TransitionRefused
from removal.models import AuditEntry, Candidate, Question, RemovalRequest, State, today
from removal.selectors import RequestGone, review_case
from removal.selectors.conversation import questions_read
from removal.selectors.subject import case_key
from tests.removal import factories
from tests.removal.factories import Case, match

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]


@pytest.fixture(autouse=True)
def pictures(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Give every row a stored picture; return which were read."""
    read: list[tuple[Any, ...]] = []

    def picture(*row: Any) -> bytes:
        read.append(row)
        return factories.photo_bytes(len(read), side=400)

    monkeypatch.setattr("removal.life.questions.row_picture", picture)
    return read


def with_similar(count: int = 2, **submission: Any) -> Case:
    found = [match("exact", key="000000001", score=1.0)]
    found += [match("similar", key=f"{n:09}", score=0.4 - n / 100) for n in range(2, count + 2)]
    return factories.in_review(found, **submission)


def similar(case: Case) -> list[uuid.UUID]:
    return [candidate.pk for candidate in case.candidates if candidate.kind == "similar"]


def put(case: Case, *chosen: uuid.UUID, text: str = "") -> None:
    question_put(
        request_id=case.request_id,
        reviewer=factories.staff_user(),
        candidate_ids=chosen or similar(case),
        text=text,
    )


def answer(case: Case, question: uuid.UUID, *, mine: bool = True) -> None:
    question_answer(opened=case.opened(), question=question, mine=mine)


def asked(case: Case) -> list[Any]:
    opened = case.opened()
    return list(questions_read(opened.request, case_key(opened)))


def test_a_question_waits_for_all_answers(pictures: list[Any]) -> None:
    case = with_similar()
    due = case.request.due_on
    put(case, text="Is this you?")
    request = case.request
    assert request.state == State.NEEDS_INFO
    assert request.answer_due_on == today() + dt.timedelta(days=30)
    assert request.due_on == due  # the clock runs on
    assert [row[2] for row in pictures] != []
    first, second = asked(case)
    answer(case, first.id)
    answer(case, first.id, mine=False)  # they change their mind
    assert case.request.state == State.NEEDS_INFO
    answer(case, second.id)
    request = case.request
    assert (request.state, request.answer_due_on) == (State.IN_REVIEW, None)
    assert [one.mine for one in asked(case)] == [False, True]
    with pytest.raises(TransitionRefused):
        answer(case, first.id)
    view = review_case(request_id=case.request_id, reviewer=factories.staff_user())
    answers = {row.id: row.question.mine for row in view.candidates if row.question}
    assert set(answers.values()) == {False, True}
    assert view.messages[0].text == "Is this you?"
    entries = AuditEntry.objects.filter(seq__gt=3)
    assert [(entry.act, entry.detail, entry.at is None) for entry in entries] == [
        ("question_put", {"state": "needs_info", "questions": 2, "message": True}, False),
        ("answer_given", {"left": 1}, True),
        ("answer_given", {"left": 1}, True),
        ("question_answered", {"state": "in_review"}, True),
    ]
    audit.audit_verify()


def test_a_tile_is_sixteen_pixels_and_has_no_metadata() -> None:
    case = with_similar(1)
    put(case)
    (question,) = asked(case)
    picture = Image.open(io.BytesIO(question.tile))
    assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (16, 16))
    assert not picture.info
    assert question.tile not in bytes(Question.objects.get().tile_sealed)


@pytest.mark.parametrize(
    ("size", "tile"),
    [
        ((4000, 3000), (16, 12)),
        ((64, 64), (16, 16)),
        ((40, 20), (10, 5)),
        ((16, 16), (4, 4)),
        ((8, 8), (2, 2)),
        ((2000, 10), (16, 1)),
    ],
)
def test_a_tile_is_at_most_a_quarter_of_the_picture(
    size: tuple[int, int], tile: tuple[int, int]
) -> None:
    for form in ("JPEG", "PNG"):
        out = io.BytesIO()
        exif = Image.Exif()
        exif[0x010E] = "marked description"
        Image.new("RGB", size, "teal").save(out, form, exif=exif)
        made = tile_made(out.getvalue())
        assert Image.open(io.BytesIO(made)).size == tile
        assert b"marked" not in made


def test_only_look_alikes_of_this_request_are_ever_asked_about(pictures: list[Any]) -> None:
    case, other = with_similar(), with_similar()
    exact = case.candidates[0].pk
    for chosen in ([exact], similar(other), [uuid.uuid4()], [similar(case)[0], exact]):
        with pytest.raises(ConversationInvalid) as refusal:
            put(case, *chosen)
        assert refusal.value.code == "rows_not_similar"
    with pytest.raises(ConversationInvalid, match="Choose similar rows"):
        question_put(request_id=case.request_id, reviewer=factories.staff_user(), candidate_ids=[])
    assert (pictures, Question.objects.count(), case.request.state) == ([], 0, State.IN_REVIEW)


def test_a_row_is_asked_about_once_and_ten_rows_at_most() -> None:
    case = with_similar(11)
    rows = similar(case)
    put(case, *rows[:9])
    for question in asked(case):
        answer(case, question.id)
    with pytest.raises(ConversationInvalid) as refusal:
        put(case, rows[0])
    assert refusal.value.code == "asked_before"
    with pytest.raises(ConversationInvalid) as refusal:
        put(case, *rows[9:])
    assert refusal.value.code == "too_many_questions"
    put(case, rows[9])
    assert Question.objects.count() == QUESTIONS_MAX


@pytest.mark.parametrize("stored", [None, factories.PLAIN])
def test_a_row_without_picture_cannot_be_asked_about(
    monkeypatch: pytest.MonkeyPatch, stored: bytes | None
) -> None:
    monkeypatch.setattr("removal.life.questions.row_picture", lambda *row: stored)
    case = with_similar()
    with pytest.raises(ConversationInvalid) as refusal:
        put(case, text="words")
    assert refusal.value.code == "no_picture"
    assert (case.request.state, Question.objects.count()) == (State.IN_REVIEW, 0)
    assert not case.request.messages.exists()


def test_answers_of_others_change_nothing() -> None:
    case, other = with_similar(), with_similar()
    put(case)
    put(other)
    foreign = asked(other)[0].id
    for question in (foreign, uuid.uuid4()):
        with pytest.raises(ConversationInvalid) as refusal:
            answer(case, question)
        assert refusal.value.code == "question_unknown"
    assert not Question.objects.filter(answered_on__isnull=False).exists()


def test_questions_are_put_in_review_alone() -> None:
    case = with_similar()
    put(case, similar(case)[0])
    with pytest.raises(TransitionRefused):
        put(case, similar(case)[1])
    review.request_withdraw(opened=case.opened())
    with pytest.raises(TransitionRefused):
        put(case, similar(case)[1])
    case_destroy(case.request_id)
    RemovalRequest.objects.update(state=State.IN_REVIEW)
    with pytest.raises((RequestGone, ConversationInvalid)):
        put(case, uuid.uuid4())


def test_only_a_question_that_is_not_answered_in_time_ends_a_request() -> None:
    late, open_, waiting = with_similar(), with_similar(), with_similar()
    put(late)
    put(open_)
    day = today()
    RemovalRequest.objects.filter(pk=late.request_id).update(
        answer_due_on=day - dt.timedelta(days=1)
    )
    RemovalRequest.objects.filter(pk=open_.request_id).update(answer_due_on=day)
    RemovalRequest.objects.filter(pk=waiting.request_id).update(due_on=dt.date(2020, 1, 1))
    assert requests_expire() == 1
    assert requests_expire() == 0
    request = late.request
    assert (request.state, request.outcome, request.closed_on) == (State.EXPIRED, "expired", day)
    assert request.photos_delete_on == day
    assert {open_.request.state, waiting.request.state} == {State.NEEDS_INFO, State.IN_REVIEW}
    assert AuditEntry.objects.filter(act="expired").count() == 1
    with pytest.raises(TransitionRefused):
        answer(late, asked(late)[0].id)


def test_retention_ends_it_and_deletes_the_photos() -> None:
    case = with_similar()
    put(case)
    RemovalRequest.objects.update(answer_due_on=today() - dt.timedelta(days=1))
    retention.retention_run()
    assert (case.request.state, case.request.photos_deleted_on) == (State.EXPIRED, today())


def test_an_answer_that_is_late_but_before_the_end_counts() -> None:
    case = with_similar(1)
    put(case)
    RemovalRequest.objects.update(answer_due_on=today() - dt.timedelta(days=1))
    answer(case, asked(case)[0].id)
    assert requests_expire() == 0
    assert case.request.state == State.IN_REVIEW


def test_questions_die_with_the_case() -> None:
    case = with_similar()
    put(case)
    review.request_withdraw(opened=case.opened())
    case_destroy(case.request_id)
    assert not Question.objects.exists()
    assert not Candidate.objects.exists()
