"""The effect of a sweep's proposal: the chosen rows go on the list, and the sweep ends."""

from removal import audit
from removal.life.effects import EffectStale, effect_register, right_check, two_check
from removal.life.sweep_ends import LISTED, sweep_end
from removal.models import Errand, Proposal, ProposalKind, today
from removal.permissions import REVIEW
from removal.selectors.subject import row_approved
from removal.selectors.sweeps import rows_opened, sweep_key
from removal.signals import rows_approved


def sweep_rows_listed(proposal: Proposal) -> None:
    """Put the chosen rows on the list, as proposed and confirmed, and end their sweep.

    Those alone that the proposal names: a row that was hidden from its two persons is not listed,
    whatever became of what hid it. The rule of two is asked once more, and so is whether a row came
    to be an escalated request's.
    """
    locked = Errand.objects.select_for_update(of=("self",))
    errand = locked.filter(proposals=proposal).first()
    key = sweep_key(errand) if errand else None
    if errand is None or key is None:
        raise EffectStale("The sweep has ended.")
    right_check(proposal.proposed_by, REVIEW, "The proposer may not review any more.")
    two_check(proposal)
    facts = proposal.facts
    opened = rows_opened(errand, key, chosen=True)
    rows = [row_approved(found.row) for row, found in opened if str(row.pk) in facts["chosen"]]
    if not rows:
        raise EffectStale("None of the rows can be listed any more.")
    rows_approved.send(sender=Errand, rows=rows, tier=facts["tier"], on=today())
    sweep_end(errand.pk, LISTED)
    second = proposal.confirmed_by_id
    audit.audit_append(
        act="sweep_listed",
        actor=audit.staff(proposal.proposed_by_id),
        detail={
            "rows": len(rows),
            "tier": facts["tier"],
            "reason": facts["reason"],
            "confirmed_by": audit.staff(second) if second else None,
        },
    )


effect_register(ProposalKind.SWEEP, sweep_rows_listed)
