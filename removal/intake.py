"""Intake: what someone sends becomes a sealed request and a receipt, or nothing at all.

A refused or failed submission leaves neither row, blob nor key behind. What is kept was sealed
before it touched the disk, to keys whose private halves this process cannot read again.
"""

import datetime as dt
import os
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from indexer.decode import ImageRefused, decode
from removal import audit, blobs, content, receipts, secrets, shred, tasks
from removal.content import Content
from removal.lifecycle import months_added
from removal.models import Category, DataKey, Photo, Purpose, RemovalRequest, State, Wrap, today
from removal.sealing import NewKeys, Place, keys_make, public_half, seal_to, subject_key

MAX_PHOTOS: Final = 10
MAX_URLS: Final = 20
URL_MAX: Final = 2048
NOTE_MAX: Final = 2000
_MONTHS: Final = 1
_SALT: Final = 32
# A file of a few kilobytes may decode to half a gigabyte: not in every thread of the web at once.
_DECODING: Final = threading.BoundedSemaphore(2)


@dataclass(frozen=True, slots=True)
class PhotoAnswer:
    """What became of one photo of a submission.

    Attributes:
        n: its place, from 1.
        accepted: whether it is kept and searched.
        reason: a stable code when it is not.
        sentence: the reason in words, with what mends it.
    """

    n: int
    accepted: bool
    reason: str | None = None
    sentence: str | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """A request that was stored; `receipt` is shown once and kept nowhere."""

    receipt: str
    state: str
    received_on: dt.date
    due_on: dt.date
    photos: tuple[PhotoAnswer, ...]

    def __repr__(self) -> str:
        """Leave the receipt out: this may reach a log."""
        return f"Submitted(state={self.state!r}, photos={len(self.photos)})"


class IntakeRefused(Exception):
    """The submission cannot be taken.

    Attributes:
        code: stable, for programs: `nothing_sent`, `no_usable_photo`, `too_many_photos`,
            `too_many_urls`, `url_invalid`, `note_too_long`, `category_unknown`.
        sentence: what is wrong and how to mend it.
        photos: what is wrong with each photo, where that is the reason.
    """

    def __init__(self, code: str, sentence: str, photos: Sequence[PhotoAnswer] = ()) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.photos = tuple(photos)


def request_submit(
    *, photos: Sequence[bytes], urls: Sequence[str], note: str, category: str
) -> Submitted:
    """Take a submission.

    Args:
        photos: the files as received, at most `MAX_PHOTOS`.
        urls: addresses exactly as given, at most `MAX_URLS`; they may stand alone.
        note: the subject's words, at most `NOTE_MAX` characters.
        category: a value of `Category`.

    Raises:
        IntakeRefused: nothing was kept.
        SecretUnavailable: the service is not set up; nothing was kept.
    """
    _words_check(photos=photos, urls=urls, note=note, category=category)
    answers = tuple(_photo_answer(n, data) for n, data in enumerate(photos, start=1))
    taken = [(a.n, data) for a, data in zip(answers, photos, strict=True) if a.accepted]
    if not taken and not urls:
        raise IntakeRefused(
            "no_usable_photo", "None of the pictures can be used; each says why.", answers
        )
    receipt = receipts.mint()
    request = _request_stored(receipt, taken, Content(note, tuple(urls)), Category(category))
    return Submitted(receipt, request.state, request.received_on, request.due_on, answers)


def _words_check(*, photos: Sequence[bytes], urls: Sequence[str], note: str, category: str) -> None:
    if category not in Category.values:
        known = ", ".join(Category.values)
        raise IntakeRefused("category_unknown", f"Choose a category among: {known}.")
    if not photos and not urls:
        raise IntakeRefused("nothing_sent", "Send at least one picture or one web address.")
    if len(photos) > MAX_PHOTOS:
        raise IntakeRefused(
            "too_many_photos",
            f"{len(photos)} pictures are too many for one request: send at most {MAX_PHOTOS}, "
            "and the others in another request.",
        )
    if len(urls) > MAX_URLS:
        raise IntakeRefused(
            "too_many_urls", f"Send at most {MAX_URLS} web addresses in one request."
        )
    if len(note) > NOTE_MAX:
        raise IntakeRefused(
            "note_too_long", f"The note is too long: shorten it to {NOTE_MAX:,} characters."
        )
    for n, url in enumerate(urls, start=1):
        if not url_acceptable(url):
            raise IntakeRefused(
                "url_invalid",
                f"Web address {n} cannot be used: it must begin with https:// or http://, name "
                f"a site, hold no spaces and be at most {URL_MAX:,} characters long.",
            )


