"""Uploads: in memory, without the client's name, within caps, and given back afterwards."""

import tempfile
from typing import Any

import pytest
from django.test import Client, RequestFactory

from removal.intake import uploads
from removal.intake.uploads import Budget, UploadRefused, photos_accepted
from tests.removal import factories
from tests.removal.web.conftest import form, photo


def _posted(*files: Any, **fields: Any) -> Any:
    return RequestFactory().post("/request/", {"photos": list(files), **fields})


def test_photos_come_in_order_and_without_their_names() -> None:
    request = _posted(photo(b"one", "jane-doe.jpg"), photo(b"two", "jane-doe-2.jpg"))
    with photos_accepted(request) as upload:
        files = request.FILES.getlist("photos")
        assert [file.name for file in files] == ["photo", "photo"]
        assert upload.photos() == [b"one", b"two"]
        assert uploads.in_flight.taken == 6
    assert uploads.in_flight.taken == 0
    assert upload.contents == []


def test_no_temporary_file_however_large(monkeypatch: pytest.MonkeyPatch, visitor: Client) -> None:
    def no_file(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a temporary file was asked for")

    for name in ("NamedTemporaryFile", "TemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, no_file)
    large = factories.photo_bytes(side=2600)
    assert len(large) > 3 * 1024 * 1024
    assert visitor.post("/request/", form(photo(large))).status_code == 201


def test_files_sent_elsewhere_are_dropped_unread(visitor: Client) -> None:
    receipt = factories.submitted().receipt
    answer = visitor.post("/status/", {"receipt": receipt, "photos": photo(bytes(100_000))})
    assert answer.status_code == 303
    request = _posted(photo(b"x"))
    assert not request.FILES
    assert uploads.in_flight.taken == 0


def test_other_file_fields_are_dropped() -> None:
    request = RequestFactory().post("/request/", {"other": photo(b"x")})
    with photos_accepted(request) as upload:
        assert not request.FILES
        assert upload.photos() == []


def test_text_after_a_refused_file_is_still_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_BYTES", 10)
    request = _posted(photo(b"x" * 11), photo(b"y"), note="keep me")
    with photos_accepted(request) as upload:
        assert request.POST["note"] == "keep me"
        with pytest.raises(UploadRefused, match="Photo 1 is larger") as refusal:
            upload.photos()
    assert refusal.value.status == 413


def test_full_process_asks_to_come_back(monkeypatch: pytest.MonkeyPatch, visitor: Client) -> None:
    monkeypatch.setattr(uploads, "in_flight", Budget(100))
    page = visitor.post("/request/", form(photo(), note="keep me"))
    assert page.status_code == 503
    assert page.headers["Retry-After"] == "20"
    assert "keep me" in page.content.decode()
    call = visitor.post("/api/v1/requests/", {"photos": photo()})
    assert call.status_code == 503
    assert call.headers["Retry-After"] == "20"
    assert call.json()["code"] == "busy"
    assert uploads.in_flight.taken == 0


def test_body_beyond_any_request_is_not_read(visitor: Client) -> None:
    length = str(uploads.MAX_BODY_BYTES + 1)
    for address in ("/request/", "/api/v1/requests/"):
        answer = visitor.post(address, form(photo()), CONTENT_LENGTH=length)
        assert answer.status_code == 413
        assert "at most 10 photos of at most 20 MB" in answer.content.decode()


def test_budget_is_shared_and_capped() -> None:
    budget = Budget(10)
    assert budget.take(6)
    assert not budget.take(5)
    budget.give_back(6)
    assert budget.take(10)
