"""Approving one copy offers the others: real indexes, real fingerprints, nothing faked but a photo.

The evaluation kit, where it is there, plants more of them among photographs.
"""

import importlib.util
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from PIL import Image, ImageOps

from catalog.models import Dataset, Group
from catalog.search import group_search
from catalog.selectors import groups_ready
from indexer.evidence.verdict import Match
from indexer.query.fingerprint import fingerprint_digests, picture_digests
from removal.custody.content import FoundRow, row_opened
from removal.custody.sealing import role_key, unwrap
from removal.models import Candidate, Errand, ErrandState, Kind, Purpose, Recipient
from removal.search import draining, errands, fingerprinting, matching
from removal.search.searching import CatalogSearcher
from tests.benchmarks.test_scoring import KIT
from tests.indexer.pictures import encoded, picture
from tests.indexer.scenes import page
from tests.removal import factories
from tests.removal.deciding import request_decide
from tests.removal.factories import Case, FakeSearcher, groups_waited_for

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.once,
    pytest.mark.usefixtures("made_secrets"),
]

PHOTOS = KIT.parent / "images"


def dataset_made(name: str, folder: Path, *, form: str = "images", encoder: str = "") -> None:
    more = {"encoder": encoder} if encoder else {}
    call_command("add_dataset", name, format=form, path=str(folder), verbosity=0, **more)
    call_command("index_dataset", name, verbosity=0)


def pictures_made(folder: Path, pictures: dict[str, bytes]) -> None:
    folder.mkdir()
    for name, data in pictures.items():
        (folder / name).write_bytes(data)


