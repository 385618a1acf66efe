"""What the subject's pages say of a request, in plain words.

The one input is the status of `removal.life.acts.status_told`, which holds no picture, address or
score of a matched row: so nothing here can show one. Sentences are whole, for those who translate
them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from removal.site.timeline import (
    BY_RULE,
    OPEN_STATES,
    SEARCH_OVER,
    Status,
    Step,
    anything_searched,
    timeline,
)
from removal.templatetags.unlist_text import day, grouped

STATE_WORDS: Final[Mapping[str, Any]] = {
    "received": gettext_lazy("Received"),
    "searching": gettext_lazy("Being searched"),
    "in_review": gettext_lazy("With a maintainer"),
    "needs_info": gettext_lazy("We have a question for you"),
    "no_match": gettext_lazy("Closed: nothing was found"),
    "approved": gettext_lazy("Approved"),
    "partly_approved": gettext_lazy("Partly approved"),
    "denied": gettext_lazy("Refused"),
    "released": gettext_lazy("Removed"),
    "withdrawn": gettext_lazy("Withdrawn by you"),
    "expired": gettext_lazy("Closed: no answer came"),
}
OUTCOME_WORDS: Final[Mapping[str, Any]] = {
    "approved": gettext_lazy("Your request was approved."),
    "partly_approved": gettext_lazy("Your request was approved in part."),
    "denied": gettext_lazy("Your request was refused."),
    "no_match": gettext_lazy("We did not find your photo."),
}
NO_MATCH_WITHOUT_PHOTO: Final = gettext_lazy("We did not find the picture.")
KIND_WORDS: Final[Mapping[str, Any]] = {
    "exact": gettext_lazy("the same file as yours"),
    "copy": gettext_lazy("a copy of your photo"),
}
ROW_WORDS: Final[Mapping[str, Any]] = {
    "pending": gettext_lazy("Not decided yet."),
    "approved": gettext_lazy("Goes on the removal list."),
    "partly": gettext_lazy("A part goes on the removal list."),
    "denied": gettext_lazy("Stays in the dataset."),
}
_WHOLE: Final = 0.9
"""From this share of a photo on, a part of it is the photo."""


@dataclass(frozen=True)
class FoundWords:
    """How often the photo was found in one dataset, and what becomes of it."""

    dataset: str
    times: int
    kind: str
    outcome: str
    domains: tuple[str, ...]


@dataclass(frozen=True)
class PhotoWords:
    """One photo: what is said of it, and whether it can be shown with its parts marked."""

    n: int
    sentence: str
    matched: str
    shown: bool
    alt: str


@dataclass(frozen=True)
class Told:
    """Everything that a page says of a request.

    Attributes:
        state, outcome: in a word, and the decision in a sentence.
        open: whether an answer is still due.
        searching: whether the search goes on, or is to come.
        search_over: whether "not found" can be said.
        by_rule: the sentences about a decision that no person took, or nothing.
        steps: the timeline.
        found: by dataset and kind.
        others: the sentence about look-alikes that were removed, or nothing.
        photos: in their order.
        acts: what its reader can do now.
    """

    state: str
    outcome: str
    open: bool
    searching: bool
    search_over: bool
    by_rule: str
    steps: list[Step]
    found: list[FoundWords]
    others: str
    photos: list[PhotoWords]
    acts: Mapping[str, bool]


def told(status: Status) -> Told:
    """Put a status in words."""
    open_ = status["state"] in OPEN_STATES
    searching = open_ and status["state"] not in SEARCH_OVER
    over = status["state"] in SEARCH_OVER and anything_searched(status)
    return Told(
        state=str(STATE_WORDS[status["state"]]),
        outcome=_outcome_told(status),
        open=open_,
        searching=searching,
        search_over=over,
        by_rule=_by_rule(status),
        steps=timeline(status),
        found=[_found(one, open_=open_) for one in status["found"]],
        others=_others(status["other_rows_removed"]),
        photos=[_photo(photo, over=over) for photo in status["photos"]],
        acts=dict.fromkeys(status["acts"], True),
    )


def _outcome_told(status: Status) -> str:
    outcome = (status["decision"] or {}).get("outcome", "")
    if outcome == "no_match" and not status["photos"]:
        return str(NO_MATCH_WITHOUT_PHOTO)
    return str(OUTCOME_WORDS.get(outcome, ""))


def _by_rule(status: Status) -> str:
    """Say that no person decided, and how to have one look at it."""
    if (status["decision"] or {}).get("by") != "rule":
        return ""
    if "message" not in status["acts"]:
        return str(BY_RULE)
    ask = _("You can ask that a person looks at it: write to the maintainers below.")
    return f"{BY_RULE} {ask}"


def _found(found: Mapping[str, Any], *, open_: bool) -> FoundWords:
    return FoundWords(
        dataset=found["dataset"],
        times=found["rows"],
        kind=str(KIND_WORDS[found["kind"]]),
        outcome=_outcome(found, open_=open_),
        domains=tuple(found["domains"] or ()),
    )


def _outcome(found: Mapping[str, Any], *, open_: bool) -> str:
    released = found["released_in"]
    if found["outcome"] == "pending" and not open_:
        return _("Not decided, because the request ended first.")
    if not released:
        return str(ROW_WORDS[found["outcome"]])
    if found["waiting"]:
        part = _(
            "A part is on the removal list since release %(n)s; the rest follows with the next."
        )
        return part % {"n": min(released)}
    if found["outcome"] == "partly":
        return _("A part is on the removal list since release %(n)s.") % {"n": min(released)}
    return _("On the removal list since release %(n)s.") % {"n": min(released)}


def _others(number: int) -> str:
    if not number:
        return ""
    sentence = ngettext(
        "%(n)s similar picture was also removed.",
        "%(n)s similar pictures were also removed.",
        number,
    )
    return sentence % {"n": grouped(number)}


def _photo(photo: Mapping[str, Any], *, over: bool) -> PhotoWords:
    held, matched = photo["state"] == "held", photo["matched"]
    return PhotoWords(
        n=photo["n"],
        sentence=_photo_sentence(photo),
        matched=_matched_sentence(photo) if over else "",
        shown=held,
        alt=_("Your photo %(n)s. What was found is inside the line, the rest is darkened.")
        % {"n": photo["n"]}
        if matched
        else _("Your photo %(n)s.") % {"n": photo["n"]},
    )


def _photo_sentence(photo: Mapping[str, Any]) -> str:
    facts = {"n": photo["n"], "day": day(photo["deleted_on"] or photo["deletes_on"])}
    if photo["state"] == "held":
        return _("Photo %(n)s: kept encrypted. It is deleted on %(day)s at the latest.") % facts
    if photo["deleted_on"]:
        return _("Photo %(n)s: deleted on %(day)s.") % facts
    return _("Photo %(n)s: deleted.") % facts


def _matched_sentence(photo: Mapping[str, Any]) -> str:
    matched = photo["matched"]
    if matched is None:
        return _photo_flaw(photo["flags"])
    if not matched:
        return _("It was found.")
    if any(_share(region) >= _WHOLE for region in matched):
        return _("The whole photo was found.")
    return _("A part of it was found.")


def _photo_flaw(flags: list[str]) -> str:
    if "unreadable" in flags:
        return _("We could not read it, so a maintainer looks at it.")
    if "too_plain" in flags:
        return _("It has too little detail to be told from other pictures.")
    return _("No copy of it was found.")


def _share(region: list[float]) -> float:
    left, top, right, bottom = region
    return (right - left) * (bottom - top)
