"""Proofs that a release lists a row: made from the public files, checked without the service.

A proof carries the whole manifest and the Merkle path from one published value to the root that
the manifest names.  It shows what the manifest's tree holds; that the manifest itself is the
publisher's follows from its signed copy (``unlist pull`` of that release) having the same content.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from unlist.keyfile import leaf_data, tree_leaves
from unlist.keys import KEY_BYTES, Keys
from unlist.keyset import as_keys
from unlist.manifest import Manifest, ManifestInvalid, manifest_dump, manifest_load
from unlist.merkle import MerkleTree, ProofInvalid, leaf_hash, verify_inclusion

__all__ = [
    "FORMAT",
    "ProofInvalid",
    "ProvenEntry",
    "ReleaseTree",
    "proof_document",
    "proof_make",
    "proof_verify",
]

FORMAT: Final = "unlist-proof/1"
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})+")


@dataclass(frozen=True)
class ProvenEntry:
    """What a sound proof shows: this value is in that release of that list."""

    list: str
    release: int
    created_on: date
    kind: str
    value: bytes


class ReleaseTree:
    """The tree of one release, built once for any number of proofs.

    Args:
        manifest: the release.
        keys_by_kind: per file kind its keys, ascending, as ``keyfile_read`` gives them.

    Raises:
        ManifestInvalid: the keys are not those that the manifest's tree was built over.
    """

    def __init__(self, manifest: Manifest, keys_by_kind: Mapping[str, Keys]) -> None:
        self._manifest = manifest
        self._places: dict[tuple[str, bytes], int] = {}
        triples = [(f.path, f.kind, as_keys(keys_by_kind[f.kind])) for f in manifest.files_in_order]
        self._tree = MerkleTree(tree_leaves(triples))
        if (len(self._tree), self._tree.root.hex()) != (manifest.tree.size, manifest.tree.root):
            raise ManifestInvalid(
                f"The keys at hand are not those of release {manifest.release}: "
                "they give another tree root."
            )
        for _, kind, keys in triples:
            for key in keys.tolist():
                self._places[kind, key] = len(self._places)

    def holds(self, kind: str, key: bytes) -> bool:
        """Whether the release lists an entry."""
        return (kind, key) in self._places

    def proof(self, kind: str, key: bytes) -> dict[str, Any]:
        """The proof for one entry, ready for JSON.

        Raises:
            KeyError: the release does not list it.
        """
        if (kind, key) not in self._places:
            raise KeyError(f"Release {self._manifest.release} does not list this {kind} key.")
        index = self._places[kind, key]
        return proof_document(self._manifest, kind, key, index, self._tree.path(index))


def proof_document(
    manifest: Manifest, kind: str, key: bytes, index: int, path: Sequence[bytes]
) -> dict[str, Any]:
    """A proof ready for JSON, of an entry whose place and path are known already."""
    return {
        "format": FORMAT,
        "manifest": _as_object(manifest),
        "kind": kind,
        "value": key.hex(),
        "leaf_index": index,
        "path": [step.hex() for step in path],
        "log": None,
    }


def proof_make(
    manifest: Manifest, keys_by_kind: Mapping[str, Keys], kind: str, key: bytes
) -> dict[str, Any]:
    """The proof that a release lists ``key``; for several, build a ``ReleaseTree`` once.

    Raises:
        KeyError: the release does not list it.
        ManifestInvalid: the keys are not those of the manifest.
    """
    return ReleaseTree(manifest, keys_by_kind).proof(kind, key)


def proof_verify(proof: object) -> ProvenEntry:
    """Check a proof by itself.

    Raises:
        ProofInvalid: it is no proof, or does not hold; the message says why.
    """
    if not isinstance(proof, dict) or proof.get("format") != FORMAT:
        raise ProofInvalid(f"This is not a proof: its format must be {FORMAT!r}.")
    try:
        manifest = manifest_load(_of_type(proof, "manifest", dict))
    except ManifestInvalid as error:
        raise ProofInvalid(f"The proof's manifest is not sound: {error}") from error
    kind, value = _of_type(proof, "kind", str), _unhexed(_of_type(proof, "value", str))
    if kind not in {file.kind for file in manifest.files}:
        raise ProofInvalid(f"The release has no file of kind {kind!r}, so no such entry.")
    if kind in {"url", "sha256", "md5"} and len(value) != KEY_BYTES:
        raise ProofInvalid(f"The proof's value is {len(value)} bytes long, a key has {KEY_BYTES}.")
    path = [_unhexed(step) for step in _of_type(proof, "path", list)]
    index = _of_type(proof, "leaf_index", int)
    leaf = leaf_hash(leaf_data(kind, value))
    verify_inclusion(leaf, index, manifest.tree.size, path, bytes.fromhex(manifest.tree.root))
    return ProvenEntry(manifest.list, manifest.release, manifest.created_on, kind, value)


def _as_object(manifest: Manifest) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(manifest_dump(manifest))
    return fields


def _of_type(proof: dict[str, Any], name: str, wanted: type[Any]) -> Any:
    value = proof.get(name)
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise ProofInvalid(f"The proof's field {name!r} is missing or of the wrong type.")
    return value


def _unhexed(text: object) -> bytes:
    if not isinstance(text, str) or not _HEX.fullmatch(text):
        raise ProofInvalid("The proof holds a value that is not lower-case hex.")
    return bytes.fromhex(text)
