"""The numbers of docs/privacy.md and docs/api.md are those of the code, and none is left unheld.

Each claim is a piece of the page with its numbers left open; they are filled in from the constants
and looked for in the page. Then every digit of the page that no claim covers must be a name, a
status or a date: a new limit in the pages needs its claim here.
"""

import datetime as dt
import re
from typing import Final

import pytest

from catalog.stores import ANNOUNCE_SECONDS
from config.environ import Environment
from indexer.decode.rules import MAX_BYTES, MAX_PIXELS
from removal.custody import receipts, rotation
from removal.custody.sealing import RECIPIENTS
from removal.intake import load, network, submission
from removal.intake.gate import CHALLENGE_LIFE
from removal.life import (
    appeals,
    closing,
    errands,
    messages,
    questions,
    retention,
    review,
    sessions,
    sweep_ends,
    tiles,
)
from removal.models import Category, SearchUnit
from removal.search import draining
from tests.conftest import ROOT

WORDS: Final = {
    1: "one",
    2: "two",
    3: "three",
    4: "four",
    6: "six",
    10: "ten",
    20: "twenty",
}
PARTS: Final = {4: "quarter"}
MINUTE: Final = dt.timedelta(minutes=1)
COUNTED: Final = 2 * load.WINDOW_SECONDS // 60


def default(name: str) -> int:
    """Return the default of a setting that is a number."""
    value = Environment.model_fields[name].default
    assert isinstance(value, int)
    return value


Claims = list[tuple[str | int, ...]]

