"""What the frame of a row says of fetching: that it can be asked for, how it stands, what came."""

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from removal.custody.content import FoundRow
from removal.life.fetches import fetch_offered, row_pictured
from removal.life.reveals import candidate_opened
from removal.models import Errand, ErrandState
from removal.search.fetch_guard import FetchFault
from removal.selectors.desk import case_key_held
from removal.selectors.fetched import fetch_last, fetched_opened
from removal.selectors.subject import domain

_WATCHED: Final = dt.timedelta(minutes=2)
"""For so long a frame looks again by itself, where scripts run."""
_WAITING: Final = "A worker is fetching it from the web."
_HIDDEN_ADDRESS: Final = "by the address of the operator's proxy"
_OWN_ADDRESS: Final = "by this service's own network address"
SAME_WORDS: Final[Mapping[bool | None, tuple[str, str]]] = {
    True: ("Same file as recorded", "by the digest in the dataset."),
    False: (
        "Other file than recorded",
        "what is there has changed since. Do not decide by it alone.",
    ),
    None: ("Not verified", "no digest is recorded, so what is there may have changed since."),
}
FAULT_WORDS: Final[Mapping[str, str]] = {
    FetchFault.ADDRESS: "the address is none of the web, or names a user or an unusual port",
    FetchFault.NOT_PUBLIC: "the address leads to a network that is not public",
    FetchFault.UNRESOLVED: "there is no site of that name any more, or it could not be looked up",
    FetchFault.UNREACHABLE: "the site does not answer",
    FetchFault.PROXY: "the operator's proxy did not connect to the site",
    FetchFault.INSECURE: "the site's certificate is not valid",
    FetchFault.DOWNGRADED: "the site leads on to an address without encryption",
    FetchFault.REDIRECTS: "the site leads on and on",
    FetchFault.GONE: "the site has it no more",
    FetchFault.FORBIDDEN: "the site does not give it to everyone",
    FetchFault.STATUS: "the site answers with an error",
    FetchFault.ENCODED: "the answer is packed in a way that was not asked for",
    FetchFault.TOO_LARGE: "the file is larger than 20 MB",
    FetchFault.TOO_SLOW: "it took longer than 20 seconds",
    FetchFault.BROKEN: "the connection broke, or the answer is no sound HTTP",
    FetchFault.NO_PICTURE: "what the site answers with is no picture that can be read",
    FetchFault.NO_DECODER: "nothing could decode pictures at that moment",
    FetchFault.INTERRUPTED: "the worker ended in the middle of it",
    FetchFault.ENDED: "the request was decided or had ended before its turn came",
    FetchFault.OFF: "it is turned off on the worker, where the operator sets UNLIST_FETCH too",
    "too_old": "no worker came to it for days",
}


@dataclass(frozen=True, slots=True)
class FetchTold:
    """What stands below the frame's picture.

    Attributes:
        status: how it stands, in a few words.
        told: what goes with that.
        button: what pressing it is called; empty where nothing can be asked for.
        telling: what the site learns of it, beside the button.
        watching: whether something may come at any moment.
    """

    status: str = ""
    told: str = ""
    button: str = ""
    telling: str = ""
    watching: bool = False


def fetch_told(candidate_id: uuid.UUID, reviewer: User, *, missing: bool) -> FetchTold | None:
    """Say how it stands with fetching a row's picture; None where there is nothing to say.

    Args:
        candidate_id: the row.
        reviewer: who looks.
        missing: no picture of it can be shown now.

    Raises:
        RequestGone: there is no such row that they may see, or the case was deleted.
    """
    last = fetch_last(candidate_id)
    if last is None and not (missing and settings.UNLIST.fetch):
        return None
    candidate, row = candidate_opened(candidate_id, reviewer)
    if last is None or last.state == ErrandState.FAILED:
        status, told = ("Not fetched", _failed(last)) if last else ("", "")
        if missing and fetch_offered(candidate, row):
            button = "Try once more" if last else "Fetch it once from the web"
            return FetchTold(status, told, button, _telling(row))
        return FetchTold(status, told) if status and missing else None
    if last.state != ErrandState.DONE:
        young = timezone.now() - last.asked_at < _WATCHED
        return FetchTold(_WAITING, watching=young)
    if row_pictured(row):  # the dataset's own is shown: its files are there again
        return None
    same = fetched_opened(last, case_key_held(candidate.request)).same
    status, told = SAME_WORDS[same]
    return FetchTold(f"Fetched from the web. {status}", told)


def _failed(last: Errand) -> str:
    return f"{FAULT_WORDS.get(last.fault, last.fault)}."


def _telling(row: FoundRow) -> str:
    site = domain(row.url) or "the site"
    where = _HIDDEN_ADDRESS if settings.UNLIST.fetch_proxy.get_secret_value() else _OWN_ADDRESS
    return f"{site} then sees {where} that somebody wants this picture now; not who, nor for whom."
