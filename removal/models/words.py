"""What subject and maintainers tell each other; all of it sealed under `case`, dying with it."""

import uuid
from typing import ClassVar

from django.db import models

from removal.models.requests import RemovalRequest
from removal.models.search import Candidate
from removal.models.terms import Author


class Message(models.Model):
    """One message, either way, in plain text."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    request = models.ForeignKey(RemovalRequest, models.CASCADE, related_name="messages")
    n = models.PositiveSmallIntegerField()
    """Place in the conversation, from 1."""
    author = models.CharField(max_length=12, choices=Author)
    day = models.DateField()
    sealed = models.BinaryField()
    """The text, under `case`, at `content.message_item`."""

    class Meta:
        """Messages stand in the order they were written in."""

        ordering: ClassVar[list[str]] = ["n"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["request", "n"], name="one_message_per_place"),
        ]

    def __str__(self) -> str:
        return f"{self.n} of {self.request_id}"


class Question(models.Model):
    """A look-alike row that a reviewer put to the subject: is this you?"""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    """All that the subject is told of it beside the tile."""
    request = models.ForeignKey(RemovalRequest, models.CASCADE, related_name="questions")
    candidate = models.ForeignKey(Candidate, models.CASCADE, related_name="questions")
    tile_sealed = models.BinaryField()
    """A PNG of at most 16 by 16 pixels, under `case`, at `content.tile_item`."""
    mine = models.BooleanField(null=True)
    """What the subject answered."""
    asked_on = models.DateField()
    answered_on = models.DateField(null=True, blank=True)

    class Meta:
        """A row is asked about once."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["request", "candidate"], name="one_question_per_candidate"
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)
