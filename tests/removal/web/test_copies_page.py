"""Copies of approved rows on a request's page: what it says, what its buttons do, who may."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from indexer.placement import Placement
from removal.life.appeals import request_appeal
from removal.life.errands import PARTIAL, errand_end
from removal.models import (
    AuditEntry,
    Candidate,
    ErrandState,
    ErrandUnit,
    Proposal,
    ProposalState,
    State,
    Verdict,
)
from tests.removal import factories
from tests.removal.factories import Case

QUEUE = "/admin/removal/removalrequest/"
KEYS = ("000000101", "000000102", "000000103")
PICTURE = factories.photo_bytes(5, side=200)
LAID = Placement((1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), ((0.1, 0.1, 0.1, 0.1),))
SEEN = {"digest": False, "inliers": 80, "agreement": 0.99, "overlap": 1.0, "basis": "pixels"}


@pytest.fixture(autouse=True)
def _at_once(settings: Any) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": 0})


@pytest.fixture
def undoing(settings: Any, _at_once: None) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": 10})


@pytest.fixture
def pictured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("removal.life.reveals.row_picture", lambda *place: PICTURE)


def page(client: Client, case: Case) -> str:
    answer = client.get(f"{QUEUE}{case.request_id}/change/")
    assert answer.status_code == 200
    return str(answer.content.decode())


def pressed(client: Client, case: Case, button: str, *left_out: Any, **fields: Any) -> Any:
    """Send the form as the page has it, with some tiles left out, and follow it."""
    text = page(client, case)
    names = ("offered", "approve_group", "seen")
    form: dict[str, Any] = {
        name: re.findall(rf'name="{name}" value="([^"]+)"', text) for name in names
    }
    form["approve_group"] = [one for one in form["approve_group"] if one not in map(str, left_out)]
    form["seen"] = form["seen"][0]
    address = f"{QUEUE}{case.request_id}/duplicates/"
    return client.post(address, {**form, "decision": button, **fields}, follow=True)


def verdicts(rows: list[Candidate]) -> list[tuple[str, bool]]:
    found = Candidate.objects.in_bulk([row.pk for row in rows])
    return [(found[row.pk].verdict, found[row.pk].offered) for row in rows]


def in_role(role: str) -> Client:
    client = Client()
    factories.sign_in(client, factories.role_user(f"a {role}", role))
    return client


# --- what it says -------------------------------------------------------------------------------


def test_offered_copies_are_shown_apart_with_their_evidence_and_all_chosen(
    maintainer: Client,
) -> None:
    case = factories.released()
    source = case.candidates[1]
    factories.offered(case, *KEYS[:2], source=1, evidence=SEEN, placements={0: LAID})
    factories.offered(case, KEYS[2], source=2, kind="similar", dataset="other")
    text = page(maintainer, case)
    assert "3 rows in 2 datasets: copies of rows that were approved" in text
    assert "Same picture; 80 matching points; 99% of what both show is the same" in text
    assert "Compared with the approved row 000000002 of sample" in text
    assert "which was approved as a look-alike" in text
    tiles = re.findall(r'<input type="checkbox" name="approve_group"[^>]*>', text)
    assert len(tiles) == 2  # the two that lie alike on one approved row make one tile
    assert all("checked" in tile for tile in tiles)
    assert "Remove these 2 rows" in text
    assert f"{QUEUE}pair/" in text
    assert "to look at" not in text.split('id="copies"')[0].replace("wait to be looked at", "")
    assert str(source.pk) not in re.findall(r'name="offered" value="([^"]+)"', text)


def test_a_request_without_copies_says_nothing_of_them(maintainer: Client, settings: Any) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"duplicates": False})
    for case in (factories.in_review(), factories.released()):
        assert "Copies of approved rows" not in page(maintainer, case)


def test_how_the_search_stands_is_said(maintainer: Client) -> None:
    case = factories.decided()
    errand = case.request.errands.get()
    assert "are being looked for in all datasets." in page(maintainer, case)
    for number, state in enumerate((ErrandUnit.State.DONE, ErrandUnit.State.PENDING)):
        group = factories.catalog_group(number=number)
        stages = (ErrandUnit.Stage.PREPARE, ErrandUnit.Stage.SEARCH)
        for stage in stages:
            ErrandUnit.objects.create(errand=errand, group=group, stage=stage, state=state)
    assert "in all datasets: 1 of 2 groups so far." in page(maintainer, case)
    errand_end(errand.pk, ErrandState.DONE)
    text = page(maintainer, case)
    assert f"until {timezone.now().day} " in text
    assert "None waits to be looked at." in text


def test_a_search_that_missed_some_groups_says_so(maintainer: Client) -> None:
    case = factories.decided()
    errand_end(case.request.errands.get().pk, ErrandState.DONE, fault=PARTIAL)
    assert "not in all parts of the datasets" in page(maintainer, case)


def test_a_search_that_failed_says_why(maintainer: Client) -> None:
    case = factories.decided()
    errand_end(case.request.errands.get().pk, ErrandState.FAILED, fault="too_old")
    assert "no worker came to it for two weeks" in page(maintainer, case)


def test_rows_that_no_list_can_name_are_said_and_cannot_be_chosen(maintainer: Client) -> None:
    case = factories.decided()
    nameless = factories.offered(case, KEYS[0], url=None, sha256=None, md5=None)
    others = factories.offered(case, KEYS[1])
    text = page(maintainer, case)
    assert "1 more has neither an address nor a recorded digest" in text
    assert f'name="approve_group" value="{nameless[0].pk}"' not in text
    pressed(maintainer, case, "approve")
    assert verdicts(others + nameless) == [(Verdict.APPROVED, False), (Verdict.DENIED, True)]


def test_during_an_appeal_they_wait(maintainer: Client) -> None:
    case = factories.decided(approve=(0,), reason="public_interest")
    factories.offered(case, *KEYS)
    request_appeal(opened=case.opened(), text="again")
    text = page(maintainer, case)
    assert "3 rows in 1 dataset wait until the appeal is decided" in text
    assert "Approve the chosen copies" not in text
    assert text.count("data-tile") == 3  # the request's own, which are decided with the appeal


def test_the_page_takes_as_many_queries_however_many_there_are(maintainer: Client) -> None:
    few, many = factories.decided(), factories.decided()
    factories.offered(few, KEYS[0])
    factories.offered(many, *(f"{number:09}" for number in range(100, 140)))
    counts = []
    for case in (few, many):
        page(maintainer, case)  # the first time on a day is noted
        with CaptureQueriesContext(connection) as queries:
            page(maintainer, case)
        counts.append(len(queries))
    assert counts[0] == counts[1]


# --- what its buttons do ------------------------------------------------------------------------


def test_all_copies_are_approved_at_once(maintainer: Client) -> None:
    case = factories.released()
    rows = factories.offered(case, *KEYS)
    answer = pressed(maintainer, case, "approve")
    assert "Approved: 3 rows." in answer.content.decode()
    assert verdicts(rows) == [(Verdict.APPROVED, False)] * 3
    assert case.request.state == State.APPROVED
    text = page(maintainer, case)
    assert "Copies of approved rows were approved" in text  # the history
    assert "Approve the chosen copies" not in text
    assert text.count("Compared with the approved row") == 3


def test_what_is_left_out_is_set_aside_and_can_be_had_back(maintainer: Client) -> None:
    case = factories.decided()
    rows = factories.offered(case, *KEYS)
    pressed(maintainer, case, "approve", rows[1].pk)
    assert verdicts(rows) == [
        (Verdict.APPROVED, False),
        (Verdict.DENIED, True),
        (Verdict.APPROVED, False),
    ]
    assert "1 copy was set aside." in page(maintainer, case)
    address = f"{QUEUE}{case.request_id}/duplicates/"
    answer = maintainer.post(address, {"decision": "again"}, follow=True)
    assert "Offered again: 1 row." in answer.content.decode()
    assert verdicts(rows)[1] == (Verdict.PENDING, True)


def test_all_can_be_set_aside(maintainer: Client) -> None:
    case = factories.decided()
    rows = factories.offered(case, *KEYS)
    answer = pressed(maintainer, case, "aside")
    assert "Set aside: 3 rows." in answer.content.decode()
    assert verdicts(rows) == [(Verdict.DENIED, True)] * 3
    assert case.request.state == State.APPROVED


def test_setting_aside_in_a_sensitive_request_waits_for_a_second_person() -> None:
    case = factories.decided(category="child")
    rows = factories.offered(case, *KEYS)
    first, second = Client(), Client()
    for name, client in (("first", first), ("second", second)):
        factories.sign_in(client, factories.role_user(name, "approver"))
    answer = pressed(first, case, "aside").content.decode()
    assert "a second person has to agree before these copies are set aside" in answer
    assert "Set copies of approved rows aside: 3 rows not listed." in answer
    assert "it leaves out copies in a request about a picture of a child" in answer
    assert verdicts(rows) == [(Verdict.PENDING, True)] * 3
    proposal = Proposal.objects.get(kind="duplicates")
    confirm = f"{QUEUE}proposal/{proposal.pk}/confirm/"
    assert "has to confirm it" in first.post(confirm, follow=True).content.decode()
    assert verdicts(rows) == [(Verdict.PENDING, True)] * 3
    second.post(confirm)
    assert verdicts(rows) == [(Verdict.DENIED, True)] * 3


def test_what_was_found_since_the_page_was_loaded_is_neither_approved_nor_set_aside(
    maintainer: Client,
) -> None:
    case = factories.decided()
    [first] = factories.offered(case, KEYS[0])
    text = page(maintainer, case)
    [later] = factories.offered(case, KEYS[1])
    [seen] = re.findall(r'id="copies".*?name="seen" value="(\d+)"', text, re.DOTALL)
    sent = {"offered": str(first.pk), "approve_group": str(first.pk), "seen": seen}
    maintainer.post(f"{QUEUE}{case.request_id}/duplicates/", {**sent, "decision": "approve"})
    assert verdicts([first, later]) == [(Verdict.APPROVED, False), (Verdict.PENDING, True)]


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"approve_group": []}, 400, "No row is chosen"),
        ({"approve_group": ["3e2ff4d6-4c1f-4c6e-8a44-9d57b4a3b6b0"]}, 400, "does not belong"),
        ({"decision": "else"}, 400, "Press one of the two buttons"),
        ({"decision": "again"}, 400, "No copy of this request was set aside"),
        ({"decision": "aside", "offered": []}, 400, "None of these copies"),
        ({"seen": "1"}, 409, "This request has changed"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    maintainer: Client, fields: dict[str, Any], status: int, words: str
) -> None:
    case = factories.decided()
    rows = factories.offered(case, *KEYS)
    answer = pressed(maintainer, case, "approve", **fields)
    assert answer.status_code == status
    assert words in answer.content.decode()
    assert verdicts(rows) == [(Verdict.PENDING, True)] * 3
    assert not Proposal.objects.exists()


def test_it_is_undone_with_what_was_chosen(undoing: None, maintainer: Client) -> None:
    case = factories.released()
    rows = factories.offered(case, *KEYS)
    text = pressed(maintainer, case, "approve", rows[1].pk).content.decode()
    assert "Approve copies of approved rows: remove 2 rows, listed as exact." in text
    assert "Approve the chosen copies" not in text
    [undo] = re.findall(r'action="([^"]+/undo/)"', text)
    again = maintainer.post(undo).content.decode()
    boxes = re.findall(r'<input type="checkbox" name="approve_group"[^>]*>', again)
    assert [str(rows[1].pk) in box for box in boxes if "checked" not in box] == [True]
    assert len(boxes) == 3
    assert verdicts(rows) == [(Verdict.PENDING, True)] * 3


def test_a_second_person_reads_which_rows_and_confirms(undoing: None) -> None:
    case = factories.decided()
    factories.offered(case, *KEYS)
    reviewer, approver = in_role("reviewer"), in_role("approver")
    text = pressed(reviewer, case, "approve").content.decode()
    assert "it waits for a second person, for a reviewer proposes" in text
    read = page(approver, case)
    assert all(key in read for key in KEYS)
    [confirm] = re.findall(r'action="([^"]+/confirm/)"', read)
    approver.post(confirm)
    assert Proposal.objects.get().state == ProposalState.COUNTING


def test_a_refused_one_is_told_to_its_proposer(undoing: None) -> None:
    case = factories.decided()
    factories.offered(case, *KEYS)
    reviewer, approver = in_role("reviewer"), in_role("approver")
    pressed(reviewer, case, "approve")
    [refuse] = re.findall(r'action="([^"]+/refuse/)"', page(approver, case))
    said = approver.post(refuse, follow=True).content.decode()
    assert "The proposal is refused: nothing came of it." in said
    text = page(reviewer, case)
    assert "did not confirm what you proposed. Nothing came of it." in text
    assert "Approve the chosen copies" in text


def test_an_auditor_reads_and_changes_nothing() -> None:
    case = factories.decided()
    rows = factories.offered(case, *KEYS)
    auditor = in_role("auditor")
    text = page(auditor, case)
    assert "3 rows in 1 dataset" in text
    assert "/duplicates/" not in text
    answer = auditor.post(f"{QUEUE}{case.request_id}/duplicates/", {"decision": "aside"})
    assert answer.status_code == 403
    assert verdicts(rows) == [(Verdict.PENDING, True)] * 3


# --- the pictures -------------------------------------------------------------------------------


def test_a_copy_is_shown_beside_the_approved_row_and_both_looks_are_noted(
    maintainer: Client, pictured: None
) -> None:
    case = factories.decided()
    [row] = factories.offered(case, KEYS[0], placements={0: LAID}, evidence=SEEN)
    frame = f"{QUEUE}pair/{row.pk}/"
    veiled = maintainer.get(frame).content.decode()
    assert "the picture of the approved row" in veiled
    before = AuditEntry.objects.count()
    shown = maintainer.post(frame).content.decode()
    assert "Left the approved row, right this one; same scale" in shown
    assert "the row&#x27;s picture laid over that of the approved row" in shown.lower()
    assert '<line class="hue-0"' in shown
    acts = AuditEntry.objects.filter(seq__gt=before).values_list("act", flat=True)
    assert list(acts) == ["row_revealed", "row_revealed"]


def test_a_copy_whose_approved_row_has_no_picture_says_so(
    maintainer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = factories.decided()
    [row] = factories.offered(case, KEYS[0])
    monkeypatch.setattr(
        "removal.life.reveals.row_picture",
        lambda dataset, shard, key, *place: PICTURE if key == KEYS[0] else None,
    )
    shown = maintainer.post(f"{QUEUE}pair/{row.pk}/").content.decode()
    assert "holds no picture of the approved row" in shown


# --- the queue and the front --------------------------------------------------------------------


def test_queue_and_front_lead_to_what_waits(maintainer: Client) -> None:
    case, other = factories.released(), factories.released()
    factories.offered(case, *KEYS)
    for address in (QUEUE, "/admin/"):
        text = maintainer.get(address).content.decode()
        assert "<strong>1</strong> with copies of approved rows to look at" in text
    listed = maintainer.get(f"{QUEUE}?show=copies").content.decode()
    assert str(case.request_id) in listed
    assert str(other.request_id) not in listed
    pressed(maintainer, case, "aside")
    assert "with copies of approved rows" not in maintainer.get(QUEUE).content.decode()


def test_the_evidence_of_a_wider_copy_warns_of_what_the_approved_row_does_not_show(
    maintainer: Client,
) -> None:
    case = factories.decided()
    factories.offered(case, KEYS[0], evidence={**SEEN, "overlap": 0.6}, placements={0: LAID})
    assert "shows more than the approved row does: about 40%" in page(maintainer, case)
