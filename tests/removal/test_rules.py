"""Rules: off by default, in favor alone, never past a person, and told to whom they concern."""

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from catalog.stores import STAFF
from releases.models import ListEntry
from removal import audit, tasks
from removal.audit import audit_verify
from removal.checks.rules import rules_check
from removal.life import claims, rules
from removal.life.abuse import ORGANIZATION, ORGANIZATION_ROWS, flag_raise
from removal.life.acts import status_told
from removal.life.closing import request_release
from removal.life.escalation import escalation_return, request_escalate
from removal.life.looks import case_open_note
from removal.life.messages import TALK_DAYS, message_post
from removal.life.proposals import decision_propose, proposal_undo
from removal.life.review import request_withdraw
from removal.life.rules import RulesIncomplete, rules_apply, rules_wait
from removal.models import AuditEntry, Candidate, RemovalRequest, SearchUnit, State, Verdict
from removal.selectors.firsts import first_told
from removal.site.wording import told as words_told
from tests.removal import factories
from tests.removal.factories import Case, FakeSearcher, match

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]


def rule_on(given: Any, *categories: str, **changes: Any) -> None:
    named = {"rule_categories": categories or ("personal",), **changes}
    given.UNLIST = given.UNLIST.model_copy(update=named)


@pytest.fixture(autouse=True)
def _fresh(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(rules, "_left", rules._Left())
    rule_on(settings)
    yield
    audit_verify()


def exact_rows(number: int = 2) -> list[Any]:
    return [
        match("exact", key=f"{n:09}", score=1.0, url=f"https://example.org/{n}.jpg")
        for n in range(1, number + 1)
    ]


def exact(number: int = 2, **submission: Any) -> Case:
    return factories.in_review(exact_rows(number), **submission)


def entries(act: str = "decided") -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(act=act))


# --- what it does --------------------------------------------------------------------------------


def test_off_it_does_nothing(settings: Any) -> None:
    rule_on(settings, rule_categories=())
    case = exact()
    assert not rules_wait()
    assert rules_apply() == 0
    assert case.request.state == State.IN_REVIEW


def test_a_request_of_nothing_but_the_same_file_is_approved_once(told: list[int]) -> None:
    case = exact()
    assert rules_wait()
    assert rules_apply() == 1
    assert rules_apply() == 0
    request = case.request
    assert (request.state, request.outcome, request.tier) == ("approved", "approved", "exact")
    assert {one.verdict for one in case.candidates} == {Verdict.APPROVED}
    assert told == [2]
    [entry] = entries()
    assert (entry.actor, entry.at) == (audit.RULE, None)
    assert entry.detail["approved"] == 2
    assert "confirmed_by" not in entry.detail
    assert not rules_wait()


def _copy(case: Case) -> None:
    Candidate.objects.filter(pk=case.candidates[0].pk).update(kind="copy")


def _similar(case: Case) -> None:
    Candidate.objects.filter(pk=case.candidates[0].pk).update(kind="similar")


def _flagged(case: Case) -> None:
    flag_raise(case.request, "many_requests", {"requests": 5, "days": 30})


def _weighed(case: Case) -> None:
    _flagged(case)
    case.request.flags.update(seen_by=factories.staff_user())


def _claimed(case: Case) -> None:
    claims.claim(request_id=case.request_id, reviewer=factories.staff_user())


def _proposed(case: Case) -> None:
    person = factories.staff_user()
    proposal = decision_propose(
        request_id=case.request_id,
        reviewer=person,
        approve=[],
        deny_reason="different_picture",
        statement="",
        tier=None,
    )
    proposal_undo(proposal_id=proposal.pk, reviewer=person)


def _escalated(case: Case) -> None:
    request_escalate(request_id=case.request_id, reviewer=factories.staff_user())


def _messaged(case: Case) -> None:
    message_post(opened=case.opened(), text="Only the first one, please.")


def _opened(case: Case) -> None:
    case_open_note(request=case.request, reviewer=factories.staff_user())


def _appealed(case: Case) -> None:
    RemovalRequest.objects.filter(pk=case.request_id).update(appealed_on=dt.date(2026, 1, 1))


def _group_gone(case: Case) -> None:
    SearchUnit.objects.filter(request=case.request_id).update(group=None)


def _unread(case: Case) -> None:
    SearchUnit.objects.filter(request=case.request_id).update(rows_unread=1)


def _photo_unreadable(case: Case) -> None:
    case.request.photos.update(flags=["unreadable"])


@pytest.mark.parametrize(
    "hesitation",
    [
        _copy,
        _similar,
        _flagged,
        _weighed,
        _claimed,
        _proposed,
        _escalated,
        _messaged,
        _opened,
        _appealed,
        _group_gone,
        _unread,
        _photo_unreadable,
    ],
)
def test_what_could_make_a_person_hesitate_is_left_to_one(
    hesitation: Callable[[Case], None], settings: Any
) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": 10})
    case = exact()
    hesitation(case)
    assert rules_apply() == 0
    assert not entries()
    assert case.request.state == State.IN_REVIEW


