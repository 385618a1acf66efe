"""Bodies as they really look, for the OpenAPI file; a test holds them to their shapes."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiExample

from removal.api.problems import PROBLEMS, TYPE_PREFIX

RECEIPT: Final = "AN9G0-RVW4K-NZB1H-JH6CP-3A2EF-1"
QUESTION: Final = "5f0c2b1e-7c3d-4a4e-9f5b-2f1d8c6a7e90"
TILE: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGOQUNYBAADpAHkX5Pc3"
    "AAAAAElFTkSuQmCC"
)

SUBMITTED: Final[dict[str, Any]] = {
    "receipt": RECEIPT,
    "state": "received",
    "received_on": "2026-11-22",
    "due_on": "2026-12-22",
    "photos": [
        {"n": 1, "accepted": True, "reason": None, "sentence": None},
        {
            "n": 2,
            "accepted": False,
            "reason": "unknown_format",
            "sentence": "This is not a picture of a format we read. Send JPEG, PNG, WebP or GIF.",
        },
    ],
}

STATUS: Final[dict[str, Any]] = {
    "state": "needs_info",
    "received_on": "2026-11-22",
    "due_on": "2026-12-22",
    "extended": False,
    "extension_reason": None,
    "photos": [
        {
            "n": 1,
            "state": "held",
            "deletes_on": "2027-03-22",
            "deleted_on": None,
            "flags": [],
            "matched": [[0.0, 0.118, 1.0, 0.87]],
        }
    ],
    "datasets": [
        {
            "name": "laion-sample",
            "rows": 2000000,
            "rows_searched": 1934210,
            "groups": 2,
            "groups_searched": 2,
            "searched_on": "2026-11-22",
            "not_searched": [],
        }
    ],
    "groups_gone": 0,
    "found": [
        {
            "kind": "copy",
            "dataset": "laion-sample",
            "rows": 3,
            "domains": None,
            "outcome": "pending",
            "released_in": None,
        }
    ],
    "questions": [{"id": QUESTION, "tile": TILE, "mine": None, "asked_on": "2026-11-24"}],
    "answer_due_on": "2026-12-24",
    "other_rows_removed": 0,
    "messages": [
        {"from": "maintainer", "day": "2026-11-24", "text": "Is the picture below you, too?"},
    ],
    "decision": None,
    "appeal": None,
    "appeal_until": None,
    "acts": ["answer", "message", "photo_delete", "withdraw"],
    "case_deleted_on": None,
}

DECIDED: Final[dict[str, Any]] = {
    **STATUS,
    "state": "released",
    "photos": [
        {
            "n": 1,
            "state": "deleted",
            "deletes_on": None,
            "deleted_on": "2026-11-30",
            "flags": [],
            "matched": [[0.0, 0.118, 1.0, 0.87]],
        }
    ],
    "found": [
        {
            "kind": "copy",
            "dataset": "laion-sample",
            "rows": 3,
            "domains": ["pictures.example.org"],
            "outcome": "approved",
            "released_in": [7],
        }
    ],
    "questions": [{"id": QUESTION, "tile": TILE, "mine": False, "asked_on": "2026-11-24"}],
    "answer_due_on": None,
    "decision": {
        "outcome": "approved",
        "reason": None,
        "explanation": None,
        "statement": "All three copies go.",
        "complaint": None,
        "decided_on": "2026-11-26",
    },
    "acts": ["message", "proof"],
}


def asked(name: str, body: dict[str, Any]) -> OpenApiExample:
    """Return an example of what is sent."""
    return OpenApiExample(name, body, request_only=True)


def answered(name: str, body: dict[str, Any], status: int = 200) -> OpenApiExample:
    """Return an example of an answer."""
    return OpenApiExample(name, body, response_only=True, status_codes=[status])


def refused(code: str, detail: str) -> OpenApiExample:
    """Return an example of a problem."""
    status, title = PROBLEMS[code]
    body = {
        "type": TYPE_PREFIX + code,
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
    }
    return OpenApiExample(title, body, response_only=True, status_codes=[status])


MISTYPED: Final = refused(
    "receipt_mistyped",
    "This code is mistyped: a symbol is wrong, swapped, missing or too many. "
    "Compare it with the code you kept: 26 letters and digits.",
)
UNKNOWN: Final = refused(
    "receipt_unknown",
    "No request opens with this code. Compare it with the one you kept. A request whose records "
    "have been deleted cannot be opened any more.",
)
FORBIDDEN: Final = refused(
    "state_forbids",
    "This cannot be done any more: the state of the request has changed. Load the page again to "
    "see where the request stands.",
)
