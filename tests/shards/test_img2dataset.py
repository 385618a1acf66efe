"""img2dataset's webdataset output, healthy and damaged in every way that was thought of."""

import io
import tarfile
from collections import Counter
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from shards import NotADataset, open_dataset
from shards import reader as reader_module
from tests.shards.factories import (
    Sample,
    failed,
    picture,
    samples,
    write_dataset,
    write_shard,
    write_table,
    write_tar,
)
from tests.shards.reader_contract import ReaderContract, read_by_key

read = partial(read_by_key, form="img2dataset")


class TestContract(ReaderContract):
    format = "img2dataset"

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return write_dataset(tmp_path / "dataset")


class TestContractOnDamage(ReaderContract):
    """The books are straight on a dataset that is damaged everywhere, too."""

    format = "img2dataset"

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = write_dataset(tmp_path / "dataset", shards=3, rows=5)
        cut = folder / "00001.tar"
        cut.write_bytes(cut.read_bytes()[:-14_000])
        (folder / "00002.tar").unlink()
        return folder


def test_rows_and_members_are_joined_on_key_whatever_their_order(tmp_path: Path) -> None:
    made = samples(4)
    write_shard(tmp_path, "00000", made)
    rows, refused = read(tmp_path)
    assert refused == {}
    for index, sample in enumerate(reversed(made)):
        row = rows[sample.key]
        assert (row["index"], row["url"], row["image"]) == (index, sample.url, sample.stored)
        assert (row["sha256"], row["md5"]) == (sample.sha256, None)


def test_failed_rows_are_kept_out_with_a_count(tmp_path: Path) -> None:
    bad = [failed("7"), failed("8", "failed_to_resize"), failed("9", "who knows")]
    write_shard(tmp_path, "00000", [*samples(2), *bad])
    rows, refused = read(tmp_path)
    assert len(rows) == 2
    assert refused == {"failed_to_download": 1, "failed_to_resize": 1, "failed_otherwise": 1}


@pytest.mark.parametrize(
    ("extension", "form"), [("png", "PNG"), ("webp", "WEBP"), ("JPEG", "JPEG")]
)
def test_other_encodings_are_read(tmp_path: Path, extension: str, form: str) -> None:
    data = picture(1, form=form)
    write_shard(tmp_path, "00000", [Sample("1", data, extension=extension)])
    rows, refused = read(tmp_path)
    assert rows["1"]["image"] == data
    assert refused == {}


def test_a_failed_row_whose_image_lies_in_the_tar_is_covered(tmp_path: Path) -> None:
    write_shard(tmp_path, "00000", [Sample("1", picture(1), status="failed_to_resize")])
    rows, refused = read(tmp_path)
    assert list(rows) == ["1"]
    assert refused == {"status_contradicted": 1}


def test_a_row_without_url_is_covered_and_noted(tmp_path: Path) -> None:
    write_shard(tmp_path, "00000", [Sample("1", picture(1), url=None), *samples(1, first=2)])
    rows, refused = read(tmp_path)
    assert rows["1"]["url"] is None
    assert refused == {"url_missing": 1}


def test_digests_are_lower_case_and_malformed_ones_left_out(tmp_path: Path) -> None:
    good, bad = "AB" * 32, "xyz"
    write_shard(
        tmp_path,
        "00000",
        [Sample("1", picture(1), sha256=good), Sample("2", picture(2), sha256=bad)],
    )
    rows, refused = read(tmp_path)
    assert rows["1"]["sha256"] == good.lower()
    assert rows["2"]["sha256"] is None
    assert refused == {"digest_malformed": 1}


def test_text_that_is_no_utf8_is_not_fatal(tmp_path: Path) -> None:
    write_tar(tmp_path / "00000.tar", [Sample("1", picture(1))])
    broken = pa.array([b"caf\xe9 \xff"], pa.binary())

    def edit(table: pa.Table) -> pa.Table:
        for name in ("url", "caption"):
            text = broken.view(pa.string())
            table = table.set_column(table.column_names.index(name), name, text)
        return table

    write_table(tmp_path / "00000.parquet", [Sample("1", None)], edit)
    rows, refused = read(tmp_path)
    assert rows["1"]["url"] is None
    assert rows["1"]["caption"] == "caf\ufffd \ufffd"
    assert refused == {"url_malformed": 1}


