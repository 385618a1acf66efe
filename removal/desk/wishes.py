"""How a maintainer wants pictures shown, and how many hard ones a day."""

from typing import Final

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods

from removal import permissions
from removal.desk.access import allowed
from removal.life.caps import PER_DAY_MOST, desk_settings, desk_settings_save, sensitive_seen

SETTINGS: Final = "admin:removal_desk_settings"


@require_http_methods(["GET", "HEAD", "POST"])
def wishes(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show the settings; keep them."""
    reviewer = allowed(request, permissions.REVEAL)
    fault = ""
    if request.method == "POST":
        number = request.POST.get("sensitive_per_day", "")
        try:
            desk_settings_save(
                reviewer=reviewer,
                blurred=request.POST.get("blurred") == "yes",
                gray=request.POST.get("gray") == "yes",
                sensitive_per_day=int(number) if number.isdecimal() else -1,
            )
        except ValueError as wrong:
            fault = str(wrong)
        else:
            messages.success(request, "Kept.")
            return redirect(SETTINGS)
    context = {
        **site.each_context(request),
        "title": "How pictures are shown to you",
        "wish": desk_settings(reviewer),
        "most": PER_DAY_MOST,
        "seen": sensitive_seen(reviewer),
        "fault": fault,
    }
    status = 400 if fault else 200
    return TemplateResponse(request, "unlist_admin/wishes.html", context, status=status)
