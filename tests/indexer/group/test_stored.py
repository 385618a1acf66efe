"""A row of an index as a query, made of what the index has of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from indexer import PDQ_RADIUS
from indexer.evidence.hits import GroupHits
from indexer.evidence.verdict import conclude
from indexer.group.index import IndexGroup
from indexer.hashes.pdq import pdq_turned
from indexer.hashes.phash import phash_turned
from indexer.hashes.picture import hash_picture
from indexer.query.fingerprint import Fingerprint
from tests.indexer.group.test_group import ENCODER, build, stored_rows
from tests.indexer.pictures import encoded, picture, row
from unlist.keys import row_key


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> IndexGroup:
    out = tmp_path_factory.mktemp("indexes") / "7"
    rows = stored_rows()
    rows[3]["md5"] = "ab" * 16
    build(out, rows)
    return IndexGroup.open(out)


def key_of(number: int) -> np.ndarray:
    url = f"https://example.org/{number}.jpg"
    return np.frombuffer(row_key("url", url), np.uint8).reshape(1, -1)


def stored(group: IndexGroup, number: int) -> Fingerprint:
    place = group.row_at(key_of(number), "00000", number)
    assert place is not None
    made = group.stored(place)
    again = Fingerprint.from_bytes(made.to_bytes())
    assert again.digests == made.digests
    return again


def found(group: IndexGroup, query: Fingerprint) -> list[tuple[str, str]]:
    matches = conclude(group.search([query], top=20), top=20)
    return [(one.key, one.kind) for one in matches if one.kind != "similar"]


def test_a_row_is_known_by_its_place_and_a_key(group: IndexGroup) -> None:
    assert group.row_at(key_of(3), "00000", 3) == 3
    assert group.row_at(key_of(3), "00000", 4) is None
    assert group.row_at(key_of(3), "00001", 3) is None
    assert group.row_at(key_of(99), "00000", 3) is None


def test_a_stored_row_finds_itself_and_the_row_with_the_same_picture(group: IndexGroup) -> None:
    assert found(group, stored(group, 5)) == [("000000005", "copy")]
    # The 16th row stores the first one's very file; its own digest is not known by row.
    assert {key for key, _ in found(group, stored(group, 0))} == {"000000000", "000000015"}


def test_recorded_digests_are_searched_by(group: IndexGroup) -> None:
    assert [kind for kind, _ in stored(group, 3).digests] == ["sha256", "md5"]
    assert found(group, stored(group, 3)) == [("000000003", "exact")]


@pytest.mark.parametrize("number", [12, 13, 14])
def test_a_row_without_a_usable_picture_is_no_picture(group: IndexGroup, number: int) -> None:
    made = stored(group, number)
    assert not made.perceptual
    assert found(group, made) == []


@pytest.mark.parametrize("kind", ["vectors", "pdq", "phash"])
def test_a_row_of_one_kind_of_print_is_searched_by_that(tmp_path: Path, kind: str) -> None:
    hashes = hash_picture(picture(3), turned=False)
    given: Mapping[str, Any] = {
        "vectors": {"embedding": ENCODER.embed([picture(3)])[0].astype(np.float16)},
        "pdq": {"pdq": hashes.pdq[0].tobytes()},
        "phash": {"phash": int(hashes.phash[0])},
    }
    build(tmp_path / "0", [row(0, None), row(1, None, **given[kind]), row(2, None)])
    group = IndexGroup.open(tmp_path / "0")
    made = stored(group, 1)
    assert made.perceptual
    assert bool(made.views) == (kind == "vectors")
    (hits,) = group.search([made], top=5)
    assert [one.row.index for one in hits.candidates] == [1]


def test_without_embeddings_a_photo_is_searched_by_its_hashes(group: IndexGroup) -> None:
    whole = stored(group, 5)
    query = whole.without_embeddings()
    (hits,) = group.search([query], top=20)
    assert (hits.encoder, hits.views, hits.top_cosines.size) == ("", (), 0)
    assert [(one.row.key, one.pdq, one.cosines) for one in hits.candidates] == [
        ("000000005", 0, ())
    ]
    assert found(group, query) == [("000000005", "copy")]
    (again,) = [GroupHits.from_bytes(hits.to_bytes())]
    both = conclude([again, *group.search([whole], top=20)], top=5)  # of groups of two encoders
    assert both[0].key == "000000005"


@pytest.mark.parametrize("turn", [None, *Image.Transpose])
def test_turned_hashes_follow_from_one(turn: Image.Transpose | None) -> None:
    image = picture(8)
    as_it_is = hash_picture(image, turned=False)
    other = hash_picture(image if turn is None else image.transpose(turn), turned=False)
    pdq = np.bitwise_count(pdq_turned(as_it_is.pdq[0]) ^ other.pdq[0]).sum(axis=1)
    phash = np.bitwise_count(phash_turned(as_it_is.phash[0]) ^ other.phash[0])
    assert pdq.min() <= (0 if turn is None else PDQ_RADIUS)
    assert phash.min() <= (0 if turn is None else 10)
    assert np.array_equal(pdq_turned(as_it_is.pdq[0])[0], as_it_is.pdq[0])


def test_a_mirrored_row_is_found_by_the_turned_hash(tmp_path: Path) -> None:
    rows = [
        row(0, encoded(picture(3), quality=95)),
        row(1, encoded(ImageOps.mirror(picture(3)), quality=80)),
        *(row(n, encoded(picture(n + 40), quality=90)) for n in range(2, 6)),
    ]
    build(tmp_path / "0", rows)
    group = IndexGroup.open(tmp_path / "0")
    assert {key for key, _ in found(group, stored(group, 0))} == {"000000000", "000000001"}
