"""The maintainers' pages: what they show, what they hide until asked, what they let through."""

import re
from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client

from removal.models import AuditEntry, State, today
from tests.removal import factories
from tests.removal.factories import Case

QUEUE = "/admin/removal/removalrequest/"


def _address(case: Case) -> str:
    return f"{QUEUE}{case.request_id}/change/"


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
    factories.sign_in(clerk, user)
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
    factories.sign_in(client)
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
    assert maintainer.post(address, {"act": "changed"}).status_code == 404
