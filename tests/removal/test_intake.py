"""Intake: what is taken, what is refused with which words, and that failure leaves nothing."""

import datetime as dt
import json
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from indexer.decode import DecoderUnavailable, ImageRefused, decode, pool
from removal import audit
from removal.custody import blobs, content, shred
from removal.custody.sealing import Place, role_key, unwrap
from removal.intake import submission
from removal.intake.submission import IntakeRefused, Submitted, request_submit
from removal.models import (
    AuditEntry,
    DataKey,
    Photo,
    Purpose,
    Recipient,
    RemovalRequest,
    Wrap,
)
from removal.search.fingerprinting import request_fingerprint
from tests.removal import factories
from tests.removal.factories import PLAIN, photo_bytes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]


def submit(**changes: Any) -> Submitted:
    given = {"photos": [photo_bytes()], "urls": [], "note": "", "category": "personal"}
    return request_submit(**{**given, **changes})


class DecodingSearcher(factories.FakeSearcher):
    """One that decodes the photos."""

    def fingerprint_photo(self, data: bytes, encoders: Sequence[str]) -> Any:
        decode(data)
        return super().fingerprint_photo(data, encoders)


def nothing_kept() -> bool:
    models = (RemovalRequest, DataKey, Wrap, Photo, AuditEntry)
    files = [*shred.folder().glob("*"), *blobs.folder().glob("*")]
    return not files and not any(model.objects.exists() for model in models)


def test_a_submission_is_stored_sealed_with_its_clock() -> None:
    answer = submit(note="please", urls=["https://example.org/a b".replace(" ", "%20")])
    request = RemovalRequest.objects.get()
    today = dt.datetime.now(dt.UTC).date()
    assert (answer.state, answer.received_on) == ("received", today)
    assert answer.due_on == request.due_on
    assert request.photos_delete_on == today + dt.timedelta(days=120)
    case = unwrap(request.pk, Purpose.CASE, Recipient.REVIEWER, role_key(Recipient.REVIEWER))
    words = case.open(request.content_sealed, Place(request.pk, Purpose.CASE, content.CONTENT))
    assert json.loads(words) == {"note": "please", "urls": ["https://example.org/a%20b"]}


def test_the_worker_reads_the_very_bytes_that_were_sent() -> None:
    data = photo_bytes(3)
    submit(photos=[data])
    photo = Photo.objects.get()
    key = unwrap(photo.request_id, Purpose.PHOTO, Recipient.WORKER, role_key(Recipient.WORKER))
    place = Place(photo.request_id, Purpose.PHOTO, content.photo_item(photo.pk))
    assert key.open(blobs.blob_read(photo.blob), place) == data


def test_some_photos_may_be_refused_with_reasons_and_keep_their_places() -> None:
    answer = submit(photos=[photo_bytes(1), PLAIN, photo_bytes(2), b""])
    assert [(a.n, a.accepted, a.reason) for a in answer.photos] == [
        (1, True, None),
        (2, False, "unknown_format"),
        (3, True, None),
        (4, False, "empty"),
    ]
    assert all(a.sentence for a in answer.photos if not a.accepted)
    assert list(Photo.objects.values_list("n", flat=True)) == [1, 3]


def test_urls_alone_are_a_request() -> None:
    answer = submit(photos=[], urls=["https://example.org/a.jpg"])
    assert answer.photos == ()
    assert RemovalRequest.objects.get().link_count == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"photos": [PLAIN, b""]}, "no_usable_photo"),
        ({"photos": []}, "nothing_sent"),
        ({"photos": [photo_bytes()] * 11}, "too_many_photos"),
        ({"urls": ["https://example.org/"] * 21}, "too_many_urls"),
        ({"note": "x" * 2001}, "note_too_long"),
        ({"category": "nonsense"}, "category_unknown"),
        ({"urls": ["ftp://example.org/a"]}, "url_invalid"),
        ({"urls": ["https://"]}, "url_invalid"),
        ({"urls": ["https://[broken/"]}, "url_invalid"),
        ({"urls": ["https://example.org/a https://example.org/b"]}, "url_invalid"),
        ({"urls": ["https://example.org/" + "a" * 2048]}, "url_invalid"),
        ({"urls": ["https://exa mple.org/"]}, "url_invalid"),
    ],
)
def test_refusals_say_what_is_wrong_and_keep_nothing(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(IntakeRefused) as refused:
        submit(**changes)
    assert refused.value.code == code
    assert refused.value.sentence.endswith(".")
    assert nothing_kept()


def test_refused_photos_are_told_one_by_one() -> None:
    with pytest.raises(IntakeRefused) as refused:
        submit(photos=[PLAIN, b""])
    assert [answer.reason for answer in refused.value.photos] == ["unknown_format", "empty"]


def test_after_a_costly_photo_no_other_of_the_submission_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten of them held a decoder for ten times as long as one may."""
    looked: list[bytes] = []

    def check(data: bytes) -> tuple[int, int]:
        looked.append(data)
        if data == b"costly":
            raise ImageRefused("too_costly")
        return 320, 240

    monkeypatch.setattr(submission, "picture_check", check)
    answer = submit(photos=[photo_bytes(1), b"costly", b"costly", photo_bytes(2)])
    assert looked == [photo_bytes(1), b"costly"]
    costly = "too_costly"
    assert [a.reason for a in answer.photos] == [None, costly, costly, costly]
    assert all(a.sentence for a in answer.photos if not a.accepted)


@pytest.mark.django_db(transaction=True)
def test_a_machine_that_cannot_decode_marks_no_photo_as_unreadable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An accepted photo got the flag for good, and was never searched."""
    case = factories.received()
    factories.catalog_group()
    with monkeypatch.context() as patched:
        patched.setattr(pool, "_decoders", pool.Decoders(1))
        patched.setattr(pool, "_COMMAND", (sys.executable, "-c", "raise SystemExit(3)"))
        with pytest.raises(DecoderUnavailable):
            request_fingerprint(case.request_id, searcher=DecodingSearcher())
    request = RemovalRequest.objects.get()
    assert request.state == "received"
    assert [photo.flags for photo in Photo.objects.all()] == [[]]


@pytest.mark.parametrize("broken", ["audit_append", "blob_write", "keys_make"])
def test_a_failure_at_any_point_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError("the disk is full")

    module = {"audit_append": audit, "blob_write": blobs, "keys_make": submission}[broken]
    monkeypatch.setattr(module, broken, fail)
    with pytest.raises(OSError, match="full"):
        submit(photos=[photo_bytes(1), photo_bytes(2)])
    assert nothing_kept()


def test_a_broker_that_is_down_costs_nothing(
    django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError("no broker")

    monkeypatch.setattr("removal.tasks.fingerprint_request.apply_async", down)
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        answer = submit()
    assert len(callbacks) == 1
    assert factories.opened(answer.receipt).request.state == "received"


def test_the_message_to_the_broker_carries_the_id_alone(
    django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []
    monkeypatch.setattr(
        "removal.tasks.fingerprint_request.apply_async", lambda **kwargs: sent.append(kwargs)
    )
    with django_capture_on_commit_callbacks(execute=True):
        submit(note="marked")
    assert [message["args"] for message in sent] == [(str(RemovalRequest.objects.get().pk),)]


def test_the_receipt_is_in_no_repr() -> None:
    answer = submit()
    assert answer.receipt not in repr(answer)
    assert answer.receipt not in repr(factories.opened(answer.receipt))
