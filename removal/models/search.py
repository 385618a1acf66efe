"""The search: what each group is asked, and the rows that were found."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from removal.models.requests import RemovalRequest
from removal.models.terms import Kind, Verdict


class GroupUnit(models.Model):
    """Something asked of one index group, leased and answered in its turn: a queue's unit of work.

    A unit whose group was taken out of the catalog is *gone*: it has no group any more and is
    waited for no longer.
    """

    class State(models.TextChoices):
        """Whether the group answered; a failed unit is tried again."""

        PENDING = "pending"
        DONE = "done"
        FAILED = "failed"

    group = models.ForeignKey("catalog.Group", models.SET_NULL, null=True, related_name="+")
    state = models.CharField(max_length=8, choices=State, default=State.PENDING)
    error = models.CharField(max_length=64, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)

    class Meta:
        """Found by its group, and by the lease that holds it."""

        abstract = True
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["group", "state"]),
            models.Index(fields=["lease_token"]),
        ]


class SearchUnit(GroupUnit):
    """One request and one index group: the queue's unit of work.

    In the first stage the group is searched; in the second the pictures of its best rows are
    compared with the photo. A unit whose group was taken out of the catalog is *gone*: it has no
    group any more and is waited for no longer, but still counts in what the subject is told.
    """

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
    stage = models.CharField(max_length=8, choices=Stage, default=Stage.SEARCH)
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.PERSON)
    searched_on = models.DateField(null=True, blank=True)
    rows_sealed = models.BinaryField(blank=True, default=b"")
    """The rows to verify per query, under `print`, until the search concludes."""
    hits_sealed = models.BinaryField(blank=True, default=b"")
    """Raw evidence per query, under `print`, until the search concludes."""
    rows_unread = models.PositiveIntegerField(default=0)
    """How many pictures could not be read to verify them."""

    class Meta(GroupUnit.Meta):
        """A group is asked once per stage."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["request", "group", "stage"], name="one_unit_per_group_and_stage"
            ),
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
    offered = models.BooleanField(default=False)
    """A duplicate of approved rows, found after the decision and offered to maintainers: nobody
    else is told of it before it is approved, and then it is not offered any more."""

    unreleased = models.BooleanField(default=False)
    """A duplicate that was approved and that no release told to the request carries yet."""

    class Meta:
        """A row is a candidate once; a request's kinds are asked for without reading its rows."""

        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["request", "kind", "verdict", "offered"], name="candidate_kinds"),
            models.Index(
                fields=["request"],
                condition=Q(offered=True, verdict=Verdict.PENDING),
                name="candidates_offered",
            ),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["request", "row_tag"], name="one_candidate_per_row"),
        ]

    def __str__(self) -> str:
        return str(self.pk)
