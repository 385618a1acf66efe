"""What the subject's pages say of a request, in plain words.

The one input is the status dictionary of `removal.selectors.request_status`, which holds no
picture, address or score of a matched row: so nothing here can show one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from removal.templatetags.unlist_text import day

Status = Mapping[str, Any]
Progress = Literal["done", "now", "next"]

STATE_WORDS: Mapping[str, str] = {
    "received": "Received",
    "searching": "Being searched",
    "in_review": "With a maintainer",
    "needs_info": "We have a question for you",
    "no_match": "Closed: nothing was found",
    "approved": "Approved",
    "partly_approved": "Partly approved",
    "denied": "Refused",
    "released": "Removed",
    "withdrawn": "Withdrawn by you",
    "expired": "Closed: no answer came",
}
OUTCOME_WORDS: Mapping[str, str] = {
    "approved": "Your request was approved.",
    "partly_approved": "Your request was approved in part.",
    "partly": "Your request was approved in part.",
    "denied": "Your request was refused.",
    "no_match": "We did not find your photo.",
}
ROW_WORDS: Mapping[str, str] = {
    "pending": "not decided yet",
    "approved": "to be removed",
    "partly": "to be removed in part",
    "denied": "stays in the dataset",
}
KIND_WORDS: Mapping[str, str] = {
    "exact": "the same file as yours",
    "copy": "a copy of your photo",
}
SEARCH_OVER = frozenset(STATE_WORDS) - {"received", "searching"}
DECIDED = frozenset({"approved", "partly_approved", "denied", "released"})


@dataclass(frozen=True)
class Step:
    """One line of the timeline: how far it is, its name, and a sentence."""

    progress: Progress
    name: str
    text: str


def timeline(status: Status) -> list[Step]:
    """Tell the request's life in order: what is done, what goes on now, what comes next."""
    state = status["state"]
    steps = [Step("done", "Received", f"On {day(status['received_on'])}.")]
    if state in {"withdrawn", "expired"}:
        return [*steps, Step("done", STATE_WORDS[state], _ended(state))]
    steps.append(_search_step(status))
    if state == "no_match":
        return [*steps, Step("done", "Closed", "There was nothing for a maintainer to decide.")]
    steps += [_review_step(status), _decision_step(status)]
    if state != "denied":
        steps.append(_release_step(status))
    return steps


def _ended(state: str) -> str:
    if state == "withdrawn":
        return "You took the request back. Your photos have been deleted."
    return "We asked you something and got no answer in time. You can send a new request."


def _search_step(status: Status) -> Step:
    searched = sum(dataset["groups_searched"] for dataset in status["datasets"])
    if status["state"] in SEARCH_OVER:
        return Step("done", "Searched", f"{_parts(searched)} searched.")
    waited = sum(not_searched(status, why) for why in ("waiting", "unavailable", "no_worker"))
    if status["state"] == "received" or not searched + waited:
        return Step("now", "Search", "Waiting for the search to start. It starts by itself.")
    if not waited:
        return Step("now", "Search", f"{_parts(searched)} searched. The result is being drawn up.")
    sentences = [f"{searched} of {_parts(searched + waited)} searched so far."]
    return Step("now", "Search", " ".join([*sentences, *search_sentences(status)]))


def not_searched(status: Status, reason: str) -> int:
    """Return how many parts have not been searched for one reason, of all datasets."""
    return sum(
        part["groups"]
        for dataset in status["datasets"]
        for part in dataset["not_searched"]
        if part["reason"] == reason
    )


def search_sentences(status: Status) -> list[str]:
    """Say what keeps the search from parts of the datasets, where something does."""
    searched = sum(dataset["groups_searched"] for dataset in status["datasets"])
    waited = sum(not_searched(status, why) for why in ("waiting", "unavailable", "no_worker"))
    sentences = []
    if failing := not_searched(status, "unavailable"):
        sentences.append(
            f"{failing} of {searched + waited} parts cannot be searched just now; we keep trying."
        )
    if away := not_searched(status, "no_worker"):
        sentences.append(
            f"{away} of {searched + waited} parts wait for a computer that is away; the search "
            "goes on by itself when it is back."
        )
    if gone := status["groups_gone"]:
        were = "part was" if gone == 1 else "parts were"
        sentences.append(f"{gone} {were} taken out of this service while we searched.")
    return sentences


def _parts(number: int) -> str:
    return f"{number} part of the datasets" if number == 1 else f"{number} parts of the datasets"


def _review_step(status: Status) -> Step:
    state = status["state"]
    if state in DECIDED:
        return Step("done", "Looked at by a person", "A maintainer looked at what was found.")
    if state == "needs_info":
        return Step("now", "Looked at by a person", "The maintainer needs an answer from you.")
    if state == "in_review":
        return Step("now", "Looked at by a person", "A maintainer is to look at what was found.")
    return Step("next", "Looked at by a person", "A maintainer will look at what is found.")


def _decision_step(status: Status) -> Step:
    if status["state"] in DECIDED:
        outcome = (status.get("decision") or {}).get("outcome", status["state"])
        return Step("done", "Decided", OUTCOME_WORDS.get(str(outcome), OUTCOME_WORDS["approved"]))
    return Step("next", "Decision", f"By {day(status['due_on'])} at the latest.")


def _release_step(status: Status) -> Step:
    state = status["state"]
    if state == "released":
        return Step("done", "On the removal list", f"{_released_in(status)}.")
    if state in DECIDED:
        return Step("now", "Removal list", "What was approved goes into the next removal list.")
    return Step("next", "Removal list", "If we approve, the picture goes on the removal list.")


def _released_in(status: Status) -> str:
    numbers = sorted({n for found in status["found"] for n in found["released_in"] or ()})
    if not numbers:
        return "What was approved is on the published list"
    return "In release " + ", ".join(str(number) for number in numbers)


def found_sentences(status: Status) -> list[str]:
    """Say what was found: how often, of which kind, in which dataset, with which outcome."""
    sentences = [_found_sentence(found) for found in status["found"]]
    if others := status["other_rows_removed"]:
        pictures = "picture was" if others == 1 else "pictures were"
        sentences.append(f"{others} similar {pictures} also removed.")
    return sentences


def _found_sentence(found: Mapping[str, Any]) -> str:
    rows = found["rows"]
    times = "once" if rows == 1 else f"{rows} times"
    sentence = f"Found {times} in {found['dataset']} ({KIND_WORDS[found['kind']]})"
    if domains := found["domains"]:
        sentence += f", from {', '.join(domains)}"
    if released := found["released_in"]:
        numbers = ", ".join(str(number) for number in released)
        return f"{sentence}: on the removal list since release {numbers}."
    return f"{sentence}: {ROW_WORDS[found['outcome']]}."


def photo_sentences(status: Status) -> list[str]:
    """Say of each photo whether we still hold it and when it is or was deleted."""
    return [_photo_sentence(photo) for photo in status["photos"]]


def _photo_sentence(photo: Mapping[str, Any]) -> str:
    name = f"Photo {photo['n']}"
    if photo["state"] == "deleted":
        when = f" on {day(photo['deleted_on'])}" if photo["deleted_on"] else ""
        return f"{name}: deleted{when}."
    if photo["deletes_on"]:
        return f"{name}: held encrypted, deleted on {day(photo['deletes_on'])} at the latest."
    return f"{name}: held encrypted."
