"""Requests and `match_images` find the same: one real index, real fingerprints, no fake."""

import io
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command
from PIL import Image, ImageOps

from catalog.models import Group
from catalog.search import match_photo
from removal.custody.content import row_opened
from removal.models import Candidate, Kind, Purpose, SearchUnit, State
from removal.search import draining, fingerprinting, matching
from tests.removal import factories
from tests.removal.factories import Case, groups_waited_for

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]


def picture(seed: int) -> Image.Image:
    """Return a smooth picture of its own, as photographs are."""
    noise = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), np.uint8)
    return Image.fromarray(noise).resize((256, 256), Image.Resampling.BICUBIC)


def as_jpeg(image: Image.Image, quality: int = 90) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


@pytest.fixture
def indexed(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(12):
        (folder / f"{seed:02}.jpg").write_bytes(as_jpeg(picture(seed)))
    call_command("add_dataset", "sample", format="images", path=str(folder))
    call_command("index_dataset", "sample")


def to_its_end(case: Case) -> None:
    """Search, then compare the best rows' pictures, then conclude."""
    for _ in range(2):
        for group_id in groups_waited_for():
            draining.group_drain(group_id)
        concluded = matching.request_conclude(case.request_id)
    assert concluded
    assert case.request.state == State.IN_REVIEW


def test_a_request_finds_what_match_images_finds(indexed: None) -> None:
    mirrored = as_jpeg(ImageOps.mirror(picture(3)).crop((8, 8, 250, 250)), 60)
    same_file = as_jpeg(picture(5))
    case = factories.received(photos=[mirrored, same_file])
    fingerprinting.request_fingerprint(case.request_id)
    to_its_end(case)
    assert SearchUnit.objects.filter(stage=SearchUnit.Stage.VERIFY, state="done").exists()

    key = case.opened().key(Purpose.CASE)
    found = {
        row.key: (candidate.kind, row.score, row.evidence)
        for candidate in Candidate.objects.all()
        for row in [row_opened(candidate, key)]
    }
    expected: dict[str, tuple[str, float, object]] = {}
    order = {Kind.EXACT: 0, Kind.COPY: 1, Kind.SIMILAR: 2}
    for photo in (mirrored, same_file):
        for match in match_photo(photo).matches:
            seen = {name: value for name, value in asdict(match.evidence).items() if name != "box"}
            fact = (match.kind, match.score, {**seen, "address": None})
            held = expected.get(match.key, fact)
            best = min(held, fact, key=lambda one: (order[Kind(one[0])], -one[1]))
            expected[match.key] = best
    assert found == expected
    assert found["05.jpg"][0] == Kind.EXACT
    assert found["03.jpg"][0] in {Kind.COPY, Kind.SIMILAR}


def test_a_damaged_index_holds_the_request_back_until_it_is_mended(indexed: None) -> None:
    case = factories.received(photos=[as_jpeg(picture(5))])
    group = Group.objects.get()
    fingerprinting.request_fingerprint(case.request_id)
    [manifest] = group.path.glob("index.json")
    whole = manifest.read_bytes()
    manifest.write_bytes(b"{}")
    assert draining.group_drain(group.pk) == []
    assert groups_waited_for() == []
    assert case.request.state == State.SEARCHING
    manifest.write_bytes(whole)
    call_command("index_dataset", "sample")
    assert groups_waited_for() == [group.pk]
    to_its_end(case)


def test_an_index_whose_disk_comes_back_is_searched_without_anybody_s_doing(indexed: None) -> None:
    case = factories.received(photos=[as_jpeg(picture(5))])
    group = Group.objects.get()
    fingerprinting.request_fingerprint(case.request_id)
    away = group.path.with_name("away")
    group.path.rename(away)
    assert draining.group_drain(group.pk) == []
    group.refresh_from_db()
    assert (group.state, group.failed_at is None) == (Group.State.FAILED, False)
    away.rename(group.path)
    case.request.units.update(lease_until=None)
    to_its_end(case)
    group.refresh_from_db()
    assert (group.state, group.failed_at) == (Group.State.READY, None)
