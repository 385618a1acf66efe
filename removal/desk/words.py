"""What the maintainers' pages say, in words: how urgent a request is, what speaks for a row."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from removal.life import abuse
from removal.lifecycle import OPEN
from removal.models import Flag, State, today
from removal.selectors.progress import Reason, SearchProgress
from removal.templatetags.unlist_text import day

PERMISSION: Final = "removal.change_removalrequest"
SOON_DAYS: Final = 7

KIND_WORDS: Final[Mapping[str, str]] = {
    "exact": "Same file",
    "copy": "Copy",
    "similar": "Similar",
}
KIND_HELP: Final[Mapping[str, str]] = {
    "exact": "The dataset holds the very file that was sent, or its web address.",
    "copy": "Very likely the same photo: resized, cropped, recompressed or otherwise altered.",
    "similar": (
        "May be another photo. Look closely. The person sees nothing of such a row unless you ask "
        "them about it, and then a tile of at most 16 by 16 pixels."
    ),
}
TIER_WORDS: Final[Mapping[str, str]] = {
    "exact": (
        "Exact, public: the full keys of the rows are published. Whoever holds a copy of the "
        "dataset can see which rows asked to go."
    ),
    "masked": (
        "Masked, public: only the beginnings of keys are published, so that innocent rows go too "
        "and nobody can tell which one asked."
    ),
    "partner": (
        "Partner: nothing is published. Partners who agreed to apply it get keys that they alone "
        "can use; whoever else holds the dataset keeps the rows."
    ),
}
"""Each tier with its consequence in one sentence."""
_TIER_PROPOSED: Final[Mapping[str, tuple[str, str]]] = {
    "intimate": ("partner", "An intimate picture must not be pointed at in public."),
    "child": ("partner", "A picture of a child must not be pointed at in public."),
    "medical": ("partner", "A medical picture must not be pointed at in public."),
}
ACT_WORDS: Final[Mapping[str, str]] = {
    "submitted": "Request sent",
    "search_begun": "Search begun",
    "search_given_up": "Search given up, the photos had to go",
    "search_concluded": "Search concluded",
    "question_put": "The person was asked about rows",
    "answer_given": "The person answered a question",
    "question_answered": "The person answered the last question",
    "expired": "Ended: no answer came in time",
    "message_posted": "The person wrote a message",
    "message_sent": "A message was sent to the person",
    "decided": "Decided",
    "appealed": "The person appealed",
    "extended": "Clock extended",
    "released": "Released",
    "release_noted": "A release carries the rows approved before",
    "proofs_kept": "Proofs sealed to the person",
    "photos_delete_asked": "The person had the photos deleted",
    "photos_destroyed": "Photos and fingerprints destroyed",
    "case_destroyed": "Words and rows destroyed",
    "withdrawn": "Taken back by the person",
    "photo_revealed": "A photo was shown",
    "row_revealed": "The picture of a row was shown",
    "proposed": "Something was proposed",
    "proposal_confirmed": "The second person confirmed it",
    "proposal_refused": "The second person refused it",
    "proposal_undone": "Undone before it took effect",
    "duplicates_found": "Copies of approved rows were looked for",
    "duplicates_approved": "Copies of approved rows were approved",
    "duplicates_set_aside": "Copies of approved rows were set aside",
    "duplicates_offered_again": "Copies that were set aside are offered again",
    "proposal_stale": "Ended without effect, as the request had changed",
    "escalated": "Escalated",
    "hold_ended": "The legal hold was ended",
    "escalation_returned": "Given back to the reviewers",
    "case_opened": "Opened and read",
    "fetch_asked": "The picture of a row was asked for from the web",
    "fetch_done": "A worker fetched it",
    "fetch_failed": "A worker could not fetch it",
    "flagged": "A sign of abuse was noted",
    "flags_seen": "The signs of abuse were weighed",
}

_HELD_UP: Final[Mapping[Reason, str]] = {
    "waiting": "waiting for their turn",
    "unavailable": "cannot be opened and tried again: `doctor` says which and why",
    "no_worker": "waiting for a worker of their store, which is away",
}


@dataclass(frozen=True)
class Due:
    """The clock of a request: the day, how much is left in words, and how loud to say it."""

    day: str
    words: str
    level: str


def due_of(due_on: date, state: str) -> Due:
    """Say how long is left; a closed request has no clock."""
    if state not in OPEN:
        return Due(day(due_on), "closed", "closed")
    left = (due_on - today()).days
    if left < 0:
        return Due(day(due_on), f"{_days(-left)} overdue", "late")
    if left == 0:
        return Due(day(due_on), "due today", "late")
    return Due(day(due_on), f"{_days(left)} left", "soon" if left <= SOON_DAYS else "calm")


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"


def progress_words(progress: SearchProgress, state: str) -> list[str]:
    """Say how far a search is and what holds it up; of one that is over, what it had to leave."""
    words = []
    if state == State.SEARCHING:
        words.append(f"{progress.parts_searched} of {_groups(progress.parts)} searched.")
        words += [
            f"{_groups(count)} {_HELD_UP[reason]}."
            for reason in _HELD_UP
            if (count := progress.total(reason))
        ]
        if progress.comparing:
            words.append(
                f"Pictures compared and addresses followed in {progress.compared} of "
                f"{_groups(progress.comparing)}."
            )
    if progress.gone:
        words.append(f"{_groups(progress.gone)} left the catalog during the search.")
    if progress.unread:
        words.append(
            f"{progress.unread} stored pictures could not be read, so that their rows were judged "
            "without comparing them."
        )
    return words


def _groups(number: int) -> str:
    return "1 group" if number == 1 else f"{number} groups"


def tier_proposed(category: str, choosable: Collection[str]) -> str:
    """Say which tier fits a category; nothing is chosen for the maintainer."""
    tier, why = _TIER_PROPOSED.get(
        category, ("exact", "The category names nothing that a public list would give away.")
    )
    sentence = f"Proposed by its category: {tier}. {why}"
    if tier in choosable:
        return sentence
    return (
        f"{sentence} This version cannot list rows as {tier} yet: to approve now means the public "
        "list. Where that would harm the person, extend the clock or ask them first."
    )


def flag_words(flag: Flag) -> str:
    """Say what a sign of abuse is, with its numbers."""
    return abuse.flag_words(flag.code, flag.detail)


def counted(number: int, thing: str) -> str:
    """Say how many: `1 row`, `3 rows`."""
    return f"1 {thing}" if number == 1 else f"{number} {thing}s"
