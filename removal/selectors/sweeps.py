"""What maintainers read of sweeps: where each stands, what was asked, the rows it found.

A row that belongs to an escalated request is left out of all of it, whenever that came to be.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Count, Q, QuerySet

from removal.custody import content
from removal.custody.content import FoundRow
from removal.custody.sealing import NotReadable, Place, PrivateKey, role_key, unwrap
from removal.custody.shred import KeyShredded
from removal.custody.sweeps import ACCOUNT, SweepAccount, SweepFound
from removal.models import (
    PROPOSAL_OPEN,
    Errand,
    ErrandKind,
    ErrandState,
    ErrandUnit,
    Proposal,
    ProposalState,
    Purpose,
    Recipient,
    SweepRow,
)
from removal.selectors.desk import RequestGone
from removal.selectors.escalated import tags_escalated
from removal.selectors.proposals import ProposalView, proposal_viewed

PAGE_ROWS: Final = 60
_LISTED_MOST: Final = 100
_GONE: Final = "There is no such sweep (any more): it was ended, or its 30 days are over."


@dataclass(frozen=True, slots=True)
class SweepLine:
    """A sweep in the list of all.

    Attributes:
        id, asked_at, asked_by, state: which, since when, by whom (a login name), where it stands.
        fault: a code: why it failed, or how it ended.
        open: its rows and its words are still there.
        rows, chosen: how many.
        proposal: the state of its open proposal; empty where there is none.
    """

    id: uuid.UUID
    asked_at: dt.datetime
    asked_by: str
    state: str
    fault: str
    open: bool
    rows: int
    chosen: int
    proposal: str


@dataclass(frozen=True, slots=True)
class SweepRowView:
    """One row of a sweep, on the page of the sweep."""

    id: uuid.UUID
    place: int
    chosen: bool
    row: FoundRow


@dataclass(frozen=True, slots=True)
class SweepView:
    """A sweep as a maintainer sees it.

    Attributes:
        errand: which.
        asked_by: login name.
        account: what was asked and searched; None once it ended.
        rows: of the page asked for.
        chosen, count: how many rows there are, chosen and in all.
        narrowed: the rows shown are the chosen ones alone.
        page, pages: from 1.
        proposal: the open one, else the last.
        proposal_facts: what it says: tier, reason, rows.
        units, units_done: groups asked and answered, while it is being searched.
    """

    errand: Errand
    asked_by: str
    account: SweepAccount | None
    rows: tuple[SweepRowView, ...]
    chosen: int
    count: int
    narrowed: bool
    page: int
    pages: int
    proposal: ProposalView | None
    proposal_facts: Mapping[str, Any]
    units: int
    units_done: int


def sweeps() -> QuerySet[Errand]:
    """Return all sweeps, ended ones too."""
    return Errand.objects.filter(kind=ErrandKind.SWEEP)


def sweeps_listed() -> list[SweepLine]:
    """Return the latest sweeps, the newest first, by one query."""
    counted = sweeps().annotate(
        found=Count("rows", distinct=True),
        chosen=Count("rows", filter=Q(rows__chosen=True), distinct=True),
        waiting=Count("proposals", filter=Q(proposals__state=ProposalState.WAITING), distinct=True),
        counting=Count(
            "proposals", filter=Q(proposals__state=ProposalState.COUNTING), distinct=True
        ),
    )
    latest = counted.select_related("asked_by").defer("order_sealed").order_by("-asked_at")
    return [
        SweepLine(
            id=one.pk,
            asked_at=one.asked_at,
            asked_by=_name(one),
            state=one.state,
            fault=one.fault,
            open=bool(one.result_sealed),
            rows=one.found,
            chosen=one.chosen,
            proposal="waiting" if one.waiting else "counting" if one.counting else "",
        )
        for one in latest[:_LISTED_MOST]
    ]


@dataclass(frozen=True, slots=True)
class SweepCounts:
    """How many sweeps are being searched, wait for a look, wait for a second person."""

    searching: int
    to_look_at: int
    second: int


def sweeps_counted() -> SweepCounts:
    """Count the sweeps that are not ended, by one query."""
    waiting = Q(proposals__state=ProposalState.WAITING)
    running = Q(proposals__state__in=PROPOSAL_OPEN)
    done = Q(state=ErrandState.DONE) & ~Q(result_sealed=b"")
    counts = sweeps().aggregate(
        searching=Count(
            "pk", filter=Q(state__in=(ErrandState.ASKED, ErrandState.SEARCHING)), distinct=True
        ),
        done=Count("pk", filter=done, distinct=True),
        proposed=Count("pk", filter=done & running, distinct=True),
        second=Count("pk", filter=waiting, distinct=True),
    )
    return SweepCounts(counts["searching"], counts["done"] - counts["proposed"], counts["second"])


def sweep_found(errand_id: uuid.UUID) -> Errand:
    """Return a sweep by its id.

    Raises:
        RequestGone: there is none.
    """
    errand = sweeps().select_related("asked_by").filter(pk=errand_id).first()
    if errand is None:
        raise RequestGone(_GONE)
    return errand


def sweep_view(errand_id: uuid.UUID, *, page: int = 1, every: bool = False) -> SweepView:
    """Open a sweep for a maintainer, with the rows of one page.

    While a proposal is open these are the chosen rows alone, unless `every` row is asked for.

    Raises:
        RequestGone: there is none.
        SecretUnavailable: this process does not hold the reviewers' key.
    """
    errand = sweep_found(errand_id)
    key = sweep_key(errand)
    opened = rows_opened(errand, key) if key else []
    proposal = _proposal(errand)
    narrowed = not every and proposal is not None and proposal.state in PROPOSAL_OPEN
    offered = [one for one in opened if one[0].chosen] if narrowed else opened
    pages = max(1, -(-len(offered) // PAGE_ROWS))
    page = min(max(1, page), pages)
    shown = offered[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
    states = list(errand.units.filter(group__isnull=False).values_list("state", flat=True))
    return SweepView(
        errand=errand,
        asked_by=_name(errand),
        account=_account(errand, key) if key else None,
        rows=tuple(SweepRowView(row.pk, row.place, row.chosen, one.row) for row, one in shown),
        chosen=sum(row.chosen for row, _ in opened),
        count=len(opened),
        narrowed=narrowed,
        page=page,
        pages=pages,
        proposal=proposal_viewed(proposal) if proposal else None,
        proposal_facts=proposal.facts if proposal else {},
        units=len(states),
        units_done=states.count(ErrandUnit.State.DONE),
    )


def sweep_line(view: SweepView) -> SweepLine:
    """Return an opened sweep as the list of all has it."""
    state = view.proposal.state if view.proposal else ""
    return SweepLine(
        id=view.errand.pk,
        asked_at=view.errand.asked_at,
        asked_by=view.asked_by,
        state=view.errand.state,
        fault=view.errand.fault,
        open=view.account is not None,
        rows=view.count,
        chosen=view.chosen,
        proposal=state if state in PROPOSAL_OPEN else "",
    )


def sweep_row_found(row_id: uuid.UUID) -> FoundRow:
    """Return one row of a sweep that has not ended.

    Raises:
        RequestGone: there is none.
    """
    row = SweepRow.objects.select_related("errand").filter(pk=row_id).first()
    key = sweep_key(row.errand) if row else None
    opened = _without_escalated([(row, _opened(row, key))]) if row and key else []
    if not opened:
        raise RequestGone("There is no such row: its sweep was ended.")
    return opened[0][1].row


def sweep_key(errand: Errand) -> PrivateKey | None:
    """Return a sweep's key to a reviewer; None once it ended.

    Raises:
        SecretUnavailable: this process does not hold the reviewers' key.
    """
    try:
        holder = role_key(Recipient.REVIEWER)
        return unwrap(errand.pk, Purpose.ERRAND, Recipient.REVIEWER, holder)
    except (NotReadable, KeyShredded):
        return None


def account_read(errand: Errand) -> SweepAccount | None:
    """Open what was asked; None once the sweep ended."""
    key = sweep_key(errand)
    return _account(errand, key) if key else None


def rows_opened(
    errand: Errand, key: PrivateKey, *, chosen: bool = False
) -> list[tuple[SweepRow, SweepFound]]:
    """Open a sweep's rows, or those chosen alone, the most alike first."""
    rows = errand.rows.filter(chosen=True) if chosen else errand.rows.all()
    return _without_escalated([(row, _opened(row, key)) for row in rows])


def _without_escalated(
    opened: Sequence[tuple[SweepRow, SweepFound]],
) -> list[tuple[SweepRow, SweepFound]]:
    hidden = tags_escalated(one.tag for _, one in opened)
    return [(row, one) for row, one in opened if one.tag not in hidden]


def _opened(row: SweepRow, key: PrivateKey) -> SweepFound:
    place = Place(row.errand_id, Purpose.ERRAND, content.row_item(row.pk))
    return SweepFound.from_bytes(key.open(row.row_sealed, place))


def _account(errand: Errand, key: PrivateKey) -> SweepAccount | None:
    if not errand.result_sealed:
        return None
    place = Place(errand.pk, Purpose.ERRAND, ACCOUNT)
    return SweepAccount.from_bytes(key.open(errand.result_sealed, place))


def _proposal(errand: Errand) -> Proposal | None:
    related = ("proposed_by", "confirmed_by", "ended_by", "request")
    last = Proposal.objects.filter(errand=errand).select_related(*related)
    return last.order_by("-proposed_at").first()


def _name(errand: Errand) -> str:
    return errand.asked_by.get_username() if errand.asked_by else "somebody who left"
