"""Fetching the picture of a row: the worker's part of what `life.fetches` asks.

A click is one fetch at most: what a worker began and did not finish is not begun again, but ended,
and the maintainer may ask anew. The bytes are decoded in the process that decodes all that comes
from strangers; only the small picture that is made anew from its pixels is kept.
"""

import hashlib
import io
import uuid
from functools import partial
from typing import Final, Protocol

from django.conf import settings
from PIL import Image

from indexer.decode import DecoderUnavailable, ImageRefused, decode_sized
from removal.custody import content
from removal.custody.sealing import NotReadable, Place, role_key, unwrap
from removal.custody.shred import KeyShredded
from removal.life.fetches import FetchOrder, fetch_end, fetch_wanted
from removal.models import Errand, ErrandKind, ErrandState, Purpose, Recipient
from removal.search.fetch_guard import FetchFault, FetchRefused
from removal.search.leases import lease_claim, lease_free, lease_kept, lease_renew
from removal.selectors.fetched import FetchedPicture

KEPT_SIDE: Final = 1024
_QUALITY: Final = 80


class Fetching(Protocol):
    """What fetches a file: `fetch_http.Fetcher`, and a test's own."""

    def fetch(self, url: str) -> bytes:
        """Return the file at an address.

        Raises:
            FetchRefused: it may not be fetched, or cannot be.
        """


def fetches_waiting() -> list[uuid.UUID]:
    """Return the fetches that nobody is at: asked, or left behind by a worker that died."""
    asked = Errand.objects.filter(lease_free(), kind=ErrandKind.FETCH, state=ErrandState.ASKED)
    return list(asked.order_by("asked_at").values_list("pk", flat=True))


def picture_fetch(errand_id: str | uuid.UUID, *, fetcher: Fetching | None = None) -> bool:
    """Fetch one picture, seal it to the request and end the errand; tell whether this call did."""
    token = uuid.uuid4()
    asked = Errand.objects.filter(pk=errand_id, kind=ErrandKind.FETCH, state=ErrandState.ASKED)
    if not lease_claim(asked.filter(lease_free()), token):
        return False
    held = Errand.objects.filter(pk=errand_id, lease_token=token)
    errand = held.select_related("candidate__request").first()
    if errand is None:
        return False
    with lease_kept(partial(lease_renew, held)):
        outcome = _outcome(errand, fetcher)
    return fetch_end(errand_id=errand.pk, token=token, outcome=outcome)


def _outcome(errand: Errand, fetcher: Fetching | None) -> FetchedPicture | FetchFault:
    return _hindrance(errand) or _fetched(errand, fetcher)


def _hindrance(errand: Errand) -> FetchFault | None:
    """Return why nothing is asked of any site, if so."""
    if errand.attempts > 1:
        return FetchFault.INTERRUPTED
    if not settings.UNLIST.fetch:
        return FetchFault.OFF
    if errand.candidate is None or not fetch_wanted(errand.candidate):
        return FetchFault.ENDED
    return None


def _fetched(errand: Errand, fetcher: Fetching | None) -> FetchedPicture | FetchFault:
    try:
        order = _order_opened(errand)
        return picture_made(order, (fetcher or _fetcher()).fetch(order.url))
    except FetchRefused as refused:
        return refused.fault
    except ImageRefused:
        return FetchFault.NO_PICTURE
    except DecoderUnavailable:
        return FetchFault.NO_DECODER
    except (NotReadable, KeyShredded):  # destroyed with its request
        return FetchFault.ENDED


def picture_made(order: FetchOrder, data: bytes) -> FetchedPicture:
    """Make the picture that is kept of a file, and compare the file with what is recorded.

    Raises:
        ImageRefused: it is no picture that can be decoded.
        DecoderUnavailable: no process to decode in is free in time or can be started.
    """
    image, size = decode_sized(data, side=KEPT_SIDE)
    image.thumbnail((KEPT_SIDE, KEPT_SIDE), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "WEBP", quality=_QUALITY)
    return FetchedPicture(same=_same(order, data), size=size, picture=out.getvalue())


def _same(order: FetchOrder, data: bytes) -> bool | None:
    """Tell whether it is the recorded file; None where no digest is recorded."""
    if order.sha256:
        return hashlib.sha256(data).hexdigest() == order.sha256.lower()
    if order.md5:  # datasets name content by it
        return hashlib.md5(data, usedforsecurity=False).hexdigest() == order.md5.lower()
    return None


def _order_opened(errand: Errand) -> FetchOrder:
    holder = role_key(Recipient.WORKER)
    key = unwrap(errand.pk, Purpose.ERRAND, Recipient.WORKER, holder)
    place = Place(errand.pk, Purpose.ERRAND, content.ORDER)
    return FetchOrder.from_bytes(key.open(errand.order_sealed, place))


def _fetcher() -> Fetching:
    """Return the real one: workers alone have its libraries."""
    from removal.search.fetch_http import Fetcher  # noqa: PLC0415
    from removal.search.fetch_lines import Proxied  # noqa: PLC0415

    proxy = settings.UNLIST.fetch_proxy.get_secret_value()
    return Fetcher(line=Proxied(proxy) if proxy else None)
