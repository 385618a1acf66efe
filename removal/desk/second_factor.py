"""A member of staff's own second factor: set up at the first sign-in, looked after later.

The picture to scan is drawn here, as SVG: no third party learns the key. Recovery codes are shown
in the answer that makes them, and never again.
"""

import base64
from typing import Final, cast

import segno
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from removal.desk.login import CODE_LOCKED, CODE_WRONG, CodeForm, onward, page, step
from removal.life.locks import AccountLocked, try_begin, try_right, try_wrong
from removal.life.second_factor import (
    CodeWrong,
    app_confirm,
    app_of,
    app_to_set_up,
    code_take,
    recovery_codes_left,
    recovery_codes_make,
)
from removal.life.signing_in import first_step_user, staff_sign_in

MOVING: Final = "second_factor_moving"
MOVING_SECONDS: Final = 10 * 60


def set_up(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show the key to take into an app; take the app into use when it gives a right code."""
    user, signed_in = _setting_up(request, site)
    if user is None:
        return redirect(step("login", request))
    if not signed_in and app_of(user):
        return redirect(step("login_code", request))
    form = CodeForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return _set_up_page(request, site, user, bound=form.is_bound)
    try:
        done = app_confirm(user=user, code=form.cleaned_data["code"])
    except CodeWrong:
        return _set_up_page(request, site, user, bound=True, fault=CODE_WRONG)
    request.session.pop(MOVING, None)
    staff_sign_in(request, user, done.device)
    return _codes_page(request, site, done.recovery_codes)


def account(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show a person their own second factor; new codes and a new app cost a code of the old."""
    user = cast("User", request.user)
    if request.method != "POST":
        return _account_page(request, site, user)
    form = CodeForm(request.POST)
    fault = _code_fault(user, form)
    if fault:
        return _account_page(request, site, user, fault=fault)
    if request.POST.get("act") == "codes":
        return _codes_page(request, site, recovery_codes_make(user))
    request.session[MOVING] = int(timezone.now().timestamp())
    return redirect("admin:login_set_up")


def _code_fault(user: User, form: CodeForm) -> str:
    """Judge the code of somebody who is signed in; return what is wrong with it."""
    if not form.is_valid():
        return CODE_WRONG
    try:
        tried = try_begin(user)
    except AccountLocked:
        return CODE_LOCKED
    try:
        code_take(user=user, code=form.cleaned_data["code"])
    except CodeWrong:
        try_wrong(tried)
        return CODE_WRONG
    try_right(tried)
    return ""


def _setting_up(request: HttpRequest, site: AdminSite) -> tuple[User | None, bool]:
    """Return who may set up an app now, and whether they are signed in already."""
    began = request.session.get(MOVING, 0)
    fresh = timezone.now().timestamp() - began < MOVING_SECONDS
    if fresh and site.has_permission(request):
        return cast("User", request.user), True
    return first_step_user(request), False


def _set_up_page(
    request: HttpRequest, site: AdminSite, user: User, *, bound: bool, fault: str = ""
) -> HttpResponse:
    device = app_to_set_up(user)
    context = {
        "title": "Set up your second factor",
        "form": CodeForm(),
        "fault": fault,
        "picture": segno.make(device.config_url, error="m", micro=False).svg_data_uri(border=4),
        "key": _in_groups(base64.b32encode(device.bin_key).decode()),
        "moving": app_of(user) is not None,
    }
    return page(request, site, "unlist_admin/login_set_up.html", context, 400 if bound else 200)


def _codes_page(request: HttpRequest, site: AdminSite, codes: tuple[str, ...]) -> HttpResponse:
    context = {"title": "Your recovery codes", "codes": codes, "onward": onward(request)}
    return page(request, site, "unlist_admin/recovery_codes.html", context)


def _account_page(
    request: HttpRequest, site: AdminSite, user: User, *, fault: str = ""
) -> HttpResponse:
    context = {
        "title": "Your second factor",
        "form": CodeForm(),
        "fault": fault,
        "app": app_of(user),
        "left": recovery_codes_left(user),
    }
    template = "unlist_admin/second_factor.html"
    return page(request, site, template, context, 400 if fault else 200)


def _in_groups(key: str) -> str:
    return " ".join(key[start : start + 4] for start in range(0, len(key), 4))
