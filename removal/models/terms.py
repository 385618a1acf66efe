"""The words that models are written in: states, purposes, kinds; and the day."""

import datetime as dt

from django.db import models
from django.utils import timezone


class State(models.TextChoices):
    """Where a request stands; `lifecycle.py` says which step may follow which."""

    RECEIVED = "received", "Received"
    SEARCHING = "searching", "Searching"
    IN_REVIEW = "in_review", "In review"
    NEEDS_INFO = "needs_info", "Needs information"
    EXPIRED = "expired", "Expired"
    NO_MATCH = "no_match", "Not found"
    APPROVED = "approved", "Approved"
    PARTLY_APPROVED = "partly_approved", "Partly approved"
    DENIED = "denied", "Denied"
    RELEASED = "released", "Released"
    WITHDRAWN = "withdrawn", "Withdrawn"


class Category(models.TextChoices):
    """What the picture is, as the subject says; it proposes a tier and an urgency."""

    PERSONAL = "personal", "A picture of me"
    MEDICAL = "medical", "A medical picture"
    INTIMATE = "intimate", "An intimate picture"
    CHILD = "child", "A picture of a child"
    ARTWORK = "artwork", "My artwork or photograph"
    OTHER = "other", "Something else"


class Purpose(models.TextChoices):
    """What a data key protects: docs/privacy.md "Keys"."""

    PHOTO = "photo"
    PRINT = "print"
    CASE = "case"
    PROOF = "proof"
    ERRAND = "errand"
    """Not of a request: what an errand asks of workers."""


class Recipient(models.TextChoices):
    """Who can open a wrap."""

    SUBJECT = "subject"
    REVIEWER = "reviewer"
    WORKER = "worker"


class Kind(models.TextChoices):
    """How a row relates to the upload."""

    EXACT = "exact", "Exact"
    COPY = "copy", "Copy"
    SIMILAR = "similar", "Similar"


class Verdict(models.TextChoices):
    """What a maintainer said of a candidate row."""

    PENDING = "pending", "Pending"
    APPROVED = "approved", "Approved"
    DENIED = "denied", "Denied"


class ProposalKind(models.TextChoices):
    """What a proposal would do."""

    DECISION = "decision", "Decide a request"
    DUPLICATES = "duplicates", "List duplicates of approved rows"
    WITHDRAWAL = "withdrawal", "Take rows off the list"
    SWEEP = "sweep", "List rows of a kind"


class ProposalState(models.TextChoices):
    """Where a proposal stands: two ways to wait, four ways to end."""

    WAITING = "waiting", "Waits for the second person"
    COUNTING = "counting", "Can be undone"
    TAKEN = "taken", "Took effect"
    UNDONE = "undone", "Undone"
    REFUSED = "refused", "Refused by the second person"
    STALE = "stale", "The request changed meanwhile"


class ErrandKind(models.TextChoices):
    """What workers are asked for."""

    DUPLICATES = "duplicates", "Find the duplicates of approved rows"
    SWEEP = "sweep", "Find rows of a kind"
    FETCH = "fetch", "Fetch the picture of a row"


class ErrandState(models.TextChoices):
    """Where an errand stands: two ways to wait, two ways to end."""

    ASKED = "asked", "Waits for a worker"
    SEARCHING = "searching", "Being searched"
    DONE = "done", "Done"
    FAILED = "failed", "Could not be done"


class Author(models.TextChoices):
    """Who wrote a message."""

    SUBJECT = "subject", "Subject"
    MAINTAINER = "maintainer", "Maintainer"


def today() -> dt.date:
    """Return the day in UTC: the only precision that a subject's dates have."""
    return timezone.now().date()
