"""A sorted set of row keys that answers "which of these are in it?" for millions at a time.

Keys are held as two big-endian 64-bit halves in ascending order, 16 bytes a key.  Membership is a
binary search on the upper half and a comparison of the lower; upper halves that several keys share
are looked at one by one (among honest SHA-256 keys that does not happen).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from unlist.keys import KEY_BYTES, Keys


def as_keys(values: "npt.NDArray[np.generic] | Sequence[bytes]") -> Keys:
    """Keys in any of the shapes they come in, as dtype ``V16`` of shape ``(rows,)``.

    Args:
        values: an array of dtype ``V16`` or ``S16``, ``uint8`` of shape ``(rows, 16)``, or a
            sequence of 16-byte strings.

    Raises:
        ValueError: an item is not 16 bytes long.
    """
    if isinstance(values, np.ndarray):
        raw = np.ascontiguousarray(values)
        if raw.nbytes != len(raw) * KEY_BYTES:
            raise ValueError(f"A row key has {KEY_BYTES} bytes; got items of another size.")
        return np.frombuffer(raw.tobytes(), dtype="V16")
    if any(len(value) != KEY_BYTES for value in values):
        raise ValueError(f"A row key has {KEY_BYTES} bytes; got items of another size.")
    return np.frombuffer(b"".join(values), dtype="V16")


def sorted_unique(keys: Keys) -> Keys:
    """The same keys ascending by their bytes, each once."""
    upper, lower = _halves(keys)
    order = np.lexsort((lower, upper))
    ordered = np.ascontiguousarray(keys)[order]
    upper, lower = upper[order], lower[order]
    first = np.ones(len(ordered), dtype=bool)
    first[1:] = (upper[1:] != upper[:-1]) | (lower[1:] != lower[:-1])
    return ordered[first]


def is_ascending(keys: Keys) -> bool:
    """Whether every key is greater than the one before (so that none comes twice)."""
    upper, lower = _halves(keys)
    rising = (upper[1:] > upper[:-1]) | ((upper[1:] == upper[:-1]) & (lower[1:] > lower[:-1]))
    return bool(rising.all())


class KeySet:
    """An immutable set of row keys.

    Args:
        keys: ascending and unique, as ``keyfile_read`` gives them.
    """

    def __init__(self, keys: Keys) -> None:
        if not is_ascending(keys):
            raise ValueError("The keys of a set must be ascending and unique.")
        self._upper, self._lower = _halves(keys)

    def __len__(self) -> int:
        return len(self._upper)

    def contains(self, keys: Keys) -> npt.NDArray[np.bool_]:
        """Which of ``keys`` (any order, repeats allowed) are in the set; shape ``(rows,)``."""
        found = np.zeros(len(keys), dtype=bool)
        if not len(self) or not len(keys):
            return found
        upper, lower = _halves(keys)
        left = np.searchsorted(self._upper, upper)
        near = np.minimum(left, len(self) - 1)
        same_upper = self._upper[near] == upper
        found[:] = same_upper & (self._lower[near] == lower)
        for row in np.flatnonzero(same_upper & ~found):
            end = np.searchsorted(self._upper, upper[row], side="right")
            found[row] = bool((self._lower[left[row] : end] == lower[row]).any())
        return found


def _halves(keys: Keys) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    pairs = np.ascontiguousarray(keys).view(">u8").reshape(-1, 2).astype(np.uint64)
    return np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
