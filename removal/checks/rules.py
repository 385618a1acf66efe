"""That no rule decides what a person must: the settings' own check, held against the models."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from removal.life.two_persons import SENSITIVE
from removal.models import Category


@register("unlist")
def rules_check(**_: Any) -> list[CheckMessage]:
    """A rule names ordinary categories alone, and such as there are; it runs before anything."""
    named = set(settings.UNLIST.rule_categories)
    return [
        Error(
            f"UNLIST_RULES names {category!r}, which no rule may decide.",
            hint="Take it out of UNLIST_RULES: requests of sensitive categories need a person.",
            id="removal.E050",
        )
        for category in sorted(named & SENSITIVE | named - set(Category.values))
    ]
