"""A trial: its truth is true, and nobody plays two parts."""

import json
import tarfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.edits.combos import EDITS
from benchmarks.edits.negatives import NEGATIVES
from benchmarks.photos import Photo
from benchmarks.product import Examined, Row
from benchmarks.quality import _withheld, candidate_lines, put_back, scored
from benchmarks.quality_tasks import Task
from benchmarks.scoring import Found
from benchmarks.trial import Trial, deal
from tests.benchmarks.test_edits import picture
from tests.benchmarks.test_photos import jpeg


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Photo]:
    folder = tmp_path_factory.mktemp("pool")
    made = []
    for number in range(24):
        path = folder / f"p{number}.jpg"
        path.write_bytes(jpeg(picture(number, (200, 160))))
        made.append(Photo(f"p{number}", path, "demo", face=number % 2 == 0))
    return made


def test_nobody_plays_two_parts(photos: list[Photo]) -> None:
    parts = deal(photos, 1)
    names = [{one.name for one in part} for part in (parts.stored, parts.ground, parts.strangers)]
    assert sum(map(len, names)) == len(set().union(*names)) == 24
    for part in (parts.stored, parts.ground, parts.strangers):
        assert {one.face for one in part} == {True, False}
    assert deal(photos, 1) == parts
    assert deal(photos, 2) != parts


@pytest.fixture(scope="module")
def trial(photos: list[Photo], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trials") / "trial"
    Trial(photos, folder, seed=1, per_edit=1).write()
    return folder


def test_a_trial_is_written_with_its_truth(photos: list[Photo], trial: Path) -> None:
    stored = json.loads((trial / "truth.json").read_text())
    keys = set(stored["dataset_keys"])
    with tarfile.open(trial / "dataset" / "00000.tar") as tar:
        assert {name.removesuffix(".jpg") for name in tar.getnames() if "jpg" in name} == keys
    assert pq.read_table(trial / "dataset" / "00000.parquet").num_rows == len(keys)
    asked = stored["queries"].values()
    assert {one["transform"] for one in asked} == {"plain", *EDITS, *NEGATIVES}
    assert all(set(one["copies"]) <= keys for one in asked)
    strangers = {one.name for one in deal(photos, 1).strangers}
    for one in asked:
        if one["group"] != "negative":
            assert (one["photo"] in strangers) == (not one["copies"])
            assert not one["related"]
    assert not any(set(one["copies"]) & set(one["related"]) for one in asked)


def test_rows_that_show_the_same_ground_photo_are_related(trial: Path) -> None:
    truth = json.loads((trial / "truth.json").read_text())
    pairs = [one for one in truth["queries"].values() if one["group"] == "negative"]
    # Some three ground photos are all that the rows of framed and captioned pairs can show.
    framed = [one for one in pairs if one["transform"] == "same_frame" and one["copies"]]
    assert framed
    assert all(one["related"] for one in framed)
    assert not any(one["related"] for one in pairs if one["transform"] in {"gradients", "charts"})


def example() -> tuple[Task, list[Examined]]:
    queries = {
        "q0.jpg": {"transform": "a", "photo": "p", "face": True, "copies": ["1"]},
        "q1.jpg": {"transform": "b", "photo": "r", "face": False, "copies": []},
    }
    task = Task("quality-x", Path("nowhere"), {"queries": queries, "dataset_rows": 3})
    hit = Found("trial/1", 0.9, called=True)
    rows = (Row("trial/1", {"a": 1.0}, None), Row("trial/2", {"a": 0.0}, {"b": 2.0}))
    return task, [
        Examined("q0.jpg", None, {"pictures": (hit,), "withheld": ()}, rows, ()),
        Examined("q1.jpg", None, {"pictures": (), "withheld": (hit,)}, (), ()),
    ]


def test_modes_and_parts_are_scored_apart() -> None:
    got = scored(*example())
    assert got["pictures"]["all"]["micro_ap"] == 1
    assert got["withheld"]["all"]["micro_ap"] == 0
    assert got["withheld"]["all"]["false_copy_rate"] == 1
    assert got["pictures"]["parts"]["portraits"]["copy_recall"] == 1
    assert got["pictures"]["parts"]["photos"]["queries_without"] == 1


def test_candidates_carry_their_label() -> None:
    lines = [json.loads(line) for line in candidate_lines(*example())]
    assert [line["copy"] for line in lines] == [True, False]
    assert {line["photo"] for line in lines} == {"p"}
    assert lines[1]["pixels"] == {"b": 2.0}
    assert lines[0]["pixels"] is None


def test_a_related_row_is_neither_right_nor_wrong() -> None:
    task, examined = example()
    task.truth["queries"]["q1.jpg"]["related"] = ["1"]
    assert scored(task, examined)["withheld"]["all"]["false_copy_rate"] == 0
    assert scored(task, examined)["withheld"]["all"]["queries_without"] == 1
    task.truth["queries"]["q0.jpg"]["related"] = ["2"]
    assert len(list(candidate_lines(task, examined))) == 1


def test_withheld_pictures_come_back(tmp_path: Path) -> None:
    dataset = tmp_path / "dataset"
    dataset.mkdir()
    (dataset / "00000.tar").write_bytes(b"tar")
    (dataset / "00000.parquet").write_bytes(b"table")
    with _withheld(dataset):
        assert [path.name for path in dataset.iterdir()] == ["00000.parquet"]
    assert (dataset / "00000.tar").read_bytes() == b"tar"


def test_a_killed_run_is_put_right(tmp_path: Path) -> None:
    dataset, away = tmp_path / "dataset", tmp_path / "withheld"
    dataset.mkdir()
    away.mkdir()
    (away / "00000.tar").write_bytes(b"tar")
    put_back(dataset)
    assert (dataset / "00000.tar").read_bytes() == b"tar"
