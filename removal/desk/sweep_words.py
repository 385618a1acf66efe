"""What the pages of sweeps say, in words: what one starts from, where it stands, why it failed."""

from collections.abc import Mapping
from typing import Final

from removal.custody.sweeps import SweepAsked
from removal.life.errands import ERRAND_OPEN, PARTIAL, TOO_OLD
from removal.life.sweep_ends import DAYS_OVER, DISMISSED, LISTED
from removal.models import ErrandState
from removal.search import sweeps
from removal.selectors.sweeps import SweepLine

_STARTS: Final[Mapping[str, str]] = {
    "text": "Words",
    "upload": "An example: a picture that you bring",
    "row": "The row of a request that you came from",
}
_ENDS: Final[Mapping[str, str]] = {
    LISTED: "ended: its chosen rows were listed",
    DISMISSED: "ended: dismissed",
    DAYS_OVER: "ended: its days were over",
}
FAULTS: Final[Mapping[str, str]] = {
    sweeps.EXAMPLE_UNREADABLE: "The example could not be read: bring another one.",
    sweeps.NO_TEXT_TOWER: (
        "An encoder of the chosen datasets reads pictures and no words: start from an example."
    ),
    sweeps.TOKENIZER: (
        "The tokenizer of an encoder must be downloaded, and the worker cannot reach it: start "
        "from an example, or ask an operator to install transformers and to open the model hub "
        "to the worker, whose log names the encoder."
    ),
    sweeps.ENCODER: (
        "An encoder of the chosen datasets could not be loaded: ask an operator to look at the "
        "worker's log, which names it."
    ),
    sweeps.ROW_GONE: (
        "The row to start from has neither a picture nor a stored vector any more: bring an "
        "example."
    ),
    sweeps.NOTHING_SEARCHED: "None of the chosen datasets can be searched now: try again later.",
    PARTIAL: (
        "Some parts of the datasets could not be searched for a week: these are the rows of the "
        "others."
    ),
    TOO_OLD: "No worker could search it in two weeks: ask an operator, and start it anew.",
}


def start_words(start: str) -> str:
    """Name what a sweep can start from."""
    return _STARTS[start]


def asked_words(asked: SweepAsked) -> str:
    """Say what a sweep looks for."""
    if asked.start == "text":
        return f"the words “{asked.text}”"
    return "a brought picture" if asked.start == "upload" else "a row of a request"


def state_words(line: SweepLine) -> str:
    """Say where a sweep stands."""
    if line.state in ERRAND_OPEN:
        return "being searched"
    if line.fault in _ENDS:
        return _ENDS[line.fault]
    if line.state == ErrandState.FAILED:
        return "could not be searched"
    if line.proposal:
        waits = line.proposal == "waiting"
        return "waits for a second person" if waits else "takes effect in a moment"
    return "to look at"


def fault_words(fault: str) -> str:
    """Say why a sweep could not be searched, or not all; nothing where it was or has ended."""
    return FAULTS.get(fault, "")
