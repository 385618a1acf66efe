"""The queue's page: its parts, saved views, claims, and approving without a look."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from removal.life import claims
from removal.models import Claim, Flag, Proposal, RemovalRequest, SavedView, State, today
from tests.removal import factories
from tests.removal.factories import Case, match

QUEUE = "/admin/removal/removalrequest/"
SURE = [match("exact", key="000000001", score=1.0), match("copy", key="000000002")]


@pytest.fixture
def ann() -> Client:
    """Return the browser of a reviewer without any other role."""
    client = Client()
    factories.sign_in(client, factories.role_user("ann", "reviewer"))
    return client


@pytest.fixture(autouse=True)
def _at_once(settings: Any) -> None:
    """Let decisions take effect without time to undo."""
    settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": 0})


def listed(client: Client, query: str = "") -> list[str]:
    """Return the first parts of the ids that the queue lists."""
    text = client.get(f"{QUEUE}{query}").content.decode()
    return re.findall(r'field-reference"><a href="[^"]*">([0-9a-f]{8})<', text)


def short(*cases: Case) -> list[str]:
    return [str(case.request_id)[:8] for case in cases]


def test_parts_of_the_queue(maintainer: Client) -> None:
    waiting, done, asked = (factories.in_review() for _ in range(3))
    RemovalRequest.objects.filter(pk=done.request_id).update(state=State.APPROVED)
    RemovalRequest.objects.filter(pk=asked.request_id).update(state=State.NEEDS_INFO)
    soon = today() + dt.timedelta(days=5)
    RemovalRequest.objects.filter(pk=asked.request_id).update(due_on=soon)
    assert listed(maintainer) == short(waiting)
    assert listed(maintainer, "?show=free") == short(waiting)
    assert listed(maintainer, "?show=closed") == short(done)
    assert listed(maintainer, "?state__exact=approved") == short(done)
    assert listed(maintainer, "?show=asked") == listed(maintainer, "?show=soon") == short(asked)
    assert set(listed(maintainer, "?show=all")) == set(short(waiting, done, asked))
    for name in ("mine", "second", "overdue", "written", "underway", "escalated"):
        assert listed(maintainer, f"?show={name}") == []


def test_evidence_and_signs_of_abuse(maintainer: Client) -> None:
    sure = factories.in_review(SURE)
    unsure = factories.in_review([match("similar", score=0.4)])
    mixed = factories.in_review()
    assert listed(maintainer, "?evidence=sure") == short(sure)
    assert listed(maintainer, "?evidence=unsure") == short(unsure)
    assert listed(maintainer, "?evidence=mixed") == short(mixed)
    assert listed(maintainer, "?evidence=none") == []
    Flag.objects.create(request=mixed.request, code="crops", raised_on=today())
    assert listed(maintainer, "?flagged=new") == short(mixed)
    assert "sign of abuse" in maintainer.get(QUEUE).text


def test_escalated_requests_are_there_for_their_role_alone(ann: Client, maintainer: Client) -> None:
    case = factories.in_review()
    RemovalRequest.objects.filter(pk=case.request_id).update(escalated_on=today())
    assert listed(ann, "?show=escalated") == listed(ann, "?show=all") == []
    assert "Escalated" not in ann.get(QUEUE).text
    assert listed(maintainer, "?show=escalated") == short(case)
    assert listed(maintainer) == []


def test_take_the_next_claim_and_give_back(ann: Client, maintainer: Client) -> None:
    case = factories.in_review()
    taken = ann.post(f"{QUEUE}next/")
    assert taken.headers["Location"] == f"{QUEUE}{case.request_id}/change/"
    assert "ann is at it" in maintainer.get(QUEUE).text
    assert listed(ann, "?show=mine") == short(case)
    assert listed(maintainer, "?show=free") == []
    told = maintainer.post(f"{QUEUE}{case.request_id}/claim/", follow=True)
    assert "Ann is working on this request until" in told.text
    nothing = maintainer.post(f"{QUEUE}next/", follow=True)
    assert "Nothing waits for you" in nothing.text
    ann.post(f"{QUEUE}{case.request_id}/release/")
    assert not Claim.objects.exists()
    assert ann.get(f"{QUEUE}next/").status_code == 405


def test_auditor_reads_and_claims_nothing() -> None:
    case, client = factories.in_review(), Client()
    factories.sign_in(client, factories.role_user("aud", "auditor"))
    page = client.get(QUEUE)
    assert listed(client) == short(case)
    assert "Take the next" not in page.text
    for address in ("next/", f"{case.request_id}/claim/", f"{case.request_id}/release/"):
        assert client.post(f"{QUEUE}{address}").status_code == 403
    assert client.post(f"{QUEUE}approve/").status_code == 403


def test_operator_sees_no_request() -> None:
    factories.in_review()
    client = Client()
    factories.sign_in(client, factories.role_user("op", "operator"))
    assert client.get(QUEUE).status_code == 403
    assert client.post(f"{QUEUE}views/save/", {"name": "x"}).status_code == 403
    front = client.get("/admin/").text
    assert "Take the next" not in front
    assert "Open requests by state" not in front
    assert "Workers and retention" in front


# --- saved views -----------------------------------------------------------------------------


def test_views_are_ones_own_or_shared(ann: Client, maintainer: Client) -> None:
    kept = ann.post(f"{QUEUE}views/save/", {"name": "Mine", "query": "show=overdue&evil=1&p=3"})
    assert kept.headers["Location"] == f"{QUEUE}?show=overdue"
    assert SavedView.objects.get().query == "show=overdue"
    assert "Mine" not in maintainer.get(QUEUE).text
    assert ann.post(f"{QUEUE}views/save/", {"name": "All", "shared": "on"}).status_code == 403
    maintainer.post(
        f"{QUEUE}views/save/", {"name": "Sure", "query": "evidence=sure", "shared": "on"}
    )
    page = ann.get(f"{QUEUE}?evidence=sure").text
    assert '<a href="?evidence=sure" aria-current="page">Sure</a>' in page
    shared = SavedView.objects.get(name="Sure")
    assert ann.post(f"{QUEUE}views/{shared.pk}/delete/").status_code == 403
    mine = SavedView.objects.get(name="Mine")
    assert maintainer.post(f"{QUEUE}views/{mine.pk}/delete/").status_code == 404
    ann.post(f"{QUEUE}views/{mine.pk}/delete/")
    maintainer.post(f"{QUEUE}views/{shared.pk}/delete/")
    assert not SavedView.objects.exists()


def test_a_view_of_the_same_name_is_replaced_and_one_without_refused(ann: Client) -> None:
    for query in ("show=overdue", "show=all"):
        ann.post(f"{QUEUE}views/save/", {"name": "Mine", "query": query})
    assert SavedView.objects.get().query == "show=all"
    refused = ann.post(f"{QUEUE}views/save/", {"name": " "}, follow=True)
    assert "Give the view a name" in refused.text


# --- approving without a look ----------------------------------------------------------------


def bulk(client: Client, *cases: Case, **fields: Any) -> Any:
    chosen = [str(case.request_id) for case in cases]
    seen = [str(case.request.state_seq) for case in cases]
    words = {"action": "approve_sure", "_selected_action": chosen, "seen": seen}
    return client.post(
        QUEUE if not fields else f"{QUEUE}approve/", {**words, **fields}, follow=True
    )


def test_certain_requests_are_approved_at_once(maintainer: Client) -> None:
    cases = [factories.in_review(SURE) for _ in range(3)]
    page = bulk(maintainer, *cases)
    assert "Approve all rows of 3 requests" in page.text
    assert not re.search(r'name="tier"[^>]*checked', page.text)
    done = bulk(maintainer, *cases, approve="1", tier="exact", statement="Gone with the next.")
    assert "Approved, each as its page says" in done.text
    assert {case.request.state for case in cases} == {State.APPROVED}
    assert Proposal.objects.count() == 3


def test_a_tier_must_be_chosen(maintainer: Client) -> None:
    case = factories.in_review(SURE)
    answer = bulk(maintainer, case, approve="1", tier="", statement="keep <me>")
    assert answer.status_code == 400
    assert "Choose how the rows are listed" in answer.text
    assert "keep &lt;me&gt;" in answer.text
    assert case.request.state == State.IN_REVIEW


def left_out() -> Iterator[tuple[str, Case]]:
    """Make one request for each thing that keeps it from being approved unseen."""
    yield "look-alikes", factories.in_review()
    yield "nothing was found that is certain", factories.in_review([match("similar", score=0.4)])
    yield "a choice of its own", factories.in_review(SURE, category="intimate")
    yield "does not wait for a decision", factories.decided()
    appealed = factories.in_review(SURE)
    RemovalRequest.objects.filter(pk=appealed.request_id).update(appealed_on=today())
    yield "it is an appeal", appealed
    flagged = factories.in_review(SURE)
    Flag.objects.create(request=flagged.request, code="crops", raised_on=today())
    yield "a sign of abuse", flagged
    claimed = factories.in_review(SURE)
    other = factories.role_user("ben", "reviewer")
    claims.claim(request_id=claimed.request_id, reviewer=other)
    yield "ben is working on it", claimed


def test_what_needs_a_look_is_left_out_with_the_reason(maintainer: Client) -> None:
    cases = dict(left_out())
    before = {case.request_id: case.request.state for case in cases.values()}
    text = bulk(maintainer, *cases.values()).text
    for reason in cases:
        assert reason in text
    assert "None of the chosen requests" in text
    answer = bulk(maintainer, *cases.values(), approve="1", tier="exact")
    assert answer.status_code == 400
    assert {case.request_id: case.request.state for case in cases.values()} == before


def test_what_changed_since_the_page_was_shown_is_not_approved(maintainer: Client) -> None:
    same, other = factories.in_review(SURE), factories.in_review(SURE)
    answer = bulk(maintainer, same, other, approve="1", tier="exact", seen=same.request.state_seq)
    assert "has changed since the page was shown" in answer.text
    assert (same.request.state, other.request.state) == (State.APPROVED, State.IN_REVIEW)


def test_a_reviewer_proposes_and_an_approver_decides(ann: Client) -> None:
    case = factories.in_review(SURE)
    bulk(ann, case, approve="1", tier="exact")
    assert case.request.state == State.IN_REVIEW
    assert "second person needed" in ann.get(f"{QUEUE}?show=second").text


# --- how many queries ------------------------------------------------------------------------


def queries(client: Client, address: str) -> int:
    client.get(address)  # what is asked for once
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert client.get(address).status_code == 200
    return len(asked)


@pytest.mark.parametrize(
    "address",
    ["/admin/", QUEUE, f"{QUEUE}?show=all", f"{QUEUE}?evidence=sure", f"{QUEUE}?show=written"],
)
def test_as_many_queries_however_many_requests(maintainer: Client, address: str) -> None:
    factories.in_review(SURE)
    factories.in_review(note="words")
    few = queries(maintainer, address)
    for n in range(6):
        case = factories.in_review(SURE if n % 2 else None)
        Flag.objects.create(request=case.request, code="crops", raised_on=today())
        if n < 3:
            claims.claim(request_id=case.request_id, reviewer=factories.staff_user())
    Claim.objects.update(until=timezone.now() + dt.timedelta(minutes=9))
    assert queries(maintainer, address) == few
    assert few <= 40