@pytest.mark.parametrize("column", ["url", "caption", "sha256", "status"])
def test_a_missing_column_costs_what_it_held_and_no_row(tmp_path: Path, column: str) -> None:
    made = samples(3)
    write_tar(tmp_path / "00000.tar", made)
    write_table(tmp_path / "00000.parquet", made, lambda table: table.drop_columns([column]))
    rows, refused = read(tmp_path)
    assert len(rows) == 3
    assert refused == ({"url_missing": 3} if column == "url" else {})


def test_without_a_key_column_nothing_can_be_joined(tmp_path: Path) -> None:
    made = samples(3)
    write_tar(tmp_path / "00000.tar", made)
    write_table(tmp_path / "00000.parquet", made, lambda table: table.drop_columns(["key"]))
    rows, refused = read(tmp_path)
    assert rows == {}
    assert refused == {"key_column_missing": 3}
    facts = open_dataset(str(tmp_path), "img2dataset").describe()
    assert facts.refused == {"key_column_missing": 3}
    assert not any(one.available for one in facts.signals if one.name == "hash")


def test_columns_are_found_in_any_case_and_of_any_text_type(tmp_path: Path) -> None:
    made = samples(2)
    write_tar(tmp_path / "00000.tar", made)

    def edit(table: pa.Table) -> pa.Table:
        table = table.rename_columns([name.upper() for name in table.column_names])
        url = table.column("URL").dictionary_encode()
        return table.set_column(table.column_names.index("URL"), "URL", url)

    write_table(tmp_path / "00000.parquet", made, edit)
    rows, refused = read(tmp_path)
    assert {row["url"] for row in rows.values()} == {sample.url for sample in made}
    assert refused == {}


def test_keys_that_are_null_or_repeated_are_counted(tmp_path: Path) -> None:
    good = samples(2)
    write_tar(tmp_path / "00000.tar", good)
    write_table(tmp_path / "00000.parquet", [*good, Sample("", None), Sample(good[0].key, None)])
    rows, refused = read(tmp_path)
    assert set(rows) == {sample.key for sample in good}
    assert refused["key_missing"] == 1
    assert refused["key_repeated"] == 1


def test_members_without_row_and_rows_without_member_are_counted(tmp_path: Path) -> None:
    made = samples(4)
    write_tar(tmp_path / "00000.tar", made[1:])
    write_table(tmp_path / "00000.parquet", made[:3])
    rows, refused = read(tmp_path)
    assert set(rows) == {made[1].key, made[2].key}
    assert refused == {"member_without_row": 1, "image_missing": 1}


def test_the_first_of_two_images_under_one_key_is_taken(tmp_path: Path) -> None:
    first, second = Sample("1", picture(1)), Sample("1", picture(2), extension="png")
    write_tar(tmp_path / "00000.tar", [first, second])
    write_table(tmp_path / "00000.parquet", [first])
    rows, refused = read(tmp_path)
    assert rows["1"]["image"] == first.stored
    assert refused == {"member_repeated": 1}


def test_empty_and_oversized_images_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shards.webdataset.MAX_IMAGE_BYTES", 50_000)
    write_shard(
        tmp_path, "00000", [Sample("1", b""), Sample("2", bytes(50_001)), *samples(1, first=3)]
    )
    rows, refused = read(tmp_path)
    assert list(rows) == ["000000003"]
    assert refused == {"image_empty": 1, "image_too_large": 1}


def test_a_cut_tar_costs_its_tail_only(tmp_path: Path) -> None:
    made = samples(10)
    write_shard(tmp_path, "00000", made)
    tar = tmp_path / "00000.tar"
    with tarfile.open(tar) as whole:
        sixth = [member for member in whole if member.name.endswith(".jpg")][5]
    tar.write_bytes(tar.read_bytes()[: sixth.offset_data + 100])
    rows, refused = read(tmp_path)
    assert set(rows) == {sample.key for sample in made[:5]}
    assert refused == {"image_cut_short": 1, "image_missing": 4, "tar_cut_short": 1}


def test_a_damaged_header_costs_one_image(tmp_path: Path) -> None:
    made = samples(6)
    write_shard(tmp_path, "00000", made)
    tar = tmp_path / "00000.tar"
    with tarfile.open(tar) as whole:
        third = [member for member in whole if member.name.endswith(".jpg")][2]
    data = bytearray(tar.read_bytes())
    data[third.offset_data - 512 : third.offset_data] = b"\x55" * 512
    tar.write_bytes(data)
    rows, refused = read(tmp_path)
    assert set(rows) == {sample.key for sample in made} - {made[2].key}
    assert refused == {"image_missing": 1, "tar_damaged": 1}


