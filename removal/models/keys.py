"""Keys in the database: public halves, private halves that are wrapped twice, sessions."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from removal.models.errands import Errand
from removal.models.requests import RemovalRequest
from removal.models.terms import Purpose, Recipient


class DataKey(models.Model):
    """One data key of a request or an errand: its public half, to which anyone here can seal."""

    request = models.ForeignKey(
        RemovalRequest, models.CASCADE, null=True, blank=True, related_name="keys"
    )
    errand = models.ForeignKey(Errand, models.CASCADE, null=True, blank=True, related_name="keys")
    purpose = models.CharField(max_length=8, choices=Purpose)
    public = models.BinaryField(max_length=32)

    class Meta:
        """One key per purpose; each belongs to a request or to an errand."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["request", "purpose"], name="one_key_per_purpose"),
            models.UniqueConstraint(fields=["errand", "purpose"], name="one_key_per_errand"),
            models.CheckConstraint(
                condition=Q(request__isnull=False, errand__isnull=True)
                | Q(request__isnull=True, errand__isnull=False),
                name="a_key_has_one_owner",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.owner_id} {self.purpose}"

    @property
    def owner_id(self) -> uuid.UUID:
        """The id of the request or errand that it belongs to."""
        owner: uuid.UUID | None = self.request_id or self.errand_id
        if owner is None:
            raise ValueError("This key belongs to nothing.")
        return owner


class Wrap(models.Model):
    """A data key's private half, sealed to one recipient and again under its shred key."""

    key = models.ForeignKey(DataKey, models.CASCADE, related_name="wraps")
    recipient = models.CharField(max_length=8, choices=Recipient)
    holder = models.CharField(max_length=16, blank=True)
    """Which key pair of the reviewers or workers opens it: its `sealing.key_id`; rotation reads
    this. Empty for the subject's."""
    sealed = models.BinaryField()
    shred = models.UUIDField(unique=True)

    class Meta:
        """One wrap per recipient."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["key", "recipient"], name="one_wrap_per_recipient"),
        ]

    def __str__(self) -> str:
        return f"{self.key_id} {self.recipient}"


class SubjectSession(models.Model):
    """A subject's short session: nothing in it opens without the second cookie and `shred`."""

    id_digest = models.BinaryField(max_length=32, primary_key=True)
    """SHA-256 of the first cookie."""
    request = models.ForeignKey(RemovalRequest, models.CASCADE, related_name="sessions")
    keys_sealed = models.BinaryField()
    """Under a key made from the second cookie's secret and the file `shred`."""
    shred = models.UUIDField(unique=True)
    """File of the shred store that goes with the session, so that no backup brings it back."""
    used_at = models.DateTimeField()
    """To the minute: it ends after a while without use."""
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"session of {self.request_id}"
