"""Every address of the site. A role answers only its own."""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from config.metrics import metrics
from removal import health

_watched: list[URLPattern | URLResolver] = [
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("metrics", metrics),
]
_public: list[URLPattern | URLResolver] = [
    path("", include("removal.urls")),
    path("", include("releases.urls")),
    path("api/v1/", include("removal.api.urls")),
    path("api/v1/", include("releases.api_urls")),
]
_staff: list[URLPattern | URLResolver] = [path("admin/", admin.site.urls)]

_BY_ROLE = {"all": _public + _staff, "public": _public, "staff": _staff}

urlpatterns = _watched + _BY_ROLE.get(settings.UNLIST.role, [])

handler400 = "removal.site.problem_pages.bad_request"
handler403 = "removal.site.problem_pages.forbidden"
handler404 = "removal.site.problem_pages.not_found"
handler500 = "removal.site.problem_pages.server_error"
