"""What a request should be after each act: a plain model, for the stateful tests to compare with.

It is written from the design's words and shares no code with the service: dates are reckoned by
trial, states are strings, and what may be done is asked in one place (`may`).
"""

import datetime as dt
from dataclasses import dataclass, field

OPEN = {"received", "searching", "in_review", "needs_info"}
CLOSED = {"no_match", "denied", "released", "withdrawn", "expired"}
OWN = {0, 1}
"""Places of the exact and the copy row."""
SIMILAR = (2, 3)


def months_later(day: dt.date, months: int) -> dt.date:
    """Return the same day of a later month, or the last day that it has: tried, not reckoned."""
    year, month = day.year, day.month
    for _ in range(months):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    for number in range(day.day, 0, -1):
        try:
            return dt.date(year, month, number)
        except ValueError:
            continue
    raise AssertionError("a month without days")


def days(number: int) -> dt.timedelta:
    return dt.timedelta(days=number)


@dataclass
class Model:
    """One request, as it should be."""

    received: dt.date
    found: bool
    today: dt.date
    state: str = "received"
    outcome: str = ""
    due: dt.date = dt.date.min
    extended: dt.date | None = None
    decided: dt.date | None = None
    closed: dt.date | None = None
    appealed: dt.date | None = None
    answer_due: dt.date | None = None
    photos_due: dt.date = dt.date.min
    photos_gone: dt.date | None = None
    case_gone: dt.date | None = None
    purged: bool = False
    rows: set[int] = field(default_factory=set)
    listed: set[int] = field(default_factory=set)
    listed_before_closing: bool = False
    releases: list[int] = field(default_factory=list)
    unreleased: bool = False
    """Copies were approved that no release carries which the request was told of."""
    offered: set[str] = field(default_factory=set)
    """Copies of approved rows, by their keys, which wait to be looked at."""
    aside: set[str] = field(default_factory=set)
    copies: set[str] = field(default_factory=set)
    """Those that were approved."""
    asked: dict[int, bool | None] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.due = months_later(self.received, 1)
        self.photos_due = self.received + days(120)

    # --- what may be done ---------------------------------------------------------------------

    def may_write(self) -> bool:
        if self.case_gone:
            return False
        if self.state in OPEN | {"approved", "partly_approved"}:
            return True
        resting = self.state in {"denied", "no_match", "released"}
        return resting and self.closed is not None and self.today <= self.closed + days(14)

    def may_post(self) -> bool:
        waiting = 0
        for author in self.messages:
            waiting = waiting + 1 if author == "subject" else 0
        return self.may_write() and waiting < 10

    def may_ask(self, places: set[int]) -> bool:
        askable = places <= (set(SIMILAR) & self.rows) - self.asked.keys()
        return self.state == "in_review" and bool(places) and askable

    def may_extend(self) -> bool:
        fresh = self.extended is None and self.appealed is None
        return self.state in OPEN and fresh and self.today < self.due

    def may_appeal(self) -> bool:
        refused = self.outcome in {"denied", "no_match", "partly_approved"}
        ended = self.state in {"denied", "no_match", "partly_approved", "released"}
        if not (refused and ended) or self.appealed or self.case_gone or not self.decided:
            return False
        return self.today <= self.decided + days(14)

    def outcome_of(self, places: set[int]) -> str:
        chosen = places | self.listed
        if not chosen:
            return "denied"
        return "approved" if OWN & self.rows <= chosen else "partly_approved"

    def may_decide(self, places: set[int], *, reasoned: bool) -> bool:
        needed = self.outcome_of(places) != "approved"
        return self.state == "in_review" and places <= self.rows and reasoned == needed

    def stands_decided(self) -> bool:
        return self.state in {"approved", "partly_approved", "released"} and not self.case_gone

    def may_spread(self, keys: set[str]) -> bool:
        return self.stands_decided() and bool(keys) and keys <= self.offered

    def may_delete_photos(self) -> bool:
        return self.photos_gone is None

    # --- what it does -------------------------------------------------------------------------

    def search(self) -> None:
        if self.found:
            self.rows, self.state = {0, 1, 2, 3}, "in_review"
            return
        self.state = self.outcome = "no_match"
        self.decided = self.closed = self.today
        self._photos_clock()

    def ask(self, places: set[int]) -> None:
        self.asked |= dict.fromkeys(places)
        self.state, self.answer_due = "needs_info", self.today + days(30)

    def answer(self, place: int, mine: bool) -> None:
        self.asked[place] = mine
        if None not in self.asked.values():
            self.state, self.answer_due = "in_review", None

    def decide(self, places: set[int]) -> None:
        self.state = self.outcome = self.outcome_of(places)
        new = places - self.listed
        self.listed |= new
        self.decided = self.today
        self.closed = self.today if self.state == "denied" else None
        self._photos_clock()
        if self.listed and not new and self.releases and not self.unreleased:
            self.state, self.closed = "released", self.today

    def awaits_release(self) -> bool:
        if self.state in {"approved", "partly_approved"}:
            return True
        meanwhile = self.state in {"in_review", "needs_info", "withdrawn", "expired"}
        waiting = (bool(self.listed) and not self.releases) or self.unreleased
        return meanwhile and waiting and not self.case_gone

    def spread(self, keys: set[str], left: set[str]) -> None:
        """Approve copies; those looked at and left out are set aside."""
        self.copies |= keys
        self.aside |= left - keys
        self.offered -= keys | left
        self.state, self.closed, self.unreleased = self.outcome, None, True

    def set_aside(self) -> None:
        self.aside, self.offered = self.aside | self.offered, set()

    def offer_again(self) -> None:
        self.offered, self.aside = self.aside | self.offered, set()

    def release(self, number: int) -> None:
        self.releases.append(number)
        self.unreleased = False
        if self.state in {"approved", "partly_approved"}:
            self.state, self.closed = "released", self.today

    def extend(self) -> None:
        self.extended, self.due = self.today, months_later(self.received, 3)

    def appeal(self) -> None:
        self.state, self.appealed, self.closed = "in_review", self.today, None
        self.due = months_later(self.today, 1)
        if self.photos_due > self.today:
            self.photos_due = self.received + days(120)

    def withdraw(self) -> None:
        self._end("withdrawn")
        self.answer_due = None
        self.photos_gone = self.photos_gone or self.today

    def delete_photos(self) -> None:
        self.photos_gone = self.photos_due = self.today
        if self.state in {"received", "searching"}:
            self.state = "in_review"

    def retain(self) -> None:
        """Let retention run."""
        if self.state == "needs_info" and self.answer_due and self.answer_due < self.today:
            self._end("expired")
        if self.closed and self.state in CLOSED and self.closed + days(365) <= self.today:
            self.purged = True
            return
        if self.photos_gone is None and self.photos_due <= self.today:
            self.photos_gone = self.today
        if self.photos_gone and self.state in {"received", "searching"}:
            self.state = "in_review"
        if self.closed and self.state in CLOSED and self.closed + days(90) <= self.today:
            self._case_end()

    def _end(self, state: str) -> None:
        self.state, self.outcome = state, self.outcome or state
        self.closed = self.photos_due = self.today

    def _case_end(self) -> None:
        if self.case_gone:
            return
        self.case_gone = self.today
        self.photos_gone = self.photos_gone or self.today
        self.extended = self.appealed = self.answer_due = None
        self.rows, self.asked, self.messages = set(), {}, []
        self.offered, self.aside, self.copies = set(), set(), set()
        self.unreleased = False

    def _photos_clock(self) -> None:
        if self.photos_due > self.today:  # what is due already, by a click or the clock, stays so
            self.photos_due = min(self.today + days(14), self.received + days(120))
