"""Reading JSON from elsewhere: each field is what it should be, or a sentence says which is not."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

_HEX256: Final = re.compile(r"[0-9a-f]{64}")


class Fields:
    """Typed reading of one JSON object, with the place of a fault in every message.

    Args:
        place: what the object is, for messages.
        values: the object.
        refusal: the exception to raise, with a sentence, for a fault.
    """

    def __init__(self, place: str, values: Any, refusal: type[ValueError]) -> None:
        if not isinstance(values, Mapping):
            raise refusal(f"The {place} is not an object.")
        self._place, self._values, self._refusal = place, values, refusal

    def _get(self, name: str) -> Any:
        if name not in self._values:
            raise self._refusal(f"The {self._place} has no field {name!r}.")
        return self._values[name]

    def _wrong(self, name: str, wanted: str) -> ValueError:
        return self._refusal(f"The {self._place}'s field {name!r} is not {wanted}.")

    def text(self, name: str) -> str:
        """A text."""
        value = self._get(name)
        if not isinstance(value, str):
            raise self._wrong(name, "a text")
        return value

    def optional_text(self, name: str) -> str | None:
        """A text or null."""
        return None if self._get(name) is None else self.text(name)

    def matching(self, name: str, pattern: re.Pattern[str]) -> str:
        """A text of a certain form."""
        value = self.text(name)
        if not pattern.fullmatch(value):
            raise self._wrong(name, "well formed")
        return value

    def optional_digest(self, name: str) -> str | None:
        """A SHA-256 in lower-case hex, or null."""
        return None if self._get(name) is None else self.matching(name, _HEX256)

    def count(self, name: str, least: int = 0) -> int:
        """A whole number, not below ``least``."""
        value = self._get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self._wrong(name, f"a whole number of at least {least}")
        return value

    def optional_count(self, name: str) -> int | None:
        """A whole number from 0, or null."""
        return None if self._get(name) is None else self.count(name)

    def day(self, name: str) -> date:
        """A day in ISO form."""
        value = self.text(name)
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise self._wrong(name, "a day (YYYY-MM-DD)") from error

    def object(self, name: str) -> "Fields":
        """An object, for reading its fields."""
        return Fields(f"{self._place}'s {name}", self._get(name), self._refusal)

    def optional_object(self, name: str) -> Mapping[str, Any] | None:
        """An object as it is, or null."""
        value = self._get(name)
        if value is not None and not isinstance(value, Mapping):
            raise self._wrong(name, "an object or null")
        return value

    def objects(self, name: str) -> "list[Fields]":
        """A list of objects, for reading their fields."""
        value = self._get(name)
        if not isinstance(value, list):
            raise self._wrong(name, "a list")
        return [
            Fields(f"{self._place}'s {name}[{n}]", item, self._refusal)
            for n, item in enumerate(value)
        ]
