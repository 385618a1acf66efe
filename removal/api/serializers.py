"""The shapes of the API's bodies, as the OpenAPI file shows them.

Answers are built by the selectors, in exactly these shapes; a test holds the two together.
Questions are read by the views, whose refusals are problems with sentences of their own.
"""

from typing import Any

from rest_framework import serializers

from removal.models import Category, State
from removal.selectors.progress import REASONS


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


class StatusPhoto(Shape):
    """Whether a photo is still held."""

    n = serializers.IntegerField()
    state = serializers.CharField(help_text="`held` or `deleted`.")
    deletes_on = serializers.DateField(allow_null=True)
    deleted_on = serializers.DateField(allow_null=True)


class StatusNotSearched(Shape):
    """Groups of a dataset that were not searched yet, and why."""

    reason = serializers.ChoiceField(
        [(reason, reason) for reason in REASONS],
        help_text="`waiting` for their turn; `unavailable`: they cannot be opened just now and are "
        "tried again; `no_worker`: the machine that holds them is away; `not_indexed`: they are "
        "not covered yet, and this request does not wait for them.",
    )
    groups = serializers.IntegerField()


class StatusDataset(Shape):
    """How far one dataset was searched."""

    name = serializers.CharField()
    rows = serializers.IntegerField()
    groups = serializers.IntegerField()
    groups_searched = serializers.IntegerField()
    searched_on = serializers.DateField(allow_null=True)
    not_searched = StatusNotSearched(many=True, help_text="Empty once the search is over.")


class StatusFound(Shape):
    """How often the photo was found in a dataset; never a picture, an address or a score."""

    kind = serializers.ChoiceField([("exact", "exact"), ("copy", "copy")])
    dataset = serializers.CharField()
    rows = serializers.IntegerField()
    domains = serializers.ListField(child=serializers.CharField(), allow_null=True)
    outcome = serializers.ChoiceField(
        [(value, value) for value in ("pending", "approved", "partly", "denied")]
    )
    released_in = serializers.ListField(child=serializers.IntegerField(), allow_null=True)


class StatusQuestion(Shape):
    """A row that a maintainer asks about."""

    id = serializers.CharField()
    tile = serializers.CharField(help_text="A data URI of at most 16 by 16 pixels.")
    mine = serializers.BooleanField(allow_null=True)


class StatusMessage(Shape):
    """A message between the subject and the maintainers."""

    day = serializers.DateField()
    text = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add `from`, which Python keeps for itself."""
        sender = serializers.ChoiceField([("you", "you"), ("maintainer", "maintainer")])
        return {"from": sender, **super().get_fields()}


class StatusDecision(Shape):
    """The decision, with its reasons and the way to complain."""

    outcome = serializers.CharField()
    reason = serializers.CharField(allow_null=True, help_text="A stable code.")
    statement = serializers.CharField(allow_null=True)
    complaint = serializers.CharField(allow_null=True)


class RequestStatus(Shape):
    """Everything that a receipt opens."""

    state = serializers.ChoiceField(State.choices)
    received_on = serializers.DateField()
    due_on = serializers.DateField()
    extended = serializers.BooleanField()
    photos = StatusPhoto(many=True)
    datasets = StatusDataset(many=True)
    groups_gone = serializers.IntegerField(
        help_text="Groups that were taken out of the service while this request was searched."
    )
    found = StatusFound(many=True)
    questions = StatusQuestion(many=True)
    other_rows_removed = serializers.IntegerField()
    messages = StatusMessage(many=True)
    decision = StatusDecision(allow_null=True)


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
