"""For the machine that watches over the process: is it alive, and can it serve."""

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from removal.life.retention import retention_late


@require_safe
@never_cache
def live(request: HttpRequest) -> HttpResponse:
    """Answer as long as the process answers at all."""
    del request
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def ready(request: HttpRequest) -> HttpResponse:
    """Answer 200 when the database does, else 503; say as well whether retention is late.

    A late retention takes no site out of service: nobody would be helped. Alarm on `retention`.
    """
    del request
    try:
        late = retention_late()
    except DatabaseError:
        return JsonResponse({"status": "unavailable", "database": "no answer"}, status=503)
    return JsonResponse({"status": "ok", "database": "ok", "retention": "late" if late else "ok"})