@pytest.mark.parametrize("category", ["child", "intimate", "medical", "artwork", "other"])
def test_other_categories_are_left_to_a_person(category: str) -> None:
    case = exact(category=category)
    assert rules_apply() == 0
    assert case.request.state == State.IN_REVIEW


@pytest.mark.parametrize("category", ["child", "intimate", "medical"])
def test_a_sensitive_category_is_refused_by_the_check_and_ignored(
    category: str, settings: Any
) -> None:
    rule_on(settings, "personal", category)  # as no environment can set it
    exact(category=category)
    assert [error.id for error in rules_check()] == ["removal.E050"]
    assert rules_apply() == 0


def test_the_check_is_silent_about_ordinary_ones(settings: Any) -> None:
    rule_on(settings, "personal", "artwork", "other")
    assert rules_check() == []


def test_a_note_is_read_by_a_person() -> None:
    case = exact(note="please leave the one on my own site")
    assert rules_apply() == 0
    assert case.request.state == State.IN_REVIEW


def test_an_address_alone_shows_no_file() -> None:
    """Anybody can write an address: only the file itself shows that its sender has it."""
    rows = [replace(one, evidence=replace(one.evidence, digest=False)) for one in exact_rows()]
    case = factories.in_review(rows)
    assert rules_apply() == 0
    assert case.request.state == State.IN_REVIEW


def test_nothing_found_is_nothing_to_approve() -> None:
    case = factories.searched(FakeSearcher(flags=("unreadable",)))
    rules_apply()
    assert case.request.state != State.APPROVED


def test_more_rows_than_set_are_left_to_a_person(settings: Any) -> None:
    rule_on(settings, rules_rows=2)
    cases = exact(2), exact(3)
    assert rules_apply() == 1
    assert [case.request.state for case in cases] == ["approved", "in_review"]


def test_what_needs_two_persons_needs_them_still(settings: Any) -> None:
    rule_on(settings, two_person_rows=1)
    case = exact(2)
    assert rules_apply() == 0
    assert case.request.state == State.IN_REVIEW


