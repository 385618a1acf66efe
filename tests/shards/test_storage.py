"""Datasets that lie in a bucket: every form, from a real S3 server, without needless transfer."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import s3fs
from moto.server import ThreadedMotoServer

from shards import NotADataset, open_dataset
from tests.shards.factories import Sample, samples, write_shard
from tests.shards.makers import MAKERS, images_within, write_clip_retrieval, write_laion
from tests.shards.reader_contract import files_in, rows_of

_BUCKET = "datasets"


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    """A bucket on a server of its own, which ``s3://`` leads to."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update(_ENVIRONMENT | {"AWS_ENDPOINT_URL": f"http://{host}:{port}"})
    try:
        s3fs.S3FileSystem.clear_instance_cache()
        filesystem = fsspec.filesystem("s3")
        filesystem.mkdir(_BUCKET)
        yield filesystem
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        s3fs.S3FileSystem.clear_instance_cache()
        server.stop()


_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ENDPOINT_URL": "",
}


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The length of every range that is asked for."""
    lengths: list[int] = []
    fetch = s3fs.core.S3File._fetch_range

    def noted(file: Any, start: int, end: int) -> Any:
        lengths.append(end - start)
        return fetch(file, start, end)

    monkeypatch.setattr(s3fs.core.S3File, "_fetch_range", noted)
    return lengths


def put(bucket: Any, folder: Path, name: str) -> str:
    for path in files_in(folder):
        bucket.pipe(f"{_BUCKET}/{name}/{path.relative_to(folder).as_posix()}", path.read_bytes())
    return f"s3://{_BUCKET}/{name}"


@pytest.mark.parametrize("form", MAKERS)
def test_a_bucket_is_read_like_a_folder(bucket: Any, tmp_path: Path, form: str) -> None:
    name, encoder, write = MAKERS[form]
    here = open_dataset(str(write(tmp_path / "dataset")), name, encoder=encoder)
    there = open_dataset(put(bucket, tmp_path / "dataset", form), name, encoder=encoder)
    assert there.describe() == here.describe()
    assert there.shards() == here.shards()
    rows = list(rows_of(here))
    assert list(rows_of(there)) == rows
    for row in rows:
        place = (row["shard"], row["key"], row["index"], row["offset"])
        assert there.read_image(*place) == row["image"]


def test_one_picture_of_a_tar_is_fetched_alone(
    bucket: Any, tmp_path: Path, fetched: list[int]
) -> None:
    write_shard(tmp_path, "00000", samples(200))
    reader = open_dataset(put(bucket, tmp_path, "large-tar"), "img2dataset")
    row = list(rows_of(reader))[150]
    fetched.clear()
    place = (row["shard"], row["key"], row["index"], row["offset"])
    assert reader.read_image(*place) == row["image"]
    assert sum(fetched) < len(row["image"]) + 4096
    assert len(fetched) <= 6


def test_a_place_that_has_moved_is_not_searched_for(
    bucket: Any, tmp_path: Path, fetched: list[int]
) -> None:
    write_shard(tmp_path, "00000", samples(50))
    reader = open_dataset(put(bucket, tmp_path, "moved-tar"), "img2dataset")
    row = next(rows_of(reader))
    fetched.clear()
    assert reader.read_image(row["shard"], row["key"], row["index"], row["offset"] + 7) is None
    assert sum(fetched) <= 1024


def test_one_picture_of_a_table_costs_its_row_group(
    bucket: Any, tmp_path: Path, fetched: list[int]
) -> None:
    heavy = [Sample(f"{n:09d}", os.urandom(200_000)) for n in range(40)]
    images_within(tmp_path, "00000", heavy)
    reader = open_dataset(put(bucket, tmp_path, "large-table"), "img2dataset")
    row = list(rows_of(reader))[25]
    fetched.clear()
    assert reader.read_image(row["shard"], row["key"], row["index"], None) == row["image"]
    assert sum(fetched) < 1_000_000


def test_a_shard_is_fetched_once(bucket: Any, tmp_path: Path, fetched: list[int]) -> None:
    write_clip_retrieval(tmp_path / "clip", rows=20_000)
    write_laion(tmp_path / "laion", rows=50_000)
    for form in ("clip-retrieval", "laion"):
        folder = tmp_path / form.split("-")[0]
        reader = open_dataset(put(bucket, folder, f"large-{form}"), form)
        shard = reader.shards()[0]
        fetched.clear()
        rows = sum(len(batch) for batch in reader.batches(shard, refused=Counter()))
        assert rows == shard.rows
        assert sum(fetched) < shard.bytes * 1.2 + 256 * 1024


def test_an_object_that_was_replaced_gives_no_wrong_picture(bucket: Any, tmp_path: Path) -> None:
    write_shard(tmp_path, "00000", samples(3))
    path = put(bucket, tmp_path, "replaced")
    reader = open_dataset(path, "img2dataset")
    before, row = reader.shards(), list(rows_of(reader))[2]
    write_shard(tmp_path, "00000", samples(3, first=100))
    fsspec.filesystem("s3", skip_instance_cache=True).pipe(
        f"{_BUCKET}/replaced/00000.tar", (tmp_path / "00000.tar").read_bytes()
    )
    assert reader.read_image(row["shard"], row["key"], row["index"], row["offset"]) is None
    again = open_dataset(path, "img2dataset")
    assert [one.identity for one in again.shards()] != [one.identity for one in before]


def test_objects_that_are_gone_are_counted(bucket: Any, tmp_path: Path) -> None:
    write_clip_retrieval(tmp_path, rows=4)
    reader = open_dataset(put(bucket, tmp_path, "gone"), "clip-retrieval")
    shard = reader.shards()[0]
    fsspec.filesystem("s3", skip_instance_cache=True).rm(f"{_BUCKET}/gone/img_emb/img_emb_0.npy")
    refused: Counter[str] = Counter()
    rows = sum(len(batch) for batch in reader.batches(shard, refused=refused))
    assert (rows, refused) == (4, {"embeddings_unreadable": 1})


def test_a_bucket_that_is_not_there_is_refused_in_a_sentence(bucket: Any) -> None:
    with pytest.raises(NotADataset, match="There is no folder s3://nowhere/x"):
        open_dataset("s3://nowhere/x", "images")


def test_a_server_that_does_not_answer_is_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in _ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        with pytest.raises(NotADataset, match=r"s3://datasets/x cannot be listed \(.+\)"):
            open_dataset("s3://datasets/x", "images")
    finally:
        s3fs.S3FileSystem.clear_instance_cache()


def test_vectors_are_the_same_from_everywhere(bucket: Any, tmp_path: Path) -> None:
    write_clip_retrieval(tmp_path, rows=7)
    reader = open_dataset(put(bucket, tmp_path, "vectors"), "clip-retrieval")
    stored = np.concatenate([np.load(tmp_path / "img_emb" / f"img_emb_{n}.npy") for n in (0, 1)])
    assert np.array_equal(np.array([row["embedding"] for row in rows_of(reader)]), stored)


@pytest.mark.parametrize(
    "path",
    [
        "http://joe:hunter2@127.0.0.1:1/laion/?sig=hunter2",
        "ftp://joe:hunter2@127.0.0.1:1/laion",
        "nope://joe:hunter2/with/slashes@host/laion",
        "zip://laion::http://joe:hunter2@127.0.0.1:1/laion.zip",
    ],
)
def test_no_refusal_repeats_the_password_of_a_url(path: str) -> None:
    """The sentence goes to logs, to the catalog and to `doctor`; so would the cause it chains."""
    with pytest.raises(NotADataset) as refused:
        open_dataset(path, "images")
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
