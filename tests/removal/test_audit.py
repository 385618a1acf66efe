"""The audit log: one chain, and each way of tampering shows at the first wrong entry."""

import datetime as dt
import itertools
import re
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from removal import audit
from removal.audit import AuditBroken, audit_append, audit_head, audit_verify
from removal.custody import shred
from removal.models import AuditEntry, AuditTip, RemovalRequest
from tests.removal import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def chain() -> Any:
    with transaction.atomic():
        for n in range(5):
            audit_append(
                act="noted", actor=audit.staff(3) if n % 2 else audit.SUBJECT, detail={"n": n}
            )


def test_an_empty_log_is_sound() -> None:
    assert audit_verify() == audit_head()
    assert audit_head().seq == 0


def test_each_entry_holds_the_digest_of_the_one_before(chain: None) -> None:
    entries = list(AuditEntry.objects.all())
    assert [entry.seq for entry in entries] == [1, 2, 3, 4, 5]
    for one, following in itertools.pairwise(entries):
        assert bytes(following.previous) == bytes(one.digest)
    assert audit_verify().digest == bytes(entries[-1].digest).hex()


@pytest.mark.parametrize(
    "change",
    [
        {"act": "denied"},
        {"actor": "staff:4"},
        {"day": dt.date(2001, 1, 1)},
        {"detail": {"n": 9}},
        {"subject": b"x" * 32},
        {"at": dt.datetime(2001, 1, 1, tzinfo=dt.UTC)},
    ],
)
def test_a_changed_entry_shows(chain: None, change: dict[str, Any]) -> None:
    AuditEntry.objects.filter(seq=3).update(**change)
    with pytest.raises(AuditBroken, match="was changed") as broken:
        audit_verify()
    assert broken.value.seq == 3


def test_a_changed_entry_with_a_fresh_digest_shows_at_the_next(chain: None) -> None:
    entry = AuditEntry.objects.get(seq=3)
    entry.act = "denied"
    entry.digest = audit.entry_digest(entry)
    entry.save()
    with pytest.raises(AuditBroken, match="does not follow") as broken:
        audit_verify()
    assert broken.value.seq == 4


def test_a_removed_entry_shows(chain: None) -> None:
    AuditEntry.objects.filter(seq=2).delete()
    with pytest.raises(AuditBroken, match="Entry 2 is missing"):
        audit_verify()


def test_a_cut_end_shows(chain: None) -> None:
    AuditEntry.objects.filter(seq=5).delete()
    with pytest.raises(AuditBroken, match="Entry 5 is missing at the end"):
        audit_verify()


def test_a_changed_head_shows(chain: None) -> None:
    AuditTip.objects.update(digest=bytes(32))
    with pytest.raises(AuditBroken, match="not the one that the head names"):
        audit_verify()


def test_the_command_prints_the_head_or_the_first_broken_entry(
    chain: None, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("verify_audit")
    assert capsys.readouterr().out.strip() == audit_head().digest
    assert re.fullmatch("[0-9a-f]{64}", audit_head().digest)
    AuditEntry.objects.filter(seq=4).update(act="other")
    with pytest.raises(CommandError, match="Entry 4 was changed"):
        call_command("verify_audit")


def test_subject_acts_are_dated_by_day_and_staff_acts_by_time(chain: None) -> None:
    times = {entry.actor: entry.at for entry in AuditEntry.objects.all()}
    assert times["subject"] is None
    assert times["staff:3"] is not None


def test_entries_of_a_request_name_it_by_a_tag_that_dies_with_its_key(made_secrets: None) -> None:
    case = factories.in_review(note="marked-note")
    tag = audit.subject_tag(case.request)
    entries = AuditEntry.objects.filter(subject=tag)
    assert [entry.act for entry in entries] == ["submitted", "search_begun", "search_concluded"]
    facts = str([(entry.actor, entry.act, entry.detail) for entry in entries])
    assert "marked" not in facts
    assert str(case.request_id) not in facts
    shred.keys_destroy([RemovalRequest.objects.get().audit_shred])
    with pytest.raises(shred.KeyShredded):
        audit.subject_tag(case.request)
