"""Local features of a picture: SIFT keypoints, and which of them two pictures share.

SIFT (Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", 2004) with the square
roots of its L1-normalized descriptors ("RootSIFT": Arandjelović and Zisserman, "Three Things
Everyone Should Know to Improve Object Retrieval", 2012). A mirrored or negative picture needs no
extraction of its own: both only put a descriptor's 4 x 4 x 8 numbers into another order.
"""

from dataclasses import dataclass
from typing import Any, Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray

# One thread: several workers share a machine, and OpenCV's own threads gain nothing at this size.
cv2.setNumThreads(1)

# Low, for soft portraits: Lowe's 0.04 leaves a face before a curtain a dozen keypoints.
_CONTRAST: Final = 0.01
_EDGE: Final = 15.0
_RATIO: Final = 0.92  # nearest to second nearest distance; geometry weeds out what is wrong
_MOST_PAIRS: Final = 600

# A descriptor's numbers by row, column and gradient direction, relative to its keypoint's angle.
_LAYOUT: Final = np.arange(128).reshape(4, 4, 8)
_MIRRORED: Final = _LAYOUT[::-1, :, -np.arange(8) % 8].ravel()
_NEGATIVE: Final = _LAYOUT[::-1, ::-1, :].ravel()


@dataclass(frozen=True, eq=False, slots=True)
class Features:
    """Keypoints of a picture, the strongest first.

    Attributes:
        luma: uint8[height, width], the picture they are of.
        places: float32[n, 2], x and y in pixels.
        sizes: float32[n], diameters in pixels.
        angles: float32[n], radians.
        descriptors: float32[n, 128], each row of Euclidean length 1.
    """

    luma: NDArray[np.uint8]
    places: NDArray[np.float32]
    sizes: NDArray[np.float32]
    angles: NDArray[np.float32]
    descriptors: NDArray[np.float32]

    @classmethod
    def of(cls, luma: NDArray[np.uint8], *, most: int) -> Self:
        """Find the `most` strongest keypoints of a picture."""
        sift = cv2.SIFT.create(nfeatures=most, contrastThreshold=_CONTRAST, edgeThreshold=_EDGE)
        points, raw = sift.detectAndCompute(luma, None)
        if raw is None:
            points, raw = (), np.empty((0, 128), np.float32)
        order = np.argsort([-point.response for point in points], kind="stable")[:most]
        facts = np.array([(*p.pt, p.size, p.angle) for p in points], np.float32).reshape(-1, 4)
        facts = facts[order.astype(np.intp)]
        return cls(
            luma=luma,
            places=np.ascontiguousarray(facts[:, :2]),
            sizes=facts[:, 2],
            angles=np.deg2rad(facts[:, 3]),
            descriptors=_rooted(raw[order.astype(np.intp)]),
        )

    def mirrored(self) -> "Features":
        """Features of the picture flipped left to right."""
        places = self.places.copy()
        places[:, 0] = self.luma.shape[1] - 1 - places[:, 0]
        return Features(
            luma=np.ascontiguousarray(self.luma[:, ::-1]),
            places=places,
            sizes=self.sizes,
            angles=(np.pi - self.angles).astype(np.float32),
            descriptors=np.ascontiguousarray(self.descriptors[:, _MIRRORED]),
        )

    def negative(self) -> "Features":
        """Features of the picture with light and dark exchanged."""
        return Features(
            luma=255 - self.luma,
            places=self.places,
            sizes=self.sizes,
            angles=(self.angles + np.pi).astype(np.float32),
            descriptors=np.ascontiguousarray(self.descriptors[:, _NEGATIVE]),
        )

    def strongest(self, most: int) -> "Features":
        """The same with its `most` strongest keypoints alone."""
        return Features(
            luma=self.luma,
            places=self.places[:most],
            sizes=self.sizes[:most],
            angles=self.angles[:most],
            descriptors=self.descriptors[:most],
        )


def pairs_between(stored: Features, query: Features) -> NDArray[np.intp]:
    """Keypoints that are each other's nearest by descriptor, and clearly so.

    Returns:
        intp[n, 2]: places among the stored picture's and the query's keypoints, likest first.
    """
    if len(stored.descriptors) < 2 or len(query.descriptors) < 2:
        return np.empty((0, 2), np.intp)
    likeness: NDArray[Any] = stored.descriptors @ query.descriptors.T
    of = np.arange(len(likeness))
    nearest = likeness.argmax(axis=1)
    highest = likeness[of, nearest]
    mutual = np.flatnonzero(highest == likeness.max(axis=0)[nearest])
    mutual = mutual[np.sort(np.unique(nearest[mutual], return_index=True)[1])]
    likeness[of, nearest] = -1
    best, second = _distance(highest[mutual]), _distance(likeness.max(axis=1)[mutual])
    clear = best < _RATIO * second
    order = np.argsort(best[clear], kind="stable")[:_MOST_PAIRS]
    return np.stack([mutual, nearest[mutual]], axis=1)[clear][order]


def _rooted(raw: NDArray[Any]) -> NDArray[np.float32]:
    sums = np.maximum(raw.sum(axis=1, keepdims=True), 1e-6)
    rooted: NDArray[np.float32] = np.sqrt(raw / sums).astype(np.float32)
    return rooted


def _distance(likeness: NDArray[Any]) -> NDArray[Any]:
    """Euclidean distance of vectors of length 1 from their inner product."""
    distance: NDArray[Any] = np.sqrt(np.maximum(2 - 2 * likeness, 0))
    return distance
