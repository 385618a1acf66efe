"""A member of staff signs in, in two steps, and out again; each stands in the audit log.

Nobody has a session before both steps are done: between them the session holds who gave the right
password, and nothing that opens a page. Outside debug the second step is never left out.
"""

import contextlib
import time
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django_otp import login as second_factor_login
from django_otp.models import Device

from removal import audit
from removal.life.locks import AccountLocked, tries_forget, try_begin, try_right, try_wrong

PENDING: Final = "signing_in"
STEP_SECONDS: Final = 10 * 60
"""How long the second step may take; setting up a phone takes a while."""
_BACKEND: Final = "django.contrib.auth.backends.ModelBackend"


@dataclass(frozen=True, slots=True)
class _Pending:
    """Who gave the right password, when, and a digest of it: a new password ends the step."""

    user: int
    began: int
    hash: str


def second_factor_required() -> bool:
    """Tell whether every member of staff needs a second factor: always, but in debug."""
    return not settings.DEBUG


def password_take(*, name: str, password: str) -> User | None:
    """Return the member of staff whom name and password belong to; None, without saying why.

    The same work is done whether there is such an account or not, locked or not.
    """
    user = User.objects.filter(username=name, is_active=True, is_staff=True).first()
    tried = None
    if user is not None:
        with contextlib.suppress(AccountLocked):
            tried = try_begin(user)
    right = authenticate(username=name, password=password)
    if tried is None:
        return None
    if right is None or right.pk != tried.user_id:
        try_wrong(tried)
        return None
    try_right(tried)
    return user


def first_step_note(request: HttpRequest, user: User) -> None:
    """Remember that this browser gave the right password of `user`; its session begins anew."""
    request.session.flush()
    request.session[PENDING] = {
        "user": user.pk,
        "began": int(time.time()),
        "hash": user.get_session_auth_hash(),
    }


def first_step_user(request: HttpRequest) -> User | None:
    """Return whose password this browser gave; None once that is too long ago."""
    noted: dict[str, Any] | None = request.session.get(PENDING)
    if noted is None:
        return None
    pending = _Pending(**noted)
    user = User.objects.filter(pk=pending.user, is_active=True, is_staff=True).first()
    fresh = 0 <= time.time() - pending.began < STEP_SECONDS
    if not fresh or user is None:
        return None
    return user if constant_time_compare(pending.hash, user.get_session_auth_hash()) else None


def staff_sign_in(request: HttpRequest, user: User, device: Device | None) -> None:
    """Begin a session after both steps; `device` is None in debug alone."""
    if device is None and second_factor_required():
        raise AssertionError("nobody is signed in without a second factor outside debug")
    request.session.pop(PENDING, None)
    login(request, user, backend=_BACKEND)
    if device is not None:
        second_factor_login(request, device)
    Session.objects.filter(expire_date__lt=timezone.now()).delete()
    with transaction.atomic():
        tries_forget(user)
        audit.audit_append(
            act="signed_in",
            actor=audit.staff(user.pk),
            detail={"factor": device._meta.model_name if device else None},  # noqa: SLF001
        )


def staff_sign_out(request: HttpRequest, *, why: str) -> None:
    """End a session: by the person (`asked`), by the clock (`idle`, `aged`)."""
    user_id = request.user.pk
    logout(request)
    if user_id is None:
        return
    with transaction.atomic():
        audit.audit_append(act="signed_out", actor=audit.staff(user_id), detail={"why": why})
