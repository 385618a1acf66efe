"""Retention: what dies on which day, keys first, whatever interrupts it."""

import datetime as dt
import os
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from removal import audit
from removal.audit import audit_verify
from removal.custody import blobs, content, receipts, rotation, shred
from removal.custody.sealing import NotReadable, Place, seal
from removal.custody.secrets import SecretUnavailable
from removal.intake import gate
from removal.intake.load import Gate
from removal.life import appeals, retention, review, sessions
from removal.life.destroying import photos_destroy, request_erase
from removal.life.messages import message_post, message_send
from removal.life.questions import question_answer
from removal.models import (
    AuditEntry,
    Candidate,
    DataKey,
    Message,
    Photo,
    Purpose,
    Question,
    RemovalRequest,
    RetentionRun,
    SearchUnit,
    SpentTicket,
    State,
    SubjectSession,
    Wrap,
    today,
)
from removal.search import matching
from removal.selectors import ReceiptUnknown, request_open
from tests.removal import factories
from tests.removal.deciding import request_decide
from tests.removal.factories import Case

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]


def days_pass(days: int) -> None:
    """Move every date of every request into the past."""
    names = ["received_on", "due_on", "searched_on", "decided_on", "closed_on", "photos_delete_on"]
    names += ["appealed_on", "answer_due_on"]
    for request in RemovalRequest.objects.all():
        for name in names:
            if day := getattr(request, name):
                setattr(request, name, day - dt.timedelta(days=days))
        request.save()


def run(django_capture_on_commit_callbacks: Any) -> Counter[str]:
    with django_capture_on_commit_callbacks(execute=True):
        return retention.retention_run()


@pytest.fixture
def ran(django_capture_on_commit_callbacks: Any) -> Any:
    return lambda: run(django_capture_on_commit_callbacks)


def files(folder: Callable[[], Path]) -> set[str]:
    return {path.name for path in folder().glob("*")}


def purposes() -> set[str]:
    of_requests = Wrap.objects.filter(key__request__isnull=False)
    return set(of_requests.values_list("key__purpose", flat=True))


TOMBSTONE = {
    *("id", "receipt_tag", "pepper", "subject_salt", "subject_public", "audit_shred"),
    *("state", "outcome", "released_in", "state_seq"),
    *("received_on", "due_on", "decided_on", "closed_on"),
    *("photos_delete_on", "photos_deleted_on", "case_deleted_on"),
}
"""What docs/privacy.md says a tombstone still says; `reason` and proofs where there are."""


def facts_left(request: RemovalRequest) -> set[str]:
    """Return the fields that say something, and the relations that still have rows."""
    names = [field.name for field in RemovalRequest._meta.concrete_fields]
    kept = {name for name in names if getattr(request, name) not in ("", b"", None, 0, [], False)}
    for relation in RemovalRequest._meta.related_objects:
        rows = relation.related_model._default_manager.filter(**{relation.field.name: request})
        if (accessor := relation.get_accessor_name()) != "keys" and rows.exists():
            kept.add(str(accessor))
    return kept


@pytest.mark.parametrize("make", [factories.decided, factories.no_match])
def test_photos_go_14_days_after_the_decision(
    make: Callable[[], Case], ran: Callable[[], Counter[str]]
) -> None:
    case = make()
    days_pass(13)
    assert ran()["photos"] == 0
    assert len(files(blobs.folder)) == 1
    days_pass(1)
    assert ran()["photos"] == 1
    assert files(blobs.folder) == set()
    assert purposes() == {"case", "proof"}
    photo = Photo.objects.get()
    assert (photo.state, photo.fingerprint_sealed) == ("deleted", b"")
    assert photo.deleted_on == case.request.photos_deleted_on
    assert case.request.links_sealed == b""
    assert ran()["photos"] == 0


def test_photos_go_after_120_days_whatever_happens(ran: Callable[[], Counter[str]]) -> None:
    case = factories.in_review()
    days_pass(119)
    assert ran()["photos"] == 0
    days_pass(1)
    assert ran()["photos"] == 1
    assert case.request.state == State.IN_REVIEW


def test_a_request_never_searched_in_120_days_goes_to_a_maintainer_who_can_say_so(
    ran: Callable[[], Counter[str]],
) -> None:
    case = factories.received()
    assert case.request.state == State.RECEIVED
    days_pass(120)
    done = ran()
    assert (done["photos"], done["given_up"]) == (1, 1)
    assert case.request.state == State.IN_REVIEW
    assert ran()["given_up"] == 0
    request_decide(
        request_id=case.request_id,
        reviewer=factories.staff_user(),
        approve=[],
        deny_reason="not_searched",
        statement="",
        tier=None,
    )
    days_pass(90)
    assert ran()["cases"] == 1
    audit_verify()


def test_a_late_decision_does_not_prolong_the_120_days(ran: Callable[[], Counter[str]]) -> None:
    case = factories.in_review()
    days_pass(115)
    request_decide(
        request_id=case.request_id,
        reviewer=factories.staff_user(),
        approve=[],
        deny_reason="public_interest",
        statement="",
        tier=None,
    )
    request = case.request
    assert request.photos_delete_on == request.received_on + dt.timedelta(days=120)


def test_the_case_goes_90_days_after_closing_and_the_tombstone_after_12_months(
    ran: Callable[[], Counter[str]],
) -> None:
    case = factories.released(note="please", category="medical", urls=["https://example.org/"])
    days_pass(89)
    assert ran()["cases"] == 0
    days_pass(1)
    assert ran()["cases"] == 1
    request = case.request
    assert (request.category, request.link_count) == ("", 0)
    assert bytes(request.content_sealed) == bytes(request.statement_sealed) == b""
    assert facts_left(request) == TOMBSTONE
    assert not Candidate.objects.exists()
    assert not SearchUnit.objects.exists()
    assert purposes() == {"proof"}
    assert (request.outcome, request.released_in) == ("approved", [1])
    days_pass(275)
    assert ran()["tombstones"] == 1
    assert not RemovalRequest.objects.exists()
    assert not DataKey.objects.exists()
    assert files(shred.folder) == set()
    with pytest.raises(ReceiptUnknown):
        request_open(receipt=case.receipt)
    audit_verify()


def test_an_approval_that_waits_for_its_release_is_not_closed(
    ran: Callable[[], Counter[str]],
) -> None:
    case = factories.decided()
    days_pass(400)
    done = ran()
    assert (done["cases"], done["tombstones"]) == (0, 0)
    assert case.request.state == State.APPROVED


def test_the_audit_names_nobody_after_the_tombstone(ran: Callable[[], Counter[str]]) -> None:
    case = factories.no_match()
    tag = audit.subject_tag(case.request)
    days_pass(365)
    ran()
    assert AuditEntry.objects.filter(subject=tag, act="purged").count() == 1
    assert not RemovalRequest.objects.exists()
    assert files(shred.folder) == set()  # the HMAC's key among them


def test_a_restored_backup_yields_nothing_even_with_the_receipt(
    ran: Callable[[], Counter[str]],
) -> None:
    case = factories.no_match()
    opened = case.opened()
    backup = {
        model: [row.__dict__.copy() for row in model.objects.all()] for model in (Wrap, Photo)
    }
    sealed = {name: blobs.blob_read(uuid.UUID(name)) for name in files(blobs.folder)}
    days_pass(14)
    ran()
    Photo.objects.all().delete()
    for model, rows in backup.items():
        for row in rows:
            row.pop("_state")
            model.objects.update_or_create(pk=row["id"], defaults=row)
    for name, data in sealed.items():
        (blobs.folder() / name).write_bytes(data)
    assert purposes() >= {"photo", "print"}
    for purpose in (Purpose.PHOTO, Purpose.PRINT):
        with pytest.raises(shred.KeyShredded):
            opened.key(purpose)


@pytest.mark.parametrize("step", ["photos_destroy", "case_destroy", "request_purge"])
def test_a_run_that_dies_after_the_keys_is_completed_by_the_next(
    step: str, ran: Callable[[], Counter[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.no_match()
    days_pass({"photos_destroy": 14, "case_destroy": 90, "request_purge": 365}[step])

    def dies(**kwargs: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(audit, "audit_append", dies)
        with pytest.raises(KeyboardInterrupt):
            retention.retention_run()
    ran()
    assert "photo" not in purposes()
    assert files(blobs.folder) == set()
    assert RemovalRequest.objects.exists() == (step != "request_purge")
    audit_verify()


def test_an_erasure_that_dies_is_unknown_at_once_and_completed_by_the_next_run(
    ran: Callable[[], Counter[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    erased, other = factories.decided(), factories.decided()

    def dies(**kwargs: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(audit, "audit_append", dies)
        with pytest.raises(KeyboardInterrupt):
            request_erase(erased.request.pk)
    with pytest.raises(ReceiptUnknown):
        request_open(receipt=erased.receipt)
    assert ran()["tombstones"] == 1
    assert list(RemovalRequest.objects.values_list("pk", flat=True)) == [other.request.pk]
    audit_verify()


def test_what_a_restored_backup_brings_back_does_not_stop_retention(
    ran: Callable[[], Counter[str]],
) -> None:
    purged, other = factories.no_match(), factories.no_match()
    wraps = Wrap.objects.filter(key__request=purged.request.pk).values_list("shred", flat=True)
    shred.keys_destroy([*wraps, purged.request.audit_shred])  # as before the backup came back
    days_pass(14)
    assert ran()["photos"] == 2
    days_pass(90)
    assert ran()["cases"] == 2
    assert other.request.case_deleted_on is not None
    with pytest.raises(ReceiptUnknown):
        request_open(receipt=purged.receipt)
    days_pass(365)
    assert ran()["tombstones"] == 2
    audit_verify()


def test_files_of_rolled_back_transactions_go_after_a_day(ran: Callable[[], Counter[str]]) -> None:
    factories.received()
    known = files(shred.folder), files(blobs.folder)
    stale = list(shred.keys_make(2))
    stale_blob, fresh_blob = blobs.blob_write(b"x"), blobs.blob_write(b"y")
    [fresh] = shred.keys_make(1)
    old = time.time() - 25 * 60 * 60
    for folder, name in [(shred.folder, n) for n in stale] + [(blobs.folder, stale_blob)]:
        os.utime(folder() / str(name), (old, old))
    done = ran()
    assert (done["orphan_keys"], done["orphan_blobs"]) == (2, 1)
    assert files(shred.folder) == known[0] | {str(fresh)}
    assert files(blobs.folder) == known[1] | {str(fresh_blob)}


def test_old_files_that_are_in_use_stay(ran: Callable[[], Counter[str]]) -> None:
    case = factories.received()
    old = time.time() - 30 * 24 * 60 * 60
    for path in [*shred.folder().iterdir(), *blobs.folder().iterdir()]:
        os.utime(path, (old, old))
    done = ran()
    assert (done["orphan_keys"], done["orphan_blobs"]) == (0, 0)
    assert len(case.opened().key(Purpose.PHOTO).raw) == 32


def test_worker_keys_left_by_a_worker_that_died_go(
    ran: Callable[[], Counter[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(matching, "worker_keys_destroy", lambda ids: 0)
        factories.in_review()
    assert Wrap.objects.filter(recipient="worker").count() == 2
    factories.received()
    assert ran()["worker_keys"] == 2
    assert Wrap.objects.filter(recipient="worker").count() == 2  # of the one still to be searched


def test_spent_tickets_go_when_they_would_be_expired_anyway(
    ran: Callable[[], Counter[str]],
) -> None:
    now = timezone.now()
    for hours in (-1, 1):
        SpentTicket.objects.create(
            digest=bytes([hours % 256]) * 32, expires_at=now + dt.timedelta(hours=hours)
        )
    assert ran()["tickets"] == 1
    assert SpentTicket.objects.count() == 1


def asked_about(case: Case) -> Question:
    """Put a question to the subject as `questions.question_put` does, without a dataset."""
    request, question_id = case.request, uuid.uuid4()
    similar = request.candidates.get(kind="similar")
    tile = seal(request.pk, Purpose.CASE, content.tile_item(question_id), b"tile")
    RemovalRequest.objects.filter(pk=request.pk).update(
        state=State.NEEDS_INFO, answer_due_on=today() + dt.timedelta(days=30)
    )
    return Question.objects.create(
        id=question_id, request=request, candidate=similar, tile_sealed=tile, asked_on=today()
    )


def test_words_questions_and_appeal_die_with_the_case(ran: Callable[[], Counter[str]]) -> None:
    case = factories.in_review()
    message_post(opened=case.opened(), text="marked words")
    message_send(request_id=case.request_id, reviewer=factories.staff_user(), text="marked answer")
    question = asked_about(case)
    question_answer(opened=case.opened(), question=question.pk, mine=True)
    denied(case)
    appeals.request_appeal(opened=case.opened(), text="marked appeal")
    denied(case)
    place = Place(case.request_id, Purpose.CASE, content.APPEAL)
    words, reader = case.request.appeal_sealed, case.opened().key(Purpose.CASE)
    assert reader.open(words, place) == b"marked appeal"
    days_pass(90)
    assert ran()["cases"] == 1
    assert facts_left(case.request) == (TOMBSTONE | {"reason"}) - {"released_in"}
    assert not Message.objects.exists()
    assert not Question.objects.exists()
    with pytest.raises((NotReadable, shred.KeyShredded)):
        case.opened().key(Purpose.CASE)
    audit_verify()


def denied(case: Case) -> None:
    request_decide(
        request_id=case.request_id,
        reviewer=factories.staff_user(),
        approve=[],
        deny_reason="public_interest",
        statement="no",
        tier=None,
    )


def test_an_appeal_keeps_the_photos_for_the_second_look_and_14_days_after_it(
    ran: Callable[[], Counter[str]],
) -> None:
    case = factories.in_review()
    denied(case)
    days_pass(13)
    appeals.request_appeal(opened=case.opened(), text="Please look again.")
    days_pass(30)
    assert ran()["photos"] == 0
    denied(case)
    days_pass(13)
    assert ran()["photos"] == 0
    days_pass(1)
    assert ran()["photos"] == 1
    days_pass(76)
    assert ran()["cases"] == 1


def test_an_appeal_brings_no_destroyed_photo_back(
    ran: Callable[[], Counter[str]], django_capture_on_commit_callbacks: Any
) -> None:
    case = factories.in_review()
    denied(case)
    with django_capture_on_commit_callbacks(execute=True):
        review.photos_delete_now(opened=case.opened())
    appeals.request_appeal(opened=case.opened(), text="Please look again.")
    assert case.request.photos_deleted_on is not None
    for purpose in (Purpose.PHOTO, Purpose.PRINT):
        with pytest.raises(NotReadable):
            case.opened().key(purpose)
    days_pass(120)
    assert ran()["photos"] == 0
    assert case.request.state == State.IN_REVIEW


def test_an_appeal_does_not_prolong_the_120_days(ran: Callable[[], Counter[str]]) -> None:
    case = factories.in_review()
    days_pass(110)
    denied(case)
    appeals.request_appeal(opened=case.opened(), text="Please look again.")
    days_pass(10)
    assert ran()["photos"] == 1


def test_a_question_that_is_not_answered_in_time_ends_the_request(
    ran: Callable[[], Counter[str]],
) -> None:
    case = factories.in_review()
    asked_about(case)
    days_pass(30)
    assert ran()["expired"] == 0
    days_pass(1)
    done = ran()
    assert (done["expired"], done["photos"]) == (1, 1)
    assert case.request.state == State.EXPIRED
    days_pass(90)
    assert ran()["cases"] == 1
    audit_verify()


def test_sessions_that_ended_go_with_their_keys(ran: Callable[[], Counter[str]]) -> None:
    opened = factories.received().opened()
    for _ in range(3):
        sessions.session_start(opened=opened)
    idle, spent, alive = SubjectSession.objects.order_by("pk")
    now = timezone.now()
    SubjectSession.objects.filter(pk=idle.pk).update(used_at=now - sessions.IDLE)
    SubjectSession.objects.filter(pk=spent.pk).update(expires_at=now)
    assert ran()["sessions"] == 2
    assert SubjectSession.objects.get().pk == alive.pk
    names = files(shred.folder)
    assert str(alive.shred) in names
    assert not {str(idle.shred), str(spent.shred)} & names
    for path in shred.folder().iterdir():
        os.utime(path, (0, 0))
    assert ran()["orphan_keys"] == 0


def test_an_erased_request_takes_its_sessions_along(ran: Callable[[], Counter[str]]) -> None:
    case = factories.received()
    cookies = sessions.session_start(opened=case.opened())
    ran()
    request_erase(case.request_id)
    with pytest.raises(sessions.SessionEnded):
        sessions.session_open(cookies=cookies)
    assert files(shred.folder) == set()


def test_a_session_reads_no_photo_that_was_destroyed_meanwhile(
    django_capture_on_commit_callbacks: Any,
) -> None:
    case = factories.in_review()
    cookies = sessions.session_start(opened=case.opened())
    with django_capture_on_commit_callbacks(execute=True):
        review.photos_delete_now(opened=case.opened())
    opened = sessions.session_open(cookies=cookies)
    with pytest.raises(NotReadable):
        opened.key(Purpose.PHOTO)
    assert len(opened.key(Purpose.CASE).raw) == 32


def test_the_health_page_tells_when_retention_is_late(client: Any) -> None:
    factories.received()
    for hours, told in ((None, "late"), (24, "ok"), (26, "late")):
        if hours is not None:
            when = timezone.now() - dt.timedelta(hours=hours)
            RetentionRun.objects.update_or_create(pk=1, defaults={"ran_at": when})
        answer = client.get("/health/ready")
        assert (answer.status_code, answer.json()["retention"]) == (200, told)


def test_a_run_leaves_its_pulse_and_the_command_tells(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("shred_expired")
    call_command("shred_expired")
    assert RetentionRun.objects.count() == 1
    assert "photos: 0" not in capsys.readouterr().err


def test_erase_request_reads_the_receipt_from_standard_input(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    django_capture_on_commit_callbacks: Any,
) -> None:
    case, other = factories.decided(), factories.received()
    monkeypatch.setattr("sys.stdin", _Typed(f"{case.receipt.lower()}\n"))
    with django_capture_on_commit_callbacks(execute=True):
        call_command("erase_request")
    assert case.receipt not in capsys.readouterr().out
    assert list(RemovalRequest.objects.values_list("pk", flat=True)) == [other.request_id]
    assert AuditEntry.objects.filter(act="erased").exists()
    assert len(files(blobs.folder)) == 1
    for typed, says in ((case.receipt, "No request opens"), (receipts.mint()[:-2], "mistyped")):
        monkeypatch.setattr("sys.stdin", _Typed(typed))
        with pytest.raises(CommandError, match=says):
            call_command("erase_request")
    audit_verify()


class _Typed:
    def __init__(self, text: str) -> None:
        self.text = text

    def isatty(self) -> bool:
        return False

    def readline(self) -> str:
        return self.text


def test_a_request_that_cannot_be_deleted_holds_up_nothing_else(
    ran: Callable[[], Counter[str]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One key file that could not be written stopped all that was due behind it."""
    stuck, other = factories.no_match(), factories.no_match()
    days_pass(14)
    real = photos_destroy

    def forbidden(request_id: uuid.UUID) -> bool:
        if request_id == stuck.request_id:
            raise PermissionError("/secrets/shred/marked")
        return real(request_id)

    with monkeypatch.context() as patch:
        patch.setattr(retention, "photos_destroy", forbidden)
        with pytest.raises(retention.RetentionIncomplete, match="PermissionError 1"):
            ran()
    assert (stuck.request.photos_deleted_on, other.request.photos_deleted_on) == (None, today())
    assert "PermissionError" in caplog.text
    assert "marked" not in caplog.text
    assert str(stuck.request_id) not in caplog.text
    assert not RetentionRun.objects.exists()
    assert ran()["photos"] == 1
    assert RetentionRun.objects.exists()


def test_a_run_whose_rotations_cannot_go_on_is_not_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def damaged() -> Counter[str]:
        raise SecretUnavailable("damaged")

    monkeypatch.setattr(rotation, "rotations_continue", damaged)
    with pytest.raises(SecretUnavailable):
        retention.retention_run()
    assert not RetentionRun.objects.exists()


def test_an_appeal_that_comes_just_before_its_case_ends_keeps_the_case(
    ran: Callable[[], Counter[str]], monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """Cases kept for less than the time to appeal lost their keys to a run under way."""
    settings.UNLIST = settings.UNLIST.model_copy(update={"keep_case_days": 0})
    case = factories.in_review()
    denied(case)

    def appealed_first(request_id: uuid.UUID) -> bool:
        appeals.request_appeal(opened=case.opened(), text="Please look again.")
        return True

    monkeypatch.setattr(retention, "case_may_end", appealed_first)
    assert ran()["cases"] == 0
    assert case.request.state == State.IN_REVIEW
    assert case.request.photos_deleted_on is None
    for purpose in (Purpose.CASE, Purpose.PHOTO):
        assert len(case.opened().key(purpose).raw) == 32


def test_a_spent_ticket_is_remembered_to_the_full_hour() -> None:
    issued = dt.datetime.now(dt.UTC)
    assert gate._spend(Gate.TICKET, None, "ticket", issued)
    kept = SpentTicket.objects.get().expires_at
    assert (kept.minute, kept.second, kept.microsecond) == (0, 0, 0)
    assert dt.timedelta(0) <= kept - issued < dt.timedelta(hours=1)
    assert gate._hour_after(kept) == kept
