"""Published embeddings: joined by position, in every shape that a file of them can have."""

import io
import pickle
import zipfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shards import NotADataset, open_dataset
from shards import reader as reader_module
from tests.shards.makers import (
    DIM,
    npy_bytes,
    urls,
    vectors,
    write_clip_retrieval,
    write_datacomp,
    write_parquet,
)
from tests.shards.reader_contract import read_dataset

read = partial(read_dataset, form="clip-retrieval")


def given(rows: list[dict[str, Any]]) -> "np.ndarray[Any, Any]":
    return np.array([row["embedding"] for row in rows if row["embedding"]], np.float16)


def array_of(folder: Path) -> Path:
    return folder / "img_emb" / "img_emb_0.npy"


@pytest.mark.parametrize("dtype", ["<f2", ">f2", "<f4", ">f4", "<f8"])
def test_every_float_becomes_half_precision(tmp_path: Path, dtype: str) -> None:
    rows, refused = read(write_clip_retrieval(tmp_path, dtype=dtype))
    assert np.array_equal(given(rows), np.concatenate([vectors(5), vectors(5, seed=1)]))
    assert refused == {}
    (facts,) = open_dataset(str(tmp_path), "clip-retrieval").describe().embeddings
    assert (facts.array, facts.dim, facts.dtype, facts.used) == ("img_emb", DIM, dtype, True)


def test_a_number_beyond_half_precision_is_infinite_not_fatal(tmp_path: Path) -> None:
    write_clip_retrieval(tmp_path, dtype="<f4")
    np.save(array_of(tmp_path), np.full((5, DIM), 1e9, np.float32))
    rows, _ = read(tmp_path)
    assert np.isinf(given(rows)[:5]).all()


def test_embeddings_are_given_as_published_not_normalized(tmp_path: Path) -> None:
    write_clip_retrieval(tmp_path)
    np.save(array_of(tmp_path), 7 * vectors(5))
    assert np.linalg.norm(given(read(tmp_path)[0])[0].astype(float)) == pytest.approx(7, rel=0.01)


def test_rows_go_by_key_else_by_path_else_by_place(tmp_path: Path) -> None:
    write_clip_retrieval(tmp_path)
    assert read(tmp_path)[0][1]["key"] == "0/1"
    table = tmp_path / "metadata" / "metadata_0.parquet"
    write_parquet(table, {"image_path": ["p"] * 5, "KEY": [f"k{n}" for n in range(5)]})
    assert read(tmp_path)[0][1]["key"] == "k1"
    write_parquet(table, {"caption": ["a picture"] * 5})
    rows, refused = read(tmp_path)
    assert (rows[1]["key"], rows[1]["url"], len(rows[1]["embedding"])) == ("#1", None, DIM)
    assert refused == {"url_missing": 5}


def test_a_table_of_no_useful_column_still_has_its_embeddings(tmp_path: Path) -> None:
    write_clip_retrieval(tmp_path)
    write_parquet(tmp_path / "metadata" / "metadata_0.parquet", {"similarity": [0.3] * 5})
    rows, _ = read(tmp_path)
    assert np.array_equal(given(rows)[:5], vectors(5))
    assert [row["key"] for row in rows[:5]] == ["#0", "#1", "#2", "#3", "#4"]


@pytest.mark.parametrize("count", [4, 6])
def test_arrays_of_another_length_are_used_for_no_row(tmp_path: Path, count: int) -> None:
    write_clip_retrieval(tmp_path)
    np.save(array_of(tmp_path), vectors(count))
    rows, refused = read(tmp_path)
    assert [row["embedding"] is None for row in rows] == [True] * 5 + [False] * 5
    assert refused == {"embeddings_misaligned": 1}


def test_arrays_of_another_dimension_are_used_for_no_row(tmp_path: Path) -> None:
    write_clip_retrieval(tmp_path)
    np.save(tmp_path / "img_emb" / "img_emb_1.npy", vectors(5, dim=DIM + 1))
    rows, refused = read(tmp_path)
    assert [row["embedding"] is None for row in rows] == [False] * 5 + [True] * 5
    assert refused == {"embeddings_misaligned": 1}


def test_a_cut_array_costs_the_rows_after_the_cut(tmp_path: Path) -> None:
    write_clip_retrieval(tmp_path)
    data = array_of(tmp_path).read_bytes()
    array_of(tmp_path).write_bytes(data[: -2 * DIM * 2 - 5])
    rows, refused = read(tmp_path)
    assert [row["embedding"] is None for row in rows[:5]] == [False, False, True, True, True]
    assert np.array_equal(given(rows)[:2], vectors(5)[:2])
    assert refused == {"embedding_missing": 3}


