"""Every operation of the API shows what is sent and what is answered, and each example holds.

The examples are taken from docs/openapi.yaml as a reader finds them there, and held to the schemas
that stand beside them; what can be held to more than its schema is.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker

from releases import api_examples
from removal.api import examples
from removal.custody import receipts
from removal.intake.gate import ALGORITHM
from tests.conftest import ROOT
from unlist.keys import row_key
from unlist.manifest import manifest_dump, manifest_load, manifest_sha256
from unlist.proof import proof_verify

API: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text("utf-8"))
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in API["paths"].items()
    for method, operation in methods.items()
}


class Body(NamedTuple):
    """A body of an operation: where it stands, its schema, its examples by name."""

    where: str
    schema: Mapping[str, Any]
    examples: Mapping[str, Any]

    @classmethod
    def of(cls, where: str, content: Mapping[str, Any]) -> Iterator["Body"]:
        """Yield one for each content type."""
        for kind, body in content.items():
            shown = {name: one["value"] for name, one in body.get("examples", {}).items()}
            yield cls(f"{where} {kind}", body["schema"], shown)


def sent(name: str) -> list[Body]:
    """Return what an operation takes."""
    content = OPERATIONS[name].get("requestBody", {}).get("content", {})
    return list(Body.of(f"{name}, sent,", content))


def answered(name: str) -> dict[str, list[Body]]:
    """Return what an operation answers, by status."""
    return {
        status: list(Body.of(f"{name}, {status},", response.get("content", {})))
        for status, response in OPERATIONS[name]["responses"].items()
    }


def faults(schema: Mapping[str, Any], value: object) -> list[str]:
    """Return how a value differs from a schema of the file."""
    whole = {**_plain(schema), "components": _plain(API["components"])}
    validator = Draft202012Validator(whole, format_checker=FormatChecker())
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def _plain(node: Any) -> Any:
    """Write `nullable` as JSON Schema has it, and take no member that has no name there."""
    if isinstance(node, list):
        return [_plain(one) for one in node]
    if not isinstance(node, dict):
        return node
    plain = {name: _plain(one) for name, one in node.items() if name != "nullable"}
    if "properties" in plain and plain.get("type") == "object":
        plain.setdefault("additionalProperties", False)
    return {"anyOf": [plain, {"type": "null"}]} if node.get("nullable") is True else plain


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_is_sent_has_examples_that_hold(name: str) -> None:
    assert bool(sent(name)) == name.startswith("POST")
    for body in sent(name):
        assert body.examples, body.where
        for title, value in body.examples.items():
            assert faults(body.schema, value) == [], (body.where, title)


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_is_answered_has_examples_that_hold(name: str) -> None:
    bodies = answered(name)
    [good] = [status for status in bodies if status.startswith("2")]
    assert all(body.examples for body in bodies[good]), good
    for body in (body for found in bodies.values() for body in found):
        for title, value in body.examples.items():
            assert faults(body.schema, value) == [], (body.where, title)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if "/status/" in name])
def test_every_call_with_a_receipt_shows_how_it_is_refused(name: str) -> None:
    shown = {
        value["code"]
        for bodies in answered(name).values()
        for body in bodies
        for value in body.examples.values()
        if "code" in value
    }
    assert shown >= {"receipt_mistyped", "receipt_unknown"}


def test_an_example_that_does_not_hold_would_be_found() -> None:
    [body] = answered("POST /api/v1/status/")["200"]
    wrong = {**examples.STATUS, "state": "lost", "due_on": None, "score": 0.97}
    found = faults(body.schema, {name: wrong[name] for name in wrong if name != "acts"})
    assert len(found) == 4


def test_the_receipt_of_the_examples_could_be_one() -> None:
    assert receipts.written(receipts.canonical(examples.RECEIPT)) == examples.RECEIPT


def test_the_solution_of_the_examples_is_one() -> None:
    payload = json.loads(base64.b64decode(examples.SOLVED))
    asked, solution = payload["challenge"]["parameters"], payload["solution"]
    assert payload["challenge"] == examples.CHALLENGE
    assert asked["algorithm"] == ALGORITHM
    password = bytes.fromhex(asked["nonce"]) + solution["counter"].to_bytes(4, "big")
    key = hashlib.pbkdf2_hmac(
        "sha256", password, bytes.fromhex(asked["salt"]), asked["cost"], asked["keyLength"]
    )
    assert key.hex() == solution["derivedKey"]
    assert key.hex().startswith(asked["keyPrefix"])


def test_the_proof_of_the_examples_is_one() -> None:
    proven = proof_verify(api_examples.PROOF)
    assert proven.value == row_key("url", "https://pictures.example.org/portrait.jpg")
    manifest = manifest_load(api_examples.MANIFEST)
    latest = api_examples.LATEST
    assert manifest_sha256(manifest_dump(manifest)) == latest["manifest_sha256"]
    assert (manifest.tree.root, manifest.release) == (latest["tree_root"], latest["release"])
    assert {file["name"]: file["sha256"] for file in latest["files"]} == {
        **{file.path: file.sha256 for file in manifest.files},
        "manifest.json": latest["manifest_sha256"],
    }
