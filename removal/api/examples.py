"""Bodies as they really look, for the OpenAPI file; a test holds them to their shapes."""

import base64
import json
from typing import Any, Final

from drf_spectacular.utils import OpenApiExample

from removal.api.problems import CONTENT_TYPE, PROBLEMS, TYPE_PREFIX

RECEIPT: Final = "AN9G0-RVW4K-NZB1H-JH6CP-3A2EF-1"
QUESTION: Final = "5f0c2b1e-7c3d-4a4e-9f5b-2f1d8c6a7e90"
TILE: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGOQUNYBAADpAHkX5Pc3"
    "AAAAAElFTkSuQmCC"
)

CHALLENGE: Final[dict[str, Any]] = {
    "parameters": {
        "algorithm": "PBKDF2/SHA-256",
        "cost": 20000,
        "keyLength": 32,
        "keyPrefix": "00",
        "nonce": "ffe62d64caa6e1a38cf4a7163fc7278a",
        "salt": "30d98d877e752445d50c0393a10e68a0",
        "expiresAt": 1795350600,
    },
    "signature": "af525c2ae42797350714b7f3c441a114b034b226cee7b8c40e5ae5e2ce90245e",
}
_SOLUTION: Final = {
    "counter": 156,
    "derivedKey": "009db640d606c3c11f078fa2a2dff086dc7798d6fd84423167e753fc93d0c0ca",
    "time": 912,
}
SOLVED: Final = base64.b64encode(
    json.dumps({"challenge": CHALLENGE, "solution": _SOLUTION}).encode()
).decode()

ASKED: Final[dict[str, Any]] = {
    "photos": ["(the bytes of portrait.jpg)", "(the bytes of screenshot.png)"],
    "urls": ["https://example.org/portrait.jpg"],
    "note": "It was taken at work.",
    "category": "personal",
    "altcha": SOLVED,
}
ASKED_BY_ADDRESS: Final[dict[str, Any]] = {
    "urls": ["https://example.org/portrait.jpg", "https://example.org/portrait-small.jpg"],
    "altcha": SOLVED,
}

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

DATASETS: Final[dict[str, Any]] = {
    "datasets": [
        {
            "name": "laion-sample",
            "title": "LAION, a sample",
            "revision": "2022-03",
            "rows": 2000000,
            "rows_indexed": 1934210,
            "groups": 2,
            "groups_ready": 2,
            "indexed_on": "2026-11-20",
        }
    ]
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
            "waiting": 0,
        }
    ],
    "questions": [{"id": QUESTION, "tile": TILE, "mine": None, "asked_on": "2026-11-24"}],
    "answer_due_on": "2026-12-24",
    "other_rows_removed": 0,
    "messages": [
        {"from": "maintainer", "day": "2026-11-24", "text": "Is the picture below you, too?"},
    ],
    "decision": None,
    "more_found": [],
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
            "waiting": 0,
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
        "by": "maintainer",
    },
    "acts": ["message", "proof"],
}

ANSWERED: Final[dict[str, Any]] = {
    **STATUS,
    "state": "in_review",
    "questions": [{"id": QUESTION, "tile": TILE, "mine": False, "asked_on": "2026-11-24"}],
    "answer_due_on": None,
    "acts": ["message", "photo_delete", "withdraw"],
}
WRITTEN: Final[dict[str, Any]] = {
    **STATUS,
    "messages": [
        *STATUS["messages"],
        {"from": "you", "day": "2026-11-25", "text": "It was taken in 2019."},
    ],
}
PHOTOS_DELETED: Final[dict[str, Any]] = {
    **STATUS,
    "photos": DECIDED["photos"],
    "acts": ["answer", "message", "withdraw"],
}
WITHDRAWN: Final[dict[str, Any]] = {
    **PHOTOS_DELETED,
    "state": "withdrawn",
    "answer_due_on": None,
    "acts": [],
}
APPEALED: Final[dict[str, Any]] = {
    **STATUS,
    "state": "in_review",
    "questions": [],
    "answer_due_on": None,
    "decision": {
        "outcome": "denied",
        "reason": "different_picture",
        "explanation": "The rows that looked alike hold another picture, so removing them would "
        "not remove yours.",
        "statement": "These are pictures of another person.",
        "complaint": "You can complain to the data protection authority of the country you live "
        "in, and you can go to court. Neither costs you your anonymity here: the receipt code is "
        "all that links you to this request.",
        "decided_on": "2026-11-26",
        "by": "maintainer",
    },
    "appeal": {"day": "2026-11-27", "text": "It is me: look at the scar."},
    "acts": ["message", "photo_delete", "withdraw"],
}


def asked(name: str, body: dict[str, Any]) -> list[OpenApiExample]:
    """Return examples of what is sent: as JSON, and as a form."""
    kinds = ("application/json", "application/x-www-form-urlencoded")
    return [OpenApiExample(name, body, request_only=True, media_type=kind) for kind in kinds]


def uploaded(name: str, body: dict[str, Any]) -> OpenApiExample:
    """Return an example of what is sent with files."""
    return OpenApiExample(name, body, request_only=True, media_type="multipart/form-data")


def answered(name: str, body: dict[str, Any], status: int = 200) -> OpenApiExample:
    """Return an example of an answer; past 400 it is a problem."""
    kind = "application/json" if status < 400 else CONTENT_TYPE
    return OpenApiExample(name, body, response_only=True, status_codes=[status], media_type=kind)


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
    return answered(title, body, status)


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