def test_a_missing_array_and_a_missing_table_are_counted(tmp_path: Path) -> None:
    write_clip_retrieval(tmp_path)
    array_of(tmp_path).unlink()
    (tmp_path / "metadata" / "metadata_1.parquet").unlink()
    rows, refused = read(tmp_path)
    assert [row["url"] for row in rows] == urls(5)
    assert refused == {"embeddings_absent": 1, "table_missing": 1}


class _Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was opened",))


def hostile(kind: str) -> bytes:
    rows = np.arange(10.0).reshape(5, 2)
    header = b"\x93NUMPY\x01\x00"
    return {
        "pickle": pickle.dumps(_Trap()),
        "integers": npy_bytes(rows.astype(np.int32)),
        "complex": npy_bytes(rows.astype(np.complex64)),
        "one-dimensional": npy_bytes(rows.ravel()),
        "three-dimensional": npy_bytes(rows[None]),
        "column by column": npy_bytes(np.asfortranarray(rows)),
        "no numbers": npy_bytes(np.empty((5, 0))),
        "code in the header": header + b"\x40\x00" + b"__import__('os').abort()".ljust(63) + b"\n",
        "an endless header": header + b"\xff\xff" + b" " * 65535,
        "a later version": b"\x93NUMPY\x09\x00" + b"\0" * 64,
        "negative": header + b"\x76\x00" + _header("(-5, 2)"),
        "nothing": b"",
        "a zip": _zip(),
    }[kind]


def _header(shape: str) -> bytes:
    text = f"{{'descr': '<f2', 'fortran_order': False, 'shape': {shape}, }}"
    return text.encode().ljust(117) + b"\n"


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("x", "y")
    return out.getvalue()


