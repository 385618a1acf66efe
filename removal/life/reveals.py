"""A maintainer looks at pictures: never more than asked for, and each look is in the audit log.

Before a picture is revealed all that a page gets of it is a *veil*: a tile of at most 16 by 16
pixels, as little as a stranger is shown of a look-alike, so that two pictures can be told alike or
unlike by their colors and their light. A veil is no look. Who set their pictures to come at once
(`DeskSettings`) looks by opening the page, and that is noted as the look that it is.

Where the dataset holds no picture of a row and one was fetched (`fetches`), that one is shown.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from PIL import Image

from catalog.pictures import row_picture
from indexer.decode import ImageRefused, decode, decode_sized, thumbnail
from indexer.placement import Placement
from removal import audit
from removal.custody.content import FoundRow, row_opened
from removal.life.caps import is_sensitive, sensitive_check
from removal.life.tiles import tile_of
from removal.models import Candidate, Photo, RemovalRequest
from removal.selectors.desk import RequestGone, case_key_held, photo_beside
from removal.selectors.desk_photos import SHOWN_SIDE, photo_found, photo_opened
from removal.selectors.fetched import fetched_picture
from removal.selectors.sight import requests_seen

VEIL_SIDE: Final = 256
"""A large JPEG is decoded at a part of its size, which is plenty for a veil."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as a reviewer gets it.

    Attributes:
        image: the whole of it, or its veil.
        size: width and height of the picture in full, in pixels.
    """

    image: Image.Image
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Pair:
    """A photo beside a row's picture; either may not be there.

    Attributes:
        photo, row: the pictures; beside a duplicate, `photo` is that of the approved row.
        placement: how the row's picture lies on the photo, where that is known.
        same: the row holds the very file.
        of_rows: both are of rows.
    """

    photo: Picture | None
    row: Picture | None
    placement: Placement | None
    same: bool
    of_rows: bool = False


def photo_reveal(*, photo_id: uuid.UUID, reviewer: User, gray: bool = False) -> bytes:
    """Note that a maintainer looks at a photo, and return it as JPEG.

    Raises:
        RequestGone: there is no such photo, or it was deleted.
        SparedToday: they have seen enough of its kind today.
    """
    photo = photo_found(photo_id, reviewer)
    picture = decode(photo_opened(photo))
    _look_noted(photo.request, reviewer, "photo_revealed")
    return _shown(picture, gray=gray)


def candidate_reveal(
    *, candidate_id: uuid.UUID, reviewer: User, gray: bool = False
) -> bytes | None:
    """Note that a maintainer looks at a row's picture, and return it as JPEG.

    None where the dataset holds no picture of the row, or its shard changed, and none was fetched.

    Raises:
        RequestGone: there is no such candidate, or the case was deleted.
        SparedToday: they have seen enough of its kind today.
    """
    candidate, row = candidate_opened(candidate_id, reviewer)
    picture = _row_read(candidate, row, _whole)
    if picture is None:
        return None
    _look_noted(candidate.request, reviewer, "row_revealed")
    return _shown(picture.image, gray=gray)


def pair_reveal(*, candidate_id: uuid.UUID, reviewer: User) -> Pair:
    """Note that a maintainer looks at a row's picture and at the photo, or row, that found it.

    Raises:
        RequestGone: there is no such candidate, or the case was deleted.
        SparedToday: they have seen enough of its kind today.
    """
    candidate, row = candidate_opened(candidate_id, reviewer)
    pair = _pair(candidate, row, _whole)
    left = "row_revealed" if pair.of_rows else "photo_revealed"
    acts = [(left, pair.photo), ("row_revealed", pair.row)]
    shown = [act for act, picture in acts if picture]
    if shown:
        _look_noted(candidate.request, reviewer, *shown)
    return pair


def pair_veiled(*, candidate_id: uuid.UUID, reviewer: User) -> Pair:
    """Return the veils of a row's picture and of the photo that found it; no look is noted.

    Raises:
        RequestGone: there is no such candidate, or the case was deleted.
    """
    candidate, row = candidate_opened(candidate_id, reviewer)
    return _pair(candidate, row, _veiled)


def photo_veiled(*, photo_id: uuid.UUID, reviewer: User) -> Picture:
    """Return the veil of a photo; no look is noted.

    Raises:
        RequestGone: there is no such photo, or it was deleted.
    """
    return _veiled(photo_opened(photo_found(photo_id, reviewer)))


def candidate_veiled(*, candidate_id: uuid.UUID, reviewer: User) -> Picture | None:
    """Return the veil of a row's picture; None where the dataset holds none, and none was fetched.

    Raises:
        RequestGone: there is no such candidate, or the case was deleted.
    """
    candidate, row = candidate_opened(candidate_id, reviewer)
    return _row_read(candidate, row, _veiled)


def candidate_opened(candidate_id: uuid.UUID, reviewer: User) -> tuple[Candidate, FoundRow]:
    """Return a candidate with its row.

    Raises:
        RequestGone: there is no such candidate that they may see, or the case was deleted.
    """
    seen = Candidate.objects.filter(request__in=requests_seen(reviewer))
    candidate = seen.select_related("request").filter(pk=candidate_id).first()
    if candidate is None:
        raise RequestGone("There is no such row: its request may have been closed and deleted.")
    return candidate, row_opened(candidate, case_key_held(candidate.request))


def _pair(candidate: Candidate, row: FoundRow, read: Callable[[bytes], Picture]) -> Pair:
    if row.duplicate_of is not None:
        return _pair_of_rows(candidate, row, row.duplicate_of, read)
    place = photo_beside(row) or 0
    photo = candidate.request.photos.filter(n=place, state=Photo.State.HELD).first()
    return Pair(
        photo=_photo_read(photo, read) if photo else None,
        row=_row_read(candidate, row, read),
        placement=row.placements.get(place),
        same=bool(row.evidence.get("digest")),
    )


def _pair_of_rows(
    candidate: Candidate, row: FoundRow, source_id: str, read: Callable[[bytes], Picture]
) -> Pair:
    """Put a duplicate beside the approved row that led to it."""
    theirs = Candidate.objects.filter(request=candidate.request_id, pk=source_id)
    source = theirs.select_related("request").first()
    approved = row_opened(source, case_key_held(source.request)) if source else None
    return Pair(
        photo=_row_read(source, approved, read) if source and approved else None,
        row=_row_read(candidate, row, read),
        placement=row.placements.get(0),
        same=bool(row.evidence.get("digest")),
        of_rows=True,
    )


def _photo_read(photo: Photo, read: Callable[[bytes], Picture]) -> Picture | None:
    try:
        return read(photo_opened(photo))
    except RequestGone:  # deleted at this very moment: the row is there all the same
        return None


def _row_read(
    candidate: Candidate, row: FoundRow, read: Callable[[bytes], Picture]
) -> Picture | None:
    stored = row_picture(row.dataset, row.shard, row.key, row.index, row.offset)
    if stored is None:
        return _fetched_read(candidate, read)
    try:
        return read(stored)
    except ImageRefused:  # a stored file that is no picture is as good as none
        return None


def _fetched_read(candidate: Candidate, read: Callable[[bytes], Picture]) -> Picture | None:
    """Return what was fetched for a row; its size is told as it was before it was made small."""
    found = fetched_picture(candidate, case_key_held(candidate.request))
    return None if found is None else replace(read(found.picture), size=found.size)


def _whole(data: bytes) -> Picture:
    image = decode(data)
    return Picture(image, image.size)


def _veiled(data: bytes) -> Picture:
    image, size = decode_sized(data, side=VEIL_SIDE)
    return Picture(tile_of(image, size), size)


def _shown(image: Image.Image, *, gray: bool) -> bytes:
    return thumbnail(image.convert("L") if gray else image, SHOWN_SIDE)


def _look_noted(request: RemovalRequest, reviewer: User, *acts: str) -> None:
    """Note a look at each picture, if the reviewer has not had enough for today."""
    sensitive = is_sensitive(request)
    with transaction.atomic():
        if sensitive:
            audit.audit_head_locked()  # two looks at once are counted one after the other
            sensitive_check(reviewer)
        for act in acts:
            audit.audit_append(
                act=act,
                actor=audit.staff(reviewer.pk),
                tag=audit.subject_tag(request),
                detail={"sensitive": True} if sensitive else None,
            )
