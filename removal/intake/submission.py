"""Intake: what someone sends becomes a sealed request and a receipt, or nothing at all.

A refused or failed submission leaves neither row, blob nor key behind. What is kept was sealed
before it touched the disk, to keys whose private halves this process cannot read again.
"""

import datetime as dt
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from indexer.decode import Allowance, ImageRefused, picture_check
from removal import audit, tasks
from removal.custody import blobs, content, peppers, receipts, shred
from removal.custody.content import Content
from removal.custody.keys import NewKeys, keys_make
from removal.custody.sealing import Place, public_half, seal_to, subject_key
from removal.intake.picture_words import PICTURE_REFUSALS
from removal.lifecycle import months_added
from removal.models import Category, DataKey, Photo, Purpose, RemovalRequest, State, Wrap, today
from removal.search.url_variants import URL_MAX, url_acceptable
from removal.templatetags.unlist_text import grouped

MAX_PHOTOS: Final = 10
MAX_URLS: Final = 20
NOTE_MAX: Final = 2000
_MONTHS: Final = 1
_SALT: Final = 32


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
        DecoderUnavailable: no process to decode in is free or can be started; nothing was kept.
    """
    submission_check(photos=photos, urls=urls, note=note, category=category)
    answers = _photo_answers(photos)
    taken = [(a.n, data) for a, data in zip(answers, photos, strict=True) if a.accepted]
    if not taken and not urls:
        raise IntakeRefused(
            "no_usable_photo", _("None of the pictures can be used; each says why."), answers
        )
    receipt = receipts.mint()
    request = _request_stored(receipt, taken, Content(note, tuple(urls)), Category(category))
    return Submitted(receipt, request.state, request.received_on, request.due_on, answers)


def submission_check(
    *, photos: Sequence[bytes], urls: Sequence[str], note: str, category: str
) -> None:
    """Check what costs nothing to check: called before a ticket or work is spent.

    Raises:
        IntakeRefused: see there.
    """
    if category not in Category.values:
        sentence = _("Choose a category among: %(known)s.")
        known = ", ".join(Category.values)
        raise IntakeRefused("category_unknown", sentence % {"known": known})
    if not photos and not urls:
        raise IntakeRefused("nothing_sent", _("Send at least one picture or one web address."))
    if len(photos) > MAX_PHOTOS:
        raise IntakeRefused("too_many_photos", too_many_photos_sentence())
    if len(urls) > MAX_URLS:
        sentence = _("Send at most %(most)d web addresses in one request.")
        raise IntakeRefused("too_many_urls", sentence % {"most": MAX_URLS})
    if len(note) > NOTE_MAX:
        sentence = _("The note is too long: shorten it to %(most)s characters.")
        raise IntakeRefused("note_too_long", sentence % {"most": grouped(NOTE_MAX)})
    for n, url in enumerate(urls, start=1):
        if not url_acceptable(url):
            sentence = _(
                "Web address %(n)d cannot be used: it must begin with https:// or http://, name "
                "a site, stand on a line of its own and be at most %(most)s characters long."
            )
            raise IntakeRefused("url_invalid", sentence % {"n": n, "most": grouped(URL_MAX)})


def too_many_photos_sentence() -> str:
    """Say how many photos one request may hold."""
    sentence = _(
        "A request can hold at most %(most)d photos. "
        "Send %(most)d or fewer, and the others in another request."
    )
    return sentence % {"most": MAX_PHOTOS}


def _photo_answers(photos: Sequence[bytes]) -> tuple[PhotoAnswer, ...]:
    """Look at each photo, one after the other, within what all of them may take together.

    So a submission holds one of the few processes that decode at a time, and none for long.
    """
    allowance = Allowance()
    return tuple(_photo_answer(n, data, allowance) for n, data in enumerate(photos, start=1))


def _photo_answer(n: int, data: bytes, allowance: Allowance) -> PhotoAnswer:
    try:
        picture_check(data, allowance=allowance)
    except ImageRefused as refusal:
        return _photo_refused(n, refusal.reason)
    return PhotoAnswer(n, True)


def _photo_refused(n: int, reason: str) -> PhotoAnswer:
    return PhotoAnswer(n, False, reason, str(PICTURE_REFUSALS[reason]))


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
    tag, pepper = peppers.receipt_tag_new(symbols)
    subject = public_half(subject_key(symbols, salt))
    request = RemovalRequest(
        category=category,
        language=get_language() or "",
        receipt_tag=tag,
        pepper=pepper,
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
