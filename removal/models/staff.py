"""The maintainers' own: who works on what, how they see it, what one proposes to another.

Nothing here is about a subject but `Proposal.payload_sealed`, which lies under the request's `case`
key and dies with it, and `Flag.detail`, which holds counts and codes.
"""

import uuid
from typing import ClassVar, Final

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from removal.models.errands import Errand
from removal.models.requests import RemovalRequest
from removal.models.terms import ProposalKind, ProposalState

PROPOSAL_OPEN: Final = (ProposalState.WAITING, ProposalState.COUNTING)


class Claim(models.Model):
    """Who works on a request, until when; a claim that ran out is none."""

    request = models.OneToOneField(RemovalRequest, models.CASCADE, related_name="claim")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="claims")
    until = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.request_id} by {self.reviewer_id}"


class SavedView(models.Model):
    """A view of the queue that somebody gave a name; without an owner it is everyone's."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="saved_views",
    )
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=500)

    class Meta:
        """A name says which view, to its owner and to everyone."""

        ordering: ClassVar[list[str]] = ["name"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["owner", "name"], name="one_view_per_owner_and_name"),
            models.UniqueConstraint(
                fields=["name"], condition=Q(owner__isnull=True), name="one_common_view_per_name"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class DeskSettings(models.Model):
    """How a reviewer wants pictures shown: hidden as far as can be, unless they say otherwise."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="desk")
    blurred = models.BooleanField(default=True)
    gray = models.BooleanField(default=True)
    sensitive_per_day = models.PositiveSmallIntegerField(default=40)
    """How many sensitive pictures they want to see on a day at most."""

    class Meta:
        """One per reviewer."""

        verbose_name_plural = "desk settings"

    def __str__(self) -> str:
        return str(self.user_id)


class StaffLock(models.Model):
    """Failed logins of an account, counted without an address, and until when it is locked."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="lock")
    failures = models.PositiveSmallIntegerField(default=0)
    locked_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return str(self.user_id)


class Flag(models.Model):
    """A sign of abuse that a reviewer should weigh; it blocks nothing."""

    request = models.ForeignKey(RemovalRequest, models.CASCADE, related_name="flags")
    code = models.CharField(max_length=32)
    detail = models.JSONField(default=dict, blank=True)
    """Counts and codes, never content."""
    raised_on = models.DateField()
    seen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        """Each sign is raised once."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["request", "code"], name="one_flag_per_code"),
        ]

    def __str__(self) -> str:
        return f"{self.code} on {self.request_id}"


class Proposal(models.Model):
    """What somebody wants to do, while it can be undone or waits for a second person.

    The database itself keeps the rule of two: nobody confirms their own, and what needs a second
    person neither counts down nor takes effect without one.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=16, choices=ProposalKind)
    request = models.ForeignKey(
        RemovalRequest, models.CASCADE, null=True, blank=True, related_name="proposals"
    )
    errand = models.ForeignKey(
        Errand, models.CASCADE, null=True, blank=True, related_name="proposals"
    )
    """The sweep that it is about."""
    facts = models.JSONField(default=dict, blank=True)
    """What it says where that is personal to nobody: codes, counts, keys of a list."""
    payload_sealed = models.BinaryField(blank=True, default=b"")
    """What it says, where it is about a request: under its `case`, at `content.proposal_item`;
    emptied at its end."""
    seen = models.PositiveBigIntegerField(default=0)
    """`state_seq` of the request when it was proposed: another one makes it stale."""
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="proposals"
    )
    proposed_at = models.DateTimeField()
    effective_at = models.DateTimeField(null=True, blank=True)
    """When the undo window ends; none while it waits for the second person."""
    needs_second = models.BooleanField()
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="proposals_confirmed",
    )
    state = models.CharField(max_length=16, choices=ProposalState)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    """Who undid or refused it."""

    class Meta:
        """One at a time per request; two persons where two are needed."""

        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["state", "effective_at"]),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["request"],
                condition=Q(state__in=PROPOSAL_OPEN),
                name="one_open_proposal_per_request",
            ),
            models.UniqueConstraint(
                fields=["errand"],
                condition=Q(state__in=PROPOSAL_OPEN),
                name="one_open_proposal_per_sweep",
            ),
            models.CheckConstraint(
                condition=Q(needs_second=True)
                | ~Q(kind__in=[ProposalKind.WITHDRAWAL, ProposalKind.SWEEP]),
                name="two_persons_by_kind",
            ),
            models.CheckConstraint(
                condition=Q(confirmed_by__isnull=True) | ~Q(confirmed_by=F("proposed_by")),
                name="nobody_confirms_their_own",
            ),
            models.CheckConstraint(
                condition=Q(needs_second=False)
                | Q(confirmed_by__isnull=False)
                | ~Q(state__in=[ProposalState.COUNTING, ProposalState.TAKEN]),
                name="second_person_where_needed",
            ),
            models.CheckConstraint(
                condition=~Q(state=ProposalState.COUNTING, effective_at__isnull=True),
                name="counting_to_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.state}"
