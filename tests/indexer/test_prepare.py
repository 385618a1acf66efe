"""Rows become what an index is built from: in order, whole, whatever some of them do."""

import hashlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from indexer.decode import decode
from indexer.hashes.picture import hash_picture
from indexer.prepare import pool as prepare_pool
from indexer.prepare.batches import Prepared, prepare
from indexer.prepare.pictures import CRASHED, Task, pictures_prepare
from indexer.prepare.pool import PicturePool, WorkerUnavailable
from indexer.storage import layout
from indexer.storage.manifest import EncoderFacts, EncoderMismatch
from tests.indexer.crashing_worker import DEADLY, ENDLESS
from tests.indexer.pictures import batch, encoded, picture, row
from tests.indexer.thumbnails import ThumbnailEncoder
from unlist.keys import row_key

ENCODER = ThumbnailEncoder()
FACTS = EncoderFacts(ENCODER.name, ENCODER.preprocessing, ENCODER.dim)


def prepared(rows: list[dict[str, Any]], workers: int = 0, **options: Any) -> list[Prepared]:
    given = {"encoder": ENCODER, "facts": FACTS, "workers": workers, **options}
    return list(prepare([batch(rows)], **given))


def one(rows: list[dict[str, Any]], **options: Any) -> Prepared:
    (only,) = prepared(rows, **options)
    return only


def stored(seed: int) -> bytes:
    return encoded(picture(seed))


def test_a_picture_gives_all_its_fingerprints() -> None:
    found = one([row(0, stored(1))])
    hashes = hash_picture(decode(stored(1)), turned=False)
    assert found.pdq.tobytes() == hashes.pdq.tobytes()
    assert found.phash.tolist() == hashes.phash.tolist()
    assert np.allclose(found.vectors, ENCODER.embed([decode(stored(1))]), atol=1e-3)
    assert found.vectors.dtype == np.float16
    sha256, md5 = (hashlib.new(name, stored(1)).hexdigest() for name in ("sha256", "md5"))
    keys = {bytes(key) for key in found.keys}
    assert {row_key("sha256", sha256), row_key("md5", md5)} < keys
    assert row_key("url", "https://example.org/0.jpg") in keys
    assert found.rows.schema == layout.ROW_SCHEMA


def test_processes_give_what_this_one_gives_in_the_same_order() -> None:
    rows = [row(n, stored(n % 7) if n % 5 else None) for n in range(300)]
    rows[17]["image"] = b"no picture at all"
    alone, spread = prepared(rows), prepared(rows, workers=3)
    assert [part.rows for part in alone] == [part.rows for part in spread]
    assert sum(part.rows.num_rows for part in alone) == 300
    for mine, theirs in zip(alone, spread, strict=True):
        assert mine.refused == theirs.refused
        for name in ("keys", "owners", "vectors", "vector_rows", "pdq", "pdq_rows", "phash"):
            assert np.array_equal(getattr(mine, name), getattr(theirs, name)), name
    assert sum((part.refused for part in spread), Counter()) == {"unknown_format": 1}


def test_what_cannot_be_used_is_counted_and_found_by_digest_alone() -> None:
    plain = encoded(picture(1).resize((1, 1)).resize((64, 64)), "PNG")
    found = one([row(0, b"no picture"), row(1, plain), row(2, stored(2))])
    assert found.refused == {"unknown_format": 1, "too_plain": 1}
    assert found.pdq_rows.tolist() == found.vector_rows.tolist() == [2]
    assert np.bincount(found.owners).tolist() == [3, 3, 3]


def test_rows_without_pictures_start_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare_pool, "_Worker", None)
    found = one([row(0, None, sha256="ab" * 32), row(1, None)], workers=2)
    assert found.owners.tolist() == [0, 1, 0]
    assert len(found.pdq) == len(found.vectors) == 0


def test_given_embeddings_are_brought_to_length_one_and_useless_ones_counted() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(0, 30, (5, FACTS.dim)).astype(np.float16)
    vectors[1], vectors[2, 7], vectors[3, 7] = 0, np.nan, np.inf
    rows = [row(n, None, embedding=vector.tolist()) for n, vector in enumerate(vectors)]
    found = one([*rows, row(5, None)], encoder=None)
    assert found.vector_rows.tolist() == [0, 4]
    assert found.refused == {"embedding_unusable": 3}
    wanted = vectors[[0, 4]].astype(np.float64)
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    assert np.allclose(found.vectors, wanted, atol=1e-3)


def test_an_embedding_of_another_dimension_is_refused_naming_both() -> None:
    with pytest.raises(EncoderMismatch, match=r"3 dimensions.*thumbnail/8 have 192"):
        one([row(0, None, embedding=[1.0, 2.0, 3.0])])


def test_a_given_embedding_is_taken_rather_than_made_again() -> None:
    own = np.zeros(FACTS.dim)
    own[3] = 2
    found = one([row(0, stored(1)), row(1, stored(2), embedding=own.tolist())])
    assert found.vector_rows.tolist() == [0, 1]
    assert found.vectors[1].astype(float).tolist() == (own / 2).tolist()


