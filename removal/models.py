"""What the database keeps of a request, and that it never keeps personal data in the clear.

What a person sent and what was found for it lies in sealed fields (`sealing.py`), readable only
with a private half that is wrapped to the roles of docs/privacy.md "Keys". In the clear there are
states, days, kinds, counts and random identifiers. Times that concern the subject are days.
"""

import datetime as dt
import uuid
from typing import ClassVar

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


def today() -> dt.date:
    """Return the day in UTC: the only precision that a subject's dates have."""
    return timezone.now().date()


class RemovalRequest(models.Model):
    """One request; after its case is shredded only the tombstone fields still say something."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state = models.CharField(max_length=16, choices=State, default=State.RECEIVED)
    category = models.CharField(max_length=16, choices=Category, blank=True)

    receipt_tag = models.BinaryField(max_length=32, unique=True)
    subject_salt = models.BinaryField(max_length=32)
    subject_public = models.BinaryField(max_length=32)
    audit_shred = models.UUIDField(unique=True)
    """File of the shred store that holds the HMAC key of this request's audit tag."""

    received_on = models.DateField()
    due_on = models.DateField()
    extended_on = models.DateField(null=True, blank=True)
    searched_on = models.DateField(null=True, blank=True)
    decided_on = models.DateField(null=True, blank=True)
    closed_on = models.DateField(null=True, blank=True)
    photos_delete_on = models.DateField()
    photos_deleted_on = models.DateField(null=True, blank=True)
    case_deleted_on = models.DateField(null=True, blank=True)

    outcome = models.CharField(max_length=16, blank=True)
    """State that the decision gave; it stays when the request is released later."""
    reason = models.CharField(max_length=32, blank=True)
    tier = models.CharField(max_length=16, blank=True)
    released_in = models.JSONField(default=list, blank=True)
    """Numbers of the releases that carry the approved rows."""
    state_seq = models.PositiveBigIntegerField(default=0)
    """Audit entry of the last transition."""

    link_count = models.PositiveSmallIntegerField(default=0)
    links_sealed = models.BinaryField(blank=True, default=b"")
    """The submitted URLs, under `print`, for the search."""
    content_sealed = models.BinaryField(blank=True, default=b"")
    """Note and URLs, under `case`."""
    extension_sealed = models.BinaryField(blank=True, default=b"")
    statement_sealed = models.BinaryField(blank=True, default=b"")

    encoders = models.JSONField(default=list, blank=True)
    """By which encoders its photos are fingerprinted."""
    verifying = models.BooleanField(default=False)
    """Every group answered, and the best rows' pictures are being compared."""
    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)

    class Meta:
        """Indexed by what the queue and retention ask for."""

        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["state", "due_on"]),
            models.Index(fields=["photos_delete_on"]),
            models.Index(fields=["closed_on"]),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class DataKey(models.Model):
    """One data key of a request: its public half, to which anyone here can seal."""

    request = models.ForeignKey(RemovalRequest, models.CASCADE, related_name="keys")
    purpose = models.CharField(max_length=8, choices=Purpose)
    public = models.BinaryField(max_length=32)

    class Meta:
        """One key per purpose."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["request", "purpose"], name="one_key_per_purpose"),
        ]

    def __str__(self) -> str:
        return f"{self.request_id} {self.purpose}"


class Wrap(models.Model):
    """A data key's private half, sealed to one recipient and again under its shred key."""

    key = models.ForeignKey(DataKey, models.CASCADE, related_name="wraps")
    recipient = models.CharField(max_length=8, choices=Recipient)
    sealed = models.BinaryField()
    shred = models.UUIDField(unique=True)

    class Meta:
        """One wrap per recipient."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["key", "recipient"], name="one_wrap_per_recipient"),
        ]

    def __str__(self) -> str:
        return f"{self.key_id} {self.recipient}"


class Photo(models.Model):
    """One accepted photo: a blob sealed under `photo`, its fingerprint sealed under `print`."""

    class State(models.TextChoices):
        """Whether the picture is still there."""

        HELD = "held"
        DELETED = "deleted"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    request = models.ForeignKey(RemovalRequest, models.CASCADE, related_name="photos")
    n = models.PositiveSmallIntegerField()
    """Place in the submission, from 1, refused photos counted."""
    blob = models.UUIDField(unique=True)
    state = models.CharField(max_length=8, choices=State, default=State.HELD)
    deleted_on = models.DateField(null=True, blank=True)
    flags = models.JSONField(default=list, blank=True)
    """What hindered the search: `too_plain`, `unreadable`."""
    fingerprint_sealed = models.BinaryField(blank=True, default=b"")
    probe_sealed = models.BinaryField(blank=True, default=b"")
    """What geometry compares (a small gray picture), under `photo`, until the search concludes:
    so a worker on another host needs no blob."""

    class Meta:
        """Photos stand in the order they were sent in."""

        ordering: ClassVar[list[str]] = ["n"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["request", "n"], name="one_photo_per_place"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class SearchUnit(models.Model):
    """One request and one index group: the queue's unit of work.

    In the first stage the group is searched; in the second the pictures of its best rows are
    compared with the photo. A unit whose group was taken out of the catalog is *gone*: it has no
    group any more and is waited for no longer, but still counts in what the subject is told.
    """

    class State(models.TextChoices):
        """Whether the group answered; a failed unit is tried again."""

        PENDING = "pending"
        DONE = "done"
        FAILED = "failed"

    class Stage(models.TextChoices):
        """What is asked of the group."""

        SEARCH = "search"
        VERIFY = "verify"

    class Fault(models.TextChoices):
        """Why a unit could not be answered the last time it was tried."""

        GROUP_UNAVAILABLE = "group_unavailable"
        ENCODER_MISSING = "encoder_missing"
        PICTURES_UNAVAILABLE = "pictures_unavailable"
        KEY_GONE = "key_gone"

    class Priority(models.IntegerChoices):
        """Who waits; the lowest goes first."""

        PERSON = 0
        BATCH = 10

    request = models.ForeignKey(RemovalRequest, models.CASCADE, related_name="units")
    group = models.ForeignKey("catalog.Group", models.SET_NULL, null=True, related_name="+")
    stage = models.CharField(max_length=8, choices=Stage, default=Stage.SEARCH)
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.PERSON)
    state = models.CharField(max_length=8, choices=State, default=State.PENDING)
    error = models.CharField(max_length=64, blank=True)
    searched_on = models.DateField(null=True, blank=True)
    rows_sealed = models.BinaryField(blank=True, default=b"")
    """The rows to verify per query, under `print`, until the search concludes."""
    hits_sealed = models.BinaryField(blank=True, default=b"")
    """Raw evidence per query, under `print`, until the search concludes."""
    rows_unread = models.PositiveIntegerField(default=0)
    """How many pictures could not be read to verify them."""

    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)

    class Meta:
        """A group is asked once per stage."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["request", "group", "stage"], name="one_unit_per_group_and_stage"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["group", "state"]),
            models.Index(fields=["lease_token"]),
        ]

    def __str__(self) -> str:
        return f"{self.stage} of {self.request_id} in group {self.group_id}"


