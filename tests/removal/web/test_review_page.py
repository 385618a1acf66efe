"""A request's page: what it shows, what it veils until asked, what it lets through."""

import base64
import io
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from PIL import Image

from indexer.decode import DecoderUnavailable
from indexer.placement import Placement
from removal.custody.content import FoundRow, row_opened
from removal.life import claims
from removal.life.caps import desk_settings_save
from removal.models import (
    AuditEntry,
    Claim,
    DeskSettings,
    Proposal,
    ProposalState,
    RemovalRequest,
    State,
    today,
)
from removal.selectors import RequestGone
from removal.selectors.desk import case_key_held
from tests.removal import factories
from tests.removal.factories import Case, match

QUEUE = "/admin/removal/removalrequest/"


def _address(case: Case) -> str:
    return f"{QUEUE}{case.request_id}/change/"


def _frames(text: str) -> list[str]:
    return re.findall(r'<iframe[^>]* src="([^"]+)"', text)


def _decision(**fields: Any) -> dict[str, Any]:
    return {"decision": "approve", "tier": "exact", "reason": "", "statement": "", **fields}


def _signed_in(name: str, *roles: str) -> Client:
    client = Client()
    factories.sign_in(client, factories.role_user(name, *roles))
    return client


@pytest.fixture
def pictured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every row have a picture."""
    picture = factories.photo_bytes(5, side=200)
    monkeypatch.setattr("removal.life.reveals.row_picture", lambda *place: picture)


@pytest.fixture(autouse=True)
def _at_once(settings: Any) -> None:
    """Let what is decided take effect at once."""
    settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": 0})


@pytest.fixture
def undoing(settings: Any, _at_once: None) -> None:
    """Let there be time to undo."""
    settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": 10})


# --- one request -----------------------------------------------------------------------------


def test_page_shows_all_it_takes_to_decide(maintainer: Client) -> None:
    case = factories.in_review(note="my note", urls=["https://sent.example/1.jpg"])
    other = factories.in_review()
    text = maintainer.get(_address(case)).content.decode()
    for words in ("my note", "https://sent.example/1.jpg", "same file", "PDQ 12 of 256 bits"):
        assert words in text
    for words in ("cosine 0.91", "0.97", "000000002", "hit by 1 other request", "Search begun"):
        assert words in text
    assert f'value="{case.candidates[0].pk}"' in text
    assert f'<a href="{_address(other)}">' in text
    assert "3 rows in common" in text
    assert not re.search(r'<input[^>]*name="tier"[^>]*checked', text)


def test_words_of_attackers_are_only_words(maintainer: Client) -> None:
    evil = '"><script>alert(1)</script>'
    matches = [factories.match("copy", url=f"https://a.example/{evil}", key="000000005")]
    case = factories.in_review(matches, note=evil, urls=['https://b.example/"onerror="x'])
    text = maintainer.get(_address(case)).content.decode()
    assert "<script>alert" not in text
    assert 'onerror="x' not in text
    assert 'href="https://' not in text
    assert 'src="https://' not in text


def test_only_a_veil_travels_unasked(maintainer: Client, pictured: None) -> None:
    case = factories.in_review()
    text = maintainer.get(_address(case)).content.decode()
    frames = _frames(text)
    assert len(frames) == 3  # the photo, and two tiles: file and copy have one address
    assert "data:image" not in text
    before = AuditEntry.objects.count()
    for frame in frames:
        hidden = maintainer.get(frame)
        assert hidden.status_code == 200
        pictures = _pictures(hidden.content.decode())
        assert pictures
        assert all(max(picture.size) <= 16 and picture.mode == "L" for picture in pictures)
        assert "data-reveal" in hidden.content.decode()
        assert hidden.headers["X-Frame-Options"] == "SAMEORIGIN"
        assert "frame-ancestors 'self'" in hidden.headers["Content-Security-Policy"]
    assert AuditEntry.objects.count() == before


def _pictures(text: str) -> list[Image.Image]:
    """Return the pictures that a page holds."""
    found = re.findall(r'"data:image/(?:png|jpeg);base64,([^"]+)"', text)
    return [Image.open(io.BytesIO(base64.b64decode(one))) for one in found]


def test_a_pair_is_revealed_together_and_noted(maintainer: Client, pictured: None) -> None:
    case = factories.in_review()
    frame = f"{QUEUE}pair/{case.candidates[0].pk}/"
    shown = maintainer.post(frame)
    pictures = _pictures(shown.content.decode())
    assert [picture.size for picture in pictures] == [(64, 64), (200, 200)]
    assert re.search(r"photo 64 . 64 pixels, row 200 . 200 pixels", shown.content.decode())
    assert "no-store" in shown.headers["Cache-Control"]
    noted = AuditEntry.objects.order_by("-seq")[:2]
    assert {entry.act for entry in noted} == {"photo_revealed", "row_revealed"}
    assert not any("sensitive" in entry.detail for entry in noted)


def test_pictures_come_at_once_to_who_wants_them_so(maintainer: Client, pictured: None) -> None:
    case = factories.in_review()
    user = factories.staff_user()
    frame = f"{QUEUE}pair/{case.candidates[0].pk}/"
    page = f"{QUEUE}pictures/"
    assert "Veiled" in maintainer.get(page).content.decode()
    wrong = maintainer.post(page, {"gray": "yes", "sensitive_per_day": "1000"})
    assert wrong.status_code == 400
    assert not DeskSettings.objects.exists()
    kept = maintainer.post(page, {"gray": "yes", "sensitive_per_day": "7"}, follow=True)
    assert "Kept." in kept.content.decode()
    wish = DeskSettings.objects.get(user=user)
    assert (wish.blurred, wish.gray, wish.sensitive_per_day) == (False, True, 7)
    seen = _pictures(maintainer.get(frame).content.decode())
    assert [picture.mode for picture in seen] == ["L", "L"]
    assert AuditEntry.objects.filter(act="row_revealed").count() == 1
    assert [one.mode for one in _pictures(maintainer.post(frame).content.decode())] == ["RGB"] * 2


@pytest.mark.parametrize("blurred", [True, False])
def test_who_has_seen_enough_is_told_who_else_can_look(
    maintainer: Client, pictured: None, blurred: bool
) -> None:
    user, anna = factories.staff_user(), factories.role_user("anna", "reviewer")
    factories.role_user("otto", "operator")
    case = factories.in_review(category="medical")
    frame = f"{QUEUE}pair/{case.candidates[0].pk}/"
    desk_settings_save(reviewer=user, blurred=blurred, gray=True, sensitive_per_day=2)
    claims.claim(request_id=case.request_id, reviewer=user)
    assert "Hide" in maintainer.post(frame).content.decode()
    entry = AuditEntry.objects.latest("seq")
    assert (entry.act, entry.detail) == ("row_revealed", {"sensitive": True})
    assert "2 of 2 pictures seen today" in maintainer.get(_address(case)).content.decode()
    answer = maintainer.post(frame).content.decode() if blurred else maintainer.get(frame)
    text = answer if isinstance(answer, str) else answer.content.decode()
    assert "You have seen the 2 sensitive pictures" in text
    assert "Who can take it today: anna." in text
    assert all(max(picture.size) <= 16 for picture in _pictures(text))
    assert not Claim.objects.exists()
    assert AuditEntry.objects.filter(act="row_revealed").count() == 1
    desk_settings_save(reviewer=anna, blurred=True, gray=True, sensitive_per_day=0)
    assert "Nobody else can look today" in maintainer.post(frame).content.decode()
    ordinary = factories.in_review().candidates[0].pk
    assert "Hide" in maintainer.post(f"{QUEUE}pair/{ordinary}/").content.decode()


def test_an_auditor_reads_the_page_but_sees_and_does_nothing(pictured: None) -> None:
    case = factories.in_review()
    auditor = _signed_in("audrey", "auditor")
    text = auditor.get(_address(case)).content.decode()
    assert "What was found" in text
    for name in ("decision", "message", "question", "extension"):
        assert f'name="{name}"' not in text
    row = case.candidates[0].pk
    for frame in (f"pair/{row}/", f"row/{row}/", f"photo/{case.request.photos.get().pk}/"):
        assert auditor.get(f"{QUEUE}{frame}").status_code == 403
        assert auditor.post(f"{QUEUE}{frame}").status_code == 403
    assert auditor.post(_address(case), _decision(approve_kind="exact")).status_code == 403
    assert auditor.get(f"{QUEUE}pictures/").status_code == 403
    assert case.request.state == State.IN_REVIEW


# --- tiles and evidence ----------------------------------------------------------------------


def _copies() -> list[Any]:
    """Two files that are nearly one and the same copy, and one of another part of the photo."""
    whole = Placement((-1.0, 0.0, 1.0, 0.0, 0.5, 0.25, 0.0, 0.0, 1.0), ((0.1, 0.1, 0.9, 0.3),))
    left = Placement((0.5, 0.0, -0.2, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), ())
    seen: dict[str, Any] = {
        "inliers": 214,
        "agreement": 0.97,
        "mirrored": True,
        "basis": "pixels",
        "overlap": 1.0,
    }
    near = replace(match().evidence, pdq=4, **seen)
    other = replace(near, mirrored=False, overlap=0.6)
    rows = [("1", near, whole), ("2", replace(near, pdq=20), whole), ("3", other, left)]
    return [
        match(
            key=f"00000000{key}",
            url=f"https://pictures.example.org/{key}.jpg",
            sha256=key * 64,
            evidence=seen_as,
            placement=placement,
        )
        for key, seen_as, placement in rows
    ]


def test_near_identical_rows_make_one_tile_and_are_decided_once(maintainer: Client) -> None:
    case = factories.in_review(_copies())
    text = maintainer.get(_address(case)).content.decode()
    assert text.count("data-tile") == 2
    assert "Remove these 2 rows" in text
    tile, alone = re.findall(r'name="approve_group" value="([^"]+)"', text)
    apart = maintainer.get(f"{_address(case)}?apart=1").content.decode()
    assert apart.count("data-tile") == 3
    maintainer.post(_address(case), _decision(approve_group=tile, reason="different_picture"))
    assert case.request.state == State.PARTLY_APPROVED
    verdicts = {row.verdict for row in case.candidates if str(row.pk) != alone}
    assert verdicts == {"approved"}


def test_evidence_is_said_in_words(maintainer: Client) -> None:
    text = maintainer.get(_address(factories.in_review(_copies()))).content.decode()
    said = "Same picture, mirrored and cropped to 50% of it; 214 matching points; 97% of what both"
    assert said in text
    assert "This row shows more than the upload did: about 40% of its picture" in text
    assert text.count("shows more than the upload") == 1
    unseen = maintainer.get(_address(factories.in_review())).content.decode()
    assert (
        "Same picture; not verified"
        in maintainer.get(_address(factories.in_review([match()]))).content.decode()
    )
    assert "The very same file." in unseen
    assert "Perhaps another picture; not verified" in unseen


def test_matched_points_and_difference_are_drawn_on_demand(
    maintainer: Client, pictured: None
) -> None:
    case = factories.in_review(_copies())
    frame = f"{QUEUE}pair/{case.candidates[0].pk}/"
    veiled, shown = maintainer.get(frame), maintainer.post(frame)
    assert "view-points" in veiled.content.decode()
    assert "view-difference" not in veiled.content.decode()
    text = shown.content.decode()
    assert '<line class="hue-0" x1="57.6" y1="19.2"' in text
    assert "view-difference" in text
    assert "same scale" in text
    assert len(_pictures(text)) == 4


def test_rows_found_before_there_were_placements_still_open() -> None:
    candidate = factories.in_review(_copies()).candidates[0]
    row = row_opened(candidate, case_key_held(candidate.request))
    facts = json.loads(row.to_bytes())
    assert facts.pop("placements")
    assert FoundRow.from_bytes(json.dumps(facts).encode()) == replace(row, placements={})


def test_revealing_a_photo_is_noted(maintainer: Client) -> None:
    case = factories.in_review()
    [frame] = [
        one for one in _frames(maintainer.get(_address(case)).content.decode()) if "photo" in one
    ]
    shown = maintainer.post(frame)
    assert '<img src="data:image/jpeg;base64,' in shown.content.decode()
    assert "no-store" in shown.headers["Cache-Control"]
    assert AuditEntry.objects.latest("seq").act == "photo_revealed"
    assert "A photo was shown" in maintainer.get(_address(case)).content.decode()


def test_revealing_a_row(maintainer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    row = factories.in_review().candidates[0].pk
    gone = maintainer.post(f"{QUEUE}row/{row}/").content.decode()
    assert "holds no picture for this row" in gone
    assert AuditEntry.objects.latest("seq").act != "row_revealed"
    monkeypatch.setattr("removal.life.reveals.row_picture", lambda *place: factories.photo_bytes(5))
    assert "<img" in maintainer.post(f"{QUEUE}row/{row}/").content.decode()
    assert AuditEntry.objects.latest("seq").act == "row_revealed"


def test_picture_that_is_gone_says_so(maintainer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(**names: Any) -> bytes:
        raise RequestGone("This photo was deleted on its clock or at the subject's wish.")

    monkeypatch.setattr("removal.life.reveals.photo_reveal", gone)
    photo = factories.in_review().request.photos.get().pk
    assert "was deleted" in maintainer.post(f"{QUEUE}photo/{photo}/").content.decode()


def test_a_picture_that_nothing_can_decode_now_says_so(
    maintainer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(**names: Any) -> bytes:
        raise DecoderUnavailable

    monkeypatch.setattr("removal.life.reveals.photo_reveal", busy)
    photo = factories.in_review().request.photos.get().pk
    assert "Load the page again" in maintainer.post(f"{QUEUE}photo/{photo}/").content.decode()


def test_process_without_the_reviewers_key_says_so(maintainer: Client, settings: Any) -> None:
    case = factories.in_review()
    elsewhere = settings.UNLIST.secret_dir / "absent"
    settings.UNLIST = settings.UNLIST.model_copy(update={"secret_dir": elsewhere})
    answer = maintainer.get(_address(case))
    assert answer.status_code == 503
    assert "Keys are missing" in answer.content.decode()
    photo = case.request.photos.get().pk
    assert "<img" not in maintainer.post(f"{QUEUE}photo/{photo}/").content.decode()


def test_unknown_request(maintainer: Client) -> None:
    address = f"{QUEUE}00000000-0000-4000-8000-000000000000/change/"
    assert maintainer.get(address).status_code == 404
    assert maintainer.get(f"{QUEUE}nonsense/change/").status_code == 404


# --- deciding --------------------------------------------------------------------------------


def test_approving_all_of_a_kind(maintainer: Client) -> None:
    case = factories.in_review()
    answer = maintainer.post(_address(case), _decision(approve_kind=["exact", "copy"]), follow=True)
    text = answer.content.decode()
    assert case.request.state == State.APPROVED
    assert "Recorded: approved." in text
    assert "It cannot be changed here" in text
    assert 'name="decision"' not in text


def test_approving_chosen_rows_with_a_reason_for_the_rest(maintainer: Client) -> None:
    case = factories.in_review()
    fields = _decision(approve=str(case.candidates[0].pk), reason="different_picture")
    maintainer.post(_address(case), {**fields, "statement": "words <to> you"})
    assert case.request.state == State.PARTLY_APPROVED
    assert "words &lt;to&gt; you" in maintainer.get(_address(case)).content.decode()


def test_refusing(maintainer: Client) -> None:
    case = factories.in_review()
    fields = {"decision": "deny", "reason": "public_interest"}
    maintainer.post(_address(case), fields)
    assert case.request.state == State.DENIED
    assert case.request.reason == "public_interest"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"decision": "approve", "tier": "exact"}, "No row is chosen"),
        ({"decision": "deny", "reason": "unfounded", "approve_kind": "copy"}, "Rows are ticked"),
        ({"decision": "approve", "approve_kind": ["exact", "copy"]}, "Choose how the rows"),
        ({"decision": "deny"}, "Rows that stay need a reason"),
        ({"decision": "approve", "approve_kind": "similar", "tier": "exact"}, "need a reason"),
        ({"approve_kind": "exact", "tier": "exact"}, "Press one of the two buttons"),
        ({"decision": "approve", "approve": "nonsense"}, "does not belong to this request"),
    ],
)
def test_incomplete_decision_is_sent_back_as_it_was(
    maintainer: Client, fields: dict[str, Any], sentence: str
) -> None:
    case = factories.in_review()
    answer = maintainer.post(_address(case), {**fields, "statement": "keep <me>"})
    text = answer.content.decode()
    assert answer.status_code == 400
    assert sentence in text
    assert "keep &lt;me&gt;" in text
    assert case.request.state == State.IN_REVIEW


def test_nothing_is_decided_twice(maintainer: Client) -> None:
    case = factories.in_review()
    first = _decision(approve_kind=["exact", "copy"])
    maintainer.post(_address(case), first)
    second = maintainer.post(
        _address(case), {"decision": "deny", "reason": "unfounded"}, follow=True
    )
    assert "not waiting for a decision any more" in second.content.decode()
    assert case.request.state == State.APPROVED
    assert AuditEntry.objects.filter(act="decided").count() == 1


def test_extending_once_with_a_reason(maintainer: Client) -> None:
    case = factories.in_review()
    address = f"{QUEUE}{case.request_id}/extend/"
    empty = maintainer.post(address, {"extension": " "}, follow=True)
    assert "needs a reason" in empty.content.decode()
    done = maintainer.post(address, {"extension": "many <requests>"}, follow=True)
    assert "The clock has been extended" in done.content.decode()
    assert "many &lt;requests&gt;" in done.content.decode()
    assert case.request.extended_on == today()
    again = maintainer.post(address, {"extension": "more"}, follow=True)
    assert "extended once" in again.content.decode()


# --- the moment to undo, and the second person -------------------------------------------------


def test_a_decision_can_be_undone_and_is_shown_as_it_was(maintainer: Client, undoing: None) -> None:
    case = factories.in_review()
    answer = maintainer.post(
        _address(case),
        _decision(approve_kind=["exact", "copy"], statement="words <kept>"),
        follow=True,
    )
    text = answer.content.decode()
    assert "Approve: remove 2 rows, listed as exact." in text
    assert re.search(r"<span data-seconds>(9|10)</span>", text)
    assert 'name="decision"' not in text
    elsewhere = maintainer.get(_address(factories.in_review())).content.decode()
    proposal = Proposal.objects.get()
    assert f'action="{QUEUE}proposal/{proposal.pk}/undo/"' in elsewhere
    undone = maintainer.post(f"{QUEUE}proposal/{proposal.pk}/undo/").content.decode()
    assert "nothing was decided" in undone
    assert "words &lt;kept&gt;" in undone
    assert re.search(r'name="tier" value="exact" checked', undone)
    assert re.search(r'name="approve_group" value="[^"]+" data-choose checked', undone)
    assert f'action="{_address(case)}"' in undone
    assert case.request.state == State.IN_REVIEW
    again = maintainer.post(f"{QUEUE}proposal/{proposal.pk}/undo/", follow=True)
    assert "errorlist" in again.content.decode() or 'class="error"' in again.content.decode()


def test_a_refusal_of_a_medical_picture_waits_for_a_second_person(maintainer: Client) -> None:
    case = factories.in_review(category="medical")
    fields = {"decision": "deny", "reason": "public_interest", "statement": "why <so>"}
    told = maintainer.post(_address(case), fields, follow=True).content.decode()
    assert "it waits for a second person" in told
    assert "somebody else has to confirm it" in told
    assert case.request.state == State.IN_REVIEW
    proposal = Proposal.objects.get()
    own = maintainer.post(f"{QUEUE}proposal/{proposal.pk}/confirm/", follow=True)
    assert "another person has to confirm it" in own.content.decode()
    anna, rita = _signed_in("anna", "approver"), _signed_in("rita", "reviewer")
    assert rita.post(f"{QUEUE}proposal/{proposal.pk}/confirm/").status_code == 403
    seen = anna.get(_address(case)).content.decode()
    assert "why &lt;so&gt;" in seen
    assert "freedom of expression" in seen
    assert "Do not confirm" in seen
    anna.post(f"{QUEUE}proposal/{proposal.pk}/confirm/")
    assert case.request.state == State.DENIED
    assert Proposal.objects.get().state == ProposalState.TAKEN


def test_what_the_second_person_refuses_is_told_to_the_first(maintainer: Client) -> None:
    case = factories.in_review(category="child")
    maintainer.post(_address(case), {"decision": "deny", "reason": "unfounded"})
    anna = _signed_in("anna", "approver")
    anna.post(f"{QUEUE}proposal/{Proposal.objects.get().pk}/refuse/")
    assert case.request.state == State.IN_REVIEW
    text = maintainer.get(_address(case)).content.decode()
    assert "anna did not confirm what you proposed" in text
    assert 'name="decision"' in text


# --- who works on it ---------------------------------------------------------------------------


def test_a_request_of_a_colleague_is_read_but_not_decided(maintainer: Client) -> None:
    case = factories.in_review()
    claims.claim(request_id=case.request_id, reviewer=factories.role_user("anna", "reviewer"))
    text = maintainer.get(_address(case)).content.decode()
    assert "anna works on this request" in text
    assert 'name="decision"' not in text
    refused = maintainer.post(_address(case), _decision(approve_kind=["exact", "copy"]))
    assert refused.status_code == 409
    assert "anna is working on this request until" in refused.content.decode()
    for name, fields in (("message", {"message": "x"}), ("question", {"ask": "x"})):
        assert maintainer.post(f"{QUEUE}{case.request_id}/{name}/", fields).status_code == 409
    assert case.request.state == State.IN_REVIEW


def test_the_next_request_is_claimed_and_can_be_released(maintainer: Client) -> None:
    case = factories.in_review()
    opened = maintainer.post(f"{QUEUE}next/", follow=True)
    assert opened.redirect_chain[-1][0] == _address(case)
    assert "You work on this request until" in opened.content.decode()
    maintainer.post(f"{QUEUE}{case.request_id}/release/")
    assert "Nobody works on this request" in maintainer.get(_address(case)).content.decode()


# --- tier and words ------------------------------------------------------------------------------


@pytest.mark.parametrize("category", ["personal", "intimate", "child", "medical"])
def test_the_tier_is_proposed_in_words_and_never_preset(maintainer: Client, category: str) -> None:
    text = maintainer.get(_address(factories.in_review(category=category))).content.decode()
    assert "Proposed by its category" in text
    assert ("cannot list rows as partner yet" in text) == (category != "personal")
    assert not re.search(r'name="tier"[^>]*checked', text)
    assert len(re.findall(r'name="tier" value="(?:masked|partner)" disabled', text)) == 2


def test_ready_words_are_sent_in_the_language_of_the_request(maintainer: Client) -> None:
    case = factories.in_review()
    RemovalRequest.objects.filter(pk=case.request_id).update(language="de")
    text = maintainer.get(_address(case)).content.decode()
    assert "in the language of the request: Deutsch" in text
    fields = {"decision": "deny", "reason": "public_interest", "ready": "yes", "statement": "mine"}
    maintainer.post(_address(case), fields)
    told = maintainer.get(_address(case)).content.decode()
    assert "Sie können einmal Widerspruch" in told or "Widerspruch" in told
    assert "<br><br>mine" in told


# --- signs of abuse, escalation -------------------------------------------------------------------


def test_signs_of_abuse_are_shown_and_weighed(maintainer: Client) -> None:
    case = factories.in_review()
    detail = {"requests": 12, "days": 30}
    case.request.flags.create(code="many_requests", detail=detail, raised_on=today())
    text = maintainer.get(_address(case)).content.decode()
    assert "12 requests in 30 days are for the same rows" in text
    maintainer.post(f"{QUEUE}{case.request_id}/flags/")
    assert "weighed by maintainer" in maintainer.get(_address(case)).content.decode()


def test_rows_of_one_organization_are_told_when_the_page_is_opened(maintainer: Client) -> None:
    rows = [
        match(key=f"0000000{n}", url=f"https://one.example/{n}.jpg", sha256=f"{n:064}")
        for n in range(10, 22)
    ]
    text = maintainer.get(_address(factories.in_review(rows))).content.decode()
    assert "12 of the 12 rows lie under one domain" in text


def test_escalating_hides_a_request_and_says_what_to_do(pictured: None) -> None:
    case, other = factories.in_review(), factories.in_review()
    rita, ella = _signed_in("rita", "reviewer"), _signed_in("ella", "escalation")
    address = f"{QUEUE}{case.request_id}/escalate/"
    assert f'href="{address}"' in rita.get(_address(case)).content.decode()
    asked = rita.get(address).content.decode()
    assert "Escalate it" in asked
    assert case.request.escalated_on is None
    done = rita.post(address).content.decode()
    assert "You cannot open it any more" in done
    assert "Do not look at the picture again" in done
    assert str(case.request_id)[:8] in done
    row = case.request.candidates.first()
    assert row is not None
    hidden = [_address(case), address]
    assert [rita.get(one).status_code for one in hidden] == [404, 404]
    for frame in (f"pair/{row.pk}/", f"photo/{case.request.photos.get().pk}/"):
        assert not _pictures(rita.get(f"{QUEUE}{frame}").content.decode())
        assert not _pictures(rita.post(f"{QUEUE}{frame}").content.decode())
    assert _address(case) not in rita.get(_address(other)).content.decode()
    assert "hit by" not in rita.get(_address(other)).content.decode()
    seen = ella.get(_address(case)).content.decode()
    assert "Only the escalation role sees this request" in seen
    assert 'name="decision"' not in seen
    ella.post(f"{QUEUE}{case.request_id}/hold/end/")
    assert case.request.held_on is None
    ella.post(f"{QUEUE}{case.request_id}/escalate/back/")
    assert rita.get(_address(case)).status_code == 200
    assert rita.post(f"{QUEUE}{case.request_id}/hold/end/").status_code == 403
    assert "Do not look" in rita.get(f"{QUEUE}procedure/").content.decode()
