"""The maintainers' pages: what they show, what they hide until asked, what they let through."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from indexer.decode import DecoderUnavailable
from removal.desk.words import evidence_words
from removal.models import AuditEntry, State, today
from removal.selectors import RequestGone
from tests.removal import factories
from tests.removal.factories import Case

QUEUE = "/admin/removal/removalrequest/"


def _address(case: Case) -> str:
    return f"{QUEUE}{case.request_id}/change/"


def _frames(text: str) -> list[str]:
    return re.findall(r'<iframe[^>]* src="([^"]+)"', text)


def _decision(**fields: Any) -> dict[str, Any]:
    return {"decision": "approve", "tier": "exact", "reason": "", "statement": "", **fields}


# --- who may ---------------------------------------------------------------------------------


def test_strangers_are_asked_to_log_in(visitor: Client) -> None:
    case = factories.in_review()
    for address in ("/admin/", QUEUE, _address(case)):
        answer = visitor.get(address)
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/admin/login/")


def test_staff_without_the_right_see_nothing() -> None:
    case = factories.in_review()
    user = User.objects.create_user("clerk", password="x", is_staff=True)
    clerk = Client()
    clerk.force_login(user)
    photo = case.request.photos.get().pk
    addresses = [QUEUE, _address(case), f"{QUEUE}photo/{photo}/"]
    addresses.append(f"{QUEUE}row/{case.candidates[0].pk}/")
    assert [clerk.get(address).status_code for address in addresses] == [403] * 4
    assert [clerk.post(address).status_code for address in addresses[1:]] == [403] * 3
    assert clerk.post(f"{QUEUE}{case.request_id}/extend/").status_code == 403
    assert case.request.state == State.IN_REVIEW
    user.user_permissions.add(Permission.objects.get(codename="change_removalrequest"))
    assert clerk.get(_address(case)).status_code == 200
    assert "waiting for a decision" in clerk.get("/admin/").content.decode()


def test_forms_need_their_token() -> None:
    case = factories.in_review()
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.staff_user())
    assert client.post(_address(case), _decision(approve_kind="exact")).status_code == 403
    assert case.request.state == State.IN_REVIEW


# --- the policy ------------------------------------------------------------------------------


def test_pages_have_a_strict_policy_and_nothing_inline(visitor: Client, maintainer: Client) -> None:
    case = factories.in_review()
    pages = [visitor.get("/admin/login/")]
    pages += [maintainer.get(address) for address in ("/admin/", QUEUE, _address(case))]
    for page in pages:
        policy, text = page.headers["Content-Security-Policy"], page.content.decode()
        assert "script-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["Referrer-Policy"] == "same-origin"
        assert "style=" not in text
        assert not re.search(r"<script(?![^>]* src=)(?![^>]*application/json)", text)


def test_login_works_with_what_a_browser_sends() -> None:
    """Under `no-referrer` a browser sends `Origin: null`, and Django refused every login."""
    factories.staff_user()
    client = Client(enforce_csrf_checks=True)
    page = client.get("/admin/login/")
    token = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', page.content.decode())
    assert token
    fields = {
        "username": "maintainer",
        "password": "correct horse battery",
        "csrfmiddlewaretoken": token.group(1),
    }
    headers = {"Origin": "http://testserver"}
    assert client.post("/admin/login/", fields, headers=headers).status_code == 302


# --- the queue -------------------------------------------------------------------------------


def test_queue_shows_what_waits_first(maintainer: Client) -> None:
    waiting, done = factories.in_review(), factories.decided()
    text = maintainer.get(QUEUE).content.decode()
    assert str(waiting.request_id)[:8] in text
    assert str(done.request_id)[:8] not in text
    assert "1 exact, 1 copy, 1 similar" in text
    assert re.search(r'<span class="due calm">[^<]+<b>\d+ days left</b>', text)
    assert str(done.request_id)[:8] in maintainer.get(f"{QUEUE}?show=closed").content.decode()
    assert str(done.request_id)[:8] in maintainer.get(f"{QUEUE}?show=all").content.decode()


def test_first_page_shows_the_most_urgent(maintainer: Client) -> None:
    case = factories.in_review()
    late = today().replace(year=2020)
    type(case.request).objects.filter(pk=case.request_id).update(due_on=late)
    text = maintainer.get("/admin/").content.decode()
    assert _address(case) in text
    assert "1 overdue" in text
    assert str(case.request_id)[:8] in maintainer.get(f"{QUEUE}?show=overdue").content.decode()


def test_requests_are_neither_added_nor_deleted_here(maintainer: Client) -> None:
    case = factories.in_review()
    for address in (f"{QUEUE}add/", f"{QUEUE}{case.request_id}/delete/"):
        assert maintainer.get(address).status_code == 404


def test_audit_log_is_read_only(maintainer: Client) -> None:
    factories.in_review()
    entry = AuditEntry.objects.earliest("seq")
    text = maintainer.get("/admin/removal/auditentry/").content.decode()
    assert entry.act in text
    address = f"/admin/removal/auditentry/{entry.pk}/change/"
    assert maintainer.post(address, {"act": "changed"}).status_code == 403


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
    assert str(other.request_id) not in text
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


def test_no_picture_travels_unasked(maintainer: Client) -> None:
    case = factories.in_review()
    text = maintainer.get(_address(case)).content.decode()
    frames = _frames(text)
    assert len(frames) == 4
    assert "data:image" not in text
    before = AuditEntry.objects.count()
    for frame in frames:
        hidden = maintainer.get(frame)
        assert hidden.status_code == 200
        assert "<img" not in hidden.content.decode()
        assert "Show picture" in hidden.content.decode()
        assert hidden.headers["X-Frame-Options"] == "SAMEORIGIN"
        assert "frame-ancestors 'self'" in hidden.headers["Content-Security-Policy"]
    assert AuditEntry.objects.count() == before


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

    monkeypatch.setattr("removal.desk.review.photo_reveal", gone)
    photo = factories.in_review().request.photos.get().pk
    assert "was deleted" in maintainer.post(f"{QUEUE}photo/{photo}/").content.decode()


def test_a_picture_that_nothing_can_decode_now_says_so(
    maintainer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(**names: Any) -> bytes:
        raise DecoderUnavailable

    monkeypatch.setattr("removal.desk.review.photo_reveal", busy)
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
        ({"decision": "approve", "approve_kind": "exact", "tier": "exact"}, "need a reason"),
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


def test_evidence_in_words() -> None:
    nothing = {"digest": False, "pdq": None, "phash": None, "cosine": None, "inliers": None}
    assert evidence_words(nothing) == []
    all_of_it = {"digest": True, "pdq": 6, "phash": 2, "cosine": 0.934, "inliers": 41}
    assert evidence_words(all_of_it) == [
        "same file",
        "PDQ 6 of 256 bits differ",
        "pHash 2 of 64 bits differ",
        "cosine 0.93",
        "41 matching points",
    ]
