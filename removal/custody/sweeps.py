"""The forms of what a sweep says, as sealed under its errand's key.

The *order* is for the worker: what is looked for, then the vectors made of it, in which no picture
is left. The *account* is for the maintainers: what was asked in words, and what was searched; it
stays, with the rows, until the sweep ends.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal, Self

from removal.custody.content import FoundRow, json_bytes

Start = Literal["text", "upload", "row"]
"""What a sweep starts from: words, a picture brought by a maintainer, a row of a request."""

ACCOUNT: Final = "account"
"""Names the account among the sealed items of an errand."""


@dataclass(frozen=True, slots=True)
class SweepAsked:
    """What a maintainer asked for.

    Attributes:
        start: what it starts from.
        text: the words; empty for an example.
        datasets: names of those to search.
        most: how many rows at most.
        least: cosine below which no row is listed.
    """

    start: Start
    text: str
    datasets: tuple[str, ...]
    most: int
    least: float

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """Read what `dataclasses.asdict` made of one and JSON kept."""
        return cls(**{**facts, "datasets": tuple(facts["datasets"])})


@dataclass(frozen=True, slots=True)
class SweepVector:
    """What one encoder made of what is looked for.

    Attributes:
        preprocessing: how the encoder brings pictures to its input, as its indexes record it.
        numbers: the vector, float32 in the machine's order, of length 1.
    """

    preprocessing: str
    numbers: bytes


@dataclass(frozen=True, slots=True)
class SweepOrder:
    """What workers are told.

    Attributes:
        asked: what was asked for.
        example: a picture as JPEG, until vectors were made of it.
        row: the row to start from, until vectors were made of it.
        vectors: by encoder; none before they were made.
    """

    asked: SweepAsked
    example: bytes = b""
    row: FoundRow | None = None
    vectors: Mapping[str, SweepVector] = field(default_factory=dict)

    def prepared(self, vectors: Mapping[str, SweepVector]) -> "SweepOrder":
        """Return the order with its vectors, and without what they were made of."""
        return replace(self, example=b"", row=None, vectors=dict(vectors))

    def to_bytes(self) -> bytes:
        """Serialize for sealing."""
        return json_bytes(
            {
                "asked": asdict(self.asked),
                "example": _text(self.example),
                "row": json.loads(self.row.to_bytes()) if self.row else None,
                "vectors": {
                    name: [one.preprocessing, _text(one.numbers)]
                    for name, one in self.vectors.items()
                },
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote."""
        facts = json.loads(data)
        row = facts["row"]
        return cls(
            asked=SweepAsked.from_json(facts["asked"]),
            example=base64.b64decode(facts["example"]),
            row=FoundRow.from_bytes(json_bytes(row)) if row else None,
            vectors={
                name: SweepVector(preprocessing, base64.b64decode(numbers))
                for name, (preprocessing, numbers) in facts["vectors"].items()
            },
        )


@dataclass(frozen=True, slots=True)
class SweepAccount:
    """What maintainers read of a sweep beside its rows.

    Attributes:
        asked: what was asked for.
        searched: how many rows each dataset was searched in; empty before it was.
        words: what whoever proposed to list rows said of it.
    """

    asked: SweepAsked
    searched: Mapping[str, int] = field(default_factory=dict)
    words: str = ""

    def to_bytes(self) -> bytes:
        """Serialize for sealing."""
        return json_bytes(asdict(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote."""
        facts = json.loads(data)
        return cls(**{**facts, "asked": SweepAsked.from_json(facts["asked"])})


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


@dataclass(frozen=True, slots=True)
class SweepFound:
    """One row of a sweep.

    Attributes:
        row: the row, its score the cosine.
        tag: its row tag, as candidates have it, so that whether it belongs to a request is told
            without the key of the tags.
    """

    row: FoundRow
    tag: bytes

    def to_bytes(self) -> bytes:
        """Serialize for sealing."""
        return json_bytes({"row": json.loads(self.row.to_bytes()), "tag": self.tag.hex()})

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote."""
        facts = json.loads(data)
        return cls(FoundRow.from_bytes(json_bytes(facts["row"])), bytes.fromhex(facts["tag"]))
