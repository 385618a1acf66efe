"""The fast tree against the RFC's recursive definition, foreign proofs and foreign roots."""

import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import VECTORS
from unlist.merkle import (
    EMPTY_ROOT,
    MerkleTree,
    ProofInvalid,
    leaf_hash,
    tree_root,
    verify_inclusion,
)

FOLDER = VECTORS / "merkle"


def _loaded(name: str) -> Any:
    path = FOLDER / name
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def _cases() -> list[dict[str, Any]]:
    found = _loaded("inclusion.json") or []
    return found["cases"] if isinstance(found, dict) else found


def slow_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = split_of(len(leaves))
    return hashlib.sha256(b"\x01" + slow_root(leaves[:split]) + slow_root(leaves[split:])).digest()


def slow_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962 section 2.1.1, word for word."""
    if len(leaves) <= 1:
        return []
    split = split_of(len(leaves))
    if index < split:
        return [*slow_path(index, leaves[:split]), slow_root(leaves[split:])]
    return [*slow_path(index - split, leaves[split:]), slow_root(leaves[:split])]


def split_of(size: int) -> int:
    split = 1
    while split * 2 < size:
        split *= 2
    return split


def leaves_of(size: int) -> list[bytes]:
    return [leaf_hash(n.to_bytes(4, "big")) for n in range(size)]


@pytest.mark.parametrize("size", [*range(34), 63, 64, 65, 127, 200])
def test_the_fast_tree_is_the_recursive_one(size: int) -> None:
    leaves = leaves_of(size)
    tree = MerkleTree(leaves)
    assert tree.root == tree_root(leaves) == slow_root(leaves)
    for index in range(size):
        path = tree.path(index)
        assert path == slow_path(index, leaves)
        verify_inclusion(leaves[index], index, size, path, tree.root)


@pytest.mark.parametrize("case", _cases(), ids=lambda case: str(case.get("id")))
def test_foreign_inclusion_proofs(case: dict[str, Any]) -> None:
    unpacked = [base64.b64decode(step) for step in case["proof"] or []]
    leaf, root = base64.b64decode(case["leafHash"] or ""), base64.b64decode(case["root"] or "")
    arguments = (leaf, case["leafIdx"], case["treeSize"], unpacked, root)
    if case["wantErr"]:
        with pytest.raises(ProofInvalid):
            verify_inclusion(*arguments)
    else:
        verify_inclusion(*arguments)


@pytest.mark.parametrize(
    "roots", [r for r in [_loaded("rfc6962_roots.json")] if r], ids=["rfc6962"]
)
def test_foreign_roots(roots: dict[str, Any]) -> None:
    leaves = [leaf_hash(bytes.fromhex(data)) for data in roots["leaf_inputs_hex"]]
    expected = roots["roots_hex_by_size"]
    for size in range(len(leaves) + 1):
        wanted = expected[str(size)] if isinstance(expected, dict) else expected[size]
        assert tree_root(leaves[:size]).hex() == wanted


@given(size=st.integers(1, 300), data=st.data())
def test_a_proof_holds_for_nothing_else(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    tree = MerkleTree(leaves)
    index = data.draw(st.integers(0, size - 1))
    path = tree.path(index)
    wrong = [
        (leaf_hash(b"other"), index, size, path, tree.root),
        (leaves[index], index, size, [*path, b"\0" * 32], tree.root),
        (leaves[index], index, size, path, b"\0" * 32),
        (leaves[index], size, size, path, tree.root),
        (leaves[index], -1, size, path, tree.root),
    ]
    if path:
        wrong += [
            (leaves[index], index, size, path[:-1], tree.root),
            (leaves[index], index ^ 1, size, path, tree.root),
            (leaves[index], index, size, [b"short", *path[1:]], tree.root),
        ]
    for arguments in wrong:
        with pytest.raises(ProofInvalid):
            verify_inclusion(*arguments)


def test_nothing_is_in_an_empty_tree() -> None:
    assert MerkleTree([]).root == tree_root([]) == EMPTY_ROOT
    with pytest.raises(IndexError, match="has 0 leaves"):
        MerkleTree([]).path(0)
    with pytest.raises(ProofInvalid, match="0 entries"):
        verify_inclusion(EMPTY_ROOT, 0, 0, [], EMPTY_ROOT)