def url_acceptable(url: str) -> bool:
    """Tell whether an address can be searched for as it stands; it is never changed."""
    if len(url) > URL_MAX or any(char.isspace() or not char.isprintable() for char in url):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False


def _photo_answer(n: int, data: bytes) -> PhotoAnswer:
    try:
        with _DECODING:
            decode(data)
    except ImageRefused as refusal:
        return PhotoAnswer(n, False, refusal.reason, refusal.sentence)
    return PhotoAnswer(n, True)


@dataclass(slots=True)
class _Written:
    """Files that a submission wrote: they go again when its transaction does not commit."""

    shreds: list[uuid.UUID]
    blobs: list[uuid.UUID]

    def undo(self) -> None:
        shred.keys_destroy(self.shreds)
        blobs.blobs_delete(self.blobs)


def _request_stored(
    receipt: str, taken: Sequence[tuple[int, bytes]], words: Content, category: Category
) -> RemovalRequest:
    written = _Written([], [])
    with transaction.atomic():
        try:
            request, keys, photos = _request_built(receipt, taken, words, category, written)
            _rows_insert(request, keys, photos)
        except BaseException:
            # A commit that fails is not undone here: whether it took place may be unknown, and
            # then retention finds the files that nothing refers to.
            written.undo()
            raise
        tasks.hint(tasks.fingerprint_request, str(request.pk))
    return request


def _request_built(
    receipt: str,
    taken: Sequence[tuple[int, bytes]],
    words: Content,
    category: Category,
    written: _Written,
) -> tuple[RemovalRequest, NewKeys, list[Photo]]:
    """Seal everything and write the files."""
    symbols, salt, day = receipts.canonical(receipt), os.urandom(_SALT), today()
    subject = public_half(subject_key(symbols, salt))
    request = RemovalRequest(
        category=category,
        receipt_tag=receipts.lookup_tag(symbols, secrets.secret_read(secrets.PEPPER)),
        subject_salt=salt,
        subject_public=subject,
        received_on=day,
        due_on=months_added(day, _MONTHS),
        photos_delete_on=day + dt.timedelta(days=settings.UNLIST.keep_photo_max_days),
        link_count=len(words.urls),
    )
    [request.audit_shred] = shred.keys_make(1)
    written.shreds.append(request.audit_shred)
    keys = keys_make(request.pk, subject)
    written.shreds.extend(keys.shreds)
    request.content_sealed = _sealed(keys, request, Purpose.CASE, content.CONTENT, words.to_bytes())
    request.links_sealed = _sealed(
        keys, request, Purpose.PRINT, content.LINKS, content.json_bytes(list(words.urls))
    )
    return request, keys, [_photo_built(keys, request, n, data, written) for n, data in taken]


def _photo_built(
    keys: NewKeys, request: RemovalRequest, n: int, data: bytes, written: _Written
) -> Photo:
    photo = Photo(request=request, n=n)
    item = content.photo_item(photo.pk)
    photo.blob = blobs.blob_write(_sealed(keys, request, Purpose.PHOTO, item, data))
    written.blobs.append(photo.blob)
    return photo


def _sealed(
    keys: NewKeys, request: RemovalRequest, purpose: Purpose, item: str, text: bytes
) -> bytes:
    return seal_to(keys.public(purpose), text, Place(request.pk, purpose, item))


def _rows_insert(request: RemovalRequest, keys: NewKeys, photos: Sequence[Photo]) -> None:
    request.state = State.RECEIVED
    request.save(force_insert=True)
    DataKey.objects.bulk_create(keys.keys)
    Wrap.objects.bulk_create(keys.wraps)
    Photo.objects.bulk_create(photos)
    audit.audit_append(
        act="submitted",
        actor=audit.SUBJECT,
        tag=audit.subject_tag(request),
        detail={"photos": len(photos), "urls": request.link_count},
    )
