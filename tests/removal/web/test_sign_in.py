"""Signing in: two steps, a lock that tells nothing, short sessions, and what the log says of it."""

import base64
import datetime as dt
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import segno
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client
from django.utils import timezone
from django_otp.oath import hotp
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from removal.life import locks
from removal.life.locks import AccountLocked, lock_after, try_begin
from removal.life.second_factor import CodeWrong, code_take, recovery_codes_make
from removal.life.signing_in import password_take, staff_sign_in
from removal.models import AuditEntry, StaffLock
from scripts.second_factor import SecondFactor
from tests.removal import factories

OPEN = "/admin/second-factor/"
LOGIN = f"/admin/login/?next={OPEN}"
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("removal.desk.login.ANSWER_SECONDS", 0.0)


def give_password(client: Client, name: str = "maintainer", password: str = PASSWORD) -> Any:
    return client.post(LOGIN, {"username": name, "password": password})


def sign_in_first(client: Client, user: User | None = None) -> SecondFactor:
    """Sign in for the first time: password, set-up, recovery codes."""
    name = (user or factories.staff_user()).username
    app = SecondFactor()
    at = give_password(client, name).headers["Location"]
    done = client.post(at, {"code": app.set_up(client.get(at).content.decode())})
    assert done.status_code == 200
    app.keep(done.content.decode())
    return app


def acts(user: User) -> list[str]:
    own = AuditEntry.objects.filter(actor=f"staff:{user.pk}")
    return list(own.order_by("seq").values_list("act", flat=True))


# --- the two steps ---------------------------------------------------------------------------


def test_a_password_alone_opens_nothing() -> None:
    factories.staff_user()
    client = Client()
    answer = give_password(client)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/admin/login/set-up/")
    for address in ("/admin/", OPEN, "/admin/password_change/"):
        turned = client.get(address)
        assert turned.status_code == 302, address
        assert turned.headers["Location"].startswith("/admin/login/")
    assert "_auth_user_id" not in client.session


