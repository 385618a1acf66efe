"""Promise 5: whoever holds a photo learns no more of a dataset than they held before.

Two worlds are told apart by nothing but what must stay hidden: rows' addresses, names, digests,
scores and pictures, how many look-alikes there are, whether somebody else asked for the same rows.
An attacker lives through the same story in both and writes down every byte. What they heard must
be equal, byte for byte and length for length, but for the random values of any run; and no value
of a row that nobody approved may occur in it, in any shape.
"""

import io
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.db import transaction
from PIL import Image

from indexer.evidence.verdict import Match
from releases import places, signing
from releases.build import release_build
from releases.publish import releases_publish
from removal.custody.content import row_opened
from removal.life.questions import question_put
from removal.models import Candidate, Kind, Purpose, RemovalRequest, State
from removal.search import draining, fingerprinting, matching
from removal.selectors import request_open
from tests.functional.leaks import shapes_of
from tests.removal import factories
from tests.removal.attacker import Attacker, Heard
from tests.removal.deciding import request_decide
from tests.removal.factories import FakeSearcher, catalog_group, match, photo_bytes
from unlist.keys import row_key

pytestmark = pytest.mark.django_db

APPROVED = match("exact", key="000000001", score=1.0, url="https://approved.example.org/own.jpg")
PHOTO = photo_bytes(7)


@dataclass(frozen=True)
class World:
    """What a dataset holds beside the one row that will be approved.

    Attributes:
        rows: found rows that nobody approves.
        color: of the stored pictures.
        victim: whether somebody else asked for the same rows before.
    """

    rows: tuple[Match, ...]
    color: tuple[int, int, int]
    victim: bool

    @property
    def found(self) -> list[Match]:
        return [APPROVED, *self.rows]

    def picture(self) -> bytes:
        """Return what the dataset stores of its rows: detail, in this world's color."""
        noise = np.random.default_rng(1).integers(0, 80, (256, 256, 3))
        out = io.BytesIO()
        Image.fromarray((noise + self.color).clip(0, 255).astype(np.uint8)).save(out, "PNG")
        return out.getvalue()

    def marks(self) -> dict[str, list[bytes]]:
        """Return each value of a row that nobody approved, in every shape."""
        marks: dict[str, list[bytes]] = {}
        for row in self.rows:
            url = row.url or ""
            values = {
                "address": url,
                "host": url.split("/")[2],
                "file": url.rpartition("/")[2],
                "key": row.key,
                "sha256": row.sha256 or "",
                "md5": row.md5 or "",
                "score": repr(row.score),
                "percent": f"{row.score:.3f}",
            }
            keys = [row_key("url", url), row_key("sha256", row.sha256 or "")]
            for name, value in values.items():
                marks[f"{row.kind} {name} {value}"] = shapes_of(value.encode())
            for key in keys:
                marks[f"{row.kind} row key {key.hex()}"] = shapes_of(key)
        return marks


def hidden(kind: str, n: int, *, score: float, words: str) -> Match:
    """Return a row all of whose values are marks."""
    return match(
        kind,
        key=f"77{n:07}",
        score=score,
        url=f"https://host-{words}-{n}.example.net/path-{words}/file-{words}-{n}.jpg",
        sha256=f"{n:02x}" * 31 + "c5",
        md5=f"{n:02x}" * 15 + "d6",
        dataset="sample",
    )


ONE = World(
    rows=(
        hidden("copy", 11, score=0.912345, words="short"),
        hidden("similar", 12, score=0.412345, words="short"),
    ),
    color=(170, 0, 170),
    victim=False,
)
OTHER = World(
    rows=(
        hidden("copy", 21, score=0.998765, words="much-longer-than-in-the-other-world"),
        *(
            hidden("similar", n, score=0.3 + n / 1000 + 0.000321, words="another-look-alike")
            for n in range(22, 28)
        ),
    ),
    color=(0, 170, 0),
    victim=True,
)


Live = Callable[[World, Collection[str]], Attacker]
_HEARD: dict[tuple[World, tuple[str, ...]], list[Heard]] = {}
"""What was heard in each world: living takes a while, and leaves nothing else behind."""


