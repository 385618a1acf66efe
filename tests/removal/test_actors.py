"""Everybody acts at once on one request: subject, two maintainers, publisher, retention.

Each actor is a thread with a connection of its own and a script drawn from a seed; how they meet is
the database's. Whatever came out, the audit log must tell a life that the table of steps allows,
and the rows must be what it tells: no update lost, nothing decided, listed or numbered twice.
"""

import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from removal import audit
from removal.life import appeals, retention, review
from removal.life.closing import request_release
from removal.life.deciding import AlreadyDecided
from removal.life.listable import DecisionInvalid
from removal.life.messages import UNANSWERED_MAX, ConversationInvalid, message_post, message_send
from removal.life.questions import question_answer, question_put
from removal.lifecycle import STEPS, TransitionRefused
from removal.models import AuditEntry, Candidate, Message, Purpose, Question, State, Verdict
from removal.selectors import requests_awaiting_release
from removal.selectors.subject import rows_opened
from tests.removal import factories
from tests.removal.deciding import request_decide
from tests.removal.factories import Case, match

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("real_database")]
ROUNDS = 14
REFUSALS = (
    TransitionRefused,
    AlreadyDecided,
    DecisionInvalid,
    ConversationInvalid,
)


def together(*scripts: Callable[[], Any]) -> list[Any]:
    """Run scripts in threads that start together; return what each returned."""
    gate = threading.Barrier(len(scripts))

    def one(script: Callable[[], Any]) -> Any:
        gate.wait()
        try:
            return script()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(scripts)) as pool:
        return list(pool.map(one, scripts))


def tried(act: Callable[..., Any], **given: Any) -> str:
    try:
        act(**given)
    except REFUSALS as refusal:
        return type(refusal).__name__
    return "done"


@pytest.fixture
def case(monkeypatch: pytest.MonkeyPatch) -> Case:
    picture = factories.photo_bytes(side=96)
    monkeypatch.setattr("removal.life.questions.row_picture", lambda *row: picture)
    kinds = ("exact", "copy", "similar", "similar", "similar")
    found = [
        match(kind, key=f"{n:09}", score=1 - n / 10, url=f"https://example.org/{n}.jpg")
        for n, kind in enumerate(kinds)
    ]
    return factories.in_review(found)


class Subject:
    """The subject's script."""

    def __init__(self, case: Case, seed: int) -> None:
        self.opened, self.random, self.posted = case.opened(), random.Random(seed), 0

    def __call__(self) -> Counter[str]:
        acts = [self.post, self.post, self.answer, self.answer, self.appeal, self.appeal]
        return Counter(self.random.choice(acts)() for _ in range(ROUNDS))

    def post(self) -> str:
        done = tried(message_post, opened=self.opened, text="words")
        self.posted += done == "done"
        return f"post {done}"

    def answer(self) -> str:
        ids = list(Question.objects.values_list("pk", flat=True))
        if not ids:
            return "answer to nothing"
        question, mine = self.random.choice(ids), self.random.random() < 0.5
        act = question_answer
        return f"answer {tried(act, opened=self.opened, question=question, mine=mine)}"

    def appeal(self) -> str:
        return f"appeal {tried(appeals.request_appeal, opened=self.opened, text='again')}"


class Maintainer:
    """A maintainer's script."""

    def __init__(self, case: Case, seed: int) -> None:
        self.case, self.random, self.sent = case, random.Random(seed), 0
        self.user = factories.staff_user(f"maintainer-{seed}")
        self.rows = [candidate.pk for candidate in case.candidates]

    def __call__(self) -> Counter[str]:
        acts = [self.decide, self.decide, self.ask, self.send, self.extend]
        return Counter(self.random.choice(acts)() for _ in range(ROUNDS))

    def _by(self) -> dict[str, Any]:
        return {"request_id": self.case.request_id, "reviewer": self.user}

    def decide(self) -> str:
        chosen = self.rows[: self.random.randint(0, 2)]
        given = {
            "approve": chosen,
            "deny_reason": None if len(chosen) == 2 else "public_interest",
            "statement": "words",
            "tier": "exact",
        }
        return f"decide {tried(request_decide, **self._by(), **given)}"

    def ask(self) -> str:
        row = self.random.choice(self.rows[2:])
        return f"ask {tried(question_put, **self._by(), candidate_ids=[row])}"

    def send(self) -> str:
        done = tried(message_send, **self._by(), text="words")
        self.sent += done == "done"
        return f"send {done}"

    def extend(self) -> str:
        return f"extend {tried(review.request_extend, **self._by(), reason='busy')}"


