"""What speaks for a row, in words: one sentence to decide by, the measures beside it.

The sentence says what the pictures have in common and how the row's was altered, as far as that
was seen; where the pixels were not compared it says that, too.
"""

from collections.abc import Mapping
from math import atan2, degrees
from typing import Any, Final

from removal.models import Kind
from removal.selectors import CandidateView

Corners = tuple[tuple[float, float], ...]

_ALIKE: Final = "Same picture"
_SAME: Final[Mapping[str, str]] = {
    Kind.SIMILAR: "Perhaps another picture",
}
_ADDRESS: Final[Mapping[str, str]] = {
    "given": "stored under the web address that the person gave",
    "followed": "stored under the web address of another row of this request",
}
_WHOLE: Final = 0.9
"""A share from which a picture counts as whole: edges are found to a few hundredths."""
_UPRIGHT: Final = 4.0  # degrees
_SQUARE: Final = 12.0  # degrees from a quarter turn


def evidence_sentence(row: CandidateView) -> str:
    """Say why a row is thought to hold the photo."""
    evidence = row.evidence
    parts = [_likeness(row)]
    if (address := evidence.get("address")) and not row.evidence.get("digest"):
        parts.append(_ADDRESS[address])
    if evidence.get("inliers"):
        parts.append(_counted(evidence["inliers"], "matching point"))
    if evidence.get("agreement") is not None and evidence.get("inliers"):
        parts.append(f"{evidence['agreement']:.0%} of what both show is the same")
    if not is_verified(row):
        parts.append("not verified: the pictures were not compared")
    return "; ".join(part for part in parts if part) + "."


def is_verified(row: CandidateView) -> bool:
    """Tell whether file or pixels were compared, rather than fingerprints or addresses alone."""
    return row.evidence.get("basis") in {"digest", "pixels"}


def measures_words(evidence: Mapping[str, Any]) -> list[str]:
    """Name the measures that there are, for who knows them."""
    words = []
    if evidence.get("pdq") is not None:
        words.append(f"PDQ {evidence['pdq']} of 256 bits differ")
    if evidence.get("phash") is not None:
        words.append(f"pHash {evidence['phash']} of 64 bits differ")
    if evidence.get("cosine") is not None:
        words.append(f"cosine {evidence['cosine']:.2f}")
    if evidence.get("inliers") is not None:
        words.append(_counted(evidence["inliers"], "matching point"))
    if evidence.get("overlap") is not None:
        words.append(f"{evidence['overlap']:.0%} of the row's picture lies within the photo")
    return words


def shows_more(row: CandidateView) -> str:
    """Warn where a row's picture shows more than the upload did; nothing where it does not."""
    overlap = row.evidence.get("overlap")
    if overlap is None or not row.evidence.get("inliers") or overlap >= _WHOLE:
        return ""
    shown = "the approved row does" if row.duplicate_of else "the upload did"
    return (
        f"This row shows more than {shown}: about {1 - overlap:.0%} of its picture lies "
        "outside. What is there may show others, and is not for the person to be told."
    )


def _likeness(row: CandidateView) -> str:
    if row.evidence.get("digest"):
        return "The very same file"
    if not row.photos and not row.duplicate_of:
        return ""
    altered = (_mirrored(row), _cropped(row), _turned(row.corners, row), _wider(row))
    changes = [word for word in altered if word]
    same = _ALIKE if row.duplicate_of else _SAME.get(row.kind, _ALIKE)
    if not changes:
        return same
    *first, last = changes
    return f"{same}, {', '.join(first)} and {last}" if first else f"{same}, {last}"


def _mirrored(row: CandidateView) -> str:
    return "mirrored" if row.evidence.get("mirrored") else ""


def _cropped(row: CandidateView) -> str:
    """Say how much of the photo the row's picture covers, where that is not all of it."""
    if not row.corners:
        return ""
    inside = [(min(1.0, max(0.0, x)), min(1.0, max(0.0, y))) for x, y in row.corners]
    share = _area(inside)
    return f"cropped to {share:.0%} of it" if share < _WHOLE else ""


def _wider(row: CandidateView) -> str:
    return "with more around it" if shows_more(row) else ""


def _turned(corners: Corners, row: CandidateView) -> str:
    """Say how it is turned: in quarters, for other angles depend on the photo's shape."""
    if not corners:
        return ""
    (x1, y1), (x2, y2) = corners[0], corners[1]
    angle = degrees(atan2(y2 - y1, x2 - x1))
    if row.evidence.get("mirrored"):
        angle = degrees(atan2(y1 - y2, x1 - x2))
    quarter = round(angle / 90) % 4
    off = abs(angle - 90 * round(angle / 90))
    if quarter == 0:
        return "turned a little" if off > _UPRIGHT else ""
    if off > _SQUARE:
        return "turned"
    return "upside down" if quarter == 2 else "turned by a quarter"


def _area(corners: list[tuple[float, float]]) -> float:
    """Of a polygon, by the shoelace formula."""
    following = [*corners[1:], corners[0]]
    pairs = zip(corners, following, strict=True)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs)) / 2


def _counted(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"
