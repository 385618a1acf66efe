"""What a subject can do with their request now: so that page and API offer no dead ends.

The writers decide again, under a lock; this only spares the subject a refusal.
"""

from typing import Any, Literal

from removal.life.appeals import appeal_until
from removal.life.messages import conversation_open
from removal.lifecycle import OPEN
from removal.models import Photo, RemovalRequest, State
from removal.selectors.status import request_status
from removal.selectors.subject import OpenedRequest

Act = Literal["answer", "message", "photo_delete", "withdraw", "appeal", "proof"]


def status_told(*, opened: OpenedRequest) -> dict[str, Any]:
    """Return the status with the acts that its state allows and the last day to appeal."""
    status = request_status(opened=opened)
    last = appeal_until(opened.request)
    return {
        **status,
        "acts": acts_possible(opened.request),
        "appeal_until": last.isoformat() if last else None,
    }


def acts_possible(request: RemovalRequest) -> list[Act]:
    """Return what the subject of a request can do now, in the order of the API's addresses."""
    possible: dict[Act, bool] = {
        "answer": request.state == State.NEEDS_INFO and request.questions.exists(),
        "message": conversation_open(request),
        "photo_delete": request.photos.filter(state=Photo.State.HELD).exists(),
        "withdraw": request.state in OPEN,
        "appeal": appeal_until(request) is not None,
        "proof": bool(request.released_in),
    }
    return [act for act, allowed in possible.items() if allowed]
