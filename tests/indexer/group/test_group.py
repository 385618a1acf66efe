"""Building an index and searching it, with real hashes and the simple encoder."""

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from PIL import Image, ImageOps

from indexer.evidence.hits import GroupHits
from indexer.evidence.verdict import Match, conclude
from indexer.group.build import build_group
from indexer.group.index import IndexGroup
from indexer.prepare.batches import Prepared, prepare
from indexer.query.fingerprint import Fingerprint, fingerprint_photo, fingerprint_url
from indexer.storage.manifest import (
    MANIFEST_FILE,
    Counts,
    EncoderFacts,
    EncoderMismatch,
    GroupManifest,
    GroupUnreadable,
)
from tests.indexer.pictures import batch, encoded, picture, row
from tests.indexer.thumbnails import ThumbnailEncoder
from unlist.keys import row_key
from unlist.keyset import KeySet, as_keys, sorted_unique

ENCODER = ThumbnailEncoder()
FACTS = EncoderFacts(ENCODER.name, ENCODER.preprocessing, ENCODER.dim)
PHOTOS = 12


def stored_rows() -> list[dict[str, Any]]:
    rows = [row(number, encoded(picture(number), quality=95)) for number in range(PHOTOS)]
    rows[3]["sha256"] = hashlib.sha256(b"the download").hexdigest()
    rows[4]["url"] = None
    rows[5]["offset"] = 512
    rows += [
        row(PHOTOS, b"no picture"),
        row(PHOTOS + 1, encoded(Image.new("RGB", (200, 200)))),
        row(PHOTOS + 2, None),
        row(PHOTOS + 3, rows[0]["image"]),
    ]
    return rows


