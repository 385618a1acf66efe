"""Merkle trees as RFC 6962 section 2.1 defines them, over SHA-256.

A leaf is ``SHA-256(0x00 || data)``, a node ``SHA-256(0x01 || left || right)``.  The tree is built
level by level, an odd last node moving up unchanged, which gives the RFC's tree (split at the
largest power of two) and hashes a million leaves in about a second.
"""

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()


class ProofInvalid(ValueError):
    """A proof does not hold; the message says what is wrong with it."""


def leaf_hash(data: bytes) -> bytes:
    """The 32-byte hash of a leaf's data."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The 32-byte hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class MerkleTree:
    """A tree held level by level, for many proofs from the same leaves (64 bytes a leaf)."""

    def __init__(self, leaf_hashes: Sequence[bytes]) -> None:
        self._levels = list(tree_levels(leaf_hashes))

    def __len__(self) -> int:
        return len(self._levels[0])

    @property
    def root(self) -> bytes:
        """The root hash; of no leaves, the hash of nothing."""
        return self._levels[-1][0] if len(self) else EMPTY_ROOT

    def path(self, index: int) -> list[bytes]:
        """The siblings from the leaf up to the root that prove the leaf at ``index``.

        Raises:
            IndexError: there is no such leaf.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"The tree has {len(self)} leaves; there is none at {index}.")
        return [self._levels[level][place] for level, place in path_places(index, len(self))]


def tree_root(leaf_hashes: Sequence[bytes]) -> bytes:
    """The root over hashed leaves, in their order."""
    [top] = deque(tree_levels(leaf_hashes), maxlen=1)
    return top[0] if top else EMPTY_ROOT


def tree_levels(leaf_hashes: Sequence[bytes]) -> Iterator[list[bytes]]:
    """The levels of a tree, from its leaves up to the root; of no leaves, one empty level."""
    level = list(leaf_hashes)
    yield level
    while len(level) > 1:
        level = _parents(level)
        yield level


def path_places(index: int, size: int) -> Iterator[tuple[int, int]]:
    """Where the siblings lie that prove leaf ``index`` of ``size``: (level, place), upwards."""
    level = 0
    while size > 1:
        if index ^ 1 < size:
            yield level, index ^ 1
        level, index, size = level + 1, index >> 1, (size + 1) >> 1


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes
) -> None:
    """Check that ``leaf`` (a leaf hash) is number ``index`` of a tree of ``size`` leaves.

    The steps are those of RFC 9162 section 2.1.3.2.

    Raises:
        ProofInvalid: it does not follow from ``path`` and ``root``.
    """
    if not 0 <= index < size:
        raise ProofInvalid(f"The proof speaks of entry {index} of a list with {size} entries.")
    if len(leaf) != HASH_BYTES or any(len(step) != HASH_BYTES for step in path):
        raise ProofInvalid(f"The proof holds a hash that is not {HASH_BYTES} bytes long.")
    position, last, node = index, size - 1, leaf
    for step in path:
        if last == 0:
            raise ProofInvalid("The proof's path is longer than the list allows.")
        if position & 1 or position == last:
            node = node_hash(step, node)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            node = node_hash(node, step)
        position, last = position >> 1, last >> 1
    if last != 0:
        raise ProofInvalid("The proof's path is shorter than the list demands.")
    if node != root:
        raise ProofInvalid("The proof does not lead to the root that the release names.")


def _parents(level: list[bytes]) -> list[bytes]:
    sha256 = hashlib.sha256
    pairs = zip(level[::2], level[1::2], strict=False)
    parents = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
    if len(level) % 2:
        parents.append(level[-1])
    return parents
