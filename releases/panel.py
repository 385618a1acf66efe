"""The releases on the dashboard of the admin: what is out, and what waits for it."""

import datetime as dt
from typing import Final

from tuf.api.exceptions import RepositoryError

from releases.models import Release
from releases.selectors import fresh_until, releases_published
from releases.unlisting import withdrawals_ended, withdrawals_open
from removal.desk.charts import Chart, Series
from removal.desk.dashboard import Panel, panel_register
from removal.models import Proposal, ProposalState
from removal.permissions import DECIDE, LEDGER, RELEASES
from removal.selectors.proofs import proofs_waiting
from removal.selectors.subject import release_awaited_since
from removal.templatetags.unlist_text import day, grouped

SHOWN: Final = 12
LATE_DAYS: Final = 7
"""An approval that waits longer than this for its release is told as late."""


def releases_panel() -> Panel:
    """Show the latest releases with what each added, and what is not out yet."""
    published = releases_published()
    shown = published[:SHOWN][::-1]
    chart = Chart(
        title="Keys added by each release",
        head="Release",
        labels=[str(one.number) for one in shown],
        long_labels=[f"{one.number}, {day(one.published_on)}" for one in shown],
        series=[
            Series("Added", [one.added for one in shown]),
            Series("Withdrawn", [one.withdrawn for one in shown]),
        ],
    )
    since = release_awaited_since()
    built = Release.objects.filter(state=Release.State.BUILT).count()
    until, fault = _freshness()
    return Panel(
        "Releases",
        chart if shown else None,
        facts=[
            ("Entries that clients get", grouped(published[0].entries) if published else "none"),
            ("Signed until", f"{until:%Y-%m-%d %H:%M} UTC" if until else "nothing is published"),
            ("Oldest approval in no release", day(since) if since else "none"),
            ("Closed requests without sealed proofs", grouped(proofs_waiting().count())),
            ("Adoption statements", "none: there is no way to send one yet"),
        ],
        bad=[*fault, *_late(since, built)],
        link=("admin:releases_release_changelist", "All releases"),
    )


def _freshness() -> tuple[dt.datetime | None, list[str]]:
    """Return until when clients accept what is published, and what is wrong with it."""
    try:
        until = fresh_until()
    except (OSError, RepositoryError, ValueError):
        return None, ["The signed metadata cannot be read: `doctor` says what is wrong with it."]
    if until is not None and until < dt.datetime.now(dt.UTC):
        return until, ["Clients refuse the list: it is past its time. Run publish_release."]
    return until, []


def _late(since: dt.date | None, built: int) -> list[str]:
    late = since is not None and (dt.datetime.now(dt.UTC).date() - since).days > LATE_DAYS
    told = [f"Approvals have waited for a release for over {LATE_DAYS} days: run build_release."]
    waits = [f"{built} built and not published: run publish_release."]
    return [*(told if late else []), *(waits if built else [])]


def unlisting_panel() -> Panel:
    """Show what is proposed to be taken off the list."""
    open_ones = withdrawals_open()
    waiting = sum(one.state == ProposalState.WAITING for one in open_ones)
    taken = [one for one in withdrawals_ended(SHOWN) if one.state == ProposalState.TAKEN]
    return Panel(
        "Rows to take off the list",
        facts=[
            ("Proposals that wait for a second person", grouped(waiting)),
            ("Confirmed, can be undone", grouped(len(open_ones) - waiting)),
            ("Last time that entries were taken off", _ended(taken[0]) if taken else "never"),
        ],
        link=("admin:releases_unlist", "Take rows off the list"),
    )


def _ended(proposal: Proposal) -> str:
    return day(proposal.ended_at.date()) if proposal.ended_at else ""


def register() -> None:
    """Put the panels on the dashboard."""
    panel_register("releases", releases_panel, rights=(RELEASES,))
    panel_register("unlisting", unlisting_panel, rights=(DECIDE, LEDGER))