def test_the_first_sign_in_sets_up_an_app_and_shows_recovery_codes_once() -> None:
    user, client = factories.staff_user(), Client()
    at = give_password(client).headers["Location"]
    page = client.get(at)
    text = page.content.decode()
    assert 'src="data:image/svg+xml' in text
    assert "no-store" in page.headers["Cache-Control"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert "http://" not in re.sub(r"http://www\.w3\.org/\S+", "", text)
    app = SecondFactor()
    done = client.post(at, {"code": app.set_up(text)})
    app.keep(done.content.decode())
    assert len(set(app.recovery_codes)) == 10
    assert f'href="{OPEN}"' in done.content.decode()
    assert client.get(OPEN).status_code == 200
    assert client.get(at).status_code == 302  # neither key nor codes are shown again
    assert app.recovery_codes[0] not in client.get("/admin/second-factor/").content.decode()
    assert acts(user)[:2] == ["second_factor_set_up", "signed_in"]


def test_the_picture_holds_the_key_that_is_written_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[str] = []
    make = segno.make

    def noted(text: str, **how: Any) -> Any:
        drawn.append(text)
        return make(text, **how)

    monkeypatch.setattr(segno, "make", noted)
    factories.staff_user()
    client = Client()
    at = give_password(client).headers["Location"]
    text = client.get(at).content.decode()
    key = TOTPDevice.objects.get().bin_key
    [uri] = drawn
    assert f"secret={base64.b32encode(key).decode()}" in uri
    assert uri.startswith("otpauth://totp/Unlist")
    shown = re.search(r'id="key">([^<]+)<', text)
    assert shown
    assert base64.b32decode(shown.group(1).replace(" ", "")) == key


def test_later_a_code_is_asked_for_and_each_is_good_once() -> None:
    app = sign_in_first(Client())
    second, third = Client(), Client()
    at = give_password(second).headers["Location"]
    assert at.startswith("/admin/login/code/")
    used = f"{hotp(base64.b32decode(app.key), app._step):06}"
    assert second.post(at, {"code": used}).status_code == 400  # it set the app up
    recovery = app.recovery_codes.pop()
    assert second.post(at, {"code": recovery.upper().replace("-", " ")}).status_code == 302
    assert second.get(OPEN).status_code == 200
    give_password(third)
    assert third.post(at, {"code": recovery}).status_code == 400
    assert third.get(OPEN).status_code == 302
    assert "recovery_code_used" in acts(factories.staff_user())


def test_recovery_codes_are_stored_as_digests() -> None:
    codes = recovery_codes_make(factories.staff_user())
    stored = set(StaticToken.objects.values_list("token", flat=True))
    assert len(stored) == 10
    for code in codes:
        assert code not in stored
        assert code.replace("-", "") not in {token.lower() for token in stored}
    for token in stored:  # nor does what is stored sign anybody in
        with pytest.raises(CodeWrong):
            code_take(user=factories.staff_user(), code=token)


def test_a_session_is_never_begun_without_a_second_factor(rf: Any, settings: Any) -> None:
    user = factories.staff_user()
    with pytest.raises(AssertionError, match="nobody is signed in"):
        staff_sign_in(rf.get("/"), user, None)
    settings.DEBUG = True
    client = Client()
    assert give_password(client).headers["Location"] == OPEN
    assert client.get(OPEN).status_code == 200
    settings.DEBUG = False
    assert client.get(OPEN).status_code == 302


def test_the_second_step_ends_with_time_and_with_a_new_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sign_in_first(Client())
    user, late, changed = factories.staff_user(), Client(), Client()
    at = give_password(late).headers["Location"]
    give_password(changed)
    assert late.get(at).status_code == 200
    now = time.time()
    monkeypatch.setattr("removal.life.signing_in.time.time", lambda: now + 601)
    assert late.get(at).headers["Location"].startswith("/admin/login/?")
    monkeypatch.undo()
    user.set_password("another long password")
    user.save()
    assert changed.get(at).headers["Location"].startswith("/admin/login/?")


def test_the_second_step_cannot_be_gone_to_without_the_first() -> None:
    for address in ("/admin/login/code/", "/admin/login/set-up/"):
        for answer in (Client().get(address), Client().post(address, {"code": "123456"})):
            assert answer.headers["Location"].startswith("/admin/login/?")


def test_nobody_sets_up_a_second_app_by_a_password_alone() -> None:
    sign_in_first(Client())
    thief = Client()
    give_password(thief)
    answer = thief.get("/admin/login/set-up/")
    assert answer.headers["Location"].startswith("/admin/login/code/")
    assert TOTPDevice.objects.count() == 1


def test_only_addresses_of_this_site_are_gone_on_to() -> None:
    factories.staff_user()
    client = Client()
    answer = client.post(
        "/admin/login/?next=https://evil.example/", {"username": "maintainer", "password": PASSWORD}
    )
    assert "evil" not in answer.headers["Location"]


def test_signing_in_begins_a_new_session() -> None:
    client = Client()
    app = sign_in_first(client)
    first = client.session.session_key
    again = Client()
    at = give_password(again).headers["Location"]
    between = again.session.session_key
    again.post(at, {"code": app.recovery_codes.pop()})
    assert len({first, between, again.session.session_key}) == 3


# --- the lock --------------------------------------------------------------------------------


def test_locks_double_up_to_an_hour() -> None:
    minutes = [(lock := lock_after(n)) and lock.total_seconds() / 60 for n in range(4, 14)]
    assert minutes == [None, 1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_five_wrong_tries_lock_and_the_right_password_is_refused_in_the_same_words() -> None:
    user, client = factories.staff_user(), Client()
    answers = [give_password(client, password="wrong") for _ in range(5)]
    locked = give_password(client)
    unknown = give_password(client, name="nobody")
    texts = {_plain(answer) for answer in (*answers, locked, unknown)}
    assert len(texts) == 1
    assert {answer.status_code for answer in (*answers, locked, unknown)} == {400}
    entry = AuditEntry.objects.get(act="staff_locked")
    assert entry.actor == f"staff:{user.pk}"
    assert entry.detail == {"failures": 5, "minutes": 1}
    later = timezone.now() - dt.timedelta(seconds=1)
    StaffLock.objects.update(locked_until=later)
    assert give_password(client).status_code == 302


def _plain(answer: Any) -> str:
    text = re.sub(r'value="[^"]*"', "", answer.content.decode())
    return re.sub(r"\s+", " ", text)


def test_wrong_codes_lock_the_account_too() -> None:
    app = sign_in_first(Client())
    client = Client()
    at = give_password(client).headers["Location"]
    for _ in range(5):
        assert client.post(at, {"code": "000000"}).status_code == 400
    answer = client.post(at, {"code": app.recovery_codes[0]})
    assert "locked for a while" in answer.content.decode()
    assert give_password(Client()).status_code == 400


def test_signing_in_forgets_the_tries_before() -> None:
    client = Client()
    app = sign_in_first(client)
    for _ in range(4):
        give_password(Client(), password="wrong")
    again = Client()
    at = give_password(again).headers["Location"]
    assert StaffLock.objects.get().failures == 4  # a right password alone forgets nothing
    again.post(at, {"code": app.recovery_codes.pop()})
    assert StaffLock.objects.get().failures == 0


def test_nothing_about_where_a_try_came_from_is_stored() -> None:
    factories.staff_user()
    client = Client(REMOTE_ADDR="203.0.113.77", HTTP_USER_AGENT="marked-agent")
    for _ in range(6):
        give_password(client, password="wrong")
    stored = [str(row) for row in StaffLock.objects.values()]
    stored += [str(row) for row in AuditEntry.objects.values()]
    assert stored
    assert not any("203.0.113" in row or "marked-agent" in row for row in stored)


@pytest.mark.django_db(transaction=True)
def test_many_tries_at_once_cannot_outrun_the_lock(real_database: None) -> None:
    user = factories.staff_user()

    def one(_n: int) -> bool:
        try:
            try_begin(user)
        except AccountLocked:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(8) as pool:
        begun = sum(pool.map(one, range(24)))
    assert begun == locks.TRIES
    assert StaffLock.objects.get().failures == locks.TRIES


def test_a_refusal_costs_the_same_work_for_any_name(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One password is hashed, no less and no more: that is nearly all of the time it takes."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    User.objects.create_superuser("ann", password=PASSWORD)
    locked = User.objects.create_superuser("locked", password=PASSWORD)
    until = timezone.now() + dt.timedelta(hours=1)
    StaffLock.objects.create(user=locked, failures=9, locked_until=until)
    hashed: list[int] = []
    real = PBKDF2PasswordHasher.encode

    def encode(self: Any, password: str, salt: str, iterations: int | None = None) -> str:
        hashed.append(iterations or self.iterations)
        return real(self, password, salt, iterations)

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", encode)
    for name in ("ann", "nobody", "locked"):
        assert password_take(name=name, password="wrong") is None
    assert password_take(name="locked", password=PASSWORD) is None
    assert len(hashed) == 4
    assert len(set(hashed)) == 1


def test_a_refusal_is_not_answered_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("removal.desk.login.ANSWER_SECONDS", 0.4)
    factories.staff_user()
    for name in ("maintainer", "nobody"):
        began = time.perf_counter()
        give_password(Client(), name=name, password="wrong")
        assert time.perf_counter() - began >= 0.4


def test_too_many_at_once_are_told_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    from removal.desk import login  # noqa: PLC0415 - its semaphore is looked at here alone

    monkeypatch.setattr(login, "_WAIT_SECONDS", 0.01)
    assert login._AT_ONCE.acquire()
    assert login._AT_ONCE.acquire()
    try:
        assert give_password(Client()).status_code == 503
    finally:
        login._AT_ONCE.release(2)


# --- the session -----------------------------------------------------------------------------


def test_a_session_ends_after_half_an_hour_without_use(maintainer: Client) -> None:
    assert maintainer.get(OPEN).status_code == 200
    _turn_clock(maintainer, "used", 29 * 60)
    assert maintainer.get(OPEN).status_code == 200
    _turn_clock(maintainer, "used", 31 * 60)
    assert maintainer.get(OPEN).status_code == 302
    entry = AuditEntry.objects.get(act="signed_out")
    assert entry.detail == {"why": "idle"}


def test_a_session_ends_after_twelve_hours_however_busy(maintainer: Client) -> None:
    assert maintainer.get(OPEN).status_code == 200
    _turn_clock(maintainer, "began", 12 * 60 * 60 + 1)
    assert maintainer.get(OPEN).status_code == 302
    assert AuditEntry.objects.get(act="signed_out").detail == {"why": "aged"}


def _turn_clock(client: Client, name: str, seconds: int) -> None:
    session = client.session
    session[name] = int(time.time()) - seconds
    session.save()


def test_the_cookie_goes_to_no_other_site_and_ends_with_the_browser() -> None:
    client = Client()
    sign_in_first(client)
    cookie = client.cookies["session"]
    assert cookie["samesite"] == "Strict"
    assert cookie["httponly"]
    assert not cookie["max-age"]


def test_signing_out_is_noted_and_ends_the_session(maintainer: Client) -> None:
    assert maintainer.get("/admin/logout/").status_code == 405
    assert maintainer.post("/admin/logout/").status_code == 302
    assert maintainer.get(OPEN).status_code == 302
    assert AuditEntry.objects.get(act="signed_out").detail == {"why": "asked"}


# --- a person's own second factor ------------------------------------------------------------


def test_new_recovery_codes_cost_a_code_and_end_the_old_ones() -> None:
    client = Client()
    app = sign_in_first(client)
    refused = client.post("/admin/second-factor/", {"act": "codes", "code": "000000"})
    assert refused.status_code == 400
    old = list(app.recovery_codes)
    made = client.post("/admin/second-factor/", {"act": "codes", "code": old[0]})
    app.keep(made.content.decode())
    assert len(app.recovery_codes) == 10
    assert not set(old) & set(app.recovery_codes)
    with pytest.raises(CodeWrong):
        code_take(user=factories.staff_user(), code=old[1])


def test_moving_to_another_app_ends_the_old_one_when_the_new_one_works() -> None:
    client, elsewhere = Client(), Client()
    app = sign_in_first(client)
    at = give_password(elsewhere).headers["Location"]
    elsewhere.post(at, {"code": app.recovery_codes.pop()})
    assert client.get("/admin/login/set-up/").status_code == 302  # not without a code first
    moving = client.post("/admin/second-factor/", {"act": "move", "code": app.recovery_codes.pop()})
    at = moving.headers["Location"]
    old, new = TOTPDevice.objects.get(), SecondFactor()
    code = new.set_up(client.get(at).content.decode())
    assert TOTPDevice.objects.filter(pk=old.pk, confirmed=True).exists()
    assert client.post(at, {"code": code}).status_code == 200
    assert not TOTPDevice.objects.filter(pk=old.pk).exists()
    assert client.get(OPEN).status_code == 200
    assert "second_factor_moved" in acts(factories.staff_user())


# --- who lets somebody back in ---------------------------------------------------------------


def test_the_operator_resets_a_second_factor_and_it_is_noted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    client = Client()
    sign_in_first(client)
    user = factories.staff_user()
    call_command("reset_second_factor", "maintainer")
    assert "sets up a new second factor" in capsys.readouterr().out
    entry = AuditEntry.objects.get(act="second_factor_reset")
    assert (entry.actor, entry.detail) == ("operator", {"account": user.pk})
    assert entry.at is not None
    assert client.get(OPEN).status_code == 302
    assert "set-up" in give_password(Client()).headers["Location"]
    with pytest.raises(CommandError, match="has no second factor"):
        call_command("reset_second_factor", "maintainer")
    with pytest.raises(CommandError, match="Nobody of the staff"):
        call_command("reset_second_factor", "nobody")


def test_the_operator_unlocks_an_account(capsys: pytest.CaptureFixture[str]) -> None:
    user = factories.staff_user()
    for _ in range(5):
        give_password(Client(), password="wrong")
    call_command("unlock_staff", "maintainer")
    assert give_password(Client()).status_code == 302
    entry = AuditEntry.objects.get(act="staff_unlocked")
    assert (entry.actor, entry.detail) == ("operator", {"account": user.pk})
    with pytest.raises(CommandError, match="not locked"):
        call_command("unlock_staff", "maintainer")


def test_a_superuser_unlocks_and_resets_in_the_admin(maintainer: Client) -> None:
    ann = User.objects.create_user("ann", password=PASSWORD, is_staff=True)
    sign_in_first(Client(), ann)
    for _ in range(5):
        give_password(Client(), name="ann", password="wrong")
    page = maintainer.get("/admin/auth/user/").content.decode()
    assert "ann" in page
    for action in ("unlock", "reset_second_factor"):
        fields = {"action": action, "_selected_action": str(ann.pk)}
        assert maintainer.post("/admin/auth/user/", fields).status_code == 302
    actor = f"staff:{factories.staff_user().pk}"
    noted = AuditEntry.objects.filter(actor=actor, detail={"account": ann.pk})
    assert set(noted.values_list("act", flat=True)) == {"staff_unlocked", "second_factor_reset"}


def test_changes_of_accounts_and_passwords_are_noted(maintainer: Client) -> None:
    made = maintainer.post(
        "/admin/auth/user/add/",
        {
            "username": "bea",
            "usable_password": "true",
            "password1": "a long enough one",
            "password2": "a long enough one",
        },
    )
    assert made.status_code == 302
    bea = User.objects.get(username="bea")
    fields = {"username": "bea", "is_active": "on", "is_staff": "on"}
    assert maintainer.post(f"/admin/auth/user/{bea.pk}/change/", fields).status_code == 302
    entry = AuditEntry.objects.get(act="account_changed")
    assert entry.detail == {"account": bea.pk, "changed": ["staff_status"]}
    assert AuditEntry.objects.filter(act="account_added", detail={"account": bea.pk}).exists()
    changed = {"old_password": PASSWORD, "new_password1": "x" * 16, "new_password2": "x" * 16}
    maintainer.post("/admin/password_change/", changed)
    assert AuditEntry.objects.filter(act="password_changed").exists()


def test_accounts_are_closed_and_never_deleted(maintainer: Client) -> None:
    ann = User.objects.create_user("ann", password=PASSWORD, is_staff=True)
    assert maintainer.post(f"/admin/auth/user/{ann.pk}/delete/").status_code == 403
    app = sign_in_first(Client(), ann)
    ann.is_active = False
    ann.save()
    assert give_password(Client(), name="ann").status_code == 400
    assert app.recovery_codes


def test_no_page_shows_keys_or_codes_of_second_factors(maintainer: Client) -> None:
    for address in ("otp_totp/totpdevice", "otp_static/staticdevice"):
        assert maintainer.get(f"/admin/{address}/").status_code == 404
