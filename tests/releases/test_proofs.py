"""Proofs sealed at closing: what is left to the subject when the rows are gone."""

import datetime as dt
import json
import shutil
import zlib
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from releases import places, proofs
from releases.checks_proofs import proofs_check
from releases.tasks import proofs_sweep, seal_proofs
from removal.custody.secrets import SecretUnavailable
from removal.life import appeals, closing, retention
from removal.life.destroying import case_destroy
from removal.models import AuditEntry, RemovalRequest, today
from removal.selectors.proofs import proofs_due
from tests.releases.conftest import out
from tests.removal import factories
from tests.removal.deciding import request_decide
from tests.removal.factories import Case
from unlist.keys import row_key
from unlist.proof import proof_verify

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("root")]
PROOF = "/api/v1/status/proof/"


def released(**submission: Any) -> Case:
    case = factories.decided(**submission)
    out()
    return case


def fetched(client: Client, case: Case) -> list[dict[str, Any]]:
    answer = client.post(PROOF, {"receipt": case.receipt}, content_type="application/json")
    assert answer.status_code == 200, answer.content
    documents: list[dict[str, Any]] = answer.json()["proofs"]
    return documents


def aged(days: int) -> None:
    RemovalRequest.objects.update(closed_on=today() - dt.timedelta(days=days))


def role(settings: Any, name: str) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"role": name})


def test_what_is_sealed_at_closing_outlives_rows_files_and_keys(
    client: Client, settings: Any
) -> None:
    case = released()
    before = fetched(client, case)
    assert proofs.proofs_seal_due() == 1
    assert fetched(client, case) == before
    sealed = bytes(case.request.proof_sealed)
    assert before[0]["value"].encode() not in sealed
    case_destroy(case.request_id)
    for name in ("staff", "worker", "release"):
        shutil.rmtree(settings.UNLIST.secret_dir / name)
    shutil.rmtree(places.release_dir("public", 1))
    role(settings, "public")
    assert fetched(client, case) == before
    assert {proof_verify(one).release for one in before} == {1}


def test_without_the_subject_nobody_opens_them(settings: Any) -> None:
    case = released()
    proofs.proofs_seal_due()
    wraps = case.request.keys.get(purpose="proof").wraps.values_list("recipient", flat=True)
    assert list(wraps) == ["subject"]


def test_sealing_is_done_once() -> None:
    case = released()
    assert proofs_due() == [case.request_id]
    seal_proofs()
    sealed = bytes(case.request.proof_sealed)
    assert (proofs_due(), proofs.proofs_seal(case.request_id)) == ([], False)
    assert bytes(case.request.proof_sealed) == sealed
    assert not closing.proofs_keep(request_id=case.request_id, proofs=b"other", released_in=[1])
    entries = AuditEntry.objects.filter(act="proofs_kept")
    assert [(entry.actor, entry.at) for entry in entries] == [("staff", None)]


def test_what_was_read_before_another_release_is_not_kept() -> None:
    case = released()
    assert not closing.proofs_keep(request_id=case.request_id, proofs=b"old", released_in=[])
    assert not bytes(case.request.proof_sealed)


def test_nothing_is_sealed_before_the_case_is_closed() -> None:
    case = factories.decided()
    assert (proofs_due(), proofs.proofs_seal(case.request_id)) == ([], False)


def test_files_that_are_away_hold_up_no_other_and_are_tried_again(tmp_path: Path) -> None:
    first = released()
    second = released(
        matches=[factories.match("copy", url="https://example.org/2.jpg")], approve=(0,)
    )
    folder, away = places.release_dir("public", 1), tmp_path / "away"
    shutil.move(folder, away)
    assert proofs.proofs_seal_due() == 1
    assert proofs_due() == [first.request_id]
    assert bytes(second.request.proof_sealed)
    with pytest.raises(CommandError, match="proofs of 1 requests cannot be made"):
        call_command("seal_proofs")
    shutil.move(away, folder)
    call_command("seal_proofs")
    assert proofs_due() == []


def test_look_alikes_have_none_and_are_done_with(client: Client) -> None:
    case = released(matches=[factories.match("similar", score=0.3)], approve=(0,))
    assert proofs.proofs_seal_due() == 1
    assert (proofs_due(), fetched(client, case)) == ([], [])


def test_each_key_is_proven_by_the_first_release_that_carried_it(client: Client) -> None:
    found = [
        factories.match("copy", key=f"{n:09}", url=f"https://example.org/{n}.jpg", sha256=None)
        for n in (1, 2)
    ]
    case = released(matches=found, approve=(0,), reason="different_picture")
    proofs.proofs_seal_due()
    appeals.request_appeal(opened=case.opened(), text="The other one too.")
    assert len(fetched(client, case)) == 1
    request_decide(
        request_id=case.request_id,
        reviewer=factories.staff_user(),
        approve=[candidate.pk for candidate in case.candidates],
        deny_reason=None,
        statement="",
        tier="exact",
    )
    out()
    for _ in ("made on demand", "sealed"):
        shown = {one["value"]: proof_verify(one).release for one in fetched(client, case)}
        assert shown == {
            row_key("url", "https://example.org/1.jpg").hex(): 1,
            row_key("url", "https://example.org/2.jpg").hex(): 2,
        }
        proofs.proofs_seal_due()
    assert proofs_due() == []


def test_the_staff_role_is_told_where_there_is_something_to_seal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(seal_proofs, "apply_async", lambda **words: sent.append(words))
    proofs_sweep()
    released()
    proofs_sweep()
    assert [(one["queue"], one["expires"]) for one in sent] == [("staff", 600)]
    assert "args" not in sent[0]


# --- who seals, and what if nobody does ---------------------------------------------------------


def test_only_the_staff_role_seals(settings: Any) -> None:
    case = released()
    for name in ("public", "worker", "release"):
        role(settings, name)
        with pytest.raises(SecretUnavailable):
            proofs.proofs_seal(case.request_id)
        with pytest.raises(CommandError, match="role"):
            call_command("seal_proofs")
    role(settings, "staff")
    assert proofs.proofs_seal_due() == 1


def test_retention_seals_at_the_last_moment_where_it_can(client: Client) -> None:
    case = released()
    before = fetched(client, case)
    aged(90)
    retention.retention_run()
    assert case.request.case_deleted_on == today()
    assert fetched(client, case) == before


def test_a_case_waits_two_days_after_closing_for_its_proofs_and_no_longer(settings: Any) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"keep_case_days": 0, "role": "worker"})
    case = released_by_all(settings)
    retention.retention_run()
    assert case.request.case_deleted_on is None
    aged(2)
    retention.retention_run()
    assert case.request.case_deleted_on == today()


def released_by_all(settings: Any) -> Case:
    """Return a released request, made while the process had every role."""
    had = settings.UNLIST.role
    role(settings, "all")
    case = released()
    role(settings, had)
    return case


def test_doctor_names_proofs_that_are_late() -> None:
    released()
    aged(1)
    assert proofs_check() == []
    aged(2)
    (finding,) = proofs_check()
    assert finding.id == "releases.E005"
    assert "1 closed requests" in finding.msg
    proofs.proofs_seal_due()
    assert proofs_check() == []


def test_a_form_of_another_version_is_refused() -> None:
    packed = proofs._packed([])
    assert proofs._unpacked(packed) == []
    assert json.loads(zlib.decompress(packed))["form"] == "unlist-proofs/1"
    other = zlib.compress(b'{"form": "unlist-proofs/2", "proofs": []}')
    with pytest.raises(ValueError, match="form"):
        proofs._unpacked(other)
