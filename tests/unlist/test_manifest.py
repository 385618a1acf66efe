"""Manifests and proofs: one value, one form; every broken one refused with its fault named."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.unlist.publisher import manifest_of
from unlist.keyfile import keyfile_read
from unlist.keys import Keys, Kind, row_key
from unlist.manifest import (
    DeltaFile,
    Manifest,
    ManifestInvalid,
    ManifestTooNew,
    manifest_dump,
    manifest_load,
)
from unlist.proof import ProofInvalid, ReleaseTree, proof_make, proof_verify

URLS = [f"https://a.example/{n}" for n in range(23)]
MD5S = ["00" * 16, "ff" * 16]


@pytest.fixture
def made(tmp_path: Path) -> tuple[Manifest, dict[str, Keys]]:
    manifest = manifest_of(tmp_path, "public", 4, {"url": URLS, "md5": MD5S}, "ab" * 32)
    keys = {file.kind: keyfile_read(tmp_path / file.path) for file in manifest.files}
    return manifest, keys


def test_a_manifest_comes_back_as_it_was(made: tuple[Manifest, dict[str, Keys]]) -> None:
    manifest, _ = made
    data = manifest_dump(manifest)
    assert manifest_load(data) == manifest
    assert manifest_dump(manifest_load(data)) == data
    assert manifest_load(json.loads(data)) == manifest
    assert data.endswith(b"}\n")
    assert list(json.loads(data)) == [
        "format", "list", "release", "created_on", "valid_until", "previous_manifest_sha256",
        "audit_head", "datasets", "files", "keyset_sha256", "tree", "counts", "collateral",
        "deltas",
    ]  # fmt: skip
    assert [f["path"] for f in json.loads(data)["files"]] == [
        "keys-md5.parquet",
        "keys-url.parquet",
    ]


def test_fields_of_later_issues_are_read(made: tuple[Manifest, dict[str, Keys]]) -> None:
    fields = json.loads(manifest_dump(made[0]))
    fields["collateral"] = {"expected_rows": 12.5}
    fields["deltas"] = [{"from": 3, "path": "delta-3.parquet", "sha256": "cd" * 32}]
    fields["something_new"] = [1]
    loaded = manifest_load(fields)
    assert loaded.deltas == (DeltaFile(3, "delta-3.parquet", "cd" * 32),)
    assert loaded.collateral == {"expected_rows": 12.5}
    loaded.require_understood()


BREAKS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "format": (lambda m: m.update(format="other/1"), "format is 'other/1'"),
    "missing": (lambda m: m.pop("tree"), "no field 'tree'"),
    "list": (lambda m: m.update(list="../etc"), "'list' is not well formed"),
    "release": (lambda m: m.update(release=0), "'release' is not a whole number of at least 1"),
    "release true": (lambda m: m.update(release=True), "'release' is not a whole number"),
    "day": (lambda m: m.update(created_on="yesterday"), "'created_on' is not a day"),
    "path": (lambda m: m["files"][0].update(path="../x"), r"files\[0\]'s field 'path'"),
    "digest": (lambda m: m["files"][1].update(sha256="AB" * 32), r"files\[1\]'s field 'sha256'"),
    "rows": (lambda m: m["files"][0].update(rows=-1), "'rows' is not a whole number"),
    "twice": (lambda m: m["files"].append(m["files"][0]), "names a file twice"),
    "leaves": (lambda m: m["tree"].update(size=3), "25 rows together, its tree 3 leaves"),
    "files": (lambda m: m.update(files={}), "'files' is not a list"),
    "file": (lambda m: m.update(files=["x"]), r"files\[0\] is not an object"),
    "collateral": (lambda m: m.update(collateral=3), "'collateral' is not an object or null"),
    "head": (lambda m: m.update(audit_head=3), "'audit_head' is not a text"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_manifest_is_refused(made: tuple[Manifest, dict[str, Keys]], name: str) -> None:
    fields = json.loads(manifest_dump(made[0]))
    do, words = BREAKS[name]
    do(fields)
    with pytest.raises(ManifestInvalid, match=words):
        manifest_load(fields)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe"])
def test_what_is_no_manifest(data: bytes) -> None:
    with pytest.raises(ManifestInvalid):
        manifest_load(data)


def test_a_later_format_asks_for_an_update(made: tuple[Manifest, dict[str, Keys]]) -> None:
    fields = json.loads(manifest_dump(made[0]))
    with pytest.raises(ManifestTooNew, match="Update it"):
        manifest_load({**fields, "format": "unlist-release/2"})
    with pytest.raises(ManifestTooNew, match="unknown here"):
        manifest_load({**fields, "tree": {**fields["tree"], "alg": "blake"}})
    fields["files"][0]["tier"] = "masked"
    with pytest.raises(ManifestTooNew, match=r"keys-md5\.parquet.*update it"):
        manifest_load(fields).require_understood()


def test_every_entry_can_be_proven(made: tuple[Manifest, dict[str, Keys]]) -> None:
    manifest, keys = made
    tree = ReleaseTree(manifest, keys)
    listed: dict[Kind, list[str]] = {"url": URLS, "md5": MD5S}
    for kind, values in listed.items():
        for value in values:
            key = row_key(kind, value)
            proof = json.loads(json.dumps(tree.proof(kind, key)))
            assert proof == proof_make(manifest, keys, kind, key)
            entry = proof_verify(proof)
            assert (entry.list, entry.release, entry.kind, entry.value) == ("public", 4, kind, key)
            assert entry.created_on == manifest.created_on
            assert isinstance(entry.created_on, date)


def test_what_is_not_listed_cannot_be_proven(made: tuple[Manifest, dict[str, Keys]]) -> None:
    manifest, keys = made
    with pytest.raises(KeyError, match="does not list"):
        proof_make(manifest, keys, "url", row_key("url", "https://other.example"))
    with pytest.raises(KeyError, match="does not list"):
        proof_make(manifest, keys, "md5", row_key("url", URLS[0]))
    with pytest.raises(ManifestInvalid, match="another tree root"):
        ReleaseTree(manifest, {**keys, "url": keys["url"][1:]})


FORGERIES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "format": (lambda p: p.update(format="x"), "not a proof"),
    "value": (lambda p: p.update(value="00" * 16), "does not lead to the root"),
    "length": (lambda p: p.update(value="00"), "1 bytes long"),
    "hex": (lambda p: p.update(value="zz"), "not lower-case hex"),
    "kind": (lambda p: p.update(kind="sha256"), "no file of kind 'sha256'"),
    "other kind": (lambda p: p.update(kind="md5"), "does not lead to the root"),
    "index": (lambda p: p.update(leaf_index=p["leaf_index"] - 1), "not lead|longer|shorter"),
    "outside": (lambda p: p.update(leaf_index=25), "entry 25 of a list with 25"),
    "true": (lambda p: p.update(leaf_index=True), "'leaf_index' is missing or of the wrong type"),
    "path": (lambda p: p["path"].pop(), "shorter than the list demands"),
    "longer": (lambda p: p["path"].append("00" * 32), "longer than the list allows"),
    "step": (lambda p: p["path"].__setitem__(0, 3), "not lower-case hex"),
    "no manifest": (lambda p: p.pop("manifest"), "'manifest' is missing"),
    "manifest": (lambda p: p["manifest"].pop("tree"), "manifest is not sound"),
    "root": (lambda p: p["manifest"]["tree"].update(root="00" * 32), "does not lead to the root"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_proof_does_not_hold(made: tuple[Manifest, dict[str, Keys]], name: str) -> None:
    proof = proof_make(*made, "url", row_key("url", URLS[5]))
    do, words = FORGERIES[name]
    do(proof)
    with pytest.raises(ProofInvalid, match=words):
        proof_verify(proof)
