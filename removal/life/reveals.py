"""A maintainer looks at pictures: never more than asked for, and each look is in the audit log.

Before a picture is revealed all that a page gets of it is a *veil*: a tile of at most 16 by 16
pixels, as little as a stranger is shown of a look-alike, so that two pictures can be told alike or
unlike by their colors and their light. A veil is no look. Who set their pictures to come at once
(`DeskSettings`) looks by opening the page, and that is noted as the look that it is.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
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
from removal.selectors.sight import requests_seen

_VEIL_SIDE: Final = 256
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
        photo, row: the pictures.
        placement: how the row's picture lies on the photo, where that is known.
        same: the row holds the very file.
    """

    photo: Picture | None
    row: Picture | None
    placement: Placement | None
    same: bool


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

    None where the dataset holds no picture of the row, or its shard changed.

    Raises:
        RequestGone: there is no such candidate, or the case was deleted.
        SparedToday: they have seen enough of its kind today.
    """
    candidate, row = candidate_opened(candidate_id, reviewer)
    picture = _row_read(row, _whole)
    if picture is None:
        return None
    _look_noted(candidate.request, reviewer, "row_revealed")
    return _shown(picture.image, gray=gray)


def pair_reveal(*, candidate_id: uuid.UUID, reviewer: User) -> Pair:
    """Note that a maintainer looks at a row's picture and the photo that found it.

    Raises:
        RequestGone: there is no such candidate, or the case was deleted.
        SparedToday: they have seen enough of its kind today.
    """
    candidate, row = candidate_opened(candidate_id, reviewer)
    pair = _pair(candidate, row, _whole)
    acts = [("photo_revealed", pair.photo), ("row_revealed", pair.row)]
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
    """Return the veil of a row's picture; None where the dataset holds none.

    Raises:
        RequestGone: there is no such candidate, or the case was deleted.
    """
    _, row = candidate_opened(candidate_id, reviewer)
    return _row_read(row, _veiled)


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
    place = photo_beside(row) or 0
    photo = candidate.request.photos.filter(n=place, state=Photo.State.HELD).first()
    return Pair(
        photo=_photo_read(photo, read) if photo else None,
        row=_row_read(row, read),
        placement=row.placements.get(place),
        same=bool(row.evidence.get("digest")),
    )


def _photo_read(photo: Photo, read: Callable[[bytes], Picture]) -> Picture | None:
    try:
        return read(photo_opened(photo))
    except RequestGone:  # deleted at this very moment: the row is there all the same
        return None


def _row_read(row: FoundRow, read: Callable[[bytes], Picture]) -> Picture | None:
    stored = row_picture(row.dataset, row.shard, row.key, row.index, row.offset)
    if stored is None:
        return None
    try:
        return read(stored)
    except ImageRefused:  # a stored file that is no picture is as good as none
        return None


def _whole(data: bytes) -> Picture:
    image = decode(data)
    return Picture(image, image.size)


def _veiled(data: bytes) -> Picture:
    image, size = decode_sized(data, side=_VEIL_SIDE)
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
