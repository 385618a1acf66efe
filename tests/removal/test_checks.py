"""What `doctor` sees: each fault, with what mends it, and nothing where all is well."""

import datetime as dt
import os
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.checks.registry import registry
from django.utils import timezone

from catalog.stores import stores_announce
from removal.custody import rotation, secrets
from removal.models import Errand, RetentionRun, SearchUnit
from removal.search import errands, fingerprinting
from tests.removal import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _operator_named(_own_folders: None, settings: Any) -> None:
    named = {"operator_name": "The Example Foundation"}
    settings.UNLIST = settings.UNLIST.model_copy(update=named)


def found() -> dict[str | None, Any]:
    """Run the checks of removal that `doctor` runs; those of others ask brokers and encoders."""
    checks = [
        check
        for check in registry.get_checks(include_deployment_checks=True)
        if check.__module__.startswith("removal.") and "unlist" in check.tags
    ]
    assert len(checks) > 5  # found by where they are and by the tag that doctor asks for
    return {
        message.id: message
        for check in checks
        for message in check(app_configs=None, databases=None)
    }


def as_role(settings: Any, role: str) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"role": role})


def test_missing_secrets_are_told_with_the_command(settings: Any) -> None:
    assert found()["removal.E001"].hint == "Run `python manage.py make_secrets`."
    factories.secrets_made()
    assert found().keys() == {"removal.I001"}  # one machine cannot keep secrets from itself


def test_a_service_that_nobody_answers_for_is_told(made_secrets: None, settings: Any) -> None:
    nameless = type(settings.UNLIST).model_fields["operator_name"].default
    settings.UNLIST = settings.UNLIST.model_copy(update={"operator_name": nameless})
    assert "UNLIST_OPERATOR_NAME" in found()["removal.W001"].hint


def test_secrets_that_other_users_can_read_are_told(made_secrets: None) -> None:
    secrets.PEPPER.path.chmod(0o640)
    assert "chmod 600" in str(found()["removal.E002"].hint)


@pytest.mark.parametrize("role", ["public", "staff", "worker"])
def test_a_role_that_can_read_anothers_secrets_is_told(
    made_secrets: None, settings: Any, role: str
) -> None:
    as_role(settings, role)
    assert "removal.E003" in found()
    for secret in secrets.SECRETS:
        if secret.role != role:
            secret.path.unlink(missing_ok=True)
    assert found() == {}


def test_retention_that_did_not_run_is_told_once_there_is_something_to_delete(
    made_secrets: None,
) -> None:
    assert "removal.E020" not in found()
    factories.received()
    assert "never ran" in found()["removal.E020"].msg
    run = RetentionRun.objects.create(ran_at=timezone.now() - dt.timedelta(hours=24))
    assert "removal.E020" not in found()
    run.ran_at -= dt.timedelta(hours=2)
    run.save()
    assert "last ran" in found()["removal.E020"].msg


@pytest.mark.parametrize(
    ("public", "name"),
    [
        (secrets.REVIEWER_PUBLIC, "reviewer"),
        (secrets.WORKER_PUBLIC, "worker"),
        (secrets.WORKER_PUBLIC_AT_STAFF, "worker"),
    ],
)
def test_halves_that_do_not_belong_together_are_told(
    made_secrets: None, public: secrets.Secret, name: str
) -> None:
    secrets.secret_put(public, bytes(32))
    assert f"rotate_secret {name}" in str(found()["removal.E004"].hint)
    rotation.rotations_continue()  # no rotation is under way: nothing is mended by guessing
    assert "removal.E004" in found()


def test_a_rotation_left_halfway_is_told_after_a_day(made_secrets: None, settings: Any) -> None:
    rotation.secret_rotate("worker")
    assert "removal.W002" not in found()
    [path] = secrets.retired_read(secrets.WORKER_PRIVATE)
    two_days_ago = time.time() - 2 * 24 * 60 * 60
    os.utime(path, (two_days_ago, two_days_ago))
    assert "rotate_secret worker" in str(found()["removal.W002"].hint)
    rotation.rotations_continue()
    assert "removal.W002" not in found()


@pytest.mark.parametrize("name", ["pepper", "reviewer", "worker"])
def test_a_damaged_retired_secret_is_told(made_secrets: None, name: str) -> None:
    rotation.secret_rotate(name)
    [path] = secrets.retired_read(rotation._ROTATED[name])
    path.write_bytes(os.urandom(65))
    assert str(path) in found()["removal.E001"].msg


def test_a_secret_that_is_destroyed_while_doctor_looks_is_no_fault(
    made_secrets: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def destroyed(path: Path) -> dt.datetime:
        raise FileNotFoundError(path)

    for name in ("pepper", "worker"):
        rotation.secret_rotate(name)
    monkeypatch.setattr(rotation, "_grace_ends", destroyed)
    assert found().keys() == {"removal.I001"}


def test_a_pepper_that_outlived_its_requests_is_told(made_secrets: None, settings: Any) -> None:
    case = factories.received()
    RetentionRun.objects.create(ran_at=timezone.now())
    rotation.secret_rotate("pepper")
    [path] = secrets.retired_read(secrets.PEPPER)
    two_days_ago = time.time() - 2 * 24 * 60 * 60
    os.utime(path, (two_days_ago, two_days_ago))
    assert "removal.W003" not in found()
    case.request.delete()
    assert "shred_expired" in str(found()["removal.W003"].hint)
    as_role(settings, "staff")
    assert "removal.W003" not in found()


def test_a_search_that_stands_still_is_told(made_secrets: None) -> None:
    factories.catalog_group()
    case = factories.received()
    fingerprinting.request_fingerprint(case.request_id, searcher=factories.FakeSearcher())
    assert "removal.E030" not in found()
    SearchUnit.objects.update(state=SearchUnit.State.FAILED, error="group_unavailable")
    told = found()["removal.E030"]
    assert told.msg == "1 requests wait for group sample/0: its index cannot be opened."
    assert "index_dataset sample" in str(told.hint)


def test_a_store_that_is_waited_for_and_that_no_worker_serves_is_told(made_secrets: None) -> None:
    factories.catalog_group(store="disk-9")
    case = factories.received()
    assert "removal.W011" in found()
    stores_announce(["default"])
    assert "removal.W011" not in found()
    fingerprinting.request_fingerprint(case.request_id, searcher=factories.FakeSearcher())
    assert "disk-9 in its UNLIST_STORES" in str(found()["removal.W010"].hint)
    stores_announce(["disk-9"])
    assert "removal.W010" not in found()


def test_a_store_that_a_search_for_copies_waits_for_is_told(made_secrets: None) -> None:
    factories.decided()
    errand = Errand.objects.get()
    stores_announce(["default"])
    errands.errand_advance(errand.pk, searcher=factories.FakeSearcher())
    told = found()["removal.W012"]
    assert told.msg.startswith("Searches for copies of approved rows, or sweeps, wait for 1 groups")
    assert "local in its UNLIST_STORES" in str(told.hint)
    stores_announce(["local"])
    assert "removal.W012" not in found()


def test_ordinary_commands_are_not_held_up() -> None:
    assert not [m for m in run_checks() if (m.id or "").startswith("removal.")]
