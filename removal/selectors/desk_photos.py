"""What maintainers read of a submitted photo; `life.reveals` shows it, and notes that it did."""

import uuid
from typing import Final

from django.contrib.auth.models import User

from indexer.decode import decode, thumbnail
from removal.custody import blobs, content
from removal.custody.sealing import Place
from removal.models import Photo, Purpose
from removal.selectors.desk import RequestGone, reviewer_key
from removal.selectors.sight import requests_seen

SHOWN_SIDE: Final = 1600


def review_photo(*, photo_id: uuid.UUID, reviewer: User) -> bytes:
    """Return a submitted photo as JPEG without metadata; call it by `reveals.photo_reveal`.

    Raises:
        RequestGone: there is no such photo that they may see, or it was deleted.
    """
    return thumbnail(decode(photo_opened(photo_found(photo_id, reviewer))), SHOWN_SIDE)


def photo_found(photo_id: uuid.UUID, reviewer: User) -> Photo:
    """Return a submitted photo's record, with its request.

    Raises:
        RequestGone: there is none that they may see.
    """
    seen = Photo.objects.filter(request__in=requests_seen(reviewer))
    photo = seen.select_related("request").filter(pk=photo_id).first()
    if photo is None:
        raise RequestGone("There is no such photo.")
    return photo


def photo_opened(photo: Photo) -> bytes:
    """Return a submitted photo's bytes.

    Raises:
        RequestGone: it was deleted.
    """
    key = reviewer_key(photo.request, Purpose.PHOTO)
    if key is None or photo.state == Photo.State.DELETED:
        raise RequestGone("This photo was deleted on its clock or at the subject's wish.")
    place = Place(photo.request_id, Purpose.PHOTO, content.photo_item(photo.pk))
    try:
        return key.open(blobs.blob_read(photo.blob), place)
    except blobs.BlobGone as gone:
        raise RequestGone(str(gone)) from None
