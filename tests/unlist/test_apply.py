"""Applying a list: rows gone from every file that held them, the rest as it was, or a clear no."""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import VECTORS
from tests.unlist.datasets import (
    BY_DIGEST,
    LISTED,
    cleaned_check,
    dataset_make,
    files_in,
    keys_of,
    members,
    sha256,
    shard_make,
    url,
)
from tests.unlist.publisher import Listed
from unlist.apply import OutRefused, apply
from unlist.blocklist import Blocklist
from unlist.files import DatasetUnreadable
from unlist.formats import DatasetRefused, NotADataset
from unlist.journal import Journal, RunMismatch
from unlist.rewrite import ShardChanged

Make = Callable[[Listed], Blocklist]
WEBDATASET = VECTORS / "formats" / "img2dataset" / "webdataset"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    dataset_make(tmp_path / "data")
    return tmp_path / "data"


def lines(files: dict[str, bytes]) -> str:
    """The digest of the report, spelled out."""
    rows = sorted(f"{n} {len(d)} {hashlib.sha256(d).hexdigest()}\n" for n, d in files.items())
    return hashlib.sha256("".join(rows).encode()).hexdigest()


@pytest.mark.parametrize("in_place", [False, True], ids=["out", "in-place"])
def test_listed_rows_are_gone(
    dataset: Path, blocklist: Make, tmp_path: Path, in_place: bool
) -> None:
    before = files_in(dataset)
    out = None if in_place else tmp_path / "clean"
    report = apply(dataset, blocklist(LISTED), out=out, report=tmp_path / "r.json")
    after = out or dataset
    cleaned_check(before, after)
    assert (report.rows_in, report.rows_removed, report.rows_out) == (60, 3, 57)
    assert [(s.name, s.rows_removed) for s in report.shards] == [
        ("00000", 2), ("00001", 0), ("00002", 1),
    ]  # fmt: skip
    assert report.input_digest == lines(before)
    assert report.output_digest == lines(files_in(after))
    written = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert (written["release"], written["rows_removed"]) == (1, 3)
    if not in_place:
        assert files_in(dataset) == before


def test_nothing_listed_leaves_every_byte(dataset: Path, blocklist: Make, tmp_path: Path) -> None:
    before = files_in(dataset)
    report = apply(dataset, blocklist({"url": ["https://other.example/"]}), out=tmp_path / "clean")
    assert files_in(tmp_path / "clean") == before
    assert report.rows_removed == 0
    assert report.input_digest == report.output_digest
    apply(dataset, blocklist({"url": []}), out=None)
    assert files_in(dataset) == before


def test_applying_twice_changes_nothing_more(dataset: Path, blocklist: Make) -> None:
    listed = blocklist(LISTED)
    first = apply(dataset, listed, out=None)
    second = apply(dataset, listed, out=None)
    assert (second.rows_in, second.rows_removed) == (57, 0)
    assert second.input_digest == second.output_digest == first.output_digest


def test_permissions_are_kept(dataset: Path, blocklist: Make, tmp_path: Path) -> None:
    (dataset / "00000.tar").chmod(0o640)
    apply(dataset, blocklist(LISTED), out=tmp_path / "clean")
    assert (tmp_path / "clean" / "00000.tar").stat().st_mode & 0o777 == 0o640


def test_rows_that_share_a_key_go_together(blocklist: Make, tmp_path: Path) -> None:
    shard_make(tmp_path / "data", "0", ["a1", "b2"])
    path = tmp_path / "data" / "0.parquet"
    rows = pq.read_table(path).to_pylist()
    rows.append({**rows[0], "url": "https://twin.example/"})
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(path)), path)
    report = apply(
        tmp_path / "data", blocklist({"url": ["https://twin.example/"]}), out=tmp_path / "clean"
    )
    assert report.rows_removed == 2
    assert {name[:2] for name in members(tmp_path / "clean" / "0.tar")} == {"a1"}


