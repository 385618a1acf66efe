"""The proof as a file to keep: from the status page, in its session, and checked offline."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from django.test import Client

from releases.build import release_build
from releases.proofs import proofs_seal_due
from releases.publish import releases_publish
from removal.life.destroying import case_destroy
from tests.removal import factories
from unlist.cli import main as unlist_command

pytestmark = pytest.mark.django_db


def opened(client: Client, receipt: str) -> str:
    assert client.post("/status/", {"receipt": receipt}).status_code == 303
    return str(client.get("/status/").content.decode())


def holds(body: bytes, path: Path) -> Any:
    path.write_bytes(body)
    return CliRunner().invoke(unlist_command, ["verify-proof", str(path)])


def test_the_proof_can_be_kept_and_holds_offline(
    root: Path, client: Client, tmp_path: Path
) -> None:
    case = factories.decided()
    assert "/status/proof/" not in opened(client, case.receipt)
    assert client.get("/status/proof/").status_code == 409
    release_build()
    releases_publish()
    assert 'href="/status/proof/"' in opened(client, case.receipt)
    answer = client.get("/status/proof/")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="unlist-proof.json"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert b"marked-url" not in answer.content
    checked = holds(answer.content, tmp_path / "proof.json")
    assert checked.exit_code == 0, checked.output
    assert checked.output.count("The proof holds") == len(answer.json()["proofs"]) == 2


def test_it_is_offered_when_the_case_is_deleted(root: Path, client: Client, tmp_path: Path) -> None:
    case = factories.decided()
    release_build()
    releases_publish()
    proofs_seal_due()
    case_destroy(case.request_id)
    assert 'href="/status/proof/"' in opened(client, case.receipt)
    answer = client.get("/status/proof/")
    assert holds(answer.content, tmp_path / "proof.json").exit_code == 0
    assert len(json.loads(answer.content)["proofs"]) == 2


def test_without_a_session_the_code_is_asked_for(root: Path, client: Client) -> None:
    answer = client.get("/status/proof/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/status/")
