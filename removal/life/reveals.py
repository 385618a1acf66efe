"""A maintainer looks at a picture: never unasked, and each look stands in the audit log."""

import uuid

from django.contrib.auth.models import User
from django.db import transaction

from catalog.pictures import row_picture
from indexer.decode import ImageRefused, decode, thumbnail
from removal import audit
from removal.custody.content import row_opened
from removal.models import Candidate, RemovalRequest
from removal.selectors.desk import SHOWN_SIDE, RequestGone, case_key_held, review_photo


def photo_reveal(*, photo_id: uuid.UUID, reviewer: User) -> bytes:
    """Note that a maintainer looks at a photo, and return it as JPEG.

    Raises:
        RequestGone: there is no such photo, or it was deleted.
    """
    picture = review_photo(photo_id=photo_id, reviewer=reviewer)
    request = RemovalRequest.objects.get(photos=photo_id)
    _reveal_noted(request, reviewer, "photo_revealed")
    return picture


def candidate_reveal(*, candidate_id: uuid.UUID, reviewer: User) -> bytes | None:
    """Note that a maintainer looks at a row's picture, and return it as JPEG.

    None where the dataset holds no picture of the row, or its shard changed.

    Raises:
        RequestGone: there is no such candidate, or the case was deleted.
    """
    candidate = Candidate.objects.select_related("request").filter(pk=candidate_id).first()
    if candidate is None:
        raise RequestGone("There is no such row: its request may have been closed and deleted.")
    row = row_opened(candidate, case_key_held(candidate.request))
    picture = row_picture(row.dataset, row.shard, row.key, row.index, row.offset)
    if picture is None:
        return None
    try:
        shown = thumbnail(decode(picture), SHOWN_SIDE)
    except ImageRefused:
        return None
    _reveal_noted(candidate.request, reviewer, "row_revealed")
    return shown


def _reveal_noted(request: RemovalRequest, reviewer: User, act: str) -> None:
    with transaction.atomic():
        audit.audit_append(act=act, actor=audit.staff(reviewer.pk), tag=audit.subject_tag(request))