@pytest.mark.parametrize("folder", [WEBDATASET] if WEBDATASET.is_dir() else [], ids=["1.47"])
def test_what_img2dataset_wrote(folder: Path, blocklist: Make, tmp_path: Path) -> None:
    table = pq.read_table(folder / "00000.parquet").to_pylist()
    failed = next(row for row in table if row["error_message"])
    good = [row for row in table if row["status"] == "success"][:3]
    listed: Listed = {
        "url": [failed["url"], good[0]["url"]],
        "sha256": [good[1]["sha256"]],
    }
    gone = {failed["key"]} | {
        row["key"]
        for row in table
        if row["url"] in listed["url"] or row["sha256"] in listed["sha256"]
    }
    apply(folder, blocklist(listed), out=tmp_path / "clean")
    left = pq.read_table(tmp_path / "clean" / "00000.parquet").to_pylist()
    assert left == [row for row in table if row["key"] not in gone]
    kept = {n: d for n, d in members(folder / "00000.tar").items() if n.split(".")[0] not in gone}
    assert members(tmp_path / "clean" / "00000.tar") == kept
    stats = json.loads((tmp_path / "clean" / "00000_stats.json").read_text("utf-8"))
    assert stats["count"] == len(left)
    assert stats["status_dict"] == dict(
        Counter("success" if r["status"] == "success" else r["error_message"] for r in left)
    )


def laion_make(folder: Path) -> None:
    folder.mkdir()
    for part in range(3):
        urls = [f"https://p{part}.example/{n}" for n in range(500)] + [None, ""]
        columns = {"SAMPLE_ID": [float(n) for n in range(502)], ("URL", "url", "Url")[part]: urls}
        pq.write_table(pa.table(columns), folder / f"part-{part}.parquet", row_group_size=200)


def test_metadata_tables(blocklist: Make, tmp_path: Path) -> None:
    laion_make(tmp_path / "data")
    gone = [f"https://p{part}.example/{n}" for part in (0, 2) for n in (0, 250, 499)]
    report = apply(tmp_path / "data", blocklist({"url": gone}), out=tmp_path / "clean")
    assert (report.dataset_format, report.rows_in, report.rows_removed) == ("laion", 1506, 6)
    for part, column in enumerate(("URL", "url", "Url")):
        before = pq.read_table(tmp_path / "data" / f"part-{part}.parquet").to_pylist()
        after = pq.read_table(tmp_path / "clean" / f"part-{part}.parquet").to_pylist()
        assert after == [row for row in before if row[column] not in gone]
    same = [(tmp_path / d / "part-1.parquet").read_bytes() for d in ("data", "clean")]
    assert same[0] == same[1]


def test_a_single_table(blocklist: Make, tmp_path: Path) -> None:
    laion_make(tmp_path / "data")
    others = {n: d for n, d in files_in(tmp_path / "data").items() if n != "part-0.parquet"}
    listed = blocklist({"url": ["https://p0.example/7"]})
    one = tmp_path / "data" / "part-0.parquet"
    apply(one, listed, out=tmp_path / "clean")
    assert list(files_in(tmp_path / "clean")) == ["part-0.parquet"]
    apply(one, listed, out=None)
    assert pq.read_metadata(one).num_rows == 501
    assert {n: d for n, d in files_in(tmp_path / "data").items() if n != one.name} == others