def test_recorded_hashes_stand_in_where_there_is_no_picture() -> None:
    pdq, other = bytes(range(64, 96)), bytes([0xA5] * 32)
    rows = [
        row(0, None, pdq=pdq, phash=0x0123456789ABCDEF),
        row(1, stored(1), pdq=other),
        row(2, b"damaged", pdq=other),
        row(3, None, pdq=bytes(32), phash=1 << 63),
    ]
    found = one(rows)
    own = hash_picture(decode(stored(1)), turned=False)
    assert found.pdq_rows.tolist() == [0, 1, 2]
    assert [code.tobytes() for code in found.pdq] == [pdq, own.pdq.tobytes(), other]
    assert found.phash_rows.tolist() == [0, 1]
    assert found.phash.tolist() == [0x0123456789ABCDEF, int(own.phash[0])]
    assert found.refused == {"unknown_format": 1, "hash_too_plain": 2}


def test_a_plain_picture_is_not_matched_by_what_is_recorded_of_it_either() -> None:
    plain = encoded(picture(1).resize((1, 1)).resize((64, 64)), "PNG")
    ones = [1.0] * FACTS.dim
    found = one([row(0, plain, embedding=ones, pdq=bytes([0xA5] * 32), phash=0x0123456789ABCDEF)])
    assert len(found.pdq) == len(found.phash) == len(found.vectors) == 0


def test_large_batches_are_cut_and_small_ones_kept() -> None:
    rows = [row(n, None) for n in range(20_000)]
    assert [part.rows.num_rows for part in prepared(rows)] == [16_384, 3_616]
    heavy = [row(n, b"x" * (9 << 20)) for n in range(3)]
    assert [part.rows.num_rows for part in prepared(heavy)] == [1, 1, 1]


def test_slices_of_a_batch_are_read_right() -> None:
    whole = batch([row(n, None, md5=f"{n:032X}") for n in range(10)])
    (found,) = prepare([whole.slice(4, 3)], encoder=ENCODER, facts=FACTS, workers=0)
    assert row_key("md5", f"{5:032x}") in {bytes(key) for key in found.keys}
    assert found.rows.column("key").to_pylist() == [f"{n:09d}" for n in (4, 5, 6)]


@pytest.fixture
def crashing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare_pool, "_MODULE", "tests.indexer.crashing_worker")


def test_a_picture_that_kills_the_decoder_costs_itself_alone(crashing: None) -> None:
    """A worker once took its whole batch, and the run, with it."""
    rows = [row(n, DEADLY if n in (3, 40, 41) else stored(n)) for n in range(70)]
    parts = prepared(rows, workers=2)
    assert sum((part.refused for part in parts), Counter()) == {CRASHED: 3}
    assert sum(len(part.pdq) for part in parts) == 67
    assert 3 not in parts[0].pdq_rows
    assert np.bincount(parts[0].owners).tolist() == [3] * 64
    assert [part.rows for part in parts] == [part.rows for part in prepared(rows)]


def test_a_picture_that_never_ends_is_ended(crashing: None) -> None:
    task = Task(None)
    images = pa.array([stored(1), ENDLESS, stored(2)])
    with PicturePool(task, 1, seconds=3) as pool:
        found = pool.submit(images).result()
    assert found.column("refused").to_pylist() == ["", CRASHED, ""]


def test_a_worker_killed_from_outside_costs_nothing() -> None:
    task = Task(ENCODER.input)
    images = [stored(n) for n in range(400)]
    with PicturePool(task, 1) as pool:
        first = pool.submit(pa.array(images[:1])).result()
        pending = pool.submit(pa.array(images))
        time.sleep(0.2)
        os.kill(pool.pids()[0], signal.SIGKILL)
        found = pending.result()
    assert first.num_rows == 1
    assert found == pictures_prepare(images, task)


def test_workers_that_do_not_start_are_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare_pool, "_MODULE", "tests.indexer.no_such_module")
    with pytest.raises(WorkerUnavailable, match="says why"):
        prepared([row(0, stored(1))], workers=1)


def test_an_error_in_the_reader_ends_the_workers() -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        for n in range(8):
            yield batch([row(n, stored(n))])
        raise OSError("the disk is gone")

    before = threading.active_count()
    with pytest.raises(OSError, match="the disk is gone"):
        list(prepare(broken(), encoder=ENCODER, facts=FACTS, workers=2))
    assert threading.active_count() == before


def test_it_works_from_a_thread_as_a_celery_worker_has_them() -> None:
    results: list[list[Prepared]] = []
    rows = [row(n, stored(n)) for n in range(5)]
    thread = threading.Thread(target=lambda: results.append(prepared(rows, workers=1)))
    thread.start()
    thread.join()
    assert len(results[0][0].pdq) == 5


def test_a_worker_knows_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://secret")
    with PicturePool(Task(None), 1) as pool:
        pool.submit(pa.array([stored(1)])).result()
        (pid,) = pool.pids()
        assert b"secret" not in Path(f"/proc/{pid}/environ").read_bytes()
