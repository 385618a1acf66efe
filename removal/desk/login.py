"""Signing in to the maintainers' site: name and password, then a code; the first time, a set-up.

An answer that does not let in is the same, and takes about as long, whether there is such an
account or not, locked or not. No address is stored anywhere.
"""

import threading
import time
from typing import Any, Final

from django import forms
from django.contrib.admin import AdminSite
from django.contrib.auth.forms import UsernameField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from removal.life.locks import AccountLocked, try_begin, try_wrong
from removal.life.second_factor import CodeWrong, app_of, code_take
from removal.life.signing_in import (
    first_step_note,
    first_step_user,
    password_take,
    second_factor_required,
    staff_sign_in,
    staff_sign_out,
)

ANSWER_SECONDS: Final = 1.0
"""How long a refusal takes at least; more than checking a password does."""
_AT_ONCE: Final = threading.BoundedSemaphore(2)
"""Hashing is slow on purpose: no flood of tries takes more threads than these."""
_WAIT_SECONDS: Final = 5.0

NOT_IN: Final = (
    "That does not sign you in. Check the name and the password. Five wrong tries lock an "
    "account, for a minute at first and an hour at most; then the right password does not open it "
    "either."
)
CODE_WRONG: Final = (
    "The code is not right, or was used before. Wait for the next one, and see that the clock of "
    "your phone is right. Five wrong tries lock the account for a while."
)
CODE_LOCKED: Final = (
    "After several wrong tries this account is locked for a while: an hour at most. Whoever "
    "administers the accounts can unlock it."
)
BUSY: Final = "Too many people are signing in at this moment. Try again in a few seconds."


class PasswordForm(forms.Form):
    """Name and password."""

    username = UsernameField(
        label="Name", max_length=150, widget=forms.TextInput(attrs={"autofocus": True})
    )
    username.widget.attrs["autocomplete"] = "username"
    password = forms.CharField(
        label="Password",
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class CodeForm(forms.Form):
    """A code of the second factor."""

    code = forms.CharField(
        label="Code",
        max_length=40,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "one-time-code",
                "autocapitalize": "none",
                "spellcheck": "false",
                "autofocus": True,
            }
        ),
    )


def sign_in(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Ask for name and password; go on to the second factor."""
    if site.has_permission(request):
        return redirect(onward(request))
    form = PasswordForm(request.POST if request.method == "POST" else None)
    if request.method != "POST":
        return _password_page(request, site, form)
    if not _AT_ONCE.acquire(timeout=_WAIT_SECONDS):
        return _password_page(request, site, form, fault=BUSY, status=503)
    try:
        began = time.monotonic()
        user = password_take(**_named(form)) if form.is_valid() else None
        if user is None:
            time.sleep(max(0.0, ANSWER_SECONDS - (time.monotonic() - began)))
            return _password_page(request, site, form, fault=NOT_IN, status=400)
    finally:
        _AT_ONCE.release()
    if app_of(user) is None and not second_factor_required():
        staff_sign_in(request, user, None)
        return redirect(onward(request))
    first_step_note(request, user)
    return redirect(step("login_code" if app_of(user) else "login_set_up", request))


def sign_in_code(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Ask for a code of the second factor; then the session begins."""
    user = first_step_user(request)
    if user is None:
        return redirect(step("login", request))
    if app_of(user) is None:
        return redirect(step("login_set_up", request))
    form = CodeForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return _code_page(request, site, form)
    try:
        tried = try_begin(user)
    except AccountLocked:
        return _code_page(request, site, form, fault=CODE_LOCKED)
    try:
        device = code_take(user=user, code=form.cleaned_data["code"])
    except CodeWrong:
        try_wrong(tried)
        return _code_page(request, site, form, fault=CODE_WRONG)
    staff_sign_in(request, user, device)
    return redirect(onward(request))


def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    staff_sign_out(request, why="asked")
    return redirect("admin:login")


def onward(request: HttpRequest) -> str:
    """Return where somebody wanted to go before they were asked to sign in."""
    wanted = request.GET.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if safe else reverse("admin:index")


def step(name: str, request: HttpRequest) -> str:
    """Return the address of a step; where somebody wanted to go is taken along."""
    return f"{reverse(f'admin:{name}')}?{urlencode({'next': onward(request)})}"


def _named(form: PasswordForm) -> dict[str, str]:
    given = form.cleaned_data
    return {"name": given["username"], "password": given["password"]}


def _password_page(
    request: HttpRequest, site: AdminSite, form: PasswordForm, *, fault: str = "", status: int = 200
) -> HttpResponse:
    context = {"form": form, "fault": fault, "title": "Sign in"}
    return page(request, site, "unlist_admin/login.html", context, status)


def _code_page(
    request: HttpRequest, site: AdminSite, form: CodeForm, *, fault: str = ""
) -> HttpResponse:
    context = {"form": CodeForm(), "fault": fault, "title": "Your second factor"}
    status = 400 if form.is_bound else 200
    return page(request, site, "unlist_admin/login_code.html", context, status)


def page(
    request: HttpRequest, site: AdminSite, template: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    """Answer with a page of the site that nothing on the way may keep."""
    answer = TemplateResponse(
        request, template, {**site.each_context(request), **context}, status=status
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer
