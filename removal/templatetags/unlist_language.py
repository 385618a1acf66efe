"""Tags with which a page says its language and offers the others."""

from django import template
from django.template import Context
from django.utils.translation import get_language

from removal import languages

register = template.Library()


@register.simple_tag
def language_tag() -> str:
    """Return the page's language for `lang`."""
    return languages.language_tag(get_language())


@register.simple_tag
def language_direction() -> str:
    """Return the direction of the page's script for `dir`."""
    return languages.direction(get_language())


@register.simple_tag(takes_context=True)
def language_choices(context: Context) -> list[languages.Choice]:
    """Return the languages that this page can be read in."""
    return languages.language_choices(context["request"])


@register.simple_tag
def address(path: str) -> str:
    """Return a page's address in the language of this one."""
    return languages.address(path)
