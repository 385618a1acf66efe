"""The subject's session: both cookies open it, and what was destroyed stays destroyed for it."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from django.conf import settings
from django.core import serializers
from django.db.models import F
from django.utils import timezone

from removal.custody import blobs, shred
from removal.life import sessions
from removal.life.destroying import request_erase
from removal.life.review import photos_delete_now
from removal.life.sessions import Cookies, SessionEnded, session_end, session_open, session_start
from removal.models import Photo, Purpose, SubjectSession
from removal.selectors import ReceiptUnknown
from removal.selectors.photos import PhotoGone, photo_opened
from tests.removal import factories
from tests.removal.factories import Case

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]


def begun(case: Case | None = None) -> tuple[Case, Cookies]:
    case = case or factories.received()
    return case, session_start(opened=case.opened())


def later(monkeypatch: pytest.MonkeyPatch, by: dt.timedelta) -> None:
    now = timezone.now() + by
    monkeypatch.setattr("removal.life.sessions.timezone.now", lambda: now)


def refused(cookies: Cookies) -> None:
    with pytest.raises(SessionEnded):
        session_open(cookies=cookies)


def test_both_cookies_open_the_request() -> None:
    case, cookies = begun()
    opened = session_open(cookies=cookies)
    assert opened.request_id == case.request_id
    assert opened.subject.raw == case.opened().subject.raw


def test_either_cookie_alone_and_pairs_of_two_sessions_open_nothing() -> None:
    case, one = begun()
    _, two = begun(case)
    for name, secret in [
        (one.name, ""),
        ("", one.secret),
        (one.name, one.name),
        (one.secret, one.secret),
        (one.name, two.secret),
        (two.name, one.secret),
    ]:
        refused(Cookies(name, secret))
    assert session_open(cookies=one).request_id == session_open(cookies=two).request_id


@pytest.mark.parametrize("spoil", [str.lower, lambda text: text + "=", lambda text: text[:-1]])
def test_a_cookie_written_otherwise_is_another_cookie(spoil: Callable[[str], str]) -> None:
    _, cookies = begun()
    refused(Cookies(spoil(cookies.name), cookies.secret))
    refused(Cookies(cookies.name, spoil(cookies.secret)))
    refused(Cookies("\N{SNOWMAN}" * 43, cookies.secret))


def test_the_database_holds_neither_cookie_nor_the_key() -> None:
    case, cookies = begun()
    row = SubjectSession.objects.get()
    stored = serializers.serialize("json", [row]).encode() + bytes(row.keys_sealed)
    key = case.opened().subject.raw
    for secret in (key, sessions._read(cookies.name), sessions._read(cookies.secret)):
        assert secret not in stored
        assert secret.hex().encode() not in stored
    assert cookies.name.encode() not in stored


def test_a_stolen_database_opens_nothing_even_with_both_cookies() -> None:
    _, cookies = begun()
    shred.keys_destroy([SubjectSession.objects.get().shred])  # it lies in another store
    refused(cookies)


def test_stolen_database_and_shred_store_open_nothing_without_the_second_cookie() -> None:
    _, cookies = begun()
    row, name = SubjectSession.objects.get(), sessions._read(cookies.name)
    key = shred.key_read(row.shred)
    for guess in (b"", bytes(32), name, key):
        cipher = sessions._cipher(name, guess, key)
        with pytest.raises(InvalidTag):
            cipher.decrypt(sessions._NONCE, bytes(row.keys_sealed), row.request_id.bytes)


def test_a_session_moved_to_another_request_opens_nothing() -> None:
    _, cookies = begun()
    other = factories.received()
    SubjectSession.objects.update(request_id=other.request_id)
    refused(cookies)


def test_it_ends_after_twenty_minutes_without_use(monkeypatch: pytest.MonkeyPatch) -> None:
    _, cookies = begun()
    name = SubjectSession.objects.get().shred
    later(monkeypatch, sessions.IDLE)
    refused(cookies)
    assert not SubjectSession.objects.exists()
    with pytest.raises(shred.KeyShredded):
        shred.key_read(name)


def test_use_keeps_it_open_for_two_hours_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    _, cookies = begun()
    for minutes in range(15, 120, 15):
        with monkeypatch.context() as patch:
            later(patch, dt.timedelta(minutes=minutes))
            session_open(cookies=cookies)
    later(monkeypatch, sessions.LONGEST)
    refused(cookies)


def test_times_of_use_are_kept_to_the_minute() -> None:
    _, cookies = begun()
    session_open(cookies=cookies)
    session = SubjectSession.objects.get()
    for moment in (session.used_at, session.expires_at):
        assert (moment.second, moment.microsecond) == (0, 0)
    assert session.expires_at <= timezone.now() + sessions.LONGEST


def test_leaving_ends_it_for_good() -> None:
    _, cookies = begun()
    name = SubjectSession.objects.get().shred
    session_end(cookies=cookies)
    session_end(cookies=cookies)
    session_end(cookies=Cookies("", ""))
    refused(cookies)
    with pytest.raises(shred.KeyShredded):
        shred.key_read(name)


def test_a_request_has_four_sessions_at_most_and_the_oldest_gives_way() -> None:
    case, first = begun()
    SubjectSession.objects.update(expires_at=F("expires_at") - dt.timedelta(minutes=1))
    others = [begun(case)[1] for _ in range(sessions.MOST)]
    refused(first)
    for cookies in others:
        session_open(cookies=cookies)
    assert SubjectSession.objects.count() == sessions.MOST


def test_a_session_that_could_not_be_stored_leaves_no_key(monkeypatch: Any) -> None:
    case = factories.received()
    before = set(shred.folder().iterdir())

    def full(**_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(SubjectSession.objects, "create", full)
    with pytest.raises(OSError, match="no space"):
        session_start(opened=case.opened())
    assert set(shred.folder().iterdir()) == before


def test_a_purged_request_ends_its_sessions() -> None:
    case, cookies = begun()
    request_erase(case.request_id)
    refused(cookies)
    with pytest.raises(ReceiptUnknown):
        case.opened()


@pytest.mark.django_db(transaction=True)
def test_photos_deleted_elsewhere_are_gone_for_an_open_session() -> None:
    case, cookies = begun()
    opened = session_open(cookies=cookies)
    data, regions = photo_opened(opened=opened, n=1)
    assert (data, regions) == (factories.photo_bytes(), [])
    photos_delete_now(opened=case.opened())
    with pytest.raises(PhotoGone):
        photo_opened(opened=session_open(cookies=cookies), n=1)
    with pytest.raises(PhotoGone):
        photo_opened(opened=opened, n=1)


@pytest.mark.django_db(transaction=True)
def test_a_backup_with_an_open_session_brings_no_photo_back() -> None:
    """The session seals the key that opens wraps, not the data keys: docs/adr/0014."""
    case, cookies = begun()
    photo = Photo.objects.get()
    blob, rows = blobs.blob_read(photo.blob), list(case.request.keys.all())
    wraps = [wrap for key in rows for wrap in key.wraps.all()]
    photos_delete_now(opened=case.opened())
    for wrap in wraps:
        wrap.save()
    Photo.objects.update(state=Photo.State.HELD)
    path: Path = settings.UNLIST.data_dir / "blobs" / str(photo.blob)
    path.write_bytes(blob)
    opened = session_open(cookies=cookies)
    with pytest.raises(shred.KeyShredded):
        opened.key(Purpose.PHOTO)
    with pytest.raises(PhotoGone):
        photo_opened(opened=opened, n=1)
    assert len(opened.key(Purpose.CASE).raw) == 32
