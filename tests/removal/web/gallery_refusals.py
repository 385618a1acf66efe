"""What the site answers to forms that cannot be taken, and when something is wrong or too much.

Each fault is brought about: a form that is really too large, a share of the rate that is really
full, a folder of secrets that is really empty. Only what would take hours or gigabytes has its
bound lowered.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from removal.intake import load, uploads
from removal.intake.counters import MemoryCounters
from removal.intake.load import Gate, Overloaded
from removal.models import today
from removal.site import reading
from tests.removal.web.conftest import form, photo

Shown = Iterator[tuple[str, Any]]
_LOWERED = 1024**2


def asking(prefix: str, codes: dict[str, str]) -> Shown:
    """Send the forms that need no session, well and badly filled in."""
    post = partial(_post, prefix)
    yield "request-empty", post("/request/", form(category="nonsense", note="x" * 2001))
    yield "request-nothing", post("/request/", form())
    yield "request-wrong", post("/request/", form(photo(b"no picture"), urls="ftp://x"))
    yield "request-unusable", post("/request/", form(photo(b"no picture")))
    yield "request-many", post("/request/", form(*[photo(b"x") for _ in range(11)]))
    yield "request-no-ticket", post("/request/", {**form(photo()), "ticket": "x"})
    receipt = post("/request/", form(photo(), photo(b"no picture"), urls="https://a.example/b"))
    yield "receipt", receipt
    code = receipt.context["receipt"]
    words = {"receipt": code, "due": today().isoformat()}
    yield "receipt-kept", post("/request/kept/", dict(words))
    yield "receipt-again", post("/request/kept/", {**words, "show": "yes"})
    yield "receipt-kept-wrong", post("/request/kept/", {**words, "end": "AAAAA-B"})
    yield "receipt-well-kept", post("/request/kept/", {**words, "end": code[-7:]})
    yield "code-empty", post("/status/", {"receipt": ""})
    yield "code-mistyped", post("/status/", {"receipt": "AAAAA"})
    for name, unknown in codes.items():
        yield f"code-{name}", post("/status/", {"receipt": unknown})


def refused(prefix: str) -> Shown:
    """Ask for what there is not, or in a way that is not offered."""
    post, client = partial(_post, prefix), Client()
    yield "error-400", post("/status/", {f"field{n}": "x" for n in range(201)})
    yield "error-400-host", client.get(f"{prefix}/", headers={"host": "elsewhere.example"})
    yield "error-400-no-code", post("/request/code/", {"receipt": "x"})
    yield "error-400-no-day", post("/request/reminder/", {})
    yield "error-403", post("/status/", {}, headers={"Sec-Fetch-Site": "cross-site"})
    yield "error-404", client.get(f"{prefix}/no-such-page/")
    yield "error-405", client.put(f"{prefix}/status/")
    yield "error-413-text", post("/status/", {"receipt": "x" * 300_000})
    beyond = str(uploads.MAX_BODY_BYTES + 1)
    yield "error-413", post("/request/", form(photo()), CONTENT_LENGTH=beyond)


def failing(prefix: str, patch: pytest.MonkeyPatch) -> Shown:
    """Break something of the service; each is whole again before the page is handed on."""
    post = partial(_post, prefix)
    with patch.context() as broken:
        broken.setattr(reading, "datasets_covered", _broken)
        failed = Client(raise_request_exception=False).get(f"{prefix}/datasets/")
    yield "error-500", failed
    with under(patch, secret_dir=Path("/nowhere")):
        without_keys = post("/request/", form(photo()))
    yield "error-503-keys", without_keys
    with patch.context() as lowered:
        lowered.setattr(uploads, "MAX_BYTES", _LOWERED)
        large = post("/request/", form(photo(bytes(_LOWERED + 1))))
        lowered.setattr(uploads, "in_flight", uploads.Budget(10))
        busy = post("/request/", form(photo()))
    yield "request-large", large
    yield "request-busy", busy


def flooded(prefix: str, patch: pytest.MonkeyPatch) -> Shown:
    """Show the form's gate: open at its usual cost, too early, and closed to all."""
    post, client = partial(_post, prefix), Client()
    with under(patch, pow_cost=20_000, ticket_wait_seconds=60), patch.context() as counted:
        own = MemoryCounters()
        counted.setattr(load, "counters", lambda: own)
        shown = {
            "request-work": client.get(f"{prefix}/request/"),
            "request-early": post("/request/", form(photo())),
            "request-unsolved": post("/request/", form(photo(), altcha="x")),
        }
    with under(patch, pow_cost=20_000, requests_per_hour=60), patch.context() as counted:
        own = MemoryCounters()
        counted.setattr(load, "counters", lambda: own)
        _fill()
        shown["request-full"] = post("/request/", form(photo()))
        shown["error-503-full"] = client.get(f"{prefix}/request/")
    yield from shown.items()


def _post(prefix: str, path: str, fields: dict[str, Any], **how: Any) -> Any:
    return Client().post(f"{prefix}{path}", fields, **how)


def _broken() -> None:
    raise RuntimeError("broken by the test")


def _fill() -> None:
    for gate in Gate:
        with suppress(Overloaded):
            while True:
                load.admit(gate, None)


@contextmanager
def under(patch: pytest.MonkeyPatch, **changed: Any) -> Iterator[None]:
    """Run under changed settings."""
    with patch.context() as changing:
        changing.setattr(settings, "UNLIST", settings.UNLIST.model_copy(update=changed))
        yield