PRIVACY: Final[Claims] = [
    ("({} bits of IPv4, {} of IPv6; behind", network._BITS[4], network._BITS[6]),
    ("is counted for {:w} minutes, in memory", COUNTED),
    ("in memory alone | {:w} minutes |", COUNTED),
    ('"lookup1" ‖ {} symbols', receipts.SYMBOLS),
    (
        "{} Crockford base-{} symbols ({} random bits)",
        receipts.SYMBOLS,
        len(receipts.ALPHABET),
        5 * receipts.SYMBOLS,
    ),
    ("GF({}) whose {} weights", len(receipts.ALPHABET), receipts.SYMBOLS + 1),
    (
        "I and L are read as {}, O as {}",
        *(int("ILO".translate(receipts._READ_AS)[n]) for n in (0, 2)),
    ),
    ("Each request has {:w} random X25519 key pairs", len(RECIPIENTS)),
    ("could do within {} days is given up", errands.DAYS_MOST),
    ("{} days after it was started whatever happens", sweep_ends.DAYS_KEPT),
    ("left behind go after {:w} to two days", retention.ORPHAN_SECONDS // 86_400),
    ("{} days after the decision, or after the decided appeal", default("keep_photo_days")),
    ("{} days after receipt whatever happens", default("keep_photo_max_days")),
    (
        "{} minutes without use, {} hours whatever happens",
        sessions.IDLE // MINUTE,
        sessions.LONGEST // (60 * MINUTE),
    ),
    ("{} days after closing | `UNLIST_KEEP_CASE_DAYS`", default("keep_case_days")),
    ("{} months after closing | `UNLIST_KEEP_T", default("keep_tombstone_days") * 12 // 365),
    ("is wrapped anew, {:w} minutes at least", rotation.GRACE // MINUTE),
    ("not answered for {} days", questions.ANSWER_DAYS),
    ("waits for them until {:w} days after closing", closing.PROOFS_WAIT_DAYS),
    ("When it has not run for {} hours", retention.LATE // (60 * MINUTE)),
    ("{:w} calendar month after receipt", submission._MONTHS),
    ("it can be extended to {:w} months (GDPR Art. 12(3))", review._EXTENSION_MONTHS),
    ("in plain text of at most {} characters", messages.MESSAGE_MAX),
    (
        "for {} days after closing; the subject at most {:w} messages in a row",
        messages.TALK_DAYS,
        messages.UNANSWERED_MAX,
    ),
    ("at most {} by {} pixels", tiles.TILE_SIDE, tiles.TILE_SIDE),
    ("at most a {:p} of the stored picture's own size", tiles._SHARE),
    ("can bring {:w} tiles in all", questions.QUESTIONS_MAX),
    ("who is asked has {} days to answer", questions.ANSWER_DAYS),
    ("appealed once, within {} days of the decision", appeals.APPEAL_DAYS),
    ("due {:w} calendar month after the appeal", appeals._MONTHS),
]
API: Final[Claims] = [
    (
        "1 to {} files, each up to {} MB and {} megapixels",
        submission.MAX_PHOTOS,
        MAX_BYTES >> 20,
        MAX_PIXELS // 1_000_000,
    ),
    ("optional, up to {}, repeat the field", submission.MAX_URLS),
    ("optional, up to {} characters", submission.NOTE_MAX),
    ("Solve it within {} minutes", CHALLENGE_LIFE // MINUTE),
    ("a tile of at most {}\u00d7{} pixels", tiles.TILE_SIDE, tiles.TILE_SIDE),
    (
        "a message of up to {} characters. {:W} can wait for an answer",
        messages.MESSAGE_MAX,
        messages.UNANSWERED_MAX,
    ),
    (
        "once, within {} days of the decision, in up to {} characters",
        appeals.APPEAL_DAYS,
        appeals.APPEAL_MAX,
    ),
    ("more than {} | | `too_many_urls` |", submission.MAX_PHOTOS),
    ("more than {} | | `url_invalid` |", submission.MAX_URLS),
    ("more than {} characters | | `category_unknown` |", submission.NOTE_MAX),
    ("not one of the {:w} |", len(Category)),
    ("the challenge is older than {} minutes", CHALLENGE_LIFE // MINUTE),
    ("the {} days for an appeal are over", appeals.APPEAL_DAYS),
    ("a photo has more than {} MB", MAX_BYTES >> 20),
    ("more than {:w} such photos could have", submission.MAX_PHOTOS),
]
OPERATORS: Final[Claims] = [
    (
        "A network ({} bits of an IPv4 address, {} of an IPv6 one) may fill a {:p} of a share",
        network._BITS[4],
        network._BITS[6],
        load.NETWORK_PART,
    ),
    ("as part of a share, over {:w} minutes", load.WINDOW_SECONDS // 60),
    ("counts are gone after {:w} minutes", COUNTED),
    ("Workers tell the database every {} seconds", int(ANNOUNCE_SECONDS)),
    ("for up to {} of them", draining._BATCH[SearchUnit.Stage.SEARCH]),
    ("after {:w} minutes, by `--wait`", rotation.GRACE // MINUTE),
]
CLAIMS: Final[dict[str, Claims]] = {"privacy": PRIVACY, "api": API, "operators": OPERATORS}
UNHELD: Final = {
    "fenced examples": r"```.*?```",
    "places in a list": r" \d\. (?=The )",
    "code": r"`[^`]*`",
    "addresses of links": r"\]\([^)]*\)",
    "documents": r"\b(?:RFC|ADR) \d+",
    "algorithms": r"\b(?:HMAC-|HKDF-)?SHA-?256\b|\bX25519\b|\bChaCha20-Poly1305\b|"
    r"\bPBKDF2\b|base 64",
    "statuses": r"\b(?:200|201|304|409|503)\b",
    "nothing": r"where it is 0\b",
    "the columns of statuses": r"\| [45]\d\d \|",
    "versions": r"\bversion \d\b",
    "the age of a child": r"under 18\b",
    "rights of files (tests/removal/test_secrets.py)": r"\(0600, folders 0700\)",
}
"""What may hold digits without a claim."""


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text("utf-8")


def flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


class Number(int):
    """A number as the pages write it: in digits; `w` and `W` in a word, `p` as a part of one."""

    def __format__(self, form: str) -> str:
        if form == "p":
            return PARTS[self]
        word = WORDS[self] if form else f"{int(self):,}"
        return word.capitalize() if form == "W" else word


def filled(claim: tuple[str | int, ...]) -> str:
    template, *numbers = claim
    return str(template).format(*(Number(number) for number in numbers))


@pytest.mark.parametrize(
    ("name", "said"), [(name, filled(claim)) for name in CLAIMS for claim in CLAIMS[name]]
)
def test_the_page_says_what_the_code_does(name: str, said: str) -> None:
    assert said in flat(page(name))


@pytest.mark.parametrize("name", ["privacy", "api"])
def test_no_number_of_the_page_is_left_unheld(name: str) -> None:
    text = flat(page(name))
    held = [re.escape(filled(claim)) for claim in CLAIMS[name]] + list(UNHELD.values())
    spans = [found.span() for pattern in held for found in re.finditer(pattern, text)]
    left = [
        text[max(0, at.start() - 40) : at.end() + 20]
        for at in re.finditer(r"\d+", text)
        if not any(start <= at.start() and at.end() <= end for start, end in spans)
    ]
    assert left == []


def test_a_number_that_no_claim_holds_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CLAIMS, "privacy", PRIVACY[1:])
    with pytest.raises(AssertionError, match="24 bits"):
        test_no_number_of_the_page_is_left_unheld("privacy")