def withhold(*names: str) -> None:
    """Have datasets hold no pictures, as those that publish addresses and embeddings."""
    for dataset in Dataset.objects.filter(name__in=names):
        for signal in dataset.facts["signals"]:
            signal["available"] = signal["available"] and signal["name"] != "geometry"
        dataset.save()
        for file in Path(dataset.path).rglob("*"):
            file.unlink()


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Two datasets: the second holds the photos 3 and 4 of the first again, among others."""
    first = {f"{n:02}.jpg": encoded(picture(n), quality=92) for n in range(8)}
    first |= {f"page{n}.jpg": encoded(page(n), quality=90) for n in range(4)}
    small = picture(3).resize((200, 150), Image.Resampling.LANCZOS)
    second = {
        "small.jpg": encoded(small, quality=70),
        "mirrored.jpg": encoded(ImageOps.mirror(picture(3)), quality=85),
        "same.jpg": first["04.jpg"],
        **{f"other{n}.jpg": encoded(picture(50 + n), quality=90) for n in range(4)},
        **{f"page{n}.jpg": encoded(page(20 + n), quality=90) for n in range(4)},
    }
    pictures_made(tmp_path / "one", first)
    pictures_made(tmp_path / "two", second)
    dataset_made("one", tmp_path / "one")
    dataset_made("two", tmp_path / "two")
    return tmp_path


def row_of(photo: bytes, *, among: Iterable[str], dataset: str) -> Match:
    """Return the row of a dataset that records or stores this very file."""
    query = fingerprint_digests(picture_digests(photo))
    hits = [
        hit.to_bytes()
        for group in groups_ready([dataset])
        for hit in group_search(group, [query], top=20)
    ]
    matches = CatalogSearcher().conclude(hits, top=20, geometry={})
    return next(one for one in matches if one.key in among)


def approved(row: Match, *, seed: int = 0) -> Case:
    """Return a request of which this row was approved and whose duplicates were looked for."""
    case, searcher = factories.received(photos=[factories.photo_bytes(seed)]), FakeSearcher([row])
    fingerprinting.request_fingerprint(case.request_id, searcher=searcher)
    while waiting := groups_waited_for():
        for group in waiting:
            draining.group_drain(group, searcher=searcher)
        matching.request_conclude(case.request_id, searcher=searcher)
    [candidate] = case.candidates
    request_decide(
        request_id=case.request_id,
        reviewer=factories.staff_user(),
        approve=[candidate.pk],
        deny_reason=None,
        statement="",
        tier="exact",
    )
    return case


def searched() -> None:
    """Have the workers end every errand."""
    for _ in range(3):
        for errand in errands.errands_idle():
            assert errands.errand_advance(errand.pk)
        while waiting := errands.groups_waiting():
            for group in waiting:
                assert errands.errands_drain(group.group_id)
    assert not Errand.objects.exclude(state=ErrandState.DONE).exists()


def offers(case: Case) -> dict[str, tuple[str, FoundRow]]:
    key = unwrap(case.request_id, Purpose.CASE, Recipient.REVIEWER, role_key(Recipient.REVIEWER))
    rows = Candidate.objects.filter(request=case.request_id, offered=True)
    opened = [(one.kind, row_opened(one, key)) for one in rows]
    return {row.key: (kind, row) for kind, row in opened}


def test_the_copies_of_an_approved_row_are_offered_and_no_other_row(two: Path) -> None:
    third = row_of(encoded(picture(3), quality=92), among=["03.jpg"], dataset="one")
    fourth = row_of(encoded(picture(4), quality=92), among=["04.jpg"], dataset="one")
    assert (third.kind, fourth.kind) == ("exact", "exact")
    cases = [approved(third, seed=1), approved(fourth, seed=2)]
    searched()
    of_third, of_fourth = map(offers, cases)
    assert set(of_third) == {"small.jpg", "mirrored.jpg"}
    assert set(of_fourth) == {"same.jpg"}
    kind, same = of_fourth["same.jpg"]
    assert (kind, same.evidence["digest"], same.evidence["basis"]) == (Kind.EXACT, True, "digest")
    kind, small = of_third["small.jpg"]
    assert (kind, small.evidence["basis"], small.dataset) == (Kind.COPY, "pixels", "two")
    assert small.evidence["inliers"] > 10
    assert set(small.placements) == {0}
    assert of_third["mirrored.jpg"][1].evidence["mirrored"]


def test_without_pictures_they_are_offered_by_what_the_indexes_have(two: Path) -> None:
    third = row_of(encoded(picture(3), quality=92), among=["03.jpg"], dataset="one")
    withhold("one", "two")
    case = approved(third)
    searched()
    found = offers(case)
    assert set(found) == {"small.jpg", "mirrored.jpg"}  # the mirror image by its turned hash
    assert {row.evidence["basis"] for _, row in found.values()} == {"fingerprints"}
    assert found["small.jpg"][0] == Kind.COPY


def test_a_group_of_another_encoder_is_searched_by_hashes(two: Path) -> None:
    third = row_of(encoded(picture(3), quality=92), among=["03.jpg"], dataset="one")
    withhold("one")
    Group.objects.filter(dataset__name="two").update(encoder="another/encoder")
    case = approved(third)
    searched()
    found = offers(case)
    assert set(found) == {"small.jpg", "mirrored.jpg"}
    assert {row.evidence["cosine"] for _, row in found.values()} == {None}


def test_of_a_row_that_is_only_alike_the_copies_are_no_more_than_alike(two: Path) -> None:
    third = row_of(encoded(picture(3), quality=92), among=["03.jpg"], dataset="one")
    case = approved(replace(third, kind="similar", score=0.4))
    searched()
    assert {kind for kind, _ in offers(case).values()} == {Kind.SIMILAR}
    assert set(offers(case)) == {"small.jpg", "mirrored.jpg"}


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the evaluation kit is not here")
def test_in_the_kit_every_planted_duplicate_is_offered_and_no_other_photo(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"group_rows": 20})
    truth, queries = kit_made(tmp_path / "bench", monkeypatch)
    planted = {tuple(one["copies"]): file for file, one in truth.items() if len(one["copies"]) > 1}
    dataset_made("kit", tmp_path / "bench" / "dataset", form="img2dataset")
    assert Group.objects.count() > 1
    rows = {
        copies: row_of((queries / file).read_bytes(), among=copies, dataset="kit")
        for copies, file in planted.items()
    }
    for without in (False, True):
        if without:
            withhold("kit")
        cases = {
            copies: approved(row, seed=100 * without + at)
            for at, (copies, row) in enumerate(rows.items())
        }
        searched()
        expected = {key for copies, row in rows.items() for key in copies if key != row.key}
        found = [(key, copies) for copies, case in cases.items() for key in offers(case)]
        assert all(key in copies for key, copies in found)
        assert len(found) >= 0.95 * len(expected)
        assert len(expected) >= 5


def kit_made(out: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], Path]:
    """Make a small benchmark with many duplicates; return its queries' truth and their folder."""
    spec = importlib.util.spec_from_file_location("copybench", KIT)
    assert spec is not None
    assert spec.loader is not None
    kit = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "copybench", kit)
    spec.loader.exec_module(kit)
    monkeypatch.setattr(kit, "DUPLICATE_SHARE", 0.3)
    transforms = {name: kit.PUBLIC[name] for name in ("identical", "resize_25", "jpeg_q20")}
    truth = kit.make(PHOTOS, out, transforms, 7, 40, 6, 10, 30)
    same = {file: one for file, one in truth["queries"].items() if one["transform"] == "identical"}
    return same, out / "queries"
