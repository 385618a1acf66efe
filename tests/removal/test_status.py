"""The status: every field of docs/openapi.yaml, and nothing that helps a stranger."""

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from removal.custody import receipts
from removal.custody.receipts import ReceiptMistyped
from removal.life import review
from removal.life.closing import request_release
from removal.life.destroying import case_destroy, request_erase
from removal.models import Photo, RemovalRequest, State
from removal.search import fingerprinting
from removal.selectors import (
    ReceiptUnknown,
    approved_rows,
    request_open,
    request_status,
    requests_awaiting_release,
)
from tests.removal import factories
from tests.removal.factories import Case, match

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]

FIELDS = {
    "state",
    "received_on",
    "due_on",
    "extended",
    "photos",
    "datasets",
    "found",
    "questions",
    "other_rows_removed",
    "answer_due_on",
    "messages",
    "decision",
    "appeal",
    "case_deleted_on",
}


def status(case: Any) -> dict[str, Any]:
    facts = request_status(opened=case.opened())
    assert facts.keys() >= FIELDS
    shown: dict[str, Any] = json.loads(json.dumps(facts))
    return shown


def test_a_received_request_shows_its_clock_and_what_will_be_searched() -> None:
    factories.catalog_group(rows=500)
    case = factories.received()
    facts = status(case)
    today = dt.datetime.now(dt.UTC).date()
    assert (facts["state"], facts["received_on"]) == ("received", today.isoformat())
    [photo] = facts["photos"]
    assert photo["deletes_on"] == (today + dt.timedelta(days=120)).isoformat()
    assert (photo["n"], photo["state"], photo["deleted_on"]) == (1, "held", None)
    assert facts["datasets"] == [
        {
            "name": "sample",
            "rows": 500,
            "rows_searched": 0,
            "groups": 1,
            "groups_searched": 0,
            "searched_on": None,
            "not_searched": [{"reason": "waiting", "groups": 1}],
        }
    ]
    assert facts["found"] == facts["questions"] == facts["messages"] == []
    assert facts["decision"] is None


def test_while_in_review_counts_are_shown_and_no_row() -> None:
    case = factories.in_review()
    facts = status(case)
    assert facts["found"] == [
        {
            "kind": kind,
            "dataset": "sample",
            "rows": 1,
            "domains": None,
            "outcome": "pending",
            "released_in": None,
            "waiting": 0,
        }
        for kind in ("copy", "exact")
    ]
    assert facts["datasets"][0]["groups_searched"] == 1
    assert facts["other_rows_removed"] == 0


@pytest.mark.parametrize("make", [factories.in_review, factories.decided, factories.released])
def test_no_url_score_key_or_lookalike_ever_reaches_the_subject(make: Callable[[], Case]) -> None:
    text = json.dumps(status(make()))
    for secret in ("marked-url", "0.97", "0.91", "000000", "similar", "00000"):
        assert secret not in text


def test_rows_searched_are_those_that_could_be(settings: Any) -> None:
    group = factories.catalog_group(rows=100)
    type(group).objects.update(rows_indexed=93)
    [dataset] = status(factories.in_review())["datasets"]
    assert (dataset["rows"], dataset["rows_searched"], dataset["not_searched"]) == (100, 93, [])


def test_groups_that_came_after_the_search_are_said_to_have() -> None:
    case = factories.in_review()
    factories.catalog_group(number=1)
    [dataset] = status(case)["datasets"]
    assert dataset["not_searched"] == [{"reason": "added_later", "groups": 1}]


@pytest.mark.django_db(transaction=True)
def test_groups_that_a_deleted_photo_kept_from_being_searched_are_said_to_be() -> None:
    case, _group = factories.received(), factories.catalog_group()
    fingerprinting.request_fingerprint(case.request_id, searcher=factories.FakeSearcher())
    review.photos_delete_now(opened=case.opened())
    facts = status(case)
    assert facts["state"] == "in_review"
    assert facts["datasets"][0]["not_searched"] == [{"reason": "given_up", "groups": 1}]


def test_nothing_came_after_a_search_that_never_began() -> None:
    case, _group = factories.received(), factories.catalog_group()
    review.request_withdraw(opened=case.opened())
    facts = status(case)
    assert facts["state"] == "withdrawn"
    assert facts["datasets"][0]["not_searched"] == [{"reason": "given_up", "groups": 1}]


def test_after_approval_the_sites_are_named_and_lookalikes_are_one_number() -> None:
    case = factories.decided(approve=(0, 1, 2), statement="Both copies go.")
    facts = status(case)
    assert {found["outcome"] for found in facts["found"]} == {"approved"}
    assert {tuple(found["domains"]) for found in facts["found"]} == {("pictures.example.org",)}
    assert facts["other_rows_removed"] == 1
    decision = facts["decision"]
    assert (decision["outcome"], decision["reason"]) == ("approved", None)
    assert (decision["statement"], decision["complaint"]) == ("Both copies go.", None)


