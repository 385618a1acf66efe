"""The written interface keeps step with the one that answers."""

import re
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client

from removal.api.problems import PROBLEMS

DOCS = Path(__file__).parents[3] / "docs"


def test_openapi_file_is_in_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = tmp_path / "openapi.yaml"
    call_command("spectacular", file=str(made), validate=True, fail_on_warn=True)
    assert capsys.readouterr().err == ""
    mend = "run: python manage.py spectacular --file docs/openapi.yaml"
    assert (DOCS / "openapi.yaml").read_text() == made.read_text(), mend


def test_schema_is_served(visitor: Client) -> None:
    answer = visitor.get("/api/v1/schema/")
    assert answer.status_code == 200
    assert b"/api/v1/requests/" in answer.content


def test_every_problem_is_documented() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", (DOCS / "api.md").read_text(), re.MULTILINE)
    documented = {code: int(status) for code, status in rows}
    known = {code: status for code, (status, _) in PROBLEMS.items()}
    assert known.items() <= documented.items()


def test_every_call_is_documented() -> None:
    text = (DOCS / "api.md").read_text()
    for call in re.findall(r"^  (/api/v1/\S+):", (DOCS / "openapi.yaml").read_text(), re.MULTILINE):
        assert call in text
