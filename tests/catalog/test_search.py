"""One search for requests and for ``match_images``."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from catalog.models import Dataset, Group
from catalog.pictures import row_picture, row_pictures
from catalog.search import group_search, match_photo, photo_fingerprint, rows_verify
from indexer.evidence.verdict import shortlist
from indexer.query.fingerprint import photo_probe
from indexer.storage.manifest import EncoderMismatch, GroupUnreadable
from tests.shards.factories import picture, write_tar

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parents[2]


def altered(seed: int) -> bytes:
    """A smaller, mirrored, recompressed copy of a picture of the sample."""
    image = Image.open(io.BytesIO(picture(seed)))
    out = io.BytesIO()
    image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((72, 72)).save(out, "JPEG", quality=60)
    return out.getvalue()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """An altered copy, a broken file, an empty one, a note and a hidden file."""
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    (folder / "b-copy.jpg").write_bytes(altered(2))
    (folder / "a-broken.jpg").write_bytes(picture(3)[:100])
    (folder / "c-empty.png").write_bytes(b"")
    (folder / "below" / "note.txt").write_text("no picture")
    (folder / ".hidden.jpg").write_bytes(picture(4))
    return folder


def match_images(photos: Path, output: Path, **options: Any) -> list[dict[str, Any]]:
    call_command("match_images", dataset="sample", input=photos, output=output, **options)
    return [json.loads(line) for line in output.read_text().splitlines()]


def test_a_copy_is_found_with_its_row_and_evidence(indexed: Path) -> None:
    record = match_photo(altered(2), datasets=["sample"], top=5)
    best = record.as_json("x.jpg")["matches"][0]
    assert (best["dataset"], best["key"]) == ("sample", "000000002")
    assert best["row"]["shard"] == "00000"
    assert best["url"] == "https://example.org/2.jpg"
    assert best["kind"] == "copy"
    assert 0 <= best["score"] <= 1
    assert set(best["evidence"]) == {
        *("digest", "pdq", "phash", "cosine"),
        *("inliers", "agreement", "overlap", "mirrored", "basis", "box"),
    }
    assert best["evidence"]["basis"] == "pixels"
    assert best["evidence"]["inliers"] is not None


def test_a_match_without_readable_pictures_says_that_it_rests_on_fingerprints(
    indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.search.row_pictures", lambda rows: [None for _ in rows])
    best = match_photo(altered(2), datasets=["sample"], top=5).matches[0]
    assert (best.key, best.kind) == ("000000002", "copy")
    assert (best.evidence.basis, best.evidence.inliers) == ("fingerprints", None)


def test_only_rows_whose_pictures_can_be_read_are_verified(indexed: Path) -> None:
    photo = altered(2)
    fingerprint = photo_fingerprint(photo, ["efficientnet-lite0/imagenet"])
    hits = [
        hit for group in Group.objects.all() for hit in group_search(group, [fingerprint], top=5)
    ]
    first, *_ = shortlist(hits, datasets={"sample"})
    moved = replace(first, row=replace(first.row, key="999999999", index=first.row.index + 1))
    gone = replace(first, dataset="gone")
    verified = rows_verify(photo_probe(photo), [first, moved, gone])
    assert set(verified) == {first.id}
    assert verified[first.id].mirrored


def test_a_shortlist_looks_its_dataset_up_once(
    indexed: Path, django_assert_num_queries: Callable[[int], AbstractContextManager[Any]]
) -> None:
    match = match_photo(altered(2)).matches[0]
    place = ("sample", match.shard, match.key, match.index, match.offset)
    with django_assert_num_queries(2):
        pictures = list(row_pictures([place, ("gone", *place[1:]), place, place]))
    assert pictures == [picture(2), None, picture(2), picture(2)]


def test_only_the_named_datasets_are_searched(indexed: Path) -> None:
    assert match_photo(altered(2), datasets=["other"]).matches == []
    assert match_photo(altered(2), datasets=None).matches != []


def test_lines_come_in_the_order_of_names_and_say_what_was_rejected(
    indexed: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = match_images(photos, tmp_path / "out.jsonl", top=3)
    assert [record["image"] for record in records] == [
        "a-broken.jpg",
        "b-copy.jpg",
        "below/note.txt",
        "c-empty.png",
    ]
    assert [record["status"] for record in records] == ["rejected", "ok", "rejected", "rejected"]
    for record in records:
        assert set(record) == {"image", "status", "error", "flags", "near", "matches"}
        assert (record["error"] is None) == (record["status"] == "ok")
        assert len(record["matches"]) <= 3
    assert records[1]["matches"][0]["key"] == "000000002"
    assert "4 files: 3 rejected" in capsys.readouterr().out


def test_the_output_is_written_whole_or_not_at_all(
    indexed: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "results" / "out.jsonl"
    match_images(photos, output)
    before = output.read_bytes()
    monkeypatch.setattr("catalog.search.conclude", None)
    with pytest.raises(TypeError):
        match_images(photos, output)
    assert output.read_bytes() == before
    assert [path.name for path in output.parent.iterdir()] == ["out.jsonl"]


def test_an_output_that_is_a_folder_is_refused_before_the_search(
    indexed: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.search.conclude", None)
    with pytest.raises(CommandError, match="is a folder: name the file"):
        match_images(photos, tmp_path)


def test_an_output_in_the_input_folder_is_no_photo(indexed: Path, photos: Path) -> None:
    first = match_images(photos, photos / "out.jsonl")
    assert match_images(photos, photos / "out.jsonl") == first


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"dataset": "other"}, "no dataset 'other'; known are: sample"),
        ({"input": Path("/nowhere/at/all")}, "There is no folder"),
        ({"top": 0}, "--top is 0: give a number from 1"),
        ({"workers": 0}, "--workers is 0: give a number from 1"),
        ({"output": Path("/proc/out.jsonl")}, "cannot be written"),
    ],
)
def test_bad_arguments_are_refused_in_a_sentence(
    indexed: Path, photos: Path, tmp_path: Path, change: dict[str, Any], sentence: str
) -> None:
    options = {"dataset": "sample", "input": photos, "output": tmp_path / "out.jsonl"} | change
    with pytest.raises(CommandError, match=sentence):
        call_command("match_images", **options)
    assert not (tmp_path / "out.jsonl").exists()


def test_a_folder_without_files_is_refused(indexed: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(CommandError, match="holds no file"):
        match_images(tmp_path / "nothing", tmp_path / "out.jsonl")


def test_a_dataset_that_is_not_indexed_is_refused(
    added: Path, photos: Path, tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match="run index_dataset sample first"):
        match_images(photos, tmp_path / "out.jsonl")


def test_a_group_that_cannot_be_read_is_marked_as_failed(indexed: Path) -> None:
    fingerprint = photo_fingerprint(altered(2), [Dataset.objects.get().encoder])
    group = Group.objects.get()
    (group.path / "index.json").unlink()
    with pytest.raises(GroupUnreadable):
        group_search(group, [fingerprint], top=5)
    group.refresh_from_db()
    assert group.state == Group.State.FAILED
    assert "index_dataset" in group.error
    assert match_photo(altered(2)).matches == []


def test_damage_that_shows_only_while_searching_fails_the_group(indexed: Path) -> None:
    """A page of digests is looked at when it is needed: its damage is the group's, not a crash."""
    fingerprint = photo_fingerprint(altered(2), [Dataset.objects.get().encoder])
    group = Group.objects.get()
    pages = group.path / "digest-pages.bin"
    pages.write_bytes(b"\xff" * pages.stat().st_size)
    with pytest.raises(GroupUnreadable, match="damaged"):
        group_search(group, [fingerprint], top=5)
    group.refresh_from_db()
    assert group.state == Group.State.FAILED