def build(
    out: Path,
    rows: list[dict[str, Any]],
    *,
    refused: Counter[str] | None = None,
    at_once: int = 5,
    **options: Any,
) -> GroupManifest:
    parts = [batch(rows[i : i + at_once]) for i in range(0, len(rows), at_once)]
    return build_group(
        out,
        prepare(parts, encoder=ENCODER, facts=FACTS, workers=0),
        encoder=FACTS,
        dataset="tiny",
        group=7,
        shards=[{"name": "00000", "rows": len(rows)}],
        refused=Counter() if refused is None else refused,
        progress=lambda _: None,
        **options,
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("indexes") / "7"
    build(out, stored_rows())
    return out


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def photo(image: Image.Image, **options: Any) -> Fingerprint:
    return fingerprint_photo(encoded(image, **options), [ENCODER])


def matches(path: Path, query: Fingerprint) -> list[Match]:
    return conclude(IndexGroup.open(path).search([query], top=20), top=20)


def test_the_manifest_tells_what_is_in_the_index(tmp_path: Path) -> None:
    refused = Counter({"failed_to_download": 2})
    done: list[int] = []
    rows = stored_rows()
    parts = [batch(rows[:5]), batch(rows[5:])]
    manifest = build_group(
        tmp_path / "7",
        prepare(parts, encoder=ENCODER, facts=FACTS, workers=0),
        encoder=FACTS,
        dataset="tiny",
        group=7,
        shards=[{"name": "00000"}],
        refused=refused,
        progress=done.append,
    )
    assert (manifest.dataset, manifest.group) == ("tiny", 7)
    pictured = PHOTOS + 1
    assert manifest.counts == Counts(len(rows), vectors=pictured, pdq=pictured, phash=pictured)
    assert (manifest.rows, manifest.search) == (len(rows), None)
    assert refused == {"failed_to_download": 2, "unknown_format": 1, "too_plain": 1}
    assert manifest.refused == dict(refused)
    assert manifest.encoder.name == ENCODER.name
    assert manifest.shards == ({"name": "00000"},)
    assert sum(done) == len(rows)
    group = IndexGroup.open(tmp_path / "7")
    assert group.manifest == manifest
    group.verify()
    assert {file.name for file in manifest.files} | {MANIFEST_FILE} == set(names(tmp_path / "7"))
    assert names(tmp_path) == ["7"]
    assert (
        manifest.sha256 == hashlib.sha256((tmp_path / "7" / MANIFEST_FILE).read_bytes()).hexdigest()
    )


def test_nothing_in_an_index_is_a_pickle(built: Path) -> None:
    for path in built.glob("*.npy"):
        assert np.load(path, allow_pickle=False).dtype.kind in "iu"
    json.loads((built / MANIFEST_FILE).read_text())


def test_the_stored_file_is_exact_in_every_row_that_has_it(built: Path) -> None:
    stored = fingerprint_photo(stored_rows()[0]["image"], [ENCODER])
    found = matches(built, stored)
    assert {(match.key, match.kind, match.score) for match in found[:2]} == {
        ("000000000", "exact", 1.0),
        (f"{PHOTOS + 3:09d}", "exact", 1.0),
    }
    assert found[0].evidence.digest
    assert found[0].evidence.pdq == found[0].evidence.phash == 0
    assert matches(built, fingerprint_url("https://example.org/nothing")) == []


@pytest.mark.parametrize("offset", [0, 3])
def test_every_row_of_a_long_batch_is_found_by_its_recorded_digest(
    tmp_path: Path, offset: int
) -> None:
    """Digests of rows behind the first 32 were lost once: pyarrow misread slices of the batch."""
    downloads = [f"download {number}".encode() for number in range(80)]
    digests = [hashlib.sha256(download).hexdigest() for download in downloads]
    rows = [row(number, None, sha256=digest) for number, digest in enumerate(digests)]
    long = batch(rows)
    parts = [long.slice(0, offset), long.slice(offset)]
    build_group(
        tmp_path / "7",
        prepare(parts, encoder=ENCODER, facts=FACTS, workers=0),
        encoder=FACTS,
        dataset="tiny",
        group=7,
        shards=[],
        refused=Counter(),
        progress=lambda _: None,
    )
    group = IndexGroup.open(tmp_path / "7")
    queries = [
        replace(fingerprint_url(""), digests=(("sha256", row_key("sha256", digest)),))
        for digest in digests
    ]
    found = [conclude([hits], top=5) for hits in group.search(queries, top=5)]
    assert [[match.index for match in matched] for matched in found] == [[n] for n in range(80)]


@pytest.mark.parametrize("number", [2, PHOTOS, PHOTOS + 1, PHOTOS + 2])
def test_a_url_finds_its_row_with_or_without_a_picture(built: Path, number: int) -> None:
    (found,) = matches(built, fingerprint_url(f"https://example.org/{number}.jpg"))
    assert (found.key, found.index, found.kind) == (f"{number:09d}", number, "exact")
    assert found.evidence.cosine is None


def test_a_match_carries_its_row(built: Path) -> None:
    found = matches(built, photo(picture(5), quality=40))[0]
    assert (found.dataset, found.group, found.shard, found.index) == ("tiny", 7, "00000", 5)
    assert (found.url, found.offset) == ("https://example.org/5.jpg", 512)
    assert matches(built, photo(picture(4), quality=40))[0].url is None


@pytest.mark.parametrize(
    "alter",
    [
        lambda image: image.resize((160, 120)),
        lambda image: ImageOps.grayscale(image).convert("RGB"),
        ImageOps.mirror,
        lambda image: image.rotate(90, expand=True),
        lambda image: ImageOps.expand(image, 60, "white"),
    ],
    ids=["resized", "grey", "mirrored", "turned", "framed"],
)
def test_an_altered_photo_is_a_copy_of_its_row_alone(built: Path, alter: Any) -> None:
    found = matches(built, photo(alter(picture(6)), quality=60))
    assert [match.key for match in found if match.kind == "copy"] == ["000000006"]
    assert found[0].key == "000000006"
    assert found[0].score > 0.99


def test_a_stranger_is_no_copy(built: Path) -> None:
    assert [match for match in matches(built, photo(picture(99))) if match.kind != "similar"] == []


def test_black_frames_match_by_digest_alone(built: Path) -> None:
    plain = Image.new("RGB", (200, 200))
    assert matches(built, photo(plain, quality=50)) == []
    (found,) = matches(built, photo(plain))
    assert (found.index, found.kind) == (PHOTOS + 1, "exact")


def test_a_batch_of_queries_is_answered_as_each_alone(built: Path) -> None:
    group = IndexGroup.open(built)
    queries = [
        photo(picture(1), quality=30),
        fingerprint_url("https://example.org/2.jpg"),
        photo(Image.new("RGB", (64, 64))),
        photo(picture(50)),
        photo(ImageOps.mirror(picture(3))),
    ]
    together = group.search(queries, top=5)
    alone = [group.search([query], top=5)[0] for query in queries]
    assert [hits.to_bytes() for hits in together] == [hits.to_bytes() for hits in alone]
    assert group.search([], top=5) == []


@pytest.fixture(scope="module")
def placeholders(tmp_path_factory: pytest.TempPathFactory) -> IndexGroup:
    """Of twelve rows ten show one picture, ever more compressed; the sixth holds the query's."""
    shown = [encoded(picture(0), quality=95 - 9 * number) for number in range(10)]
    pictures = [*shown[:5], encoded(picture(0), quality=80), *shown[6:]]
    pictures += [encoded(picture(number)) for number in (1, 2)]
    out = tmp_path_factory.mktemp("placeholders") / "7"
    build(out, [row(number, data) for number, data in enumerate(pictures)])
    return IndexGroup.open(out)


def test_of_too_many_near_rows_the_nearest_are_measured_and_all_counted(
    placeholders: IndexGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = photo(picture(0), quality=80)
    [everything] = placeholders.search([query], top=1)
    assert everything.near == 10
    monkeypatch.setattr("indexer.group.index.MOST_NEAR", 4)
    [bounded] = placeholders.search([query], top=1)
    assert bounded.near == 10
    kept = {one.row.index for one in bounded.candidates}
    assert 5 in kept  # the digest's row
    by_distance = sorted(
        (one for one in everything.candidates if one.row.index < 10),
        key=lambda one: (not one.digest, one.pdq, one.phash, one.row.index),
    )
    assert {one.row.index for one in by_distance[:4]} <= kept
    assert len(kept) < len(everything.candidates)
    same = {one.row.index: one for one in everything.candidates}
    assert all(same[one.row.index] == one for one in bounded.candidates)


def test_as_many_near_rows_as_are_asked_for_are_measured(
    placeholders: IndexGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.group.index.MOST_NEAR", 4)
    [hits] = placeholders.search([photo(picture(0), quality=80)], top=10)
    assert {one.row.index for one in hits.candidates} >= set(range(10))


def test_hits_survive_the_way_through_bytes(built: Path) -> None:
    (hits,) = IndexGroup.open(built).search([photo(picture(1))], top=5)
    other = GroupHits.from_bytes(hits.to_bytes())
    assert other.candidates == hits.candidates
    assert other.to_bytes() == hits.to_bytes()


def test_two_groups_are_concluded_as_one(tmp_path: Path) -> None:
    rows = stored_rows()
    build(tmp_path / "whole", rows)
    build(tmp_path / "a", rows[:7])
    build(tmp_path / "b", rows[7:])
    query = photo(picture(8), quality=30)
    hits = {
        name: IndexGroup.open(tmp_path / name).search([query], top=20)[0]
        for name in ("whole", "a", "b")
    }
    whole = conclude([hits["whole"]], top=20)
    assert conclude([hits["a"], hits["b"]], top=20) == whole
    assert conclude([hits["b"], hits["a"]], top=20) == whole
    assert whole[0].key == "000000008"


def test_an_index_of_another_encoder_refuses_the_query_by_name(built: Path) -> None:
    other = fingerprint_photo(encoded(picture(1)), [ThumbnailEncoder("other/8")])
    with pytest.raises(EncoderMismatch, match=r"thumbnail/8.*other/8"):
        IndexGroup.open(built).search([other], top=5)


def test_an_index_of_another_version_of_the_encoder_refuses_the_query(built: Path) -> None:
    newer = ThumbnailEncoder()
    newer.preprocessing = "another way"
    query = fingerprint_photo(encoded(picture(1)), [newer])
    with pytest.raises(EncoderMismatch, match=r"another version.*index_dataset"):
        IndexGroup.open(built).search([query], top=5)


def test_an_empty_group_can_be_searched(tmp_path: Path) -> None:
    assert build(tmp_path / "0", []).rows == 0
    assert matches(tmp_path / "0", photo(picture(1))) == []
    build(tmp_path / "1", [row(0, None)])
    assert matches(tmp_path / "1", photo(picture(1))) == []


def test_vectors_are_a_faiss_index_of_the_encoders(built: Path) -> None:
    index = faiss.read_index(str(built / "vectors.faiss"))
    assert isinstance(index, faiss.IndexScalarQuantizer)
    stored = index.reconstruct_n(0, PHOTOS)
    images = [Image.open(io.BytesIO(r["image"])) for r in stored_rows()[:PHOTOS]]
    assert np.allclose(stored, ENCODER.embed(images), atol=1e-3)


def test_a_group_of_one_kind_of_print_is_searched_by_that(tmp_path: Path) -> None:
    """Embeddings alone as LAION publishes them, hashes alone as COYO does, and nothing at all."""
    image = picture(3)
    query = photo(image)
    assert query.pdq is not None
    assert query.phash is not None
    vector = ENCODER.embed([image])[0].astype(np.float16)
    for name, given in {
        "vectors": {"embedding": vector},
        "phash": {"phash": int(query.phash[0])},
        "pdq": {"pdq": query.pdq[0].tobytes()},
        "none": {},
    }.items():
        rows = [row(0, None), row(1, None, **given), row(2, None)]
        counts = build(tmp_path / name, rows).counts
        assert counts == Counts(3, **{kind: kind == name for kind in ("vectors", "pdq", "phash")})
        (hits,) = IndexGroup.open(tmp_path / name).search([query], top=5)
        if name == "none":
            assert hits.candidates == ()
            continue
        (found,) = hits.candidates
        assert found.row.index == 1
        assert (found.pdq, found.phash) == (
            0 if name == "pdq" else None,
            0 if name == "phash" else None,
        )
        assert bool(found.cosines) == (name == "vectors")


def test_a_removed_row_is_found_by_nothing(built: Path) -> None:
    group = IndexGroup.open(built)
    stored = fingerprint_photo(stored_rows()[0]["image"], [ENCODER])
    gone = group.rows_of(np.frombuffer(stored.digests[0][1], np.uint8).reshape(1, 16))
    assert gone.tolist() == [0, PHOTOS + 3]
    for removed in ([0], [0, PHOTOS + 3], range(PHOTOS + 4)):
        queries = [stored, fingerprint_url("https://example.org/0.jpg"), photo(picture(5))]
        found = group.search(queries, top=20, removed=np.array(removed, np.uint32))
        kept = set(range(PHOTOS + 4)) - set(removed)
        for hits in found:
            assert {one.row.index for one in hits.candidates} <= kept
        assert len(found[0].candidates) > 0 or not kept
        assert len(found[0].top_cosines[0]) == len(kept & {*range(PHOTOS), PHOTOS + 3})


def test_a_group_with_lists_answers_a_batch_as_each_alone(tmp_path: Path) -> None:
    rows = [row(number, encoded(picture(number))) for number in range(40)]
    rows += [row(number, None, embedding=noise(number)) for number in range(40, 3000)]
    manifest = build(tmp_path / "7", rows, at_once=1000, lists_from=1000)
    assert manifest.search is not None
    assert manifest.search.recall >= 0.995
    group = IndexGroup.open(tmp_path / "7")
    queries = [photo(picture(number), quality=30) for number in range(0, 40, 3)]
    together = group.search(queries, top=5)
    alone = [group.search([query], top=5)[0] for query in queries]
    assert [hits.to_bytes() for hits in together] == [hits.to_bytes() for hits in alone]
    best = [conclude([hits], top=1)[0].index for hits in together]
    assert best == list(range(0, 40, 3))


def noise(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(ENCODER.dim) / np.sqrt(np.arange(1, ENCODER.dim + 1))
    return (values / np.linalg.norm(values)).astype(np.float16)


def test_rows_are_known_by_few_keys_and_by_many(built: Path) -> None:
    group = IndexGroup.open(built)
    keys = np.frombuffer(
        b"".join(row_key("url", f"https://example.org/{n}.jpg") for n in (7, 2, 99)), np.uint8
    ).reshape(-1, 16)
    assert group.rows_of(keys).tolist() == [2, 7]
    assert group.rows_listed(KeySet(sorted_unique(as_keys(keys)))).tolist() == [2, 7]


# --- damage -------------------------------------------------------------------


def test_a_missing_index_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(GroupUnreadable, match="index_dataset"):
        IndexGroup.open(tmp_path / "nowhere")


@pytest.mark.parametrize("hurt", ["gone", "short", "long"])
def test_a_damaged_file_is_seen_on_opening(tmp_path: Path, hurt: str) -> None:
    manifest = build(tmp_path / "7", stored_rows())
    for file in manifest.files:
        path = tmp_path / "7" / file.name
        content = path.read_bytes()
        if hurt == "gone":
            path.unlink()
        else:
            path.write_bytes(content[:-1] if hurt == "short" else content + b"\0")
        with pytest.raises(GroupUnreadable, match="damaged"):
            IndexGroup.open(tmp_path / "7")
        path.write_bytes(content)
    IndexGroup.open(tmp_path / "7").verify()


def test_a_flipped_bit_is_seen_by_verify(tmp_path: Path) -> None:
    manifest = build(tmp_path / "7", stored_rows())
    for file in manifest.files:
        path = tmp_path / "7" / file.name
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(GroupUnreadable, match=r"damaged|belong together"):
            IndexGroup.open(tmp_path / "7").verify()
        path.write_bytes(content)


def test_scrambled_headers_are_unreadable_not_a_crash(tmp_path: Path) -> None:
    manifest = build(tmp_path / "7", stored_rows())
    for file in manifest.files:
        path = tmp_path / "7" / file.name
        if path.suffix == ".bin":
            continue  # has no header
        content = path.read_bytes()
        # An Arrow file is read from its end, the others from their beginning.
        arrow = path.suffix == ".arrow"
        path.write_bytes(content[:-64] + bytes(64) if arrow else bytes(64) + content[64:])
        with pytest.raises(GroupUnreadable):
            IndexGroup.open(tmp_path / "7")
        path.write_bytes(content)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 1},
        {"counts": {"rows": 1, "vectors": 1, "pdq": 1, "phash": 1}},
        {"counts": {"rows": 1}},
        {"search": {"probes": 1}},
        {"encoder": {"name": "thumbnail/8", "preprocessing": "", "dim": 7}},
        {"files": [{"name": "../x"}]},
        None,
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    tmp_path: Path, change: dict[str, Any] | None
) -> None:
    build(tmp_path / "7", stored_rows())
    path = tmp_path / "7" / MANIFEST_FILE
    facts = json.loads(path.read_text())
    path.write_text("{" if change is None else json.dumps(facts | change))
    with pytest.raises(GroupUnreadable, match="index_dataset again"):
        IndexGroup.open(tmp_path / "7")


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def failing() -> Iterator[Prepared]:
        yield from prepare([batch(stored_rows())], encoder=ENCODER, facts=FACTS, workers=0)
        raise OSError("the disk went away")

    with pytest.raises(OSError, match="disk"):
        build_group(
            tmp_path / "7",
            failing(),
            encoder=FACTS,
            dataset="tiny",
            group=7,
            shards=[],
            refused=Counter(),
            progress=lambda _: None,
        )
    assert names(tmp_path) == []


def test_what_a_killed_build_left_is_cleared_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / ".7.killed"
    left.mkdir()
    (left / "rows.arrow").write_bytes(b"half")
    other = tmp_path / ".17.other"
    other.mkdir()
    build(tmp_path / "7", stored_rows())
    assert names(tmp_path) == [".17.other", "7"]


def test_an_open_group_outlives_its_replacement(tmp_path: Path) -> None:
    build(tmp_path / "7", stored_rows())
    old = IndexGroup.open(tmp_path / "7")
    build(tmp_path / "7", stored_rows()[:3])
    assert conclude(old.search([photo(picture(6))], top=5), top=5)[0].key == "000000006"
    assert IndexGroup.open(tmp_path / "7").manifest.rows == 3
    assert names(tmp_path) == ["7"]
