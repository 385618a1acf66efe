"""Sweeps for the tests: a search that finds what it is told, and the way through the workers."""

import uuid
from collections.abc import Collection, Sequence
from typing import Any

from catalog.models import Group
from indexer.evidence.hits import Row
from removal.custody.content import FoundRow
from removal.custody.sweeps import SweepAsked, SweepVector
from removal.life.sweeping import sweep_start
from removal.models import Errand
from removal.search import errands
from removal.search.sweeps import Vectors
from tests.removal import factories

WORDS = "patient photo before surgery"


def swept_row(number: int, **changes: Any) -> Row:
    """Return a row of the dataset `sample`."""
    facts: dict[str, Any] = {
        "key": f"{number:09}",
        "shard": "00000",
        "index": number,
        "url": f"https://pictures.example.org/marked-{number}.jpg",
        "sha256": f"{number:064x}",
        "md5": None,
        "offset": None,
    }
    return Row(**{**facts, **changes})


class FakeSweeper:
    """Finds these rows in every group, and keeps what it was asked."""

    def __init__(self, *found: tuple[Row, float]) -> None:
        self.found = found or tuple((swept_row(n), 0.9 - n / 100) for n in range(5))
        self.texts: list[str] = []
        self.examples: list[bytes] = []
        self.rows: list[FoundRow] = []
        self.searched: list[Vectors] = []

    def text_vectors(self, text: str, encoders: Collection[str]) -> Vectors:
        self.texts.append(text)
        return self._vectors(encoders)

    def picture_vectors(self, data: bytes, encoders: Collection[str]) -> Vectors:
        self.examples.append(data)
        return self._vectors(encoders)

    def row_vectors(self, group: Group, row: FoundRow) -> Vectors:
        self.rows.append(row)
        return self._vectors([group.encoder_name])

    def group_nearest(
        self, group: Group, vectors: Vectors, *, most: int
    ) -> list[tuple[Row, float]]:
        self.searched.append(vectors)
        return list(self.found[:most])

    def _vectors(self, encoders: Collection[str]) -> Vectors:
        return {name: SweepVector("as it is", b"\0" * 4) for name in encoders}


def asked(start: str = "upload", **changes: Any) -> SweepAsked:
    """Return what somebody asks for."""
    facts: dict[str, Any] = {
        "start": start,
        "text": WORDS if start == "text" else "",
        "datasets": ("sample",),
        "most": 100,
        "least": 0.0,
    }
    return SweepAsked(**{**facts, **changes})


def started(name: str = "finder", **changes: Any) -> Errand:
    """Return a sweep that a reviewer has just started from a picture."""
    factories.secrets_made()
    factories.catalog_group()
    reviewer = factories.role_user(name, "reviewer")
    return sweep_start(reviewer=reviewer, asked=asked(**changes), example=factories.photo_bytes(3))


def searched(errand: Errand) -> Errand:
    """Take a sweep through the workers to its end."""
    for _ in range(4):
        errands.errand_advance(errand.pk)
        for group in errands.groups_waiting():
            errands.errands_drain(group.group_id)
    errand.refresh_from_db()
    return errand


def places(errand: Errand, *numbers: int) -> Sequence[uuid.UUID]:
    """Return the ids of a sweep's rows by their places."""
    ids = dict(errand.rows.values_list("place", "pk"))
    return [ids[number] for number in numbers]
