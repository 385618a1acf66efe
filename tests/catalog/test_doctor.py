"""``doctor`` and the checks behind it: each fault is found and comes with its mend."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.core import checks
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from catalog import checks as catalog_checks
from catalog import checks_machine
from catalog.checks import catalog_check, index_findings
from catalog.checks_machine import broker_check, database_check, disk_check
from catalog.models import Dataset, Group

pytestmark = pytest.mark.django_db


def ids(found: list[checks.CheckMessage]) -> list[str | None]:
    assert all(one.hint for one in found)
    return [one.id for one in found]


@pytest.fixture
def _no_encoder_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog_checks, "_encoder_findings", lambda: iter(()))


@pytest.mark.usefixtures("_no_encoder_load")
class TestCatalog:
    def test_an_empty_catalog_is_a_warning(self) -> None:
        assert ids(catalog_check(None)) == ["catalog.W001"]

    def test_a_covered_dataset_is_no_finding(self, indexed: Path) -> None:
        assert catalog_check(None) == []
        assert index_findings(deep=True) == []

    def test_a_dataset_that_is_not_indexed_is_a_warning(self, added: Path) -> None:
        (found,) = catalog_check(None)
        assert found.id == "catalog.W002"
        assert "index_dataset sample" in str(found.hint)

    def test_a_dataset_whose_disk_is_away_is_a_warning(self, indexed: Path) -> None:
        indexed.rename(indexed.with_name("elsewhere"))
        assert ids(catalog_check(None)) == ["catalog.W003"]

    def test_a_failed_group_is_an_error_with_its_reason(self, added: Path) -> None:
        Group.objects.create(
            dataset=Dataset.objects.get(), number=0, state="failed", error="No space left"
        )
        found = catalog_check(None)
        assert ids(found) == ["catalog.W002", "catalog.E002"]
        assert "No space left" in found[1].msg

    def test_a_group_that_was_searched_before_is_told_with_its_day_and_that_it_is_tried_again(
        self, indexed: Path
    ) -> None:
        since = dt.datetime(2026, 11, 20, 7, 30, tzinfo=dt.UTC)
        Group.objects.update(state="failed", error="Its disk is away", failed_at=since)
        found = catalog_check(None)
        assert ids(found) == ["catalog.W002", "catalog.E002"]
        assert "since 2026-11-20 07:30 UTC: Its disk is away" in found[1].msg
        assert "tried again by itself" in str(found[1].hint)

    def test_each_host_looks_at_its_own_stores(self, indexed: Path, settings: Any) -> None:
        (Group.objects.get().path / "index.json").unlink()
        indexed.rename(indexed.with_name("elsewhere"))
        settings.UNLIST = settings.UNLIST.model_copy(update={"stores": ("default", "disk-9")})
        assert ids(catalog_check(None)) == ["catalog.W004"]

    def test_a_missing_index_is_an_error(self, indexed: Path) -> None:
        (Group.objects.get().path / "index.json").unlink()
        assert ids(catalog_check(None)) == ["catalog.E004"]

    def test_a_flipped_byte_is_found_by_the_deep_look_alone(self, indexed: Path) -> None:
        group = Group.objects.get()
        largest = max(group.path.iterdir(), key=lambda path: path.stat().st_size)
        data = bytearray(largest.read_bytes())
        data[-1] ^= 1
        largest.write_bytes(data)
        assert ids(catalog_check(None)) == []
        assert ids(index_findings(deep=True)) == ["catalog.E004"]

    def test_a_web_process_does_not_look_into_indexes(self, indexed: Path, settings: Any) -> None:
        (Group.objects.get().path / "index.json").unlink()
        settings.UNLIST = settings.UNLIST.model_copy(update={"role": "public"})
        assert catalog_check(None) == []


def test_an_encoder_that_cannot_be_loaded_is_an_error(settings: Any) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"encoder": "no-such-model/nowhere"})
    assert "catalog.E006" in ids(catalog_check(None))


def test_a_working_database_is_no_finding() -> None:
    assert database_check(None) == []


def test_a_database_that_is_away_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise OperationalError("away")

    monkeypatch.setattr(connection, "ensure_connection", away)
    assert ids(database_check(None)) == ["unlist.E001"]
    assert catalog_check(None) == []


def test_tables_of_another_version_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Behind:
        def __init__(self, connection: object) -> None:
            self.loader = self.graph = self

        def leaf_nodes(self) -> list[object]:
            return []

        def migration_plan(self, targets: list[object]) -> list[object]:
            return ["a migration"]

    monkeypatch.setattr(checks_machine, "MigrationExecutor", Behind)
    assert ids(database_check(None)) == ["unlist.E002"]


def test_a_database_that_cannot_be_written_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse, allow = {
        "sqlite": ("PRAGMA query_only = 1", "PRAGMA query_only = 0"),
        "postgresql": (
            "SET default_transaction_read_only = on; SET transaction_read_only = on",
            "SET default_transaction_read_only = off",
        ),
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(refuse)
    try:
        assert ids(database_check(None)) == ["unlist.E003"]
    finally:
        with connection.cursor() as cursor:
            cursor.execute(allow)


def test_a_data_folder_that_is_missing_or_full_is_told(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ids(disk_check(None)) == ["unlist.E004"]
    settings.UNLIST.data_dir.mkdir(parents=True)
    monkeypatch.setattr(checks_machine, "_DISK_LOW_BYTES", 0)
    assert disk_check(None) == []
    monkeypatch.setattr(checks_machine, "_DISK_LOW_BYTES", 2**80)
    assert ids(disk_check(None)) == ["unlist.W001"]


def test_a_broker_without_worker_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks_machine, "_PATIENCE_SECONDS", 0.1)
    assert ids(broker_check(None)) == ["unlist.W003"]


def test_a_broker_that_is_away_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    app = current_app
    away = app.connection(f"redis+socket://{tmp_path / 'nobody.sock'}")
    monkeypatch.setattr(app, "connection_for_write", lambda: away)
    assert ids(broker_check(None)) == ["unlist.W002"]


def _one_check(monkeypatch: pytest.MonkeyPatch, *found: checks.CheckMessage) -> None:
    monkeypatch.setattr(
        "catalog.management.commands.doctor.checks.run_checks", lambda **_: list(found)
    )


def test_doctor_fails_on_an_error_and_says_how_to_mend_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _one_check(
        monkeypatch,
        checks.Warning("half bad", hint="mend half", id="a.W001"),
        checks.Error("bad", hint="mend it so", id="a.E001"),
    )
    with pytest.raises(CommandError, match="1 errors"):
        call_command("doctor")
    told = capsys.readouterr().out
    assert told.index("error a.E001: bad") < told.index("warning a.W001: half bad")
    assert "mend: mend it so" in told


def test_doctor_is_content_with_warnings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _one_check(monkeypatch, checks.Warning("half bad", hint="mend half", id="a.W001"))
    call_command("doctor")
    assert "No error." in capsys.readouterr().out


def test_doctor_runs_the_checks_of_every_app(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError):  # the tests' folders hold no secrets
        call_command("doctor", deep=True)
    told = capsys.readouterr().out
    assert "catalog.W001" in told
    assert "removal." in told
    assert "unlist.E004" in told
