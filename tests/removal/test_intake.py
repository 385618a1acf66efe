"""Intake: what is taken, what is refused with which words, and that failure leaves nothing."""

import datetime as dt
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from indexer.decode import Allowance, DecoderUnavailable, decode, pool, process
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


@pytest.fixture
def slow_pictures(monkeypatch: pytest.MonkeyPatch) -> Iterator[pool.Decoders]:
    """Have every picture of more than 9,000 bytes take 0.6 seconds of computing."""
    code = "import time, indexer.decode.child as c\nreal = c.pixels_decode\n"
    code += "def slowly(data, **words):\n"
    code += "    while time.process_time() < (0.6 if len(data) > 9000 else 0): pass\n"
    code += "    return real(data, **words)\nc.pixels_decode = slowly\n"
    patched = process._MAIN.replace("; ", "\n").replace("from indexer", f"{code}from indexer", 1)
    monkeypatch.setattr(process, "_COMMAND", (*process._COMMAND[:-1], patched))
    decoders = pool.Decoders(2)
    monkeypatch.setattr(pool, "_decoders", decoders)
    yield decoders
    decoders.close()


@pytest.mark.usefixtures("slow_pictures")
def test_slow_photos_are_taken_until_their_time_is_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten just under the bound of one held a decoder for 80 seconds."""
    monkeypatch.setattr(submission, "Allowance", lambda: Allowance(cpu=1.5))
    slow, quick = photo_bytes(1, side=400), photo_bytes(2, side=20)
    assert len(slow) > 9000 > len(quick)
    answer = submit(photos=[slow, quick, slow, slow, quick, slow])
    late = "too_costly_together"
    assert [a.reason for a in answer.photos] == [None, None, None, None, late, late]
    sentence = answer.photos[-1].sentence
    assert sentence
    assert "together" in sentence
    assert "in a request of its own" in sentence
    assert list(Photo.objects.values_list("n", flat=True)) == [1, 2, 3, 4]
    assert submit(photos=[slow]).photos[0].accepted, "sent by itself it is taken"


def test_a_submission_holds_one_decoder_at_a_time(
    slow_pictures: pool.Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    free: list[int] = []
    asked = slow_pictures._asked

    def watched(*args: Any, **words: Any) -> Any:
        free.append(slow_pictures._turns._free)
        return asked(*args, **words)

    monkeypatch.setattr(slow_pictures, "_asked", watched)
    submit(photos=[photo_bytes(n, side=20) for n in range(10)])
    assert free == [1] * 10


def test_pictures_together_too_slow_are_refused_when_none_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(submission, "Allowance", lambda: Allowance(cpu=0))
    with pytest.raises(IntakeRefused) as refused:
        submit(photos=[photo_bytes(1), photo_bytes(2)])
    assert refused.value.code == "no_usable_photo"
    assert {answer.reason for answer in refused.value.photos} == {"too_costly_together"}
    assert nothing_kept()


@pytest.mark.django_db(transaction=True)
def test_a_machine_that_cannot_decode_marks_no_photo_as_unreadable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An accepted photo got the flag for good, and was never searched."""
    case = factories.received()
    factories.catalog_group()
    with monkeypatch.context() as patched:
        patched.setattr(pool, "_decoders", pool.Decoders(1))
        patched.setattr(process, "_COMMAND", (sys.executable, "-c", "raise SystemExit(3)"))
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
