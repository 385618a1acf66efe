"""The shapes of the API's bodies, as the OpenAPI file shows them; `status_shapes` has the status.

Answers are built by the selectors, in exactly these shapes; a test holds the two together.
Questions are read by the views, whose refusals are problems with sentences of their own.
"""

from typing import Any, Final

from rest_framework import serializers

from removal.life.appeals import APPEAL_MAX
from removal.life.messages import MESSAGE_MAX
from removal.models import Category, State

_WORDS: Final = r"[^\s\u0000-\u001f\u007f-\u009f]"
"""Somewhere in it is a character that is neither blank nor a control character."""


class Shape(serializers.Serializer[Any]):
    """A body that is described, never written through."""


# --- asked -----------------------------------------------------------------------------------


class RequestBody(Shape):
    """What is sent to make a request (multipart/form-data)."""

    photos = serializers.ListField(
        child=serializers.FileField(),
        required=False,
        max_length=10,
        help_text="1 to 10 files of at most 20 MB and 40 megapixels each: JPEG, PNG, WebP, GIF "
        "(first frame); AVIF and HEIC where the server has their libraries.",
    )
    urls = serializers.ListField(
        child=serializers.CharField(max_length=2048),
        required=False,
        max_length=20,
        help_text="Web addresses of the picture; they may stand alone. Repeat the field.",
    )
    note = serializers.CharField(required=False, max_length=2000, allow_blank=True)
    category = serializers.ChoiceField(Category.choices, default=Category.PERSONAL.value)
    altcha = serializers.CharField(
        required=False, help_text="The solved challenge, where the server asks for one."
    )


class ReceiptBody(Shape):
    """What opens a request."""

    receipt = serializers.CharField(
        help_text="26 letters and digits; case, spaces and hyphens do not count."
    )


class AnswerBody(ReceiptBody):
    """The answer to a question."""

    question = serializers.UUIDField(help_text="The `id` of one of the status's `questions`.")
    mine = serializers.BooleanField(help_text="Whether the tile shows you, or is your picture.")


class MessageBody(ReceiptBody):
    """A message to the maintainers."""

    text = serializers.RegexField(
        _WORDS, max_length=MESSAGE_MAX, help_text="Plain text; control characters are left out."
    )


class AppealBody(ReceiptBody):
    """The one appeal."""

    text = serializers.RegexField(
        _WORDS, max_length=APPEAL_MAX, help_text="Plain text; control characters are left out."
    )


# --- answered --------------------------------------------------------------------------------


class ChallengeParameters(Shape):
    """Parameters of an ALTCHA v2 challenge."""

    algorithm = serializers.CharField()
    cost = serializers.IntegerField()
    keyLength = serializers.IntegerField()  # noqa: N815  # ALTCHA's own name
    keyPrefix = serializers.CharField(allow_blank=True)  # noqa: N815  # ALTCHA's own name
    nonce = serializers.CharField()
    salt = serializers.CharField()
    expiresAt = serializers.IntegerField()  # noqa: N815  # ALTCHA's own name


class Challenge(Shape):
    """An ALTCHA v2 challenge."""

    parameters = ChallengeParameters()
    signature = serializers.CharField()


class SubmittedPhoto(Shape):
    """What became of one photo of a submission."""

    n = serializers.IntegerField(help_text="Its place in the submission, from 1.")
    accepted = serializers.BooleanField()
    reason = serializers.CharField(allow_null=True, help_text="A stable code, when not accepted.")
    sentence = serializers.CharField(allow_null=True, help_text="The reason in words.")


class SubmittedRequest(Shape):
    """A request that was taken. The receipt is shown here and never again."""

    receipt = serializers.CharField()
    state = serializers.ChoiceField(State.choices)
    received_on = serializers.DateField()
    due_on = serializers.DateField()
    photos = SubmittedPhoto(many=True)


class CoveredDataset(Shape):
    """One dataset that is covered."""

    name = serializers.CharField()
    title = serializers.CharField()
    revision = serializers.CharField()
    rows = serializers.IntegerField()
    rows_indexed = serializers.IntegerField()
    groups = serializers.IntegerField()
    groups_ready = serializers.IntegerField()
    indexed_on = serializers.DateField(allow_null=True)


class CoveredDatasets(Shape):
    """What is covered."""

    datasets = CoveredDataset(many=True)


class Problem(Shape):
    """RFC 9457 problem details; docs/api.md lists every `type`."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
