"""One photo becomes one `Fingerprint`: all that it is searched by, computed in one place.

Digests are of the bytes as received; hashes and embeddings of the decoded picture and of its
views. The query carries the 8 orientations and the views, so that an index holds each row once.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from indexer.decode import decode
from indexer.hashes.picture import QUALITY_FLOOR, bounded, hash_picture
from indexer.query.views import query_views
from indexer.wire import pack, unpack
from unlist.keys import Kind, row_key

if TYPE_CHECKING:  # the encoders' module loads torch, which a fingerprint does without
    from indexer.encoder.load import Encoder

_FORM: Final = "fingerprint/1"
TOO_PLAIN: Final = "too_plain"
# Of 255, between the darkest and the brightest hundredth: below, only noise would come up.
_LEAST_CONTRAST: Final = 40


@dataclass(frozen=True, eq=False, slots=True)
class Fingerprint:
    """What a photo, or a URL, is searched by.

    Attributes:
        digests: pairs (kind, row key of 16 bytes), as `unlist.keys.row_key` makes them.
        pdq: uint8[8 * parts, 32], the hashes of all 8 orientations of the whole, then of each
            part of the picture worth hashing; None for a URL.
        pdq_quality: of the whole, 0..100, at full contrast where that is better.
        phash: uint64[8 * parts], likewise.
        views: names of the embedded views, the first being `whole`; empty for a URL, and for a
            photo that is searched by hashes alone.
        embeddings: by encoder name, float32[len(views), dim], each row of length 1.
        preprocessing: by encoder name, how it brought the pictures to its input.
        flags: `too_plain`: there is too little in the picture to match on (PDQ quality below 50,
            the floor its authors advise), so only digests and URLs count.
    """

    digests: tuple[tuple[Kind, bytes], ...]
    pdq: NDArray[np.uint8] | None
    pdq_quality: int
    phash: NDArray[np.uint64] | None
    views: tuple[str, ...]
    embeddings: Mapping[str, NDArray[np.float32]]
    preprocessing: Mapping[str, str]
    flags: tuple[str, ...]

    @property
    def perceptual(self) -> bool:
        """Whether hashes and embeddings may be matched, not digests alone."""
        return self.pdq is not None and TOO_PLAIN not in self.flags

    def without_embeddings(self) -> Self:
        """The same photo for an index of an encoder that it was not embedded by: hashes count."""
        return replace(self, views=(), embeddings={}, preprocessing={})

    def with_digests(self, digests: Iterable[tuple[Kind, bytes]]) -> Self:
        """The same photo, found by these digests too."""
        return replace(self, digests=tuple(dict.fromkeys([*self.digests, *digests])))

    def to_bytes(self) -> bytes:
        """Serialize without pickle; `from_bytes` reads it."""
        facts = {
            "digests": [[kind, key.hex()] for kind, key in self.digests],
            "pdq_quality": self.pdq_quality,
            "views": self.views,
            "encoders": list(self.embeddings),
            "preprocessing": dict(self.preprocessing),
            "flags": self.flags,
        }
        arrays: dict[str, np.ndarray] = {
            f"embedding-{at}": vectors for at, vectors in enumerate(self.embeddings.values())
        }
        if self.pdq is not None and self.phash is not None:
            arrays |= {"pdq": self.pdq, "phash": self.phash}
        return pack(_FORM, facts, arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote.

        Raises:
            WireInvalid: it is something else.
        """
        facts, arrays = unpack(_FORM, data)
        return cls(
            digests=tuple((kind, bytes.fromhex(key)) for kind, key in facts["digests"]),
            pdq=arrays.get("pdq"),
            pdq_quality=facts["pdq_quality"],
            phash=arrays.get("phash"),
            views=tuple(facts["views"]),
            embeddings={
                name: arrays[f"embedding-{at}"] for at, name in enumerate(facts["encoders"])
            },
            preprocessing=facts["preprocessing"],
            flags=tuple(facts["flags"]),
        )


def fingerprint_photo(data: bytes, encoders: Sequence["Encoder"]) -> Fingerprint:
    """Fingerprint a photo.

    Args:
        data: the file as received.
        encoders: those that the covered datasets' indexes use.

    Raises:
        ImageRefused: `decode` refuses the bytes.
    """
    full = decode(data)
    image = bounded(full)
    whole = hash_picture(image, turned=True, original=full.size)
    quality = max(whole.quality, _lit_quality(image) if whole.quality < QUALITY_FLOOR else 0)
    views = query_views(image)
    parts = [hash_picture(view.image, turned=True) for view in views[1:] if view.hashed]
    hashed = [whole, *(part for part in parts if part.quality >= QUALITY_FLOOR)]
    return Fingerprint(
        digests=picture_digests(data),
        pdq=np.concatenate([part.pdq for part in hashed]),
        pdq_quality=quality,
        phash=np.concatenate([part.phash for part in hashed]),
        views=tuple(view.name for view in views),
        embeddings={
            encoder.name: encoder.embed([view.image for view in views]) for encoder in encoders
        },
        preprocessing={encoder.name: encoder.preprocessing for encoder in encoders},
        flags=(TOO_PLAIN,) if quality < QUALITY_FLOOR else (),
    )


def _lit_quality(image: Image.Image) -> int:
    """PDQ's quality of a dark or faded picture, brought to full contrast; 0 if it has nearly none.

    PDQ counts steps of brightness, so a photo darkened or faded scores as if there were little in
    it. Its hash does not change with contrast, and says as much as before.
    """
    low, high = np.percentile(np.asarray(image.convert("L")), (1, 99))
    if high - low < _LEAST_CONTRAST:
        return 0
    return hash_picture(
        ImageOps.autocontrast(image, cutoff=1, preserve_tone=True), turned=False
    ).quality


def photo_probe(data: bytes) -> bytes:
    """What geometric verification needs of a photo, see `indexer.geometry.verify.probe_make`.

    Args:
        data: the file as received.

    Raises:
        ImageRefused: `decode` refuses the bytes.
    """
    from indexer.geometry.verify import probe_make  # noqa: PLC0415  # OpenCV: verifying workers only

    return probe_make(decode(data))


def fingerprint_url(url: str) -> Fingerprint:
    """Make a fingerprint that finds the rows whose URL is exactly `url`, and nothing else."""
    return fingerprint_digests((("url", row_key("url", url)),))


def fingerprint_digests(digests: Iterable[tuple[Kind, bytes]]) -> Fingerprint:
    """Make a fingerprint that finds the rows that have any of these keys, and nothing else."""
    return Fingerprint(
        digests=tuple(digests),
        pdq=None,
        pdq_quality=0,
        phash=None,
        views=(),
        embeddings={},
        preprocessing={},
        flags=(),
    )


def picture_digests(data: bytes) -> tuple[tuple[Kind, bytes], ...]:
    """The row keys of a file's own digests."""
    sha256 = hashlib.sha256(data).hexdigest()
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return ("sha256", row_key("sha256", sha256)), ("md5", row_key("md5", md5))