def test_a_search_in_an_index_that_was_replaced_meanwhile_does_not_fail_the_new_one(
    indexed: Path,
) -> None:
    fingerprint = photo_fingerprint(altered(2), [Dataset.objects.get().encoder])
    before = Group.objects.get()
    before.manifest_sha256 = "0" * 64  # as this worker read it, before the group was indexed again
    with pytest.raises(GroupUnreadable):
        group_search(before, [fingerprint], top=5)
    assert Group.objects.get().state == Group.State.READY


def test_an_index_that_was_exchanged_is_not_searched(indexed: Path) -> None:
    fingerprint = photo_fingerprint(altered(2), [Dataset.objects.get().encoder])
    Group.objects.update(manifest_sha256="0" * 64)
    with pytest.raises(GroupUnreadable, match="not the index that was recorded"):
        group_search(Group.objects.get(), [fingerprint], top=5)


def test_a_query_by_another_encoder_does_not_fail_the_group(indexed: Path) -> None:
    fingerprint = photo_fingerprint(altered(2), [])
    with pytest.raises(EncoderMismatch):
        group_search(Group.objects.get(), [fingerprint], top=5)
    assert Group.objects.get().state == Group.State.READY


def test_a_row_picture_is_read_where_it_lies(indexed: Path) -> None:
    match = match_photo(altered(2)).matches[0]
    place = (match.shard, match.key, match.index, match.offset)
    assert row_picture("sample", *place) == picture(2)
    assert row_picture("other", *place) is None
    write_tar(indexed / "00000.tar", [])
    assert row_picture("sample", *place) is None


def test_web_modules_need_neither_torch_nor_faiss() -> None:
    code = (
        "import django, sys; django.setup(); "
        "import catalog.models, catalog.selectors, catalog.pictures, catalog.admin, "
        "catalog.checks, catalog.coverage, catalog.planning; "
        "heavy = ('torch', 'faiss', 'imagehash', 'pdqhash', 'open_clip'); "
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
