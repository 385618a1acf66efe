import hashlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from indexer.decode import ImageRefused
from indexer.query.fingerprint import Fingerprint, fingerprint_photo, fingerprint_url
from indexer.wire import WireInvalid, pack
from tests.indexer.pictures import encoded, picture
from tests.indexer.thumbnails import ThumbnailEncoder
from unlist.keys import row_key

ENCODERS = [ThumbnailEncoder(), ThumbnailEncoder("other/8")]


def test_a_photo_gives_everything_it_is_searched_by() -> None:
    data = encoded(picture(1))
    found = fingerprint_photo(data, ENCODERS)
    assert dict(found.digests) == {
        "sha256": row_key("sha256", hashlib.sha256(data).hexdigest()),
        "md5": row_key("md5", hashlib.md5(data, usedforsecurity=False).hexdigest()),
    }
    assert found.pdq is not None
    assert found.phash is not None
    assert found.pdq.shape == (len(found.phash), 32)
    assert len(found.phash) % 8 == 0
    assert found.pdq_quality >= 50
    assert found.flags == ()
    assert found.perceptual
    for encoder in ENCODERS:
        vectors = found.embeddings[encoder.name]
        assert vectors.dtype == np.float32
        assert vectors.shape == (len(found.views), encoder.dim)
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("color", ["black", "white", "navy"])
def test_a_plain_picture_is_flagged(color: str) -> None:
    found = fingerprint_photo(encoded(Image.new("RGB", (300, 200), color)), ENCODERS)
    assert found.flags == ("too_plain",)
    assert not found.perceptual


def test_plain_parts_lend_no_hashes() -> None:
    half = Image.new("RGB", (640, 240), "black")
    half.paste(picture(1), (0, 0))
    found = fingerprint_photo(encoded(half), [])
    black = np.zeros(32, np.uint8)
    assert found.pdq is not None
    assert not (found.pdq == black).all(axis=1).any()


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ImageRefused):
        fingerprint_photo(b"no picture", ENCODERS)


def test_a_url_is_searched_by_its_row_key_alone() -> None:
    found = fingerprint_url("https://example.org/a.jpg")
    assert found.digests == (("url", row_key("url", "https://example.org/a.jpg")),)
    assert not found.perceptual


@pytest.mark.parametrize(
    "make",
    [
        lambda: fingerprint_photo(encoded(picture(1)), ENCODERS),
        lambda: fingerprint_url("https://example.org/ä"),
    ],
    ids=["photo", "url"],
)
def test_a_fingerprint_survives_the_way_through_bytes(make: Callable[[], Fingerprint]) -> None:
    one = make()
    other = Fingerprint.from_bytes(one.to_bytes())
    assert other.to_bytes() == one.to_bytes()
    assert (other.digests, other.flags, other.views) == (one.digests, one.flags, one.views)
    assert list(other.embeddings) == list(one.embeddings)
    for name, vectors in one.embeddings.items():
        assert (other.embeddings[name] == vectors).all()


@pytest.mark.parametrize(
    "data",
    [b"", b"PK\x03\x04", b"\x80\x04N.", pack("hits/1", {}, {})],
    ids=["empty", "half a zip", "a pickle", "something else"],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(WireInvalid, match="fingerprint/1"):
        Fingerprint.from_bytes(data)
