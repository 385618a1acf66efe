"""An admin site that lets nobody in by a password alone: the steps, and whom it calls signed in."""

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any

from django.contrib.admin import AdminSite
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from removal import audit
from removal.desk import login, second_factor
from removal.life.signing_in import second_factor_required

View = Callable[..., HttpResponseBase]


class TwoStepSite(AdminSite):
    """Django's admin site, which asks for a second factor outside debug."""

    def has_permission(self, request: HttpRequest) -> bool:
        """Take for signed in whom both steps let in."""
        verified = getattr(request.user, "otp_device", None) is not None  # by django-otp
        return super().has_permission(request) and (verified or not second_factor_required())

    def open_view(self, view: View) -> View:
        """Return a view of the sign-in: for anybody, never kept, its fields in no report."""
        sited = update_wrapper(partial(view, site=self), view)
        asked = require_http_methods(["GET", "HEAD", "POST"])(sited)
        return never_cache(sensitive_post_parameters()(asked))

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Put the steps before the admin's own addresses."""
        own = self.open_view(second_factor.account)
        return [
            path("login/code/", self.open_view(login.sign_in_code), name="login_code"),
            path("login/set-up/", self.open_view(second_factor.set_up), name="login_set_up"),
            path("second-factor/", self.admin_view(own), name="second_factor"),
            # No page of ours is a model's own: Django's way to those fails on ids that are no UUID.
            *(one for one in super().get_urls() if getattr(one, "name", "") != "view_on_site"),
        ]

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask for name and password."""
        del extra_context
        return self.open_view(login.sign_in)(request)  # type: ignore[return-value]

    def logout(  # type: ignore[override]  # Django itself answers with more than its stubs say
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """End the session, by POST alone."""
        del extra_context
        return require_http_methods(["POST"])(login.sign_out)(request)

    def password_change(  # type: ignore[override]  # likewise
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Change the own password, and note that it was."""
        user_id = request.user.pk
        answer = super().password_change(request, extra_context)
        if user_id is not None and request.method == "POST" and answer.status_code == 302:
            with transaction.atomic():
                audit.audit_append(act="password_changed", actor=audit.staff(user_id))
        return answer
