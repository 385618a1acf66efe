"""The tree in a file gives the plain builder's proofs, and never one that does not hold."""

import dataclasses
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from releases.treefile import TreeDamaged, tree_open, tree_write
from unlist.keyfile import tree_leaves
from unlist.keys import Keys
from unlist.manifest import Counts, ListFile, Manifest, ManifestInvalid, Tree
from unlist.merkle import tree_root
from unlist.proof import ReleaseTree, proof_document, proof_verify

KINDS = ("md5", "sha256", "url")


def keys_of(count: int, seed: int) -> Keys:
    """Return so many keys, ascending."""
    raw = np.random.default_rng(seed).bytes(16 * count)
    found = sorted({raw[n : n + 16] for n in range(0, len(raw), 16)})
    return np.frombuffer(b"".join(found), "V16")


def manifest_of(keys: dict[str, Keys]) -> Manifest:
    files = tuple(
        ListFile(f"keys-{kind}.parquet", kind, "exact", None, len(values), 1, "0" * 64)
        for kind, values in keys.items()
    )
    leaves = tree_leaves((file.path, file.kind, keys[file.kind]) for file in files)
    return Manifest(
        list="public",
        release=7,
        created_on=date(2026, 3, 2),
        valid_until=date(2026, 4, 1),
        previous_manifest_sha256=None,
        audit_head=None,
        datasets=(),
        files=files,
        keyset_sha256="0" * 64,
        tree=Tree(len(leaves), tree_root(leaves).hex()),
        counts=Counts(len(leaves), 0, 0),
    )


def made(folder: Path, keys: dict[str, Keys]) -> tuple[Path, Manifest]:
    path, manifest = folder / "7.tree", manifest_of(keys)
    tree_write(path, manifest, lambda file: keys[file.kind])
    return path, manifest


def proof_by_file(path: Path, manifest: Manifest, kind: str, key: bytes) -> dict[str, Any] | None:
    with tree_open(path, manifest) as tree:
        entry = tree.entry(kind, key)
    if entry is None:
        return None
    return proof_document(manifest, kind, key, entry.index, entry.path)


@limits(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    counts=st.lists(st.integers(0, 70), min_size=1, max_size=3),
    seed=st.integers(0, 2**32 - 1),
)
def test_proofs_are_those_of_the_plain_builder(
    tmp_path: Path, counts: list[int], seed: int
) -> None:
    keys = {
        kind: keys_of(n, seed + at) for at, (kind, n) in enumerate(zip(KINDS, counts, strict=False))
    }
    path, manifest = made(tmp_path, keys)
    plain = ReleaseTree(manifest, keys)
    listed = [(kind, bytes(key)) for kind, values in keys.items() for key in values.tolist()]
    for kind, key in listed:
        proof = proof_by_file(path, manifest, kind, key)
        assert proof == plain.proof(kind, key)
        assert proof_verify(proof).value == key
    others = [bytes(key) for key in keys_of(5, seed + 99).tolist()]
    for key in (*others, bytes(16), b"\xff" * 16, *(key for _, key in listed[:5])):
        for kind in (*KINDS, "other"):
            found = proof_by_file(path, manifest, kind, key) is not None
            assert found == plain.holds(kind, key) == ((kind, key) in listed)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 64, 65, 1000])
def test_sizes_about_the_powers_of_two(tmp_path: Path, size: int) -> None:
    keys = {"url": keys_of(size, size)}
    path, manifest = made(tmp_path, keys)
    plain = ReleaseTree(manifest, keys)
    for key in keys["url"].tolist():
        assert proof_by_file(path, manifest, "url", key) == plain.proof("url", key)
    assert proof_by_file(path, manifest, "url", b"\x01" * 16) is None
    assert [one.name for one in tmp_path.iterdir()] == ["7.tree"]


def flipped(offset: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :]


@pytest.mark.parametrize(
    "damage",
    [lambda _: b"", lambda data: data[:-1], lambda data: data + b"x", flipped(0), flipped(9)],
    ids=["empty", "cut short", "too long", "another form", "another root"],
)
def test_a_file_that_is_another_is_not_opened(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path, manifest = made(tmp_path, {"url": keys_of(20, 1)})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(TreeDamaged), tree_open(path, manifest):
        pytest.fail("it was opened")


def test_no_flipped_bit_gives_a_false_answer(tmp_path: Path) -> None:
    """Neither a proof that does not hold, nor "not listed" of what is."""
    keys = {"md5": keys_of(5, 1), "url": keys_of(8, 2)}
    path, manifest = made(tmp_path, keys)
    sound, plain = path.read_bytes(), ReleaseTree(manifest, keys)
    asked = [(kind, key) for kind, values in keys.items() for key in values.tolist()]
    absent = [("url", key) for key in keys_of(6, 3).tolist()]
    damaged = 0
    for offset in range(40, len(sound)):
        path.write_bytes(flipped(offset)(sound))
        for kind, key in (*asked, *absent):
            try:
                proof = proof_by_file(path, manifest, kind, key)
            except TreeDamaged:
                damaged += 1
                continue
            assert proof == (plain.proof(kind, key) if plain.holds(kind, key) else None)
    assert damaged > len(sound)


def test_keys_of_another_release_are_not_written(tmp_path: Path) -> None:
    keys = {"url": keys_of(9, 1)}
    manifest = manifest_of(keys)
    others: list[Callable[[ListFile], Keys]] = [
        lambda _: keys["url"][1:],
        lambda _: keys_of(9, 2),
    ]
    for other in others:
        with pytest.raises(ManifestInvalid, match="another tree root"):
            tree_write(tmp_path / "7.tree", manifest, other)
    empty = dataclasses.replace(manifest_of({"url": keys_of(0, 1)}), tree=Tree(0, "0" * 64))
    with pytest.raises(ManifestInvalid):
        tree_write(tmp_path / "7.tree", empty, lambda _: keys_of(0, 1))
    assert not list(tmp_path.iterdir())
