"""Digests as a reader can compare them, on a narrow screen too."""

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

register = template.Library()

_PART = 16


@register.filter
def breakable(digest: str) -> SafeString:
    """Let a line break between every sixteen hex digits, without a hyphen that is not there."""
    parts = [digest[start : start + _PART] for start in range(0, len(digest), _PART)]
    return format_html_join("", "{}<wbr>", ((part,) for part in parts))