class Publisher:
    """Releases come out; numbers rise."""

    def __call__(self) -> Counter[str]:
        told: Counter[str] = Counter()
        for number in range(1, ROUNDS // 2):
            for request_id in requests_awaiting_release(up_to_seq=audit.audit_head().seq):
                told[tried(request_release, request_id=request_id, release=number)] += 1
        return told


def runs_retention() -> int:
    return sum(retention.retention_run()["expired"] for _ in range(3))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_they_do_the_log_tells_one_sound_life(
    case: Case, told: list[int], seed: int
) -> None:
    subject = Subject(case, seed)
    first, second = Maintainer(case, 10 * seed), Maintainer(case, 10 * seed + 1)
    done = together(subject, first, second, Publisher(), runs_retention)
    audit.audit_verify()
    history = _history(case)
    _steps_are_the_tables(history)
    acts = Counter(entry.act for entry in history)
    wins = sum((one for one in done if isinstance(one, Counter)), Counter[str]())
    assert acts["decided"] == wins["decide done"] <= 1 + acts["appealed"]
    assert acts["appealed"] == wins["appeal done"] <= 1
    assert acts["extended"] == wins["extend done"] <= 1
    assert acts["question_put"] == wins["ask done"]
    assert acts["answer_given"] + acts["question_answered"] == wins["answer done"]
    numbers = list(Message.objects.values_list("n", flat=True))
    assert numbers == list(range(1, subject.posted + first.sent + second.sent + 1))
    request = case.request
    assert request.state == _last_state(history)
    assert len(set(request.released_in)) == len(request.released_in)
    assert acts["released"] + acts["release_noted"] >= len(request.released_in)
    approved = Candidate.objects.filter(verdict=Verdict.APPROVED).count()
    assert sum(told) == approved
    # What is stored opens: nobody wrote half of something.
    opened = case.opened()
    assert len(rows_opened(opened.request, opened.key(Purpose.CASE))) == 5


def _history(case: Case) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(subject=audit.subject_tag(case.request)))


def _steps_are_the_tables(history: list[AuditEntry]) -> None:
    """Check that each step left from where the one before had led."""
    state = "received"
    for entry in history:
        if entry.act in STEPS:
            assert state in STEPS[entry.act].sources, entry
            state = entry.detail["state"]
            assert state in STEPS[entry.act].targets, entry


def _last_state(history: list[AuditEntry]) -> str:
    return str([entry.detail["state"] for entry in history if "state" in entry.detail][-1])


def test_one_of_many_appeals_is_taken() -> None:
    case = factories.decided(approve=(), reason="public_interest")
    opened = [case.opened() for _ in range(5)]
    done = together(
        *(lambda one=one: tried(appeals.request_appeal, opened=one, text="again") for one in opened)
    )
    assert sorted(done) == ["AppealRefused"] * 4 + ["done"]
    assert AuditEntry.objects.filter(act="appealed").count() == 1
    audit.audit_verify()


def test_the_last_two_answers_at_once_bring_it_back_once(case: Case) -> None:
    question_put(
        request_id=case.request_id,
        reviewer=factories.staff_user(),
        candidate_ids=[candidate.pk for candidate in case.candidates[2:]],
    )
    questions = Question.objects.values_list("pk", flat=True)
    opened = case.opened()
    together(
        *(lambda pk=pk: question_answer(opened=opened, question=pk, mine=True) for pk in questions)
    )
    assert case.request.state == State.IN_REVIEW
    assert Question.objects.filter(mine=True).count() == 3
    acts = Counter(AuditEntry.objects.values_list("act", flat=True))
    assert (acts["answer_given"], acts["question_answered"]) == (2, 1)
    audit.audit_verify()


def test_messages_from_both_sides_at_once_keep_limit_and_order(case: Case) -> None:
    opened, user = case.opened(), factories.staff_user()
    half = UNANSWERED_MAX // 2
    for _ in range(half + 2):
        message_post(opened=opened, text="words")

    def post() -> str:
        return tried(message_post, opened=opened, text="words")

    done = Counter(together(*[post] * 6))
    assert done == {"done": 3, "ConversationRefused": 3}
    given = {"request_id": case.request_id, "reviewer": user, "text": "words"}
    together(*[lambda: tried(message_send, **given)] * 3, post)
    numbers = list(Message.objects.values_list("n", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))
    audit.audit_verify()