def test_no_more_than_set_on_a_day(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rule_on(settings, rules_per_day=2)
    cases = [exact(1) for _ in range(3)]
    assert rules_apply() == 2
    assert not rules_wait()
    assert rules_apply() == 0
    tomorrow = timezone.now() + dt.timedelta(days=1)
    monkeypatch.setattr(timezone, "now", lambda: tomorrow)
    assert rules_apply() == 1
    assert {case.request.state for case in cases} == {"approved"}


def test_what_was_left_is_opened_once(monkeypatch: pytest.MonkeyPatch) -> None:
    exact(note="words")
    opened = []
    real = rules._decision

    def noted(request: RemovalRequest) -> Any:
        opened.append(request.pk)
        return real(request)

    monkeypatch.setattr(rules, "_decision", noted)
    rules_apply()
    rules_apply()
    assert len(opened) == 1


def test_one_that_cannot_be_looked_at_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = exact(), exact()
    real = rules._decision

    def failing(request: RemovalRequest) -> Any:
        if request.pk == min(first.request_id, second.request_id):
            raise RuntimeError("a row cannot be read")
        return real(request)

    monkeypatch.setattr(rules, "_decision", failing)
    with pytest.raises(RulesIncomplete):
        rules_apply()
    assert sorted([first.request.state, second.request.state]) == ["approved", "in_review"]
    monkeypatch.undo()


def test_a_request_that_changes_under_it_stays_as_it_was_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken_back, claimed = exact(), exact()
    real = rules._decision

    def slow(request: RemovalRequest) -> Any:
        decision = real(request)
        if request.pk == taken_back.request_id:
            request_withdraw(opened=taken_back.opened())
        else:
            _claimed(claimed)
        return decision

    monkeypatch.setattr(rules, "_decision", slow)
    assert rules_apply() == 0
    assert (taken_back.request.state, claimed.request.state) == ("withdrawn", "in_review")


def test_given_back_by_the_escalation_role_it_is_left_to_a_person() -> None:
    case = exact()
    root = factories.staff_user("root")
    request_escalate(request_id=case.request_id, reviewer=root)
    escalation_return(request_id=case.request_id, reviewer=root)
    assert case.request.escalated_on is None
    assert rules_apply() == 0
    assert case.request.state == State.IN_REVIEW


# --- who is told ---------------------------------------------------------------------------------


def test_the_person_is_told_that_it_was_a_rule_and_how_to_ask_for_a_person() -> None:
    case = exact()
    rules_apply()
    status = status_told(opened=case.opened())
    assert status["decision"]["by"] == "rule"
    told = words_told(status)
    assert "A rule approved it, without a person" in told.by_rule
    assert "ask that a person looks at it" in told.by_rule
    [step] = [step for step in told.steps if step.name == "Approved by a rule"]
    assert "very file that you sent" in step.text
    assert not [step for step in told.steps if "maintainer" in step.text]
    message_post(opened=case.opened(), text="Please have a look.")
    client = Client()
    factories.sign_in(client)
    queue = client.get("/admin/removal/removalrequest/?show=written").content.decode()
    assert str(case.request_id)[:8] in queue


def test_once_the_conversation_is_over_it_says_no_more_than_what_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = exact()
    rules_apply()
    request_release(request_id=case.request_id, release=1)
    later = timezone.now() + dt.timedelta(days=TALK_DAYS + 1)
    monkeypatch.setattr(timezone, "now", lambda: later)
    told = words_told(status_told(opened=case.opened()))
    assert told.by_rule.endswith("the very file that you sent.")


def test_of_a_maintainers_decision_and_of_none_it_says_so() -> None:
    decided = status_told(opened=factories.decided(reason=None).opened())
    assert decided["decision"]["by"] == "maintainer"
    assert words_told(decided).by_rule == ""
    nothing = status_told(opened=factories.no_match().opened())
    assert nothing["decision"]["by"] is None


def test_a_maintainer_who_comes_second_is_told_that_a_rule_was_first() -> None:
    case = exact()
    rules_apply()
    assert first_told(case.request).startswith("A rule decided it on ")


def test_the_dashboard_counts_them_by_day_and_is_silent_without(settings: Any) -> None:
    exact()
    rules_apply()
    client = Client()
    factories.sign_in(client)
    page = client.get("/admin/").content.decode()
    assert "Approved by a rule" in page
    assert "On for personal: up to 20 rows" in page
    rule_on(settings, rule_categories=())
    assert "No rule is on any more" in client.get("/admin/").content.decode()
    AuditEntry.objects.filter(actor=audit.RULE).update(day=dt.date(2026, 1, 1))
    assert "Approved by a rule" not in client.get("/admin/").content.decode()
    AuditEntry.objects.filter(actor=audit.RULE).update(day=timezone.now().date())


@pytest.mark.parametrize("on", [True, False])
def test_the_public_pages_say_whether_a_rule_decides(settings: Any, on: bool) -> None:
    rule_on(settings, rule_categories=("personal",) if on else ())
    client = Client()
    assert ("a rule may approve" in client.get("/privacy/").content.decode()) is on
    assert ("may a rule approve" in client.get("/").content.decode()) is on


def test_the_scheduler_sends_the_staffs_worker_a_hint_where_there_is_something_to_do(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[Any, Any]] = []
    monkeypatch.setattr(tasks, "hint", lambda task, *_, **given: sent.append((task, given)))
    case = exact()
    tasks.sweep()
    assert (tasks.apply_rules, {"queue": STAFF}) in sent
    tasks.apply_rules()
    assert case.request.state == State.APPROVED
    sent.clear()
    tasks.sweep()
    assert tasks.apply_rules not in [task for task, _ in sent]


# --- in the same moment --------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("real_database")
def test_processes_that_run_at_once_approve_each_once_and_no_more_than_the_day_allows(
    settings: Any,
) -> None:
    rule_on(settings, rules_per_day=3)
    cases = [exact(1) for _ in range(6)]
    start = threading.Barrier(3)

    def run() -> int:
        start.wait()
        try:
            return rules_apply()
        except RulesIncomplete:
            return 0
        finally:
            connections.close_all()

    with ThreadPoolExecutor(3) as pool:
        done = [one.result() for one in [pool.submit(run) for _ in range(3)]]
    approved = [case for case in cases if case.request.state == State.APPROVED]
    assert len(approved) == len(entries()) == 3
    assert sum(done) == 3
    assert ListEntry.objects.count() == 2  # one address and one digest, the same in all
    assert Candidate.objects.filter(verdict=Verdict.APPROVED).count() == 3
    audit_verify()


# --- a sign that only opened rows show ------------------------------------------------------------


def of_one_site(number: int) -> list[Any]:
    return [
        match("exact", key=f"{n:09}", score=1.0, url=f"https://press.example.org/{n}.jpg")
        for n in range(1, number + 1)
    ]


def test_rows_of_one_organization_are_left_to_a_person_and_flagged() -> None:
    case = factories.in_review(of_one_site(ORGANIZATION_ROWS))
    other = factories.in_review(of_one_site(ORGANIZATION_ROWS - 1))
    assert rules_apply() == 1
    assert [one.request.state for one in (case, other)] == [State.IN_REVIEW, State.APPROVED]
    assert [flag.code for flag in case.request.flags.all()] == [ORGANIZATION]