@pytest.fixture
def live(db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any) -> Live:
    """Return what lives the story in a world of its own, of which nothing is left behind."""

    def lived(world: World, approve: Collection[str]) -> Attacker:
        key = world, tuple(approve)
        if key not in _HEARD:
            _HEARD[key] = once(world, approve)
        return Attacker(heard=list(_HEARD[key]))

    def once(world: World, approve: Collection[str]) -> list[Heard]:
        folder = tmp_path / f"world-{len(list(tmp_path.iterdir()))}"
        folders = {"data_dir": folder / "data", "secret_dir": folder / "secrets"}
        folder.mkdir()
        settings.UNLIST = settings.UNLIST.model_copy(update=folders)
        monkeypatch.setattr("removal.life.questions.row_picture", lambda *_: world.picture())
        point = transaction.savepoint()
        try:
            factories.secrets_made()
            signing.keys_create()
            return Story(world, Attacker()).told(approve).heard
        finally:
            transaction.savepoint_rollback(point)

    return lived


@dataclass
class Story:
    """One request of the attacker's, from the first page to the last release."""

    world: World
    attacker: Attacker
    receipt: str = ""

    def told(self, approve: Collection[str]) -> Attacker:
        """Live through it; the rows of the keys in `approve` are approved at its end."""
        attacker, group = self.attacker, catalog_group()
        factories.received(photos=[photo_bytes(99)])  # a service that somebody else uses too
        if self.world.victim:
            victim = factories.searched(FakeSearcher(self.world.found), photos=[PHOTO])
            assert victim.request.state == State.IN_REVIEW
        attacker.look_around()
        self.receipt = attacker.submit(PHOTO, photo_bytes(8), urls=(APPROVED.url or "",))
        attacker.submit_badly(PHOTO)
        searcher = FakeSearcher(self.world.found)
        self.knocked()
        fingerprinting.request_fingerprint(self.request.pk, searcher=searcher)
        self.knocked()
        draining.group_drain(group.pk, searcher=searcher)
        self.knocked()
        matching.request_conclude(self.request.pk, searcher=searcher)
        self.knocked()
        self.asked()
        self.decided(approve)
        self.knocked()
        if approve:
            release_build()
            releases_publish()
            self.knocked()
        attacker.look_around()
        attacker.fetch_repository(places.repository_dir())
        return attacker

    @property
    def request(self) -> RemovalRequest:
        return request_open(receipt=self.receipt).request

    def knocked(self) -> None:
        self.attacker.knock(self.receipt)

    def candidates(self) -> dict[str, Candidate]:
        """Return the request's candidates by their rows' keys."""
        key = request_open(receipt=self.receipt).key(Purpose.CASE)
        return {row_opened(one, key).key: one for one in self.request.candidates.all()}

    def asked(self) -> None:
        """Have a reviewer ask about one look-alike, and answer."""
        similar = next(row.key for row in self.world.rows if row.kind == "similar")
        question_put(
            request_id=self.request.pk,
            reviewer=factories.staff_user(),
            candidate_ids=[self.candidates()[similar].pk],
            text="Is this you?",
        )
        self.knocked()
        assert self.attacker.answer_questions(self.receipt, mine=False) == 1
        self.knocked()

    def decided(self, approve: Collection[str]) -> None:
        candidates = self.candidates()
        request_decide(
            request_id=self.request.pk,
            reviewer=factories.staff_user(),
            approve=[candidates[key].pk for key in approve],
            deny_reason="different_picture",
            statement="Only your own file goes." if approve else "Nothing goes.",
            tier="exact" if approve else None,
        )


STORIES = pytest.mark.parametrize("approve", [(APPROVED.key,), ()], ids=["approved", "denied"])


@STORIES
def test_no_value_of_a_row_that_nobody_approved_is_ever_answered(
    live: Live, approve: tuple[str, ...]
) -> None:
    for world in (ONE, OTHER):
        attacker = live(world, approve)
        assert attacker.leaked(world.marks()) == []
        assert len(attacker.heard) > 150


