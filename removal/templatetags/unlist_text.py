"""Filters that put figures and days in words a reader knows, on every page alike."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from django import template
from django.utils.dateformat import format as date_format

register = template.Library()

PART_WORDS: Final[Mapping[str, str]] = {
    "waiting": "waiting for their turn",
    "unavailable": "cannot be searched just now; we keep trying",
    "no_worker": "waiting for a computer that is away",
    "not_indexed": "not ready yet, and not part of this search",
}


@register.filter
def grouped(number: int) -> str:
    """Write a whole number with a thin space between its thousands: 1 234 567."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


@register.filter
def day(value: date | str | None) -> str:
    """Write a day as "3 May 2026", from a date or from its ISO form; nothing for nothing."""
    if not value:
        return ""
    return date_format(date.fromisoformat(value) if isinstance(value, str) else value, "j F Y")


@register.filter
def part_words(part: Mapping[str, Any]) -> str:
    """Say how many parts of one dataset have not been searched, and why."""
    return f"{part['groups']} {PART_WORDS[part['reason']]}"
