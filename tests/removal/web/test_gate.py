"""Tickets and proofs of work: good once, not too early, not too late, never forged."""

import time
from typing import Any

import altcha
import pytest
from django.conf import settings as live

from removal.intake import gate
from removal.intake.gate import GateRefused, TicketTooEarly
from removal.models import SpentTicket


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that moves the gate's clock forward."""
    now = [1_790_000_000.0]
    monkeypatch.setattr("removal.intake.gate.time.time", lambda: now[0])

    def forward(seconds: float) -> None:
        now[0] += seconds

    return forward


def test_ticket_becomes_valid_after_the_wait(clock: Any, settings: Any) -> None:
    settings.UNLIST = live.UNLIST.model_copy(update={"ticket_wait_seconds": 5})
    ticket = gate.ticket_issue()
    clock(1.5)
    with pytest.raises(TicketTooEarly, match="wait 4 seconds") as early:
        gate.ticket_spend(ticket=ticket)
    assert early.value.seconds == 4
    assert not SpentTicket.objects.exists()
    clock(3.5)
    gate.ticket_spend(ticket=ticket)


def test_ticket_is_good_once() -> None:
    ticket = gate.ticket_issue()
    gate.ticket_check(ticket=ticket)
    gate.ticket_spend(ticket=ticket)
    with pytest.raises(GateRefused, match="already been sent once"):
        gate.ticket_spend(ticket=ticket)
    assert SpentTicket.objects.count() == 1


def test_ticket_dies(clock: Any) -> None:
    ticket = gate.ticket_issue()
    clock(gate.TICKET_LIFE.total_seconds() + 1)
    with pytest.raises(GateRefused, match="too long"):
        gate.ticket_check(ticket=ticket)


def test_tickets_hoarded_while_little_arrives_are_worth_nothing_an_hour_later(clock: Any) -> None:
    """For twelve hours they let their holder fill the whole share at once."""
    hoard = [gate.ticket_issue() for _ in range(20)]
    clock(3601)
    for ticket in hoard:
        with pytest.raises(GateRefused) as refusal:
            gate.ticket_spend(ticket=ticket)
        assert refusal.value.code == "ticket_expired"
    assert not SpentTicket.objects.exists()


def test_ticket_cannot_be_made_older(clock: Any) -> None:
    issued, _, rest = gate.ticket_issue().partition(".")
    with pytest.raises(GateRefused, match="still valid"):
        gate.ticket_check(ticket=f"{int(issued) - 60}.{rest}")


# --- work ------------------------------------------------------------------------------------


@pytest.fixture
def _costly(settings: Any) -> None:
    settings.UNLIST = live.UNLIST.model_copy(update={"pow_cost": 3})


def _solved(challenge: dict[str, Any]) -> str:
    asked = altcha.Challenge.from_dict(challenge)
    solution = altcha.solve_challenge(asked)
    assert solution is not None
    return altcha.Payload(asked, solution).to_base64()


@pytest.mark.usefixtures("_costly")
def test_work_is_good_once() -> None:
    challenge = gate.challenge_issue()
    assert challenge["parameters"]["algorithm"] == "PBKDF2/SHA-256"
    assert challenge["parameters"]["cost"] == 3
    payload = _solved(challenge)
    gate.work_spend(payload=payload)
    with pytest.raises(GateRefused, match="used before") as refusal:
        gate.work_spend(payload=payload)
    assert refusal.value.code == "altcha_spent"


@pytest.mark.usefixtures("_costly")
def test_cheaper_challenge_is_not_ours() -> None:
    challenge = gate.challenge_issue()
    challenge["parameters"]["keyPrefix"] = ""
    with pytest.raises(GateRefused) as refusal:
        gate.work_spend(payload=_solved(challenge))
    assert refusal.value.code == "altcha_wrong"


@pytest.mark.usefixtures("_costly")
@pytest.mark.parametrize("payload", ["nonsense", "e30=", "W10=", "\u00e9", "[" * 3000])
def test_nonsense_is_no_solution(payload: str) -> None:
    with pytest.raises(GateRefused) as refusal:
        gate.work_spend(payload=payload)
    assert refusal.value.code == "altcha_wrong"


@pytest.mark.usefixtures("_costly")
def test_missing_and_late_solutions(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GateRefused) as refusal:
        gate.work_spend(payload="")
    assert refusal.value.code == "altcha_missing"
    payload = _solved(gate.challenge_issue())
    late = time.time() + gate.CHALLENGE_LIFE.total_seconds() + 2
    monkeypatch.setattr("altcha.v2.time.time", lambda: late)
    with pytest.raises(GateRefused) as refusal:
        gate.work_spend(payload=payload)
    assert refusal.value.code == "altcha_expired"


def test_no_work_is_asked_at_cost_zero() -> None:
    assert live.UNLIST.pow_cost == 0
    gate.work_spend(payload="")
    solution = altcha.solve_challenge(altcha.Challenge.from_dict(gate.challenge_issue()))
    assert solution is not None
    assert solution.counter == 0
