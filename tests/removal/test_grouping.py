"""Which rows make one tile, and which never do."""

import uuid
from dataclasses import replace
from typing import Any

import pytest

from removal.desk.grouping import rows_grouped
from removal.selectors import CandidateView

WHOLE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))


def row(name: str, kind: str = "copy", **changes: Any) -> CandidateView:
    evidence = {"digest": False, "pdq": 40, "agreement": 0.8, "mirrored": False}
    view = CandidateView(
        id=uuid.uuid4(),
        kind=kind,
        score=0.97,
        evidence=evidence | changes.pop("evidence", {}),
        dataset="sample",
        key=name,
        url=f"https://pictures.example/{name}.jpg",
        domain="pictures.example",
        shard="00000",
        index=0,
        offset=None,
        photos=(1,),
        digests=(),
        regions={},
        corners=WHOLE,
        verdict="pending",
        other_requests=0,
        question=None,
    )
    return replace(view, **changes)


def grouped(*rows: CandidateView, apart: bool = False) -> list[list[str]]:
    return [[one.key for one in group.rows] for group in rows_grouped(rows, apart=apart)]


COPIED, OTHER = uuid.uuid4(), uuid.uuid4()
"""Approved rows that duplicates were found by."""
NEAR = {"pdq": 10}
DUPLICATE: dict[str, Any] = {"photos": (), "duplicate_of": COPIED}
SEEN = {"pdq": None, "agreement": 0.97}


@pytest.mark.parametrize(
    "changes",
    [
        ({"url": "https://one.example/"}, {"url": "https://one.example/"}),
        ({"digests": ("ab", "cd")}, {"digests": ("cd",)}),
        ({"evidence": {"digest": True}}, {"evidence": {"digest": True}}),
        ({"evidence": NEAR}, {"evidence": {"pdq": 21}}),
        ({"evidence": SEEN}, {"evidence": SEEN}),
        ({"evidence": NEAR, "corners": LEFT}, {"evidence": NEAR, "corners": LEFT}),
        (
            {"evidence": NEAR, "corners": (), "regions": {1: (0, 0, 1, 1)}},
            {"evidence": NEAR, "corners": (), "regions": {1: (0, 0, 1, 1)}},
        ),
        (DUPLICATE | {"evidence": NEAR}, DUPLICATE | {"evidence": NEAR}),
        (DUPLICATE | {"evidence": {"digest": True}}, DUPLICATE | {"evidence": {"digest": True}}),
    ],
)
def test_rows_that_hold_one_picture_make_one_tile(changes: tuple[Any, Any]) -> None:
    one, other = row("a", **changes[0]), row("b", **changes[1])
    assert grouped(one, other) == [["a", "b"]]
    assert grouped(one, other, apart=True) == [["a"], ["b"]]


@pytest.mark.parametrize(
    "changes",
    [
        ({"evidence": NEAR}, {"evidence": {"pdq": 22}}),
        ({"evidence": NEAR, "corners": LEFT}, {"evidence": NEAR}),
        ({"evidence": NEAR | {"mirrored": True}}, {"evidence": NEAR}),
        ({"evidence": NEAR}, {"evidence": NEAR, "photos": (2,)}),
        ({"evidence": NEAR, "corners": ()}, {"evidence": NEAR, "corners": ()}),
        ({"evidence": SEEN}, {"evidence": {"pdq": None, "agreement": 0.9}}),
        ({"evidence": NEAR, "kind": "similar"}, {"evidence": NEAR, "kind": "similar"}),
        ({"url": "https://one.example/"}, {"url": "https://one.example/", "kind": "similar"}),
        ({"evidence": NEAR, "verdict": "approved"}, {"evidence": NEAR, "verdict": "denied"}),
        ({"url": None}, {"url": None}),
        (DUPLICATE | {"evidence": NEAR}, {"evidence": NEAR}),
        (DUPLICATE | {"evidence": NEAR}, {"evidence": NEAR, "photos": (), "duplicate_of": OTHER}),
    ],
)
def test_rows_that_may_differ_stay_apart(changes: tuple[Any, Any]) -> None:
    assert grouped(row("a", **changes[0]), row("b", **changes[1])) == [["a"], ["b"]]


def test_what_leads_from_row_to_row_makes_one_tile_in_the_order_of_rows() -> None:
    first = row("a", digests=("ab",))
    other = row("b")
    second = row("c", digests=("cd",), url="https://same.example/")
    joins = row("d", digests=("ab",), url="https://same.example/")
    assert grouped(first, other, second, joins) == [["a", "c", "d"], ["b"]]
