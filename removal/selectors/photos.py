"""The photos of a request, opened by their subject."""

from removal.custody import blobs, content
from removal.custody.blobs import BlobGone
from removal.custody.content import Region
from removal.custody.sealing import NotReadable, Place
from removal.custody.shred import KeyShredded
from removal.models import Photo, Purpose
from removal.selectors.found import regions_matched
from removal.selectors.subject import OpenedRequest, case_key, rows_opened


class PhotoGone(LookupError):
    """There is no such photo, or it was deleted."""

    def __init__(self) -> None:
        super().__init__("This photo is not here: it was deleted, or never sent.")


def photo_opened(*, opened: OpenedRequest, n: int) -> tuple[bytes, list[Region]]:
    """Return a photo as it was sent, and the parts of it that were found.

    Raises:
        PhotoGone: it was deleted, or there is none at this place.
    """
    photo = opened.request.photos.filter(n=n, state=Photo.State.HELD).first()
    if photo is None:
        raise PhotoGone
    place = Place(opened.request_id, Purpose.PHOTO, content.photo_item(photo.pk))
    try:
        data = opened.key(Purpose.PHOTO).open(blobs.blob_read(photo.blob), place)
    except (NotReadable, KeyShredded, BlobGone):  # destroyed at this very moment
        raise PhotoGone from None
    rows = rows_opened(opened.request, case_key(opened))
    return data, regions_matched(rows).get(n, [])
