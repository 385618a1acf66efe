from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.utils import timezone

from releases import checks, places, signing
from releases.repository import ListRepository
from tests.releases.conftest import out

pytestmark = pytest.mark.django_db


def ids(*found: list[CheckMessage]) -> set[str | None]:
    return {message.id for messages in found for message in messages}


def test_doctor_runs_them_and_other_commands_do_not() -> None:
    asked = run_checks(tags=["unlist"], include_deployment_checks=True)
    assert "releases.E001" in ids(asked)
    assert not any(str(message.id).startswith("releases.") for message in run_checks())


def test_all_well_says_nothing(root: Path) -> None:
    out(1)
    assert ids(checks.keys_check(), checks.clock_check(), checks.files_check()) == set()


def test_missing_and_readable_keys_are_named(keys: None) -> None:
    signing.key_path("targets").unlink()
    signing.key_path("public").chmod(0o644)
    missing, exposed = checks.keys_check()
    assert (missing.id, exposed.id) == ("releases.E001", "releases.E002")
    assert "targets" in missing.msg
    assert "chmod 600 public.pem" in str(exposed.hint)


def test_who_does_not_sign_needs_no_keys(settings: Any) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"role": "public"})
    assert checks.keys_check() == []


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (1, set()),
        (2.5, {"releases.W001"}),
        (4, {"releases.E003"}),
        (310, {"releases.E003", "releases.W001"}),
    ],
)
def test_a_clock_that_runs_out_is_foretold(
    root: Path, monkeypatch: pytest.MonkeyPatch, days: float, expected: set[str]
) -> None:
    out(1)
    when = timezone.now() + timedelta(days=days)
    monkeypatch.setattr("django.utils.timezone.now", lambda: when)
    assert ids(checks.clock_check()) == expected


def test_damaged_files_are_named(root: Path) -> None:
    out(1)
    repository = ListRepository.reader(places.repository_dir())
    for target in repository.list_targets("public").values():
        repository.target_path(target).write_bytes(b"x")
    assert ids(checks.files_check()) == {"releases.E004"}
    (places.repository_dir() / "metadata" / "timestamp.json").write_bytes(b"x")
    assert ids(checks.files_check(), checks.clock_check()) == {"releases.E004"}
