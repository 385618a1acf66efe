"""The shape of the status, as the OpenAPI file shows it: all that a receipt opens."""

from typing import Any, get_args

from rest_framework import serializers

from removal.api.serializers import Shape
from removal.life.acts import Act
from removal.models import Photo, State
from removal.selectors.progress import REASONS


class StatusPhoto(Shape):
    """Whether a photo is still held, and which parts of it were found."""

    n = serializers.IntegerField(min_value=1)
    state = serializers.ChoiceField(Photo.State.choices)
    deletes_on = serializers.DateField(allow_null=True, help_text="By itself, at the latest.")
    deleted_on = serializers.DateField(allow_null=True)
    flags = serializers.ListField(
        child=serializers.CharField(),
        help_text="What hindered the search: `too_plain`, `unreadable`.",
    )
    matched = serializers.ListField(
        child=serializers.ListField(
            child=serializers.FloatField(min_value=0, max_value=1), min_length=4, max_length=4
        ),
        allow_null=True,
        help_text="The parts of your photo that were found: left, top, right, bottom as shares of "
        "its sides. Empty where the part is not known; null where the photo was not found (yet).",
    )


class StatusNotSearched(Shape):
    """Groups of a dataset that were not searched, and why."""

    reason = serializers.ChoiceField(
        [(reason, reason) for reason in REASONS],
        help_text="`waiting` for their turn; `unavailable`: they cannot be opened just now and are "
        "tried again; `no_worker`: the machine that holds them is away; `not_indexed`: they are "
        "not covered yet, and this request does not wait for them; `given_up`: the photos were "
        "deleted first; `added_later`: they came after the search.",
    )
    groups = serializers.IntegerField(min_value=1)


class StatusDataset(Shape):
    """How far one dataset was searched."""

    name = serializers.CharField()
    rows = serializers.IntegerField()
    rows_searched = serializers.IntegerField(help_text="Rows of the groups that were searched.")
    groups = serializers.IntegerField()
    groups_searched = serializers.IntegerField()
    searched_on = serializers.DateField(allow_null=True)
    not_searched = StatusNotSearched(many=True)


class StatusFound(Shape):
    """How often the photo was found in a dataset; never a picture, an address or a score."""

    kind = serializers.ChoiceField([("exact", "exact"), ("copy", "copy")])
    dataset = serializers.CharField()
    rows = serializers.IntegerField(min_value=1)
    domains = serializers.ListField(
        child=serializers.CharField(),
        allow_null=True,
        help_text="Host names of the rows that were approved; null before.",
    )
    outcome = serializers.ChoiceField(
        [(value, value) for value in ("pending", "approved", "partly", "denied")]
    )
    released_in = serializers.ListField(child=serializers.IntegerField(), allow_null=True)
    waiting = serializers.IntegerField(
        min_value=0,
        help_text="Rows approved after the decision, as copies of approved ones, which the next "
        "release carries.",
    )


class StatusQuestion(Shape):
    """A row that a maintainer asks about."""

    id = serializers.UUIDField()
    tile = serializers.CharField(help_text="A data URI of a PNG of at most 16 by 16 pixels.")
    mine = serializers.BooleanField(allow_null=True)
    asked_on = serializers.DateField()


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

    outcome = serializers.ChoiceField(
        [(value, value) for value in ("approved", "partly_approved", "denied", "no_match")]
    )
    reason = serializers.CharField(allow_null=True, help_text="A stable code.")
    explanation = serializers.CharField(allow_null=True, help_text="The reason in words.")
    statement = serializers.CharField(allow_null=True, help_text="What the maintainer writes.")
    complaint = serializers.CharField(allow_null=True)
    decided_on = serializers.DateField(allow_null=True)
    by = serializers.ChoiceField(
        [("maintainer", "maintainer"), ("rule", "rule")],
        allow_null=True,
        help_text="`rule`: without a person, as every row found is the very file that was sent; "
        "by a message you can ask that a person looks at it. Null where nothing was found.",
    )


class StatusMore(Shape):
    """More copies that were found and approved after the decision."""

    day = serializers.DateField()
    rows = serializers.IntegerField(
        min_value=0, help_text="Look-alikes left out: `other_rows_removed` counts those."
    )


class StatusAppeal(Shape):
    """The one appeal."""

    day = serializers.DateField()
    text = serializers.CharField(allow_null=True, help_text="Null once the case is deleted.")


class RequestStatus(Shape):
    """Everything that a receipt opens."""

    state = serializers.ChoiceField(State.choices)
    received_on = serializers.DateField()
    due_on = serializers.DateField()
    extended = serializers.BooleanField()
    extension_reason = serializers.CharField(allow_null=True)
    photos = StatusPhoto(many=True)
    datasets = StatusDataset(many=True)
    groups_gone = serializers.IntegerField(
        help_text="Groups that were taken out of the service while this request was searched."
    )
    found = StatusFound(many=True)
    questions = StatusQuestion(many=True)
    answer_due_on = serializers.DateField(
        allow_null=True, help_text="Until when the questions can be answered."
    )
    other_rows_removed = serializers.IntegerField(help_text="Look-alikes that were also removed.")
    messages = StatusMessage(many=True)
    decision = StatusDecision(allow_null=True)
    more_found = StatusMore(
        many=True, help_text="They are counted in `found`, and go on the removal list too."
    )
    appeal = StatusAppeal(allow_null=True)
    appeal_until = serializers.DateField(
        allow_null=True, help_text="The last day to appeal; null where there is nothing to appeal."
    )
    acts = serializers.ListField(
        child=serializers.ChoiceField([(act, act) for act in get_args(Act)]),
        help_text="What the state allows now.",
    )
    case_deleted_on = serializers.DateField(
        allow_null=True, help_text="When words and rows were deleted; the outcome stays."
    )
