"""What a sender must show before a request is taken: work where a script can run, else a ticket.

Neither says who the sender is. Both are single use: spending one is an insert under a unique
digest, so that two senders of the same one cannot both get through. What they cost rises with
load, each by its own (`load.py`).

* **Ticket**: the page's form carries a signed, random value that becomes valid after
  `UNLIST_TICKET_WAIT_SECONDS`, times what load makes of it, and dies after an hour, so that what
  is hoarded while little arrives is soon worth nothing. It needs no script and no cookie. It
  costs a sender time and no work: what many of them cost is said in docs/operators.md.
* **Work**: an ALTCHA v2 challenge (altcha.org, "PoW v2"): find a counter whose PBKDF2/SHA-256
  key begins with a zero byte, 256 tries on average, each of `UNLIST_POW_COST` iterations, times
  what load makes of it. PBKDF2 is what every browser computes natively.
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
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from removal.intake.load import Gate, Overloaded, admit, cost_factor, release
from removal.models import SpentTicket

TICKET_LIFE: Final = timedelta(hours=1)
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
        sentence = ngettext(
            "Please wait %(seconds)d second and press the button again.",
            "Please wait %(seconds)d seconds and press the button again.",
            seconds,
        )
        super().__init__("too_early", sentence % {"seconds": seconds})
        self.seconds = seconds


class GateClosed(GateRefused):
    """So much is arriving that nothing more is taken for `seconds`; nothing was spent."""

    status = 503

    def __init__(self, seconds: int) -> None:
        minutes = math.ceil(seconds / 60)
        sentence = ngettext(
            "Very many requests are arriving, so we cannot take yours just now. "
            "Please send it again in %(minutes)d minute.",
            "Very many requests are arriving, so we cannot take yours just now. "
            "Please send it again in %(minutes)d minutes.",
            minutes,
        )
        super().__init__("busy", sentence % {"minutes": minutes})
        self.seconds = seconds


# --- the page's ticket -----------------------------------------------------------------------


def ticket_issue(*, network: str | None = None) -> str:
    """Return a new ticket for one form, to be sent from `network`."""
    return _signer().sign(f"{int(time.time())}.{ticket_wait(network)}.{secrets.token_urlsafe(16)}")


def ticket_wait(network: str | None) -> int:
    """Return after how many seconds a ticket that is issued now becomes valid."""
    return int(settings.UNLIST.ticket_wait_seconds) * cost_factor(Gate.TICKET, network)


def ticket_check(*, ticket: str) -> None:
    """Check a ticket without spending it, so that a form with a fault can be sent again.

    Raises:
        TicketTooEarly: it becomes valid in `seconds`.
        GateRefused: it is not ours, or too old.
    """
    issued, wait = _ticket_times(ticket)
    age = time.time() - issued
    if age > TICKET_LIFE.total_seconds():
        raise GateRefused(
            "ticket_expired",
            _("This page has been open for too long. Please press the button again."),
        )
    if (left := wait - age) > 0:
        raise TicketTooEarly(math.ceil(left))


def ticket_spend(*, ticket: str, network: str | None = None) -> None:
    """Check a ticket and use it up.

    Raises:
        GateClosed: too much is arriving; the ticket stays good.
        GateRefused: as `ticket_check`, or it was used before.
    """
    ticket_check(ticket=ticket)
    issued, _wait = _ticket_times(ticket)
    expires_at = datetime.fromtimestamp(issued, UTC) + TICKET_LIFE
    if not _spend(Gate.TICKET, network, ticket, expires_at):
        raise GateRefused(
            "ticket_spent",
            _(
                "This form has already been sent once. If you were shown a receipt code, all is "
                "well. If not, please press the button again: the first request then runs out by "
                "itself."
            ),
        )


def _signer() -> Signer:
    return Signer(salt="removal.intake.gate.ticket")


def _ticket_times(ticket: str) -> tuple[int, int]:
    """Return when a ticket was issued, and after how many seconds it becomes valid."""
    try:
        issued, wait, _random = _signer().unsign(ticket).split(".")
        return int(issued), int(wait)
    except (BadSignature, ValueError):
        raise GateRefused(
            "ticket_unknown",
            _(
                "This form did not come from a page of ours that is still valid. "
                "Please press the button again."
            ),
        ) from None


# --- proof of work ---------------------------------------------------------------------------


def challenge_issue(*, network: str | None = None) -> dict[str, Any]:
    """Return an ALTCHA challenge as its widget and libraries take it, for a sender in `network`.

    With `UNLIST_POW_COST` 0 the first try solves it, so that a client needs no special case.
    """
    cost = settings.UNLIST.pow_cost
    factor = cost_factor(Gate.WORK, network) if cost else 1
    challenge: dict[str, Any] = altcha.create_challenge(
        ALGORITHM,
        max(1, cost * factor),
        key_prefix="00" if cost else "",
        expires_at=datetime.now(UTC) + CHALLENGE_LIFE,
        hmac_secret=_work_secret(),
    ).to_dict()
    return challenge


def work_spend(*, payload: str, network: str | None = None) -> None:
    """Check the solution of a challenge and use it up; does nothing where the cost is 0.

    Raises:
        GateClosed: too much is arriving; the solution stays good.
        GateRefused: absent, wrong, expired or used before.
    """
    if not settings.UNLIST.pow_cost:
        return
    if not payload:
        raise GateRefused(
            "altcha_missing",
            _(
                "The field `altcha` is missing. Get a challenge from /api/v1/challenge/, solve it "
                "and send the solution in this field."
            ),
        )
    solved = _solved(payload)
    expires_at = datetime.fromtimestamp(solved.challenge.parameters.expires_at or 0, UTC)
    if not _spend(Gate.WORK, network, solved.challenge.parameters.nonce, expires_at):
        raise GateRefused(
            "altcha_spent",
            _("This solution was used before. Get a new challenge and solve it."),
        )


def _solved(payload: str) -> altcha.Payload:
    result = altcha.verify_solution(payload, _work_secret())
    if result.expired:
        raise GateRefused(
            "altcha_expired", _("This challenge is too old. Get a new one and solve it.")
        )
    if not result.verified:
        raise GateRefused(
            "altcha_wrong", _("The solution is not right. Get a new challenge and solve it.")
        )
    return altcha.Payload.from_base64(payload)


def _work_secret() -> str:
    return salted_hmac("removal.intake.gate.work", "challenge", algorithm="sha256").hexdigest()


def _spend(gate: Gate, network: str | None, value: str, expires_at: datetime) -> bool:
    """Use up a value, where there is room for a request; tell whether it was still good."""
    try:
        admit(gate, network)
    except Overloaded as full:
        raise GateClosed(full.seconds) from None
    digest = hashlib.sha256(gate.encode() + b"\n" + value.encode()).digest()
    created = False
    try:
        _row, created = SpentTicket.objects.get_or_create(
            digest=digest, defaults={"expires_at": _hour_after(expires_at)}
        )
    finally:
        if not created:
            release(gate, network)
    return created


def _hour_after(moment: datetime) -> datetime:
    """Round up to the hour: the row would tell when its request was sent."""
    hour = moment.replace(minute=0, second=0, microsecond=0)
    return hour if hour == moment else hour + timedelta(hours=1)