class Candidate(models.Model):
    """One row that the search found; the row itself lies sealed under `case`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    request = models.ForeignKey(RemovalRequest, models.CASCADE, related_name="candidates")
    kind = models.CharField(max_length=8, choices=Kind)
    verdict = models.CharField(max_length=8, choices=Verdict, default=Verdict.PENDING)
    row_tag = models.BinaryField(max_length=32, db_index=True)
    """HMAC of the row under a key outside the database: equal rows show, rows do not."""
    row_sealed = models.BinaryField()

    class Meta:
        """A row is a candidate once."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["request", "row_tag"], name="one_candidate_per_row"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class AuditEntry(models.Model):
    """One entry of the hash chain; written by `audit.audit_append` alone, never changed."""

    seq = models.PositiveBigIntegerField(primary_key=True)
    day = models.DateField()
    at = models.DateTimeField(null=True, blank=True)
    """Time of a staff act; acts of the subject and the machine carry the day alone."""
    actor = models.CharField(max_length=32)
    act = models.CharField(max_length=32)
    subject = models.BinaryField(max_length=32, blank=True, default=b"")
    detail = models.JSONField(default=dict, blank=True)
    previous = models.BinaryField(max_length=32)
    digest = models.BinaryField(max_length=32)

    class Meta:
        """Entries stand in the order of the chain."""

        ordering: ClassVar[list[str]] = ["seq"]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.seq} {self.act}"


class AuditTip(models.Model):
    """The chain's head: one row, locked last before commit, so that writers make one chain."""

    seq = models.PositiveBigIntegerField(default=0)
    digest = models.BinaryField(max_length=32, default=bytes(32))

    def __str__(self) -> str:
        return str(self.seq)


class RetentionRun(models.Model):
    """When retention last ran to its end: one row, so that `doctor` can alarm."""

    ran_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.ran_at)


class SpentTicket(models.Model):
    """A single-use challenge or ticket that was used; kept until it would expire anyway."""

    digest = models.BinaryField(max_length=32, unique=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return str(self.pk)
