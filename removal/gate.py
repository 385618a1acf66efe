"""What a sender must show before a request is taken: a ticket on the page, work in the API.

Neither says who the sender is. Both are single use: spending one is an insert under a unique
digest, so that two senders of the same one cannot both get through.

* **Ticket**: the page's form carries a signed, random value that becomes valid after
  `UNLIST_TICKET_WAIT_SECONDS` and dies after some hours. It needs no script and no cookie.
* **Work**: an ALTCHA v2 challenge (altcha.org, "PoW v2"): find a counter whose PBKDF2/SHA-256
  key begins with a zero byte, 256 tries on average, each of `UNLIST_POW_COST` iterations.
  PBKDF2 is what ALTCHA's own widget carries in its main bundle.
"""

import hashlib
import math
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import altcha
from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.utils.crypto import salted_hmac

from removal.models import SpentTicket

TICKET_LIFE: Final = timedelta(hours=12)
CHALLENGE_LIFE: Final = timedelta(minutes=30)
ALGORITHM: Final = "PBKDF2/SHA-256"


class GateRefused(Exception):  # a refusal, no error
    """The sender did not pass; `code` for programs, the text for people."""

    status = 400

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class TicketTooEarly(GateRefused):
    """The ticket is good, but not yet: it can be sent again after `seconds`."""

    status = 429

    def __init__(self, seconds: int) -> None:
        unit = "second" if seconds == 1 else "seconds"
        super().__init__("too_early", f"Please wait {seconds} {unit} and press the button again.")
        self.seconds = seconds


# --- the page's ticket -----------------------------------------------------------------------


def ticket_issue() -> str:
    """Return a new ticket for one form."""
    return _signer().sign(f"{int(time.time())}.{secrets.token_urlsafe(16)}")


def ticket_check(*, ticket: str) -> None:
    """Check a ticket without spending it, so that a form with a fault can be sent again.

    Raises:
        TicketTooEarly: it becomes valid in `seconds`.
        GateRefused: it is not ours, or too old.
    """
    age = time.time() - _issued_at(ticket)
    if age > TICKET_LIFE.total_seconds():
        raise GateRefused(
            "ticket_expired", "This page has been open for too long. Please press the button again."
        )
    if (wait := settings.UNLIST.ticket_wait_seconds - age) > 0:
        raise TicketTooEarly(math.ceil(wait))


def ticket_spend(*, ticket: str) -> None:
    """Check a ticket and use it up.

    Raises:
        GateRefused: as `ticket_check`, or it was used before.
    """
    ticket_check(ticket=ticket)
    expires_at = datetime.fromtimestamp(_issued_at(ticket), UTC) + TICKET_LIFE
    if not _spend(b"ticket", ticket, expires_at):
        raise GateRefused(
            "ticket_spent",
            "This form has already been sent once. If you were shown a receipt code, all is well. "
            "If not, please press the button again: the first request then runs out by itself.",
        )


def _signer() -> Signer:
    return Signer(salt="removal.gate.ticket")


def _issued_at(ticket: str) -> int:
    try:
        return int(_signer().unsign(ticket).partition(".")[0])
    except (BadSignature, ValueError):
        raise GateRefused(
            "ticket_unknown",
            "This form did not come from a page of ours that is still valid. "
            "Please press the button again.",
        ) from None


# --- the API's proof of work -----------------------------------------------------------------


def challenge_issue() -> dict[str, Any]:
    """Return an ALTCHA challenge as its widget and libraries take it.

    With `UNLIST_POW_COST` 0 the first try solves it, so that a client needs no special case.
    """
    cost = settings.UNLIST.pow_cost
    challenge: dict[str, Any] = altcha.create_challenge(
        ALGORITHM,
        max(1, cost),
        key_prefix="00" if cost else "",
        expires_at=datetime.now(UTC) + CHALLENGE_LIFE,
        hmac_secret=_work_secret(),
    ).to_dict()
    return challenge


def work_spend(*, payload: str) -> None:
    """Check the solution of a challenge and use it up; does nothing where the cost is 0.

    Raises:
        GateRefused: absent, wrong, expired or used before.
    """
    if not settings.UNLIST.pow_cost:
        return
    if not payload:
        raise GateRefused(
            "altcha_missing",
            "The field `altcha` is missing. Get a challenge from /api/v1/challenge/, solve it "
            "and send the solution in this field.",
        )
    solved = _solved(payload)
    expires_at = datetime.fromtimestamp(solved.challenge.parameters.expires_at or 0, UTC)
    if not _spend(b"work", solved.challenge.parameters.nonce, expires_at):
        raise GateRefused(
            "altcha_spent", "This solution was used before. Get a new challenge and solve it."
        )


def _solved(payload: str) -> altcha.Payload:
    result = altcha.verify_solution(payload, _work_secret())
    if result.expired:
        raise GateRefused(
            "altcha_expired", "This challenge is too old. Get a new one and solve it."
        )
    if not result.verified:
        raise GateRefused(
            "altcha_wrong", "The solution is not right. Get a new challenge and solve it."
        )
    return altcha.Payload.from_base64(payload)


def _work_secret() -> str:
    return salted_hmac("removal.gate.work", "challenge", algorithm="sha256").hexdigest()


def _spend(purpose: bytes, value: str, expires_at: datetime) -> bool:
    digest = hashlib.sha256(purpose + b"\n" + value.encode()).digest()
    _, created = SpentTicket.objects.get_or_create(
        digest=digest, defaults={"expires_at": expires_at}
    )
    return created
