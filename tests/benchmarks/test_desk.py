"""The bench of the maintainers' pages: what it calls reached, and that a seeded page opens."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client

from benchmarks import desk, desk_pages, desk_seed
from removal.models import RemovalRequest, State
from tests.removal import factories


def facts(**pages: tuple[float, int]) -> dict[str, Any]:
    measured = {
        name: {"median_ms": ms, "worst_ms": 2 * ms, "queries": queries}
        for name, (ms, queries) in pages.items()
    }
    return {"requests": 2000, "candidates": 9, "seed_seconds": 1.0, "pages": measured}


def test_targets_name_the_slowest_page_and_those_whose_queries_grow() -> None:
    small, whole = facts(a=(1, 5), b=(1, 5)), facts(a=(299, 5), b=(301, 6))
    slowest, growing = desk.targets(small, whole, quick=False)
    assert (slowest.verdict, growing.verdict) == ("not reached", "not reached")
    assert "(b)" in slowest.name
    assert growing.note == "b"
    slowest, growing = desk.targets(small, facts(a=(299, 5), b=(9, 5)), quick=False)
    assert (slowest.verdict, growing.verdict) == ("reached", "reached")
    assert desk.targets(small, small, quick=True)[0].verdict == "not measured"


def test_every_page_is_shown_the_slowest_first() -> None:
    table = desk.shown(facts(fast=(1, 5), slow=(1, 5)), facts(fast=(1, 5), slow=(301, 6)))
    assert table.index("slow ") < table.index("fast ")
    assert "queries at 2,000" in table


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="it is copied in as PostgreSQL does")
def test_seeded_pages_open(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_seed, "_vacuum", lambda: None)  # not in a transaction
    opened = desk_seed.seed(requests=60, each=20, real=2)
    assert set(RemovalRequest.objects.values_list("state", flat=True)) >= {State.IN_REVIEW}
    factories.sign_in(client)
    for address in desk_pages.pages(opened, 1).values():
        assert client.get(address).status_code == 200, address
