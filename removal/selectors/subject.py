"""A receipt opens its request: how the subject is known, without being known.

Unknown and purged receipts get the same answer after the same work.
"""

import datetime as dt
import functools
import uuid
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from django.db.models import Max, Min, Q, QuerySet
from django.utils.translation import gettext as _

from removal.custody import peppers, receipts
from removal.custody.content import FoundRow, row_opened
from removal.custody.sealing import (
    NotReadable,
    Place,
    PrivateKey,
    public_half,
    seal_to,
    subject_key,
    unwrap,
)
from removal.custody.shred import KeyShredded
from removal.lifecycle import LISTED_MEANWHILE
from removal.models import (
    Candidate,
    Kind,
    ProposalKind,
    ProposalState,
    Purpose,
    Recipient,
    RemovalRequest,
    State,
    Verdict,
)
from removal.selectors.duplicates import with_unreleased

_DECOY_SALT: Final = bytes(32)
_DECOY_PLACE: Final = Place(uuid.UUID(int=0), Purpose.PROOF, "decoy")


class ReceiptUnknown(LookupError):
    """No request answers to this code: it never did, or it was purged."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "No request opens with this code. Compare it with the one you kept. A request "
                "whose records have been deleted cannot be opened any more."
            )
        )


@dataclass(frozen=True, slots=True, repr=False)
class OpenedRequest:
    """A request in the hands of its subject; `subject` lives in memory alone."""

    request: RemovalRequest
    subject: PrivateKey

    @property
    def request_id(self) -> uuid.UUID:
        """The request's id."""
        return self.request.pk

    def key(self, purpose: Purpose) -> PrivateKey:
        """Unwrap a data key with the subject's own.

        Raises:
            NotReadable, KeyShredded: it was destroyed.
        """
        return unwrap(self.request_id, purpose, Recipient.SUBJECT, self.subject)


@dataclass(frozen=True, slots=True)
class ApprovedRow:
    """A row that a maintainer approved for removal, as far as a list entry needs it."""

    dataset: str
    url: str | None
    sha256: str | None
    md5: str | None


def request_open(*, receipt: str) -> OpenedRequest:
    """Open a request by its receipt.

    Raises:
        ReceiptMistyped: the check symbol does not agree; nothing was looked up.
        ReceiptUnknown: no request answers to it.
    """
    symbols = receipts.canonical(receipt)
    tags = peppers.receipt_tags(symbols)
    request = RemovalRequest.objects.filter(receipt_tag__in=tags).first()
    subject = subject_key(symbols, request.subject_salt if request else _DECOY_SALT)
    if request is None:
        _decoy_opened()
        raise ReceiptUnknown
    return still_opens(request, subject)


def still_opens(request: RemovalRequest, subject: PrivateKey) -> OpenedRequest:
    """Return the opened request, if this key opens what lives as long as the request.

    Raises:
        ReceiptUnknown: it is being purged, or was purged before a backup was restored.
    """
    opened = OpenedRequest(request, subject)
    try:
        opened.key(Purpose.PROOF)
    except (NotReadable, KeyShredded):
        key, sealed = _decoy()
        key.open(sealed, _DECOY_PLACE)
        raise ReceiptUnknown from None
    return opened


@functools.cache
def _decoy() -> tuple[PrivateKey, bytes]:
    key = subject_key("0" * receipts.SYMBOLS, _DECOY_SALT)
    return key, seal_to(public_half(key), bytes(32), _DECOY_PLACE)


def _decoy_opened() -> None:
    """Do for a code without request what is done for one with it: a query, an HPKE opening."""
    key, sealed = _decoy()
    try:
        unwrap(_DECOY_PLACE.request, Purpose.PROOF, Recipient.SUBJECT, key)
    except NotReadable:
        key.open(sealed, _DECOY_PLACE)


def approved_rows(*, opened: OpenedRequest) -> list[ApprovedRow]:
    """Return the rows whose removal can be proven to the subject: exact and copy only.

    Empty once the case is deleted.
    """
    rows = rows_opened(opened.request, case_key(opened))
    return [
        row_approved(row)
        for candidate, row in rows
        if candidate.kind != Kind.SIMILAR and candidate.verdict == Verdict.APPROVED
    ]


def row_approved(row: FoundRow) -> ApprovedRow:
    """Return the part of a row that a list entry needs."""
    return ApprovedRow(row.dataset, row.url, row.sha256, row.md5)


def requests_awaiting_release(*, up_to_seq: int) -> list[uuid.UUID]:
    """Return the requests with approved rows whose state the audit log holds up to an entry.

    The ledger refers to no request: this is how a release knows whom it serves.
    """
    requests = _awaiting_release().filter(state_seq__lte=up_to_seq)
    return list(requests.order_by("state_seq").values_list("pk", flat=True))


def release_awaited_since() -> dt.date | None:
    """Return the day since when approved rows are in no release; None where all are in one."""
    waiting = _awaiting_release()
    decided = waiting.filter(~with_unreleased()).aggregate(day=Min("decided_on"))["day"]
    taken = Q(proposals__kind=ProposalKind.DUPLICATES, proposals__state=ProposalState.TAKEN)
    spread = waiting.filter(with_unreleased()).annotate(at=Max("proposals__ended_at", filter=taken))
    at = spread.aggregate(first=Min("at"))["first"]
    return min((day for day in (decided, at and at.date()) if day), default=None)


def _awaiting_release() -> QuerySet[RemovalRequest]:
    waiting = Q(state__in=(State.APPROVED, State.PARTLY_APPROVED))
    # Appealed or ended before their rows were in a release: listed all the same.
    listed = Q(state__in=LISTED_MEANWHILE, released_in=[]) & ~Q(tier="")
    copies = Q(with_unreleased(), state__in=LISTED_MEANWHILE)
    return RemovalRequest.objects.filter(waiting | listed | copies)


def case_key(opened: OpenedRequest) -> PrivateKey | None:
    """Return the `case` key, or None once it is destroyed."""
    try:
        return opened.key(Purpose.CASE)
    except (NotReadable, KeyShredded):
        return None


def rows_opened(
    request: RemovalRequest, case: PrivateKey | None
) -> list[tuple[Candidate, FoundRow]]:
    """Open the request's candidates, those that are offered left out; none without the key."""
    if case is None:
        return []
    found = request.candidates.filter(offered=False)
    return [(candidate, row_opened(candidate, case)) for candidate in found]


def domain(url: str | None) -> str | None:
    """Return the host name of a URL as a dataset stores it, where it has one."""
    try:
        return urlsplit(url).hostname if url else None
    except ValueError:
        return None
