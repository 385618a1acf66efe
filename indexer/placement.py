"""Where a stored picture lies on the query, kept so that a person can be shown it later.

Verifying a row knows the transform that lays its picture over the query, and the points on which
both agree; the pictures themselves are needed again only when somebody looks. So both are kept as
numbers, in shares of the pictures' sides, and whoever has the two pictures can draw them, at any
size and without the libraries that found them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float, float, float]
"""x and y in the stored picture, x and y in the query; shares of their sides."""
Matrix = tuple[float, float, float, float, float, float, float, float, float]

POINTS_MOST: Final = 48
"""More lines than these hide the pictures that they join."""
_MIRROR: Final = np.array([[-1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


@dataclass(frozen=True, slots=True)
class Placement:
    """How a stored picture lies on the query.

    Attributes:
        matrix: a homography from shares of the stored picture's sides to shares of the query's,
            row by row; where the picture lies there mirrored, it mirrors.
        points: some of the points on which they agree, at most `POINTS_MOST`.
    """

    matrix: Matrix
    points: tuple[Point, ...]

    @classmethod
    def of(
        cls,
        transform: NDArray[np.float64],
        stored: NDArray[np.floating],
        query: NDArray[np.floating],
        *,
        sizes: tuple[tuple[int, int], tuple[int, int]],
        mirrored: bool,
    ) -> Self:
        """Keep an alignment.

        Args:
            transform: float64[3, 3], pixels of the (mirrored) stored picture to the query's.
            stored: float[n, 2], the places on which they agree, in pixels of the stored picture.
            query: float[n, 2], the same in pixels of the query.
            sizes: width and height of the stored picture, and of the query.
            mirrored: whether `transform` and `stored` are of the stored picture mirrored.
        """
        (width, height), (query_width, query_height) = sizes
        to_pixels = np.diag([float(width), float(height), 1.0])
        to_shares = np.diag([1 / query_width, 1 / query_height, 1.0])
        matrix = to_shares @ transform @ to_pixels
        places = np.asarray(stored, np.float64) / [width, height]
        if mirrored:
            matrix = matrix @ _MIRROR
            places[:, 0] = 1 - places[:, 0]
        chosen = _some(np.column_stack([places, np.asarray(query) / [query_width, query_height]]))
        return cls(
            tuple(float(f"{value:.7g}") for value in (matrix / matrix[2, 2]).ravel()),  # type: ignore[arg-type]
            tuple(tuple(round(float(share), 4) for share in one) for one in chosen),  # type: ignore[misc]
        )

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """Read what `dataclasses.asdict` made of one and JSON kept."""
        return cls(tuple(facts["matrix"]), tuple(tuple(point) for point in facts["points"]))

    def array(self) -> NDArray[np.float64]:
        """The homography: float64[3, 3]."""
        return np.array(self.matrix, np.float64).reshape(3, 3)

    def corners(self) -> NDArray[np.float64]:
        """Where the stored picture's corners lie, in shares of the query's sides: float64[4, 2].

        From its upper left clockwise.
        """
        lifted = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]) @ self.array().T
        placed: NDArray[np.float64] = lifted[:, :2] / lifted[:, 2:]
        return placed


def _some(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """At most `POINTS_MOST`, spread over the stored picture rather than its busiest corner."""
    if len(points) <= POINTS_MOST:
        return points
    order = np.lexsort([points[:, 0], (points[:, 1] * 6).astype(int)])
    some: NDArray[np.float64] = points[
        order[np.linspace(0, len(points) - 1, POINTS_MOST).astype(int)]
    ]
    return some
