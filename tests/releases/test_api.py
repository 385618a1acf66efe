import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from django.test import Client

from releases import places
from releases.build import release_build
from releases.publish import releases_publish
from tests.releases.conftest import out
from tests.removal import factories
from unlist.cli import main as unlist_command
from unlist.keys import row_key
from unlist.proof import proof_verify

pytestmark = pytest.mark.django_db

PROOF = "/api/v1/status/proof/"


def problem(answer: Any) -> str:
    assert answer["Content-Type"] == "application/problem+json"
    kind: str = answer.json()["type"]
    return kind.removeprefix("urn:unlist:problem:")


def proofs(client: Client, receipt: str) -> Any:
    return client.post(PROOF, {"receipt": receipt}, content_type="application/json")


def test_releases_are_listed_latest_first(root: Path, client: Client) -> None:
    assert client.get("/api/v1/releases/").json() == {"releases": []}
    first, second = out(1), out(2)
    listed = client.get("/api/v1/releases/").json()["releases"]
    assert [release["release"] for release in listed] == [2, 1]
    assert [release["manifest_sha256"] for release in listed] == [
        second.manifest_sha256,
        first.manifest_sha256,
    ]


def test_a_built_release_is_not_public(root: Path, client: Client) -> None:
    out(1)
    factories.decided()
    release_build()
    assert len(client.get("/api/v1/releases/").json()["releases"]) == 1
    assert client.get("/api/v1/releases/latest/").json()["release"] == 1


def test_the_latest_names_its_files_and_they_are_there(root: Path, client: Client) -> None:
    out(1)
    latest = client.get("/api/v1/releases/latest/").json()
    assert {file["name"] for file in latest["files"]} == {
        "manifest.json",
        "keys-url.parquet",
        "keys-sha256.parquet",
        "keys-md5.parquet",
    }
    assert latest["fresh_until"] > latest["published_on"]
    for file in latest["files"]:
        answer: Any = client.get(file["path"])
        assert len(b"".join(answer.streaming_content)) == file["bytes"]


def test_before_the_first_release_there_is_a_problem_of_its_own(client: Client) -> None:
    answer = client.get("/api/v1/releases/latest/")
    assert (answer.status_code, problem(answer)) == (404, "no_release")


@pytest.mark.parametrize("path", ["/api/v1/releases/", "/api/v1/releases/latest/"])
def test_answers_are_cacheable_with_etag(root: Path, client: Client, path: str) -> None:
    out(1)
    answer = client.get(path)
    assert "public" in answer["Cache-Control"]
    held = {"If-None-Match": answer["ETag"]}
    assert client.get(path, headers=held).status_code == 304
    out(2)
    assert client.get(path, headers=held).status_code == 200


def test_proofs_come_with_the_release_and_hold_offline(
    root: Path, client: Client, tmp_path: Path
) -> None:
    case = factories.decided()
    answer = proofs(client, case.receipt)
    assert (answer.status_code, problem(answer)) == (409, "not_released")
    release_build()
    assert proofs(client, case.receipt).status_code == 409
    releases_publish()
    answer = proofs(client, case.receipt)
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    documents = answer.json()["proofs"]
    proven = {(entry.kind, entry.value) for entry in map(proof_verify, documents)}
    url = "https://pictures.example.org/marked-url.jpg"
    assert proven == {
        ("url", row_key("url", url)),
        ("sha256", row_key("sha256", "ab" * 32)),
    }
    assert url not in answer.text
    path = tmp_path / "proof.json"
    path.write_text(json.dumps(documents[0]))
    checked = CliRunner().invoke(unlist_command, ["verify-proof", str(path)])
    assert checked.exit_code == 0, checked.output
    documents[0]["value"] = "00" * 16
    path.write_text(json.dumps(documents[0]))
    assert CliRunner().invoke(unlist_command, ["verify-proof", str(path)]).exit_code == 2


def test_a_proof_names_the_release_that_the_status_names(root: Path, client: Client) -> None:
    case = factories.decided()
    out()
    out(1)
    out(2)
    assert case.request.released_in == [1]
    assert {
        doc["manifest"]["release"] for doc in proofs(client, case.receipt).json()["proofs"]
    } == {1}


def test_look_alikes_that_were_removed_have_no_proof(root: Path, client: Client) -> None:
    found = [
        factories.match("copy", key="000000001", url="https://example.org/copy.jpg", sha256=None),
        factories.match("similar", key="000000002", url="https://example.org/like.jpg", score=0.3),
    ]
    case = factories.decided(matches=found, approve=(0, 1))
    out()
    (document,) = proofs(client, case.receipt).json()["proofs"]
    assert document["value"] == row_key("url", "https://example.org/copy.jpg").hex()


def test_receipts_that_open_nothing_are_answered_as_by_status(root: Path, client: Client) -> None:
    case = factories.decided()
    out()
    for receipt in ("", "not a code", "0" * 26, case.receipt[:-1], "A" * 26):
        ours = proofs(client, receipt)
        theirs = client.post(
            "/api/v1/status/", {"receipt": receipt}, content_type="application/json"
        )
        assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content)
        assert ours.status_code in {400, 404}


def test_other_sites_pages_are_turned_away(root: Path, client: Client) -> None:
    case = factories.decided()
    out()
    answer = client.post(
        PROOF,
        {"receipt": case.receipt},
        content_type="application/json",
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 403


def test_proofs_do_without_the_signing_keys(root: Path, client: Client) -> None:
    case = factories.decided()
    out()
    for path in places.secret_dir().glob("*.pem"):
        path.unlink()
    assert proofs(client, case.receipt).status_code == 200
