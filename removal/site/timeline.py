"""A request's life as its subject reads it: what is done, what goes on now, what comes next."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from removal.templatetags.unlist_text import day, grouped

Status = Mapping[str, Any]
Progress = Literal["done", "now", "next"]

OPEN_STATES: Final = frozenset({"received", "searching", "in_review", "needs_info"})
SEARCH_OVER: Final = frozenset(
    {
        "in_review",
        "needs_info",
        "expired",
        "no_match",
        "approved",
        "partly_approved",
        "denied",
        "released",
    }
)
BY_RULE: Final = gettext_lazy(
    "A rule approved it, without a person: everything that was found is the very file that you "
    "sent."
)
DECIDED: Final = frozenset({"approved", "partly_approved", "denied", "released"})


@dataclass(frozen=True)
class Step:
    """One line of the timeline: how far it is, its name, and a sentence."""

    progress: Progress
    name: str
    text: str


def timeline(status: Status) -> list[Step]:
    """Tell the request's life in order."""
    state = status["state"]
    steps = [Step("done", _("Received"), _on(status["received_on"]))]
    if state == "withdrawn":
        return [*steps, Step("done", _("Withdrawn by you"), _withdrawn(status))]
    steps.append(_search_step(status))
    if status["appeal"]:
        steps.append(Step("done", _("You appealed"), _on(status["appeal"]["day"])))
    if state == "no_match":
        nothing = _("There was nothing for a maintainer to decide.")
        return [*steps, Step("done", _("Closed"), nothing)]
    if state == "expired":
        late = _("We asked you something and got no answer in time. You can send a new request.")
        return [*steps, Step("done", _("Closed: no answer came"), late)]
    steps += [_review_step(status), _decision_step(status)]
    steps += [_more_step(more) for more in status["more_found"]]
    return steps if state == "denied" else [*steps, _release_step(status)]


def _on(iso_day: str) -> str:
    return _("On %(day)s.") % {"day": day(iso_day)}


def _withdrawn(status: Status) -> str:
    if status["photos"]:
        return _("You took the request back. Your photos have been deleted.")
    return _("You took the request back.")


def _search_step(status: Status) -> Step:
    searched = parts_searched(status)
    if status["case_deleted_on"]:
        return Step("done", _("Searched"), _("What was searched has been deleted since."))
    if status["state"] in SEARCH_OVER and not anything_searched(status):
        ended = _("The search ended before any part of the datasets was searched.")
        return Step("done", _("Search"), ended)
    if status["state"] in SEARCH_OVER:
        return Step("done", _("Searched"), _parts(searched))
    waited = sum(not_searched(status, why) for why in ("waiting", "unavailable", "no_worker"))
    if status["state"] == "received" or not searched + waited:
        waiting = _("Waiting for the search to start. It starts by itself.")
        return Step("now", _("Search"), waiting)
    if not waited:
        drawn_up = _("The result is being drawn up.")
        return Step("now", _("Search"), f"{_parts(searched)} {drawn_up}")
    return Step("now", _("Search"), " ".join(_underway(status, searched, searched + waited)))


def _underway(status: Status, searched: int, parts: int) -> list[str]:
    """Say how far the search is, and what keeps it from parts of the datasets."""
    so_far = _("%(n)s of %(all)s parts of the datasets searched so far.")
    sentences = [so_far % {"n": grouped(searched), "all": grouped(parts)}]
    if failing := not_searched(status, "unavailable"):
        cannot = _("%(n)s of %(all)s parts cannot be searched just now; we keep trying.")
        sentences.append(cannot % {"n": grouped(failing), "all": grouped(parts)})
    if away := not_searched(status, "no_worker"):
        wait = _(
            "%(n)s of %(all)s parts wait for a computer that is away; the search goes on by "
            "itself when it is back."
        )
        sentences.append(wait % {"n": grouped(away), "all": grouped(parts)})
    return sentences


def parts_searched(status: Status) -> int:
    """Return how many parts have been searched, of all datasets."""
    return sum(dataset["groups_searched"] for dataset in status["datasets"])


def anything_searched(status: Status) -> bool:
    """Tell whether any part was; of one that was taken out of the service since, it may be."""
    return bool(parts_searched(status) or status["groups_gone"])


def not_searched(status: Status, reason: str) -> int:
    """Return how many parts have not been searched for one reason, of all datasets."""
    return sum(
        part["groups"]
        for dataset in status["datasets"]
        for part in dataset["not_searched"]
        if part["reason"] == reason
    )


def _parts(number: int) -> str:
    sentence = ngettext(
        "%(n)s part of the datasets searched.",
        "%(n)s parts of the datasets searched.",
        number,
    )
    return sentence % {"n": grouped(number)}


def _review_step(status: Status) -> Step:
    state = status["state"]
    name = _("Looked at again") if status["appeal"] else _("Looked at by a person")
    if state in DECIDED and (status["decision"] or {}).get("by") == "rule":
        return Step("done", _("Approved by a rule"), str(BY_RULE))
    if state in DECIDED:
        return Step("done", name, _("A maintainer looked at what was found."))
    if state == "needs_info":
        return Step("now", name, _("The maintainer needs an answer from you."))
    if state == "in_review":
        return Step("now", name, _("A maintainer is to look at what was found."))
    return Step("next", name, _("A maintainer will look at what is found."))


def _decision_step(status: Status) -> Step:
    if status["state"] in DECIDED:
        return Step("done", _("Decided"), _decided(status))
    by = _("By %(day)s at the latest.") % {"day": day(status["due_on"])}
    return Step("next", _("Decision"), by)


def _decided(status: Status) -> str:
    decision = status["decision"] or {}
    if not decision.get("decided_on"):
        return ""
    return _on(decision["decided_on"])


def _more_step(more: Mapping[str, Any]) -> Step:
    """Tell of copies that were found and approved after the decision."""
    if not more["rows"]:
        found = _("More pictures like those that were removed were found. They go, too.")
        return Step("done", _("More was found"), f"{_on(more['day'])} {found}")
    sentence = ngettext(
        "We found %(n)s more copy of what was approved. It goes on the removal list, too.",
        "We found %(n)s more copies of what was approved. They go on the removal list, too.",
        more["rows"],
    )
    found = sentence % {"n": grouped(more["rows"])}
    return Step("done", _("More copies found"), f"{_on(more['day'])} {found}")


def _release_step(status: Status) -> Step:
    state = status["state"]
    if state == "released":
        return Step("done", _("On the removal list"), _released(status))
    if state in DECIDED and (numbers := _releases(status)):
        first = _("What was approved first is in release %(numbers)s; the rest goes into the next.")
        return Step("now", _("Removal list"), first % {"numbers": numbers})
    if state in DECIDED:
        coming = _("What was approved goes into the next removal list.")
        return Step("now", _("Removal list"), coming)
    maybe = _("If we approve, the picture goes on the removal list.")
    return Step("next", _("Removal list"), maybe)


def _released(status: Status) -> str:
    numbers = _releases(status)
    if not numbers:
        return _("What was approved is on the published list.")
    return _("In release %(numbers)s.") % {"numbers": numbers}


def _releases(status: Status) -> str:
    numbers = {n for found in status["found"] for n in found["released_in"] or ()}
    return ", ".join(map(str, sorted(numbers)))
