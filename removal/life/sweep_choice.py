"""What a sweep found is gone through: rows are chosen, and proposed to be listed, or dismissed.

A choice can span pages and persons. While a proposal is open nothing about the sweep changes, so
that what a second person confirms is what was proposed.
"""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction

from removal import audit
from removal.life.deciding import TIERS
from removal.life.effects import right_check
from removal.life.errands import ERRAND_OPEN
from removal.life.proposals import proposal_at_once, proposal_put
from removal.life.sweep_ends import DISMISSED, sweep_end
from removal.life.sweeping import SweepInvalid, account_write, plain
from removal.models import PROPOSAL_OPEN, Errand, Proposal, ProposalKind, SweepRow
from removal.permissions import REVIEW
from removal.selectors.desk import RequestGone
from removal.selectors.sweeps import account_read, rows_opened, sweep_found, sweep_key

WORDS_MAX: Final = 1000

SWEEP_REASONS: Final[Mapping[str, str]] = {
    "medical": "Pictures from medical treatment",
    "intimate": "Intimate pictures",
    "children": "Pictures of children",
    "documents": "Identity papers, letters and other documents of persons",
    "authority": "Asked for by a court or an authority",
    "rights": "Asked for by whoever holds the rights",
    "other": "Something else, said in the words",
}


class SweepBusy(Exception):
    """A proposal about the sweep is open: its rows stay as they are, and nothing was changed."""

    def __init__(self, who: str) -> None:
        super().__init__(
            f"{who} has proposed to list rows of this sweep: nothing about it changes before that "
            "was confirmed, refused or undone."
        )


def rows_choose(
    *,
    errand_id: uuid.UUID,
    reviewer: User,
    shown: Collection[uuid.UUID],
    ticked: Collection[uuid.UUID],
) -> int:
    """Choose the ticked ones of the rows shown, and leave the others as they are; count them all.

    Raises:
        SweepBusy: a proposal about the sweep is open.
        RequestGone: there is no such sweep, or it ended.
    """
    with transaction.atomic():
        errand = _open_locked(errand_id, reviewer)
        rows = errand.rows.filter(pk__in=shown)
        rows.exclude(pk__in=ticked).update(chosen=False)
        rows.filter(pk__in=ticked).update(chosen=True)
        return errand.rows.filter(chosen=True).count()


def rows_choose_first(*, errand_id: uuid.UUID, reviewer: User, first: int) -> int:
    """Choose the rows down to a place and no others; return how many.

    Raises:
        SweepBusy, RequestGone: see `rows_choose`.
    """
    with transaction.atomic():
        errand = _open_locked(errand_id, reviewer)
        errand.rows.filter(place__gt=first).update(chosen=False)
        return errand.rows.filter(place__lte=first).update(chosen=True)


def sweep_propose(
    *, errand_id: uuid.UUID, reviewer: User, tier: str, reason: str, words: str
) -> Proposal:
    """Propose to list the chosen rows: a second person, who may decide, confirms it.

    Raises:
        SweepInvalid: a sentence says what to mend.
        SweepBusy, RequestGone: see `rows_choose`.
        ProposalRefused: they may not review.
    """
    words = _words(tier, reason, words)
    with transaction.atomic():
        errand = _open_locked(errand_id, reviewer)
        account, rows = account_read(errand), _rows_chosen(errand)
        if account is None:
            raise RequestGone("This sweep has ended.")
        account_write(errand, replace(account, words=words))
        proposal = proposal_put(
            ProposalKind.SWEEP,
            reviewer=reviewer,
            errand=errand,
            facts={"tier": tier, "reason": reason, "chosen": [str(row.pk) for row in rows]},
            needs_second=True,
            detail={"rows": len(rows), "tier": tier, "reason": reason},
        )
    return proposal_at_once(proposal)


def sweep_dismiss(*, errand_id: uuid.UUID, reviewer: User) -> None:
    """End a sweep without listing anything: its key, its rows and its words go.

    Raises:
        SweepBusy, RequestGone: see `rows_choose`.
        ProposalRefused: they may not review.
    """
    with transaction.atomic():
        errand = _open_locked(errand_id, reviewer, searched=False)
        found = errand.rows.count()
        sweep_end(errand.pk, DISMISSED)
        audit.audit_append(
            act="sweep_dismissed", actor=audit.staff(reviewer.pk), detail={"found": found}
        )


def _open_locked(errand_id: uuid.UUID, reviewer: User, *, searched: bool = True) -> Errand:
    """Lock a sweep that has not ended and about which nothing is proposed."""
    right_check(reviewer, REVIEW, "Sweeps are worked on by reviewers.")
    sweep_found(errand_id)
    errand = Errand.objects.select_for_update().get(pk=errand_id)
    if not errand.result_sealed or (searched and errand.state in ERRAND_OPEN):
        raise RequestGone("This sweep has ended, or is still being searched: load it again.")
    running = errand.proposals.filter(state__in=PROPOSAL_OPEN).select_related("proposed_by")
    standing = running.first()
    if standing is not None:
        raise SweepBusy(standing.proposed_by.get_username())
    return errand


def _rows_chosen(errand: Errand) -> list[SweepRow]:
    """Return the chosen rows, each of which a list can name."""
    key = sweep_key(errand)
    if key is None:
        raise RequestGone("This sweep has ended.")
    chosen = rows_opened(errand, key, chosen=True)
    if not chosen:
        raise SweepInvalid("No row is chosen: tick the rows to list, and keep the choice.")
    for row, found in chosen:
        if not found.row.nameable:
            raise SweepInvalid(
                f"Row {row.place} has neither a URL nor a recorded digest, so no list can name it: "
                "leave it out, and have it removed from the dataset by hand."
            )
    return [row for row, _ in chosen]


def _words(tier: str, reason: str, words: str) -> str:
    if tier not in TIERS:
        raise SweepInvalid(f"Choose how the rows are listed: {', '.join(TIERS)}.")
    if reason not in SWEEP_REASONS:
        raise SweepInvalid("Choose why these rows are to be listed.")
    if not words.strip():
        if reason == "other":
            raise SweepInvalid("Say in words why these rows are to be listed.")
        return ""
    return plain(words, WORDS_MAX)
