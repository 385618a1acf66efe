"""The main job over HTTP on the embedded service; nothing of the subject's stays behind."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from scripts.demo.pictures import altered
from scripts.downstream import held, report_read, unlist_run
from scripts.house import House
from scripts.maintainer import Maintainer
from scripts.redis_server import Overheard
from scripts.sample.dataset import Written
from scripts.sample.photos import HELD_OUT, PORTRAIT
from scripts.web import Subject, Visitor
from tests.functional.leaks import (
    NOTE,
    found_in_bytes,
    found_in_folder,
    marks_of,
    photo_marked,
)


def portrait() -> Image.Image:
    return Image.open(io.BytesIO(PORTRAIT.read())).convert("RGB")


def decide_all(house_url: str, login: tuple[str, str]) -> None:
    """Approve every exact and copy row of every waiting request; refuse where there is none."""
    maintainer = Maintainer(house_url)
    maintainer.login(*login)
    for path in maintainer.waiting():
        case = maintainer.open(path)
        for frame in case.photos:
            assert Image.open(io.BytesIO(maintainer.look(frame))).size[0] > 64
        own = [row.id for row in case.rows if row.kind != "similar"]
        maintainer.decide(
            case,
            approve=own,
            tier="exact" if own else "",
            reason="" if own else "different_picture",
            statement="",
        )
    maintainer.settle()


@pytest.fixture(scope="module")
def told(house: House, sample: Written, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Walk the whole story once; return what came out for the tests to look at."""
    folder = tmp_path_factory.mktemp("story")
    overheard = Overheard(house.data_dir / "run" / "redis.sock")
    marked = photo_marked(altered(portrait()), folder)
    subject = Subject(house.url)
    answer = subject.submit([marked.path], note=NOTE, headers=marked.headers)
    other = subject.submit([_held_out(folder)])
    status, nothing = (subject.searched(a["receipt"]) for a in (answer, other))
    decide_all(house.url, house.staff_login())
    house.manage("build_release")
    house.manage("publish_release")
    return {
        "receipt": answer["receipt"],
        "answer": answer,
        "searched": status,
        "nothing": nothing,
        "released": subject.status(answer["receipt"]),
        "proofs": subject.proofs(answer["receipt"]),
        "overheard": overheard,
        "photo": marked.path.read_bytes(),
        "folder": folder,
    }


def _held_out(folder: Path) -> Path:
    path = folder / "other.jpg"
    path.write_bytes(HELD_OUT.read())
    return path


def test_the_altered_copy_is_found_and_the_other_photo_is_not(told: dict[str, Any]) -> None:
    assert told["searched"]["state"] == "in_review"
    assert {entry["kind"] for entry in told["searched"]["found"]} <= {"exact", "copy"}
    assert sum(entry["rows"] for entry in told["searched"]["found"]) >= 1
    assert told["nothing"]["found"] == []


def test_the_status_tells_decision_and_release(told: dict[str, Any]) -> None:
    released = told["released"]
    assert released["state"] == "released"
    assert released["decision"]["outcome"] == "approved"
    assert all(entry["released_in"] == [1] for entry in released["found"])
    assert released["photos"][0]["state"] == "held"


def test_a_downstream_copy_loses_the_rows_and_nothing_else(
    told: dict[str, Any], house: House, sample: Written, tmp_path: Path
) -> None:
    root, cache, report = (tmp_path / name for name in ("root.json", "cache", "report.json"))
    root.write_text(Visitor(house.url).get("metadata/1.root.json"))
    unlist_run("pull", house.url, "--root", root, "--cache", cache)
    out = tmp_path / "out"
    unlist_run("apply", sample.folder, "--out", out, "--cache", cache, "--report", report)
    before, after = held(sample.folder), held(out)
    gone = before.urls - after.urls
    assert gone
    assert all("astronaut" in url for url in gone)
    assert before.rows - after.rows == before.pictures - after.pictures == len(gone)
    assert report_read(report)["rows_removed"] == len(gone)
    unlist_run("check", "--url", min(gone), "--cache", cache, code=10)
    unlist_run("check", "--url", min(after.urls), "--cache", cache, code=0)


def test_proofs_hold_offline_and_a_bent_one_does_not(told: dict[str, Any], tmp_path: Path) -> None:
    proofs = told["proofs"]
    assert proofs
    path = tmp_path / "proof.json"
    for proof in proofs:
        path.write_text(json.dumps(proof))
        assert "1" in unlist_run("verify-proof", path)
    bent = {**proofs[0], "value": "0" * len(proofs[0]["value"])}
    path.write_text(json.dumps(bent))
    unlist_run("verify-proof", path, code=2)


def test_release_and_audit_log_verify(told: dict[str, Any], house: House) -> None:
    house.manage("verify_release", "1")
    house.manage("verify_audit")


def test_nothing_of_the_subject_is_left_on_disk_in_logs_or_in_messages(
    told: dict[str, Any], house: House
) -> None:
    bad_input(house, told["folder"])
    marks = marks_of(told["receipt"], told["photo"])
    assert found_in_folder(house.folder, marks) == []
    messages = told["overheard"].text()
    assert "fingerprint_request" in messages
    assert found_in_bytes(messages.encode(), marks) == []
    house.stop()
    assert found_in_folder(house.folder, marks) == []


def bad_input(house: House, folder: Path) -> None:
    """Knock at each door with something that is refused, marks and all."""
    marked = photo_marked(portrait(), folder)
    whole = marked.path.read_bytes()
    subject = Subject(house.url)
    refused = [[whole[:2000]], [b""], [b"GIF89a" + whole], [b"<svg/>"], [whole] * 11]
    for number, photos in enumerate(refused):
        paths = [folder / f"{number}-{n}-{marked.path.name}" for n in range(len(photos))]
        for path, data in zip(paths, photos, strict=True):
            path.write_bytes(data)
        with pytest.raises(Exception, match="answered 4"):
            subject.submit(paths, note=NOTE, headers=marked.headers)
    with pytest.raises(Exception, match=r"answered 40[04]"):
        subject.status("AAAAA-BBBBB-CCCCC-DDDDD-EEEEE-F")