def test_a_tar_of_rubbish_is_counted(tmp_path: Path) -> None:
    write_shard(tmp_path, "00000", samples(2))
    (tmp_path / "00000.tar").write_bytes(b"\x55" * 10_240)
    rows, refused = read(tmp_path)
    assert rows == {}
    assert refused == {"image_missing": 2, "tar_damaged": 1, "tar_cut_short": 1}


def test_a_missing_tar_is_counted(tmp_path: Path) -> None:
    write_dataset(tmp_path, shards=2, rows=3)
    (tmp_path / "00001.tar").unlink()
    rows, refused = read(tmp_path)
    assert len(rows) == 3
    assert refused == {"failed_to_download": 2, "tar_missing": 1, "image_missing": 3}


@pytest.mark.parametrize("data", [b"", b"PAR1", None])
def test_a_broken_table_costs_its_shard_only(tmp_path: Path, data: bytes | None) -> None:
    write_dataset(tmp_path, shards=2, rows=3)
    table = tmp_path / "00001.parquet"
    table.write_bytes(table.read_bytes()[:-40] if data is None else data)
    rows, refused = read(tmp_path)
    assert len(rows) == 3
    assert refused == {"failed_to_download": 1, "table_unreadable": 1}


def test_a_tar_without_a_table_is_counted(tmp_path: Path) -> None:
    write_dataset(tmp_path, shards=2, rows=3)
    (tmp_path / "00001.parquet").unlink()
    rows, refused = read(tmp_path)
    assert len(rows) == 3
    assert refused == {"failed_to_download": 1, "table_missing": 1}


def test_links_and_paths_out_of_the_tar_lead_nowhere(tmp_path: Path) -> None:
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(picture(1))
    folder = tmp_path / "dataset"
    folder.mkdir()
    with tarfile.open(folder / "00000.tar", "w") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            link = tarfile.TarInfo(f"link{kind.decode()}.jpg")
            link.type, link.linkname = kind, str(secret)
            tar.addfile(link)
        outside = tarfile.TarInfo("../outside.jpg")
        outside.size = 4
        tar.addfile(outside, io.BytesIO(b"data"))
    write_table(folder / "00000.parquet", [Sample("link1", None), Sample("link2", None)])
    rows, refused = read(folder)
    assert rows == {}
    assert refused == {"image_missing": 2, "member_without_row": 1}
    assert sorted(path.name for path in tmp_path.rglob("*.jpg")) == ["secret.jpg"]


def test_heavy_images_make_small_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shards.batches.MAX_BATCH_BYTES", 1)
    write_shard(tmp_path, "00000", samples(3))
    reader = open_dataset(str(tmp_path), "img2dataset")
    batches = list(reader.batches(reader.shards()[0], refused=Counter()))
    assert [len(batch) for batch in batches] == [1, 1, 1]
    assert reader_module.MAX_BATCH_BYTES > 1


def test_a_shard_rewritten_under_the_reader_gives_no_picture(tmp_path: Path) -> None:
    made = samples(4)
    write_shard(tmp_path, "00000", made)
    reader = open_dataset(str(tmp_path), "img2dataset")
    batch = next(iter(reader.batches(reader.shards()[0], refused=Counter())))
    last = batch.to_pylist()[-1]
    write_tar(tmp_path / "00000.tar", [Sample("x", picture(9)), *made])
    assert reader.read_image("00000", last["key"], last["index"], last["offset"]) is None
    (tmp_path / "00000.tar").unlink()
    assert reader.read_image("00000", last["key"], last["index"], last["offset"]) is None


@pytest.mark.parametrize("offset", [None, -1, 3, 10**9])
def test_an_offset_that_leads_nowhere_gives_no_picture(tmp_path: Path, offset: int | None) -> None:
    write_shard(tmp_path, "00000", samples(1))
    reader = open_dataset(str(tmp_path), "img2dataset")
    assert reader.read_image("00000", "000000000", 0, offset) is None


def test_a_folder_that_is_no_dataset_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(NotADataset, match=r"holds no \.tar shard"):
        open_dataset(str(tmp_path), "img2dataset")
    with pytest.raises(NotADataset, match="There is no folder"):
        open_dataset(str(tmp_path / "gone"), "img2dataset")
