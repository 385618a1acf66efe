"""Reads, by reader: the subject (`subject`, `status`), the maintainers (`desk`)."""

from removal.custody.receipts import ReceiptMistyped
from removal.selectors.desk import (
    CandidateView,
    HistoryEntry,
    PhotoView,
    RequestGone,
    ReviewCase,
    review_case,
)
from removal.selectors.desk_photos import review_photo
from removal.selectors.queue import QueueItem, queue
from removal.selectors.status import request_status
from removal.selectors.subject import (
    ApprovedRow,
    OpenedRequest,
    ReceiptUnknown,
    approved_rows,
    request_open,
    requests_awaiting_release,
)

__all__ = [
    "ApprovedRow",
    "CandidateView",
    "HistoryEntry",
    "OpenedRequest",
    "PhotoView",
    "QueueItem",
    "ReceiptMistyped",
    "ReceiptUnknown",
    "RequestGone",
    "ReviewCase",
    "approved_rows",
    "queue",
    "request_open",
    "request_status",
    "requests_awaiting_release",
    "review_case",
    "review_photo",
]
