"""The addresses of a request's page and of all that is done there."""

from collections.abc import Callable
from typing import Final

from django.http import HttpResponse

from removal.desk import acts, escalating, fetching, pictures, review, spreading, talk, wishes

View = Callable[..., HttpResponse]
Route = tuple[str, View, str]

_ONE: Final = "<uuid:request_id>/"
_PROPOSAL: Final = "proposal/<uuid:proposal_id>/"


def review_routes(sited: Callable[[View], View]) -> tuple[Route, ...]:
    """Return address, view and name of each; `sited` gives a view the admin's site."""
    return (
        ("pictures/", sited(wishes.wishes), "removal_desk_settings"),
        ("photo/<uuid:photo_id>/", pictures.photo, "removal_photo"),
        ("row/<uuid:candidate_id>/", pictures.candidate, "removal_row"),
        ("pair/<uuid:candidate_id>/", pictures.pair, "removal_pair"),
        ("row/<uuid:candidate_id>/fetch/", fetching.fetch, "removal_fetch"),
        (f"{_PROPOSAL}undo/", sited(review.undo), "removal_undo"),
        (f"{_PROPOSAL}confirm/", acts.confirm, "removal_confirm"),
        (f"{_PROPOSAL}refuse/", acts.refuse, "removal_refuse"),
        (f"{_ONE}extend/", acts.extend, "removal_extend"),
        (f"{_ONE}duplicates/", sited(spreading.duplicates), "removal_duplicates"),
        (f"{_ONE}flags/", acts.flags_seen, "removal_flags_seen"),
        (f"{_ONE}message/", sited(talk.message), "removal_message"),
        (f"{_ONE}question/", sited(talk.question), "removal_question"),
        (f"{_ONE}escalate/", sited(escalating.escalate), "removal_escalate"),
        (f"{_ONE}hold/end/", escalating.end_hold, "removal_hold_end"),
        (f"{_ONE}escalate/back/", escalating.give_back, "removal_escalation_return"),
        ("procedure/", sited(escalating.procedure), "removal_procedure"),
        (f"{_ONE}change/", sited(review.review), "removal_removalrequest_change"),
    )
