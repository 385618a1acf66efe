"""Errands: what maintainers have workers look for or fetch, when no submitted photo is searched.

What an errand asks lies under a data key of its own (`Purpose.ERRAND`), whose worker wrap is
destroyed when the errand ends; what comes of it lies under the request's `case`, or, of a sweep,
under the errand's key until the sweep ends. In the clear there are kinds, states and days' times.
"""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from removal.models.requests import RemovalRequest
from removal.models.search import Candidate, GroupUnit
from removal.models.terms import ErrandKind, ErrandState


class Errand(models.Model):
    """One errand: asked, searched where it takes a search, ended."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=16, choices=ErrandKind)
    request = models.ForeignKey(
        RemovalRequest, models.CASCADE, null=True, blank=True, related_name="errands"
    )
    """Whose rows it is about; none for a sweep."""
    candidate = models.ForeignKey(
        Candidate, models.CASCADE, null=True, blank=True, related_name="errands"
    )
    """The row whose picture is fetched; none for other kinds."""
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    """None: by the service itself, or by somebody who left."""
    asked_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=16, choices=ErrandState, default=ErrandState.ASKED)
    fault = models.CharField(max_length=32, blank=True)
    """A code: why it failed, or how a sweep ended."""
    order_sealed = models.BinaryField(blank=True, default=b"")
    """What is asked, under the errand's key, at `content.ORDER`; emptied at its end."""
    result_sealed = models.BinaryField(blank=True, default=b"")
    """What was fetched, under `case`, at `content.errand_item`; of a sweep what it looked for,
    under the errand's key, at `sweeps.ACCOUNT`, until it ends."""

    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)

    class Meta:
        """Found by state; a request has one search for duplicates at a time."""

        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["state", "kind"])]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["request"],
                condition=Q(
                    kind=ErrandKind.DUPLICATES,
                    state__in=[ErrandState.ASKED, ErrandState.SEARCHING],
                ),
                name="one_search_for_duplicates",
            ),
            models.UniqueConstraint(
                fields=["candidate"],
                condition=Q(kind=ErrandKind.FETCH, state=ErrandState.ASKED),
                name="one_fetch_per_row_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class ErrandUnit(GroupUnit):
    """One errand and one index group: leased and answered as a `SearchUnit` is."""

    class Stage(models.TextChoices):
        """What is asked of the group: to fingerprint rows that it holds, or to be searched."""

        PREPARE = "prepare"
        SEARCH = "search"

    errand = models.ForeignKey(Errand, models.CASCADE, related_name="units")
    stage = models.CharField(max_length=8, choices=Stage)
    result_sealed = models.BinaryField(blank=True, default=b"")
    """What came of it, under the errand's key, until the errand ends."""

    class Meta(GroupUnit.Meta):
        """A group is asked once per stage."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["errand", "group", "stage"], name="one_errand_unit_per_group_and_stage"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.stage} of {self.errand_id} in group {self.group_id}"


class SweepRow(models.Model):
    """A row that a sweep found, sealed under the sweep's key, which dies with it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    errand = models.ForeignKey(Errand, models.CASCADE, related_name="rows")
    place = models.PositiveIntegerField()
    """1 for the row most like what was asked for."""
    chosen = models.BooleanField(default=False)
    """Whether a maintainer chose it: the open proposal, if there is one, would list it."""
    row_sealed = models.BinaryField()
    """A `sweeps.SweepFound` at `content.row_item`."""

    class Meta:
        """The most alike first."""

        ordering: ClassVar[list[str]] = ["place"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["errand", "place"], name="one_sweep_row_per_place"),
        ]

    def __str__(self) -> str:
        return f"row {self.place} of {self.errand_id}"