def images_make(folder: Path) -> None:
    for name in ("a.jpg", "b.png", "sub/c.webp", "twin.jpg", "twin.png", "a.txt", "twin.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(f"bytes of {name}".encode())
    (folder / "sub" / "c.json").write_text("{}", "utf-8")


@pytest.mark.parametrize("in_place", [False, True], ids=["out", "in-place"])
def test_a_folder_of_images(blocklist: Make, tmp_path: Path, in_place: bool) -> None:
    images_make(tmp_path / "data")
    before = files_in(tmp_path / "data")
    listed: Listed = {
        "sha256": [hashlib.sha256(before[name]).hexdigest() for name in ("a.jpg", "twin.png")],
        "md5": [hashlib.md5(before["sub/c.webp"], usedforsecurity=False).hexdigest()],
    }
    out = None if in_place else tmp_path / "clean"
    report = apply(tmp_path / "data", blocklist(listed), out=out)
    after = files_in(out or tmp_path / "data")
    gone = {"a.jpg", "a.txt", "twin.png", "sub/c.webp", "sub/c.json"}  # twin.jpg keeps twin.txt
    assert after == {name: data for name, data in before.items() if name not in gone}
    assert (report.rows_in, report.rows_removed, report.rows_out) == (5, 3, 2)
    assert report.input_digest == lines(before)
    assert report.output_digest == lines(after)


def test_whatever_is_written_beside_an_image_goes_with_it(blocklist: Make, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in ("a.jpg", "a.TXT", "a.jpg.json", "twin.jpg", "twin.png", "twin.png.json"):
        (data / name).write_bytes(f"bytes of {name}".encode())
    (data / "twin.txt").write_text("of both")
    gone = [(data / name).read_bytes() for name in ("a.jpg", "twin.png")]
    listed: Listed = {"sha256": [hashlib.sha256(content).hexdigest() for content in gone]}
    apply(data, blocklist(listed), out=tmp_path / "clean")
    assert set(files_in(tmp_path / "clean")) == {"twin.jpg", "twin.txt"}


def cut(path: Path, left: int) -> None:
    path.write_bytes(path.read_bytes()[:left])


def untold(data: Path) -> None:
    """A tar with a sample that its table does not describe."""
    shutil.copyfile(data / "00000.tar", data / "00002.tar")


def without_column(name: str) -> Callable[[Path], None]:
    def drop(data: Path) -> None:
        table = pq.read_table(data / "00002.parquet")
        names = [n for n in table.column_names if not n.startswith(name)]
        if name == "url":
            names.remove("sha256")
        pq.write_table(table.select(names), data / "00002.parquet")

    return drop


def numbers_for_addresses(data: Path) -> None:
    table = pq.read_table(data / "00002.parquet")
    numbers = pa.array(range(table.num_rows))
    pq.write_table(
        table.set_column(table.column_names.index("url"), "url", numbers), data / "00002.parquet"
    )


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "tar cut": (lambda d: cut(d / "00002.tar", 20_000), r"00002\.tar is cut off or damaged|intact"),
    "tar empty": (lambda d: cut(d / "00002.tar", 0), r"00002\.tar is no intact tar file"),
    "table cut": (lambda d: cut(d / "00002.parquet", 900), r"00002\.parquet is no intact parquet"),
    "table gone": (lambda d: (d / "00002.parquet").unlink(), r"00002\.tar has no table beside it"),
    "no url": (without_column("url"), "no column to know rows by"),
    "no key": (without_column("key"), r"00002\.parquet has no column 'key'"),
    "numbers": (numbers_for_addresses, "int64 cannot hold a url"),
    "untold": (untold, r"no row of 00002\.parquet describes"),
    "stats": (lambda d: cut(d / "00002_stats.json", 9), r"00002_stats\.json is not JSON"),
    "link": (lambda d: (d / "more").symlink_to(d.parent), "link to a folder"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("in_place", [False, True], ids=["out", "in-place"])
def test_a_damaged_dataset_is_refused_before_a_byte_is_written(
    dataset: Path, blocklist: Make, tmp_path: Path, damage: str, in_place: bool
) -> None:
    do, words = DAMAGES[damage]
    do(dataset)
    before = {} if damage == "link" else files_in(dataset)
    out = tmp_path / "clean"
    with pytest.raises(DatasetRefused, match=words):
        apply(dataset, blocklist(LISTED), out=None if in_place else out)
    assert not out.exists()
    if before:
        assert files_in(dataset) == before


def test_what_is_no_dataset(blocklist: Make, tmp_path: Path) -> None:
    listed = blocklist(LISTED)
    with pytest.raises(DatasetUnreadable, match="no such folder or file"):
        apply(tmp_path / "absent", listed, out=tmp_path / "clean")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotADataset, match="holds no dataset"):
        apply(tmp_path / "empty", listed, out=None)
    assert list((tmp_path / "empty").iterdir()) == []


def test_an_output_folder_that_cannot_be_used(
    dataset: Path, blocklist: Make, tmp_path: Path
) -> None:
    listed = blocklist(LISTED)
    with pytest.raises(OutRefused, match="use --in-place"):
        apply(dataset, listed, out=dataset)
    for inside in (dataset / "clean", tmp_path):
        with pytest.raises(OutRefused, match="inside each other"):
            apply(dataset, listed, out=inside)
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(OutRefused, match="is a file"):
        apply(dataset, listed, out=tmp_path / "file")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("mine", "utf-8")
    with pytest.raises(OutRefused, match="is not empty"):
        apply(dataset, listed, out=tmp_path / "full")
    assert files_in(tmp_path / "full") == {"x": b"mine"}
    (tmp_path / "new").mkdir()
    assert apply(dataset, listed, out=tmp_path / "new").rows_removed == 3


def test_links_are_not_changed_in_place(dataset: Path, blocklist: Make, tmp_path: Path) -> None:
    (dataset / "00000.tar").rename(tmp_path / "blob")
    (dataset / "00000.tar").symlink_to(tmp_path / "blob")
    listed = blocklist(LISTED)
    with pytest.raises(OutRefused, match=r"00000\.tar is a link"):
        apply(dataset, listed, out=None)
    apply(dataset, listed, out=tmp_path / "clean")
    assert not (tmp_path / "clean" / "00000.tar").is_symlink()


def test_another_runs_leftovers_are_not_continued(
    dataset: Path, blocklist: Make, tmp_path: Path
) -> None:
    first = blocklist(LISTED)
    out = tmp_path / "clean"
    out.mkdir()
    Journal(out).begin({"release": 9, "dataset": "elsewhere"})
    with pytest.raises(RunMismatch, match="unfinished run of release 9 from elsewhere"):
        apply(dataset, first, out=out)
    Journal(dataset).begin({"release": 9, "dataset": "elsewhere"})
    assert apply(dataset, first, out=None).rows_removed == 3  # in place it is given up
    assert not (dataset / ".unlist-apply").exists()


def test_a_shard_that_changes_meanwhile(
    dataset: Path, blocklist: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Journal.begin

    def meddle(journal: Journal, facts: dict[str, object]) -> None:
        (dataset / "00001.tar").touch()
        real(journal, facts)

    monkeypatch.setattr(Journal, "begin", meddle)
    with pytest.raises(ShardChanged, match="00001 changed while"):
        apply(dataset, blocklist(LISTED), out=tmp_path / "clean")
    monkeypatch.undo()
    assert apply(dataset, blocklist(LISTED), out=None).rows_removed == 3


@pytest.mark.parametrize("in_place", [False, True], ids=["out", "in-place"])
def test_a_shard_put_back_after_a_kill_is_not_taken_for_done(
    dataset: Path, blocklist: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_place: bool
) -> None:
    target, listed = dataset if in_place else tmp_path / "clean", blocklist(LISTED)
    before = files_in(dataset)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("unlist.apply._report", killed)
        with pytest.raises(KeyboardInterrupt):
            apply(dataset, listed, out=None if in_place else target)
    for name in ("00000.tar", "00000.parquet", "00000_stats.json"):  # fetched again
        (target / name).write_bytes(before[name])
    with pytest.raises(RunMismatch, match=r"00000\.\w+ is not as the unfinished run left it"):
        apply(dataset, listed, out=None if in_place else target)
    shutil.rmtree(dataset / ".unlist-apply" if in_place else target)
    assert apply(dataset, listed, out=None if in_place else target).rows_removed > 0
    cleaned_check(before, target)


def test_a_digest_of_no_url_list_matches_rows_without_address(
    blocklist: Make, tmp_path: Path
) -> None:
    shard_make(tmp_path / "data", "0", keys_of(2))
    listed: Listed = {"sha256": [sha256(BY_DIGEST).upper()], "url": [url("none")]}
    assert apply(tmp_path / "data", blocklist(listed), out=tmp_path / "c").rows_removed == 1


@pytest.mark.parametrize("name", ["../victim", "/victim", "sub/../../victim", "link/victim"])
def test_a_journal_that_came_with_a_dataset_reaches_nothing_outside(
    dataset: Path, blocklist: Make, tmp_path: Path, name: str
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("somebody's", "utf-8")
    (dataset / "link").symlink_to(tmp_path)
    stage = dataset / ".unlist-apply" / "stage"
    stage.mkdir(parents=True)
    (stage / "000000").write_text("planted", "utf-8")
    away = str(victim) if name == "/victim" else name
    for planted in ({"moves": {away: "000000"}, "removals": []}, {"moves": {}, "removals": [away]}):
        entry = {"record": {"name": "x"}, **planted}
        (dataset / ".unlist-apply" / "journal.json").write_text(json.dumps(entry), "utf-8")
        with pytest.raises(RunMismatch, match="names a file outside this folder"):
            apply(dataset, blocklist(LISTED), out=None)
        assert victim.read_text("utf-8") == "somebody's"
