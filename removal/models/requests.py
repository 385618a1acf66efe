"""A request and its photos; after its case is shredded only the tombstone still says something."""

import uuid
from typing import ClassVar

from django.db import models

from removal.models.terms import Category, State


class RemovalRequest(models.Model):
    """One request: states, days and counts in the clear, words and proofs sealed."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state = models.CharField(max_length=16, choices=State, default=State.RECEIVED)
    category = models.CharField(max_length=16, choices=Category, blank=True)
    language = models.CharField(max_length=8, blank=True)
    """Code of the language that the request was sent in, so that it is answered in it."""

    receipt_tag = models.BinaryField(max_length=32, unique=True)
    pepper = models.CharField(max_length=16, blank=True)
    """Which pepper made the tag: its `peppers.pepper_id`, so that a retired one can go in time."""
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
    appealed_on = models.DateField(null=True, blank=True)
    answer_due_on = models.DateField(null=True, blank=True)
    """Until when the subject can answer, while the request needs information."""
    photos_delete_on = models.DateField()
    photos_deleted_on = models.DateField(null=True, blank=True)
    case_deleted_on = models.DateField(null=True, blank=True)
    escalated_on = models.DateField(null=True, blank=True)
    """Since when only the escalation role sees it."""
    held_on = models.DateField(null=True, blank=True)
    """Since when a legal hold lies on it: retention leaves photo and case alone meanwhile."""

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
    appeal_sealed = models.BinaryField(blank=True, default=b"")
    """The words of the one appeal, under `case`."""
    proof_sealed = models.BinaryField(blank=True, default=b"")
    """The proofs of removal, under `proof`: made when the case closed, kept with the tombstone."""

    encoders = models.JSONField(default=list, blank=True)
    """By which encoders its photos are fingerprinted."""
    verifying = models.BooleanField(default=False)
    """Every group answered, and the best rows' pictures are being compared."""
    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)

    class Meta:
        """Indexed by what the queue and retention ask for; nobody is refused without a reason.

        Who reviews has Django's own `change_removalrequest`, who reads its `view_removalrequest`:
        `removal.permissions` says which role has what.
        """

        permissions: ClassVar[tuple[tuple[str, str], ...]] = (
            ("decide_request", "Can decide alone what one person may, and confirm as the second"),
            ("reveal_picture", "Can have pictures shown"),
            ("see_escalated", "Can see the requests that were escalated, and end their hold"),
        )
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=~models.Q(state__in=[State.DENIED, State.NO_MATCH], reason=""),
                name="refused_with_a_reason",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["state", "due_on"]),
            models.Index(fields=["photos_delete_on"]),
            models.Index(fields=["closed_on"]),
        ]

    def __str__(self) -> str:
        return str(self.pk)


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