KINDS = [
    *("pickle", "integers", "complex", "one-dimensional", "three-dimensional"),
    *("column by column", "no numbers", "code in the header", "an endless header"),
    *("a later version", "negative", "nothing", "a zip"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_table_of_floats_is_counted(tmp_path: Path, kind: str) -> None:
    write_clip_retrieval(tmp_path)
    array_of(tmp_path).write_bytes(hostile(kind))
    rows, refused = read(tmp_path)
    assert [row["embedding"] is None for row in rows] == [True] * 5 + [False] * 5
    assert refused == {"embeddings_unreadable": 1}


def test_a_pickled_array_is_never_unpickled(tmp_path: Path) -> None:
    write_clip_retrieval(tmp_path)
    with array_of(tmp_path).open("wb") as file:
        np.lib.format.write_array(file, np.array([[None] * 2] * 5, object), allow_pickle=True)
    assert read(tmp_path)[1] == {"embeddings_unreadable": 1}


def test_large_embeddings_make_small_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shards.embedded.MAX_BATCH_BYTES", 8 * DIM * 2)
    folder = write_clip_retrieval(tmp_path)
    reader = open_dataset(str(folder), "clip-retrieval")
    batches = list(reader.batches(reader.shards()[0], refused=Counter()))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert reader_module.MAX_BATCH_BYTES > 1000


def test_partitions_are_paired_by_number_whatever_their_folders(tmp_path: Path) -> None:
    for name in ("2B-en/img_emb/img_emb_0007", "multi/img_emb/img_emb_0007"):
        (tmp_path / name).parent.mkdir(parents=True)
        np.save(tmp_path / f"{name}.npy", vectors(3))
    for name in ("2B-en/laion-metadata/metadata_0007", "multi/meta/metadata_0007"):
        write_parquet(tmp_path / f"{name}.parquet", {"url": urls(3)})
    reader = open_dataset(str(tmp_path), "clip-retrieval")
    assert [shard.name for shard in reader.shards()] == ["2B-en/0007", "multi/0007"]
    rows, refused = read(tmp_path)
    assert (len(given(rows)), refused) == (6, {})


def test_two_arrays_of_one_number_are_refused(tmp_path: Path) -> None:
    write_clip_retrieval(tmp_path)
    (tmp_path / "more").mkdir()
    np.save(tmp_path / "more" / "img_emb_0.npy", vectors(3))
    with pytest.raises(NotADataset, match="name the same shard"):
        open_dataset(str(tmp_path), "clip-retrieval")


def test_a_folder_without_arrays_is_refused_in_a_sentence(tmp_path: Path) -> None:
    write_parquet(tmp_path / "metadata" / "metadata_0.parquet", {"url": urls(3)})
    with pytest.raises(NotADataset, match=r"no img_emb_0\.npy.*format laion"):
        open_dataset(str(tmp_path), "clip-retrieval")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(("encoder", "dim"), [("ViT-L-14/openai", 12), ("ViT-B-32/openai", 8)])
def test_datacomps_encoder_picks_the_array(
    tmp_path: Path, save: Any, encoder: str, dim: int
) -> None:
    write_datacomp(tmp_path, save=save)
    rows, refused = read_dataset(tmp_path, "datacomp", encoder=encoder)
    expected = [vectors(5, dim=dim, seed=shard + dim) for shard in range(2)]
    assert np.array_equal(given(rows), np.concatenate(expected))
    assert refused == {}
    assert rows[1]["key"] == f"{1:032x}"


def test_datacomp_says_which_encoders_it_is_of(tmp_path: Path) -> None:
    facts = open_dataset(str(write_datacomp(tmp_path)), "datacomp", encoder="a/b").describe()
    assert [(one.array, one.encoder, one.used) for one in facts.embeddings] == [
        ("b32_img", "ViT-B-32/openai", False),
        ("l14_img", "ViT-L-14/openai", False),
    ]
    embedding = facts.signals[2]
    assert not embedding.available
    assert "give ViT-B-32/openai for b32_img or ViT-L-14/openai for l14_img" in embedding.reason
    rows, _ = read_dataset(tmp_path, "datacomp", encoder="a/b")
    assert all(row["embedding"] is None for row in rows)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_member_costs_the_rows_after_the_damage(tmp_path: Path, save: Any) -> None:
    write_datacomp(tmp_path, rows=5000, save=save)
    path = tmp_path / f"{0:032x}.npz"
    with zipfile.ZipFile(path) as npz:
        member = npz.getinfo("l14_img.npy")
    data = bytearray(path.read_bytes())
    middle = member.header_offset + member.compress_size // 2
    data[middle : middle + 64] = b"\x55" * 64
    path.write_bytes(data)
    reader = open_dataset(str(tmp_path), "datacomp", encoder="ViT-L-14/openai")
    refused: Counter[str] = Counter()
    shard = reader.shards()[0]
    batches = list(reader.batches(shard, rows=500, refused=refused))
    assert sum(len(batch) for batch in batches) == 5000
    assert set(refused) == {"embedding_missing"}
    assert 0 < refused["embedding_missing"] < 5000


def test_an_npz_that_is_none_is_counted(tmp_path: Path) -> None:
    write_datacomp(tmp_path)
    (tmp_path / f"{0:032x}.npz").write_bytes(b"no zip")
    rows, refused = read_dataset(tmp_path, "datacomp", encoder="ViT-L-14/openai")
    assert (len(rows), len(given(rows))) == (10, 5)
    assert refused == {"embeddings_unreadable": 1}


def test_an_npz_without_the_array_is_counted(tmp_path: Path) -> None:
    write_datacomp(tmp_path)
    np.savez(tmp_path / f"{1:032x}.npz", b32_img=vectors(5, dim=8))
    _, refused = read_dataset(tmp_path, "datacomp", encoder="ViT-L-14/openai")
    assert refused == {"embeddings_unreadable": 1}


def test_subsets_beside_the_tables_are_no_shards(tmp_path: Path) -> None:
    reader = open_dataset(str(write_datacomp(tmp_path)), "datacomp")
    assert len(reader.shards()) == 2


def test_a_header_that_claims_gigabytes_is_not_read(tmp_path: Path) -> None:
    """In a zip they would cost their maker some megabytes, and their reader all its memory."""
    header = b"{'descr': '<f2', 'fortran_order': False, 'shape': (5, 4), }".ljust(70_000) + b"\n"
    size = len(header).to_bytes(4, "little")
    write_clip_retrieval(tmp_path)
    array_of(tmp_path).write_bytes(b"\x93NUMPY\x02\x00" + size + header + bytes(40))
    assert read(tmp_path)[1]["embeddings_unreadable"] == 1


def test_an_npz_is_unpacked_only_if_numpy_can_have_packed_it(tmp_path: Path) -> None:
    """LZMA takes as much memory as the file says, and fails with errors of its own."""
    write_datacomp(tmp_path)
    archive = next(tmp_path.rglob("*.npz"))
    with zipfile.ZipFile(archive) as before:
        members = {name: before.read(name) for name in before.namelist()}
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_LZMA) as after:
        for name, data in members.items():
            after.writestr(name, data)
    _, refused = read_dataset(tmp_path, "datacomp", encoder="ViT-L-14/openai")
    assert refused["embeddings_unreadable"] == 1