@STORIES
def test_two_worlds_sound_the_same(live: Live, approve: tuple[str, ...]) -> None:
    """Every answer: its status, headers, words and length; the tiles' pixels aside."""
    # How much was decided at all is told by the audit log's head in a release: no victim there.
    one, other = live(ONE, approve), live(replace(OTHER, victim=not approve), approve)
    assert [answer.what for answer in one.heard] == [answer.what for answer in other.heard]
    compared = zip(one.heard, other.heard, strict=True)
    assert [words for a, b in compared if (words := a.differs(b))] == []


def test_the_attacker_would_hear_a_leak(live: Live) -> None:
    """The search can fail: what was approved is found, in the status and in the release."""
    attacker = live(ONE, (APPROVED.key,))
    told = {"domain": shapes_of("approved.example.org")}
    told["row key"] = shapes_of(row_key("url", APPROVED.url or ""))
    assert {one.partition(" in ")[0] for one in attacker.leaked(told)} == set(told)
    [url_keys] = [one for one in attacker.heard if one.what.endswith("keys-url.parquet unpacked")]
    assert row_key("url", APPROVED.url or "") in url_keys.data


@STORIES
def test_nothing_of_the_approved_row_is_told_before_the_approval(
    live: Live, approve: tuple[str, ...]
) -> None:
    attacker = live(ONE, approve)
    marks = {
        "address": shapes_of("own.jpg"),
        "domain": shapes_of("approved.example.org"),
        "digest": shapes_of(APPROVED.sha256 or ""),
        "row key": shapes_of(row_key("url", APPROVED.url or "")),
    }
    heard = [
        one for one in attacker.heard if approve == () or b"Only your own file" not in one.data
    ]
    first = next((n for n, one in enumerate(attacker.heard) if one not in heard), len(heard))
    attacker.heard = attacker.heard[:first]
    assert len(attacker.heard) > 100
    assert attacker.leaked(marks) == []


@STORIES
def test_no_picture_but_the_attacker_s_own_and_the_tiles_of_questions(
    live: Live, approve: tuple[str, ...]
) -> None:
    """A tile comes only while it is asked about, and is 16 pixels wide at most."""
    for world in (ONE, OTHER):
        attacker = live(world, approve)
        shown = [
            (one.what, image)
            for one in attacker.heard
            if "schema" not in one.what
            for image in one.pictures()
        ]
        tiles = [image for what, image in shown if "photo" not in what]
        assert tiles
        assert all(max(tile.size) <= 16 for tile in tiles)
        assert len({tile.tobytes() for tile in tiles}) == 1
        own = [image for what, image in shown if "photo" in what]
        assert own
        assert not any(_colored(image, world.color) for image in own)
        assert _colored(Image.open(io.BytesIO(world.picture())), world.color)


def _colored(image: Image.Image, color: tuple[int, int, int]) -> bool:
    """Tell whether a picture is, on the whole, of the color of the world's rows."""
    mean = np.asarray(image.convert("RGB"), np.float64).mean(axis=(0, 1))
    return bool(np.abs(mean - np.add(color, 40)).max() < 40)


def test_a_similar_row_that_is_removed_is_one_count(live: Live) -> None:
    similar = ONE.rows[1]
    attacker = live(ONE, (APPROVED.key, similar.key))
    marks = {name: shapes for name, shapes in ONE.marks().items() if "row key" not in name}
    assert attacker.leaked(marks) == []
    told = attacker.heard_json("api status/")[-1]
    assert told["other_rows_removed"] == 1
    assert [one["kind"] for one in told["found"]] == [Kind.COPY, Kind.EXACT]
    proven = {proof["value"] for proof in attacker.heard_json("api status/proof/")[-1]["proofs"]}
    assert row_key("url", APPROVED.url or "").hex() in proven
    assert row_key("url", similar.url or "").hex() not in proven


def test_a_release_holds_approved_rows_and_no_other(live: Live) -> None:
    attacker = live(OTHER, (APPROVED.key,))
    held = [one for one in attacker.heard if "unpacked" in one.what]
    assert held
    wanted = {row_key("url", APPROVED.url or ""), row_key("sha256", APPROVED.sha256 or "")}
    listed = {one.data[-16:] for one in held if "keys-" in one.what}
    assert listed == wanted