def test_partly_approved_says_which_kind_and_why_and_where_to_complain() -> None:
    copies = [match("copy", key=f"{n:09}", score=0.9 - n / 100) for n in range(3)]
    case = factories.decided(
        matches=[match("exact", key="000000009"), *copies],
        approve=(1, 2),
        reason="public_interest",
    )
    facts = status(case)
    outcomes = {found["kind"]: found["outcome"] for found in facts["found"]}
    assert outcomes == {"copy": "partly", "exact": "denied"}
    domains = {found["kind"]: found["domains"] for found in facts["found"]}
    assert domains == {"copy": ["pictures.example.org"], "exact": None}
    decision = facts["decision"]
    assert (decision["outcome"], decision["reason"]) == ("partly_approved", "public_interest")
    assert "complain" in decision["complaint"]


def test_no_match_carries_reason_and_complaint() -> None:
    decision = status(factories.no_match())["decision"]
    assert (decision["outcome"], decision["reason"]) == ("no_match", "not_found")
    assert "complain" in decision["complaint"]


def test_released_names_the_release() -> None:
    facts = status(factories.released(release=7))
    assert facts["state"] == "released"
    assert {tuple(found["released_in"]) for found in facts["found"]} == {(7,)}
    assert facts["decision"]["outcome"] == "approved"


def test_a_row_with_a_broken_url_names_no_site() -> None:
    rows = [match("exact", url="https://[broken/x"), match("copy", key="000000002", url=None)]
    facts = status(factories.decided(matches=rows))
    assert {tuple(found["domains"]) for found in facts["found"]} == {()}


def test_the_status_of_a_tombstone_is_outcome_and_day_alone(settings: Any) -> None:
    case = factories.released(note="marked-note", category="medical")
    case_destroy(case.request_id)
    facts = status(case)
    assert facts["found"] == facts["datasets"] == []
    assert facts["decision"]["outcome"] == "approved"
    assert facts["decision"]["statement"] is None
    assert facts["photos"] == facts["messages"] == facts["questions"] == []
    assert facts["case_deleted_on"] is not None
    assert case.request.category == ""
    assert approved_rows(opened=case.opened()) == []


def test_mistyped_is_told_before_any_look_up(django_assert_num_queries: Any) -> None:
    good = factories.received().receipt
    wrong = good[:-1] + ("A" if good[-1] != "A" else "B")
    with django_assert_num_queries(0), pytest.raises(ReceiptMistyped):
        request_open(receipt=wrong)


def test_unknown_and_purged_get_the_same_answer_after_the_same_queries() -> None:
    case = factories.received()
    request_erase(case.request_id)
    answers = []
    for receipt in (case.receipt, receipts.mint()):
        with (
            CaptureQueriesContext(
                connection,
            ) as queries,
            pytest.raises(ReceiptUnknown) as unknown,
        ):
            request_open(receipt=receipt)
        answers.append((str(unknown.value), len(queries), case.receipt in str(unknown.value)))
    assert answers[0] == answers[1]
    # A known code costs the same queries: the request, and one wrap.
    known = factories.received().receipt
    with CaptureQueriesContext(connection) as queries:
        request_open(receipt=known)
    assert len(queries) == answers[0][1]


def test_proofs_are_for_exact_and_copy_rows_alone() -> None:
    case = factories.decided(approve=(0, 1, 2))
    rows = approved_rows(opened=case.opened())
    assert [(row.dataset, row.sha256) for row in rows] == [("sample", "ab" * 32)] * 2


def test_requests_awaiting_release_are_those_decided_up_to_an_entry() -> None:
    first, second, denied = (
        factories.decided(),
        factories.decided(),
        factories.decided(approve=(), reason="public_interest"),
    )
    seq = first.request.state_seq
    assert requests_awaiting_release(up_to_seq=seq) == [first.request_id]
    assert requests_awaiting_release(up_to_seq=seq - 1) == []
    everything = denied.request.state_seq
    assert requests_awaiting_release(up_to_seq=everything) == [first.request_id, second.request_id]
    request_release(request_id=first.request_id, release=1)
    assert requests_awaiting_release(up_to_seq=everything) == [second.request_id]


def test_plain_photos_are_flagged_and_give_the_reason() -> None:
    case = factories.searched(factories.FakeSearcher(flags=("too_plain",)))
    facts = status(case)
    assert facts["photos"][0]["flags"] == ["too_plain"]
    assert facts["decision"]["reason"] == "too_plain"
    assert "detail" in facts["decision"]["explanation"]
    assert Photo.objects.get().flags == ["too_plain"]
    assert RemovalRequest.objects.get().state == State.NO_MATCH
