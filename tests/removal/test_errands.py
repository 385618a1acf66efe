"""Errands: who can open what, and that nothing of one is left when it ends or its request goes."""

import datetime as dt
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from removal.audit import subject_tag
from removal.custody import content, rotation, shred
from removal.custody.sealing import NotReadable, Place, role_key, seal, unwrap
from removal.life import destroying, retention
from removal.life.errands import DAYS_MOST, TOO_OLD, errand_ask, errand_end
from removal.models import (
    AuditEntry,
    DataKey,
    Errand,
    ErrandKind,
    ErrandState,
    ErrandUnit,
    Purpose,
    Recipient,
    Wrap,
)
from tests.removal import factories
from tests.removal.factories import Case

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]

ORDER = b"the order"


def asked(case: Case | None = None, *, reviewers: bool = False) -> Errand:
    kind = ErrandKind.DUPLICATES if case else ErrandKind.SWEEP
    request = case.request if case else None
    return errand_ask(kind, order=ORDER, request=request, reviewers=reviewers)


def order_read(errand: Errand, recipient: Recipient) -> bytes:
    key = unwrap(errand.pk, Purpose.ERRAND, recipient, role_key(recipient))
    return key.open(errand.order_sealed, Place(errand.pk, Purpose.ERRAND, content.ORDER))


def files_of(errand: Errand) -> list[Any]:
    return list(Wrap.objects.filter(key__errand=errand).values_list("shred", flat=True))


def test_workers_alone_read_what_is_asked() -> None:
    errand = asked(factories.in_review())
    assert ORDER not in bytes(errand.order_sealed)
    assert order_read(errand, Recipient.WORKER) == ORDER
    with pytest.raises(NotReadable):
        order_read(errand, Recipient.REVIEWER)


def test_reviewers_read_an_errand_that_is_made_for_them_too() -> None:
    errand = asked(reviewers=True)
    assert order_read(errand, Recipient.REVIEWER) == order_read(errand, Recipient.WORKER) == ORDER


def test_a_process_of_the_staff_role_asks_it_with_what_it_holds(settings: Any) -> None:
    case = factories.in_review()
    settings.UNLIST = settings.UNLIST.model_copy(update={"role": "staff"})
    errand, sweep = asked(case), asked(reviewers=True)
    assert order_read(sweep, Recipient.REVIEWER) == ORDER
    settings.UNLIST = settings.UNLIST.model_copy(update={"role": "worker"})
    assert order_read(errand, Recipient.WORKER) == order_read(sweep, Recipient.WORKER) == ORDER


def test_it_ends_once_and_takes_the_workers_key_with_it() -> None:
    errand = asked(reviewers=True)
    group = factories.catalog_group()
    ErrandUnit.objects.create(errand=errand, group=group, stage=ErrandUnit.Stage.SEARCH)
    row = seal(errand.pk, Purpose.ERRAND, "row", b"a row")
    [worker] = Wrap.objects.filter(key__errand=errand, recipient=Recipient.WORKER)
    assert errand_end(errand.pk, ErrandState.DONE)
    assert not errand_end(errand.pk, ErrandState.FAILED)
    errand.refresh_from_db()
    assert (errand.state, bytes(errand.order_sealed)) == (ErrandState.DONE, b"")
    assert not errand.units.exists()
    with pytest.raises(NotReadable):
        order_read(errand, Recipient.WORKER)
    with pytest.raises(shred.KeyShredded):
        shred.key_read(worker.shred)
    key = unwrap(errand.pk, Purpose.ERRAND, Recipient.REVIEWER, role_key(Recipient.REVIEWER))
    assert key.open(row, Place(errand.pk, Purpose.ERRAND, "row")) == b"a row"


def test_a_request_has_one_search_for_duplicates_at_a_time() -> None:
    case = factories.in_review()
    first = asked(case)
    with pytest.raises(IntegrityError), transaction.atomic():
        asked(case)
    errand_end(first.pk, ErrandState.DONE)
    assert asked(case).state == ErrandState.ASKED


@pytest.mark.parametrize("end", ["erased", "case"])
def test_nothing_of_it_outlives_its_request_or_case(end: str) -> None:
    case = factories.no_match()
    errand = asked(case)
    files = files_of(errand)
    if end == "erased":
        assert destroying.request_erase(case.request_id)
    else:
        assert destroying.case_destroy(case.request_id)
    assert not Errand.objects.exists()
    assert not DataKey.objects.filter(purpose=Purpose.ERRAND).exists()
    for name in files:
        with pytest.raises(shred.KeyShredded):
            shred.key_read(name)


def test_the_end_of_a_search_takes_no_key_of_an_errand() -> None:
    errand = asked(factories.in_review())
    destroying.worker_keys_destroy()
    assert order_read(errand, Recipient.WORKER) == ORDER


def test_a_new_key_pair_of_the_workers_opens_what_was_asked_before() -> None:
    errand = asked(factories.in_review())
    rotation.secret_rotate("worker")
    assert order_read(errand, Recipient.WORKER) == ORDER
    [holder] = Wrap.objects.filter(key__errand=errand).values_list("holder", flat=True)
    assert holder == Wrap.objects.exclude(holder="").latest("pk").holder


def test_retention_gives_up_what_no_worker_could_do() -> None:
    errand, fresh = asked(factories.in_review()), asked()
    late = timezone.now() - dt.timedelta(days=DAYS_MOST, seconds=1)
    Errand.objects.filter(pk=errand.pk).update(asked_at=late)
    assert retention.retention_run()["errands"] == 1
    errand.refresh_from_db()
    fresh.refresh_from_db()
    assert (errand.state, errand.fault) == (ErrandState.FAILED, TOO_OLD)
    [entry] = AuditEntry.objects.filter(act="errand_given_up")
    assert errand.request is not None
    assert bytes(entry.subject) == subject_tag(errand.request)
    assert (entry.actor, entry.detail) == ("retention", {"kind": "duplicates"})
    assert fresh.state == ErrandState.ASKED


def test_retention_leaves_the_keys_of_what_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    errand = asked()
    monkeypatch.setattr(retention, "ORPHAN_SECONDS", -1)
    retention.retention_run()
    assert order_read(errand, Recipient.WORKER) == ORDER


def test_a_key_belongs_to_a_request_or_to_an_errand() -> None:
    errand, case = asked(), factories.received()
    both = {"request": case.request, "errand": errand, "purpose": Purpose.ERRAND, "public": b"k"}
    for owners in (both, {**both, "request": None, "errand": None}):
        with pytest.raises(IntegrityError), transaction.atomic():
            DataKey.objects.create(**owners)
