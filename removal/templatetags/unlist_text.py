"""Filters that put figures and days in words a reader knows, on every page alike."""

from datetime import date

from django import template
from django.utils.dateformat import format as date_format

register = template.Library()


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
