"""A maintainer looks at the picture of a swept row: a veil first, and each look in the audit log.

Nobody knows what a sweep finds before it is looked at, so every look counts as one at a sensitive
picture, towards what a reviewer set for a day (`caps`).
"""

import uuid
from collections.abc import Callable

from django.contrib.auth.models import User
from django.db import transaction
from PIL import Image

from catalog.pictures import row_picture
from indexer.decode import ImageRefused, decode, decode_sized, thumbnail
from removal import audit
from removal.custody.content import FoundRow
from removal.life.caps import sensitive_check
from removal.life.reveals import VEIL_SIDE
from removal.life.tiles import tile_of
from removal.selectors.desk_photos import SHOWN_SIDE
from removal.selectors.sweeps import sweep_row_found


def sweep_row_veiled(*, row_id: uuid.UUID) -> Image.Image | None:
    """Return the veil of a swept row's picture; None where the dataset holds none.

    Raises:
        RequestGone: the sweep was ended.
    """
    return _read(sweep_row_found(row_id), _veil)


def sweep_row_reveal(*, row_id: uuid.UUID, reviewer: User, gray: bool = False) -> bytes | None:
    """Note that a maintainer looks at a swept row's picture, and return it as JPEG.

    None where the dataset holds no picture of the row, or its shard changed.

    Raises:
        RequestGone: the sweep was ended.
        SparedToday: they have seen enough today.
    """
    picture = _read(sweep_row_found(row_id), decode)
    if picture is None:
        return None
    with transaction.atomic():
        audit.audit_head_locked()  # two looks at once are counted one after the other
        sensitive_check(reviewer)
        audit.audit_append(
            act="row_revealed",
            actor=audit.staff(reviewer.pk),
            detail={"sensitive": True, "sweep": True},
        )
    return thumbnail(picture.convert("L") if gray else picture, SHOWN_SIDE)


def _read(row: FoundRow, read: Callable[[bytes], Image.Image]) -> Image.Image | None:
    stored = row_picture(row.dataset, row.shard, row.key, row.index, row.offset)
    if stored is None:
        return None
    try:
        return read(stored)
    except ImageRefused:  # a stored file that is no picture is as good as none
        return None


def _veil(data: bytes) -> Image.Image:
    return tile_of(*decode_sized(data, side=VEIL_SIDE))
