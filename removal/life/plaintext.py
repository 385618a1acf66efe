"""What people write to each other here: plain text, bounded, and kept alike from page and API."""

import unicodedata
from typing import Final

from django.utils.translation import gettext as _

_KEPT: Final = "\n\t"


class WordsInvalid(ValueError):
    """The words cannot be taken; nothing was kept.

    Attributes:
        code: stable, for programs: `words_missing`, `words_too_long`, `words_unreadable`.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def plain_text(text: str, *, limit: int, refusal: type[WordsInvalid] = WordsInvalid) -> str:
    """Return words as they are kept: trimmed, one kind of line break, no control characters.

    Raises:
        refusal: they are empty, longer than `limit` characters, or no text.
    """
    words = "".join(char for char in _unbroken(text) if _is_text(char)).strip()
    if not words:
        raise refusal("words_missing", _("There are no words in it: write some and send it again."))
    if len(words) > limit:
        raise refusal(
            "words_too_long",
            _("This is too long: shorten it to %(limit)s characters.") % {"limit": f"{limit:,}"},
        )
    if any(unicodedata.category(char) == "Cs" for char in words):
        raise refusal(
            "words_unreadable", _("This is not text that can be kept: write it anew and send it.")
        )
    return words


def _unbroken(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _is_text(char: str) -> bool:
    return char in _KEPT or unicodedata.category(char) != "Cc"
