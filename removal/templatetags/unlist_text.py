"""Filters that put figures and days in words a reader knows, on every page alike."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django import template
from django.utils.formats import date_format, number_format
from django.utils.translation import ngettext

register = template.Library()


@register.filter
def grouped(number: int) -> str:
    """Write a whole number with its thousands parted as the page's language does it."""
    return number_format(number, force_grouping=True)


@register.filter
def day(value: date | str | None) -> str:
    """Write a day in full, as in "3 May 2026", from a date or its ISO form; nothing for nothing."""
    if not value:
        return ""
    return date_format(date.fromisoformat(value) if isinstance(value, str) else value)


@register.filter
def part_words(part: Mapping[str, Any]) -> str:
    """Say how many parts of one dataset have not been searched, and why."""
    number = part["groups"]
    sentences = {
        "waiting": ngettext(
            "%(n)s part is waiting for its turn",
            "%(n)s parts are waiting for their turn",
            number,
        ),
        "unavailable": ngettext(
            "%(n)s part cannot be searched just now; we keep trying",
            "%(n)s parts cannot be searched just now; we keep trying",
            number,
        ),
        "no_worker": ngettext(
            "%(n)s part is waiting for a computer that is away",
            "%(n)s parts are waiting for a computer that is away",
            number,
        ),
        "not_indexed": ngettext(
            "%(n)s part is not ready yet and does not belong to this search",
            "%(n)s parts are not ready yet and do not belong to this search",
            number,
        ),
        "given_up": ngettext(
            "%(n)s part was not searched before your photo was deleted",
            "%(n)s parts were not searched before your photo was deleted",
            number,
        ),
        "added_later": ngettext(
            "%(n)s part came after your search",
            "%(n)s parts came after your search",
            number,
        ),
    }
    return sentences[part["reason"]] % {"n": grouped(number)}
