"""Taking rows off the list: always two persons, and nothing comes back but by a new approval.

One approver proposes entries with a reason, another confirms; then it counts down and takes effect
as any proposal does (`removal.life.proposals`). It names entries by their numbers: one that is not
there any more, or was approved anew meanwhile (`ledger`), lets the whole proposal end as stale. The
releases that carried a key keep it; the next one counts it as withdrawn, without a reason.

A proposal's `facts` hold numbers, keys and the reason's code, which name nobody. What the keys were
looked up by and what the proposer wrote is sealed, and emptied when the proposal ends.
"""

import hashlib
import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import transaction

from releases.ledger import entries_locked
from releases.lookup import Looked, Pair, pair_of
from releases.models import ListEntry
from releases.places import PUBLIC_LIST
from removal import audit
from removal.custody.between import between_open, between_seal
from removal.custody.content import json_bytes
from removal.life.effects import EffectStale, effect_register, right_check, two_check
from removal.life.plaintext import WordsInvalid, plain_text
from removal.life.proposals import proposal_put
from removal.models import PROPOSAL_OPEN, Proposal, ProposalKind, ProposalState
from removal.permissions import DECIDE

REASONS: Final[Mapping[str, str]] = {
    "mistake": "They were listed by mistake",
    "changed_mind": "The person changed their mind",
    "rights_holder": "Somebody with rights in the picture objected",
    "authority": "A court or an authority asked for it",
    "other": "Another reason, in words",
}
OTHER: Final = "other"
WORDS_MAX: Final = 500


class UnlistingRefused(Exception):
    """These entries cannot be taken off as asked; a sentence says why, and nothing was changed."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a proposer tells the second person.

    Attributes:
        words: of their own; may be empty.
        given: what each entry was looked up by, by its number.
    """

    words: str
    given: dict[str, str]

    def to_bytes(self) -> bytes:
        """Serialize for sealing."""
        return json_bytes({"words": self.words, "given": self.given})

    @classmethod
    def from_bytes(cls, data: bytes) -> "Said":
        """Read what `to_bytes` wrote."""
        return cls(**json.loads(data))


def withdrawal_propose(
    *, looked: Sequence[Looked], chosen: Collection[str], reason: str, words: str, reviewer: User
) -> Proposal:
    """Propose to take entries off the list; it waits for a second person.

    Args:
        looked: what was looked up.
        chosen: numbers of the entries, among those that were found.
        reason: a key of `REASONS`.
        words: to the second person; needed where the reason says so.
        reviewer: who proposes, an approver.

    Raises:
        UnlistingRefused: a sentence says what to mend.
        ProposalRefused: this person has no right to.
    """
    right_check(reviewer, DECIDE, "Only an approver can take rows off the list.")
    found = {str(entry.pk): (entry, one.value) for one in looked for entry in one.entries}
    if not chosen or not set(chosen) <= found.keys():
        raise UnlistingRefused("Choose at least one entry; look again if the list has changed.")
    said = Said(_words(reason, words), {pk: found[pk][1] for pk in sorted(set(chosen))})
    entries = sorted((found[pk][0] for pk in set(chosen)), key=pair_of)
    _not_proposed_check(entries)
    with transaction.atomic():
        proposal = proposal_put(
            ProposalKind.WITHDRAWAL,
            reviewer=reviewer,
            facts={
                "list": PUBLIC_LIST,
                "reason": reason,
                "entries": [str(entry.pk) for entry in entries],
                "keys": [[kind, key.hex()] for kind, key in map(pair_of, entries)],
            },
            needs_second=True,
            detail={"reason": reason, "entries": len(entries)},
        )
        proposal.payload_sealed = between_seal(proposal.pk, said.to_bytes())
        proposal.save(update_fields=["payload_sealed"])
    return proposal


def _words(reason: str, words: str) -> str:
    if reason not in REASONS:
        raise UnlistingRefused("Choose the reason why these entries go.")
    if not words.strip() and reason != OTHER:
        return ""
    try:
        return plain_text(words, limit=WORDS_MAX)
    except WordsInvalid as invalid:
        raise UnlistingRefused(f"The words to the second person: {invalid}") from None


def _not_proposed_check(entries: Sequence[ListEntry]) -> None:
    wanted = {str(entry.pk) for entry in entries}
    for proposal in withdrawals_open():
        if not wanted.isdisjoint(proposal.facts["entries"]):
            raise UnlistingRefused(
                f"{proposal.proposed_by} proposed to take some of these off at "
                f"{proposal.proposed_at:%H:%M} UTC on {proposal.proposed_at:%Y-%m-%d}: confirm or "
                "refuse that first."
            )


def withdrawals_open() -> list[Proposal]:
    """Return the proposals to take rows off the list that have not ended, the oldest first."""
    ones = Proposal.objects.filter(kind=ProposalKind.WITHDRAWAL, state__in=PROPOSAL_OPEN)
    related = ("proposed_by", "confirmed_by", "ended_by", "request")
    return list(ones.select_related(*related).order_by("proposed_at"))


def withdrawals_ended(first: int) -> list[Proposal]:
    """Return those that ended last."""
    ones = Proposal.objects.filter(kind=ProposalKind.WITHDRAWAL).exclude(state__in=PROPOSAL_OPEN)
    related = ("proposed_by", "confirmed_by", "ended_by")
    return list(ones.select_related(*related).order_by("-ended_at")[:first])


def said_of(proposal: Proposal) -> Said | None:
    """Return what the proposer told; None once it ended, or where it can be read no more.

    Raises:
        SecretUnavailable: this process does not hold the reviewers' key.
    """
    data = between_open(proposal.pk, proposal.payload_sealed)
    return Said.from_bytes(data) if data is not None else None


def pairs_withdrawn() -> set[Pair]:
    """Return every kind and key that was ever taken off the list, by the proposals that did it."""
    taken = Proposal.objects.filter(kind=ProposalKind.WITHDRAWAL, state=ProposalState.TAKEN)
    facts = taken.values_list("facts", flat=True)
    return {(kind, bytes.fromhex(key)) for fact in facts for kind, key in fact["keys"]}


def _withdrawn(proposal: Proposal) -> None:
    """Delete the entries, all of them or none; both persons must still be allowed to decide."""
    right_check(proposal.proposed_by, DECIDE, "The proposer may not decide any more.")
    two_check(proposal)
    wanted = [uuid.UUID(pk) for pk in proposal.facts["entries"]]
    entries = entries_locked(ListEntry.objects.filter(pk__in=wanted))
    if len(entries) != len(wanted):
        raise EffectStale("An entry has left the list, or was approved anew.")
    ListEntry.objects.filter(pk__in=wanted).delete()
    actor = audit.staff(proposal.proposed_by.pk)
    audit.audit_append(act="unlisted", actor=actor, detail=_detail(proposal))


def _detail(proposal: Proposal) -> dict[str, Any]:
    """Return what the audit log says: counts and codes, and a digest that pins the keys."""
    facts, second = proposal.facts, proposal.confirmed_by
    keys = "".join(f"{kind} {key}\n" for kind, key in facts["keys"])
    return {
        "reason": facts["reason"],
        "entries": len(facts["entries"]),
        "keys_sha256": hashlib.sha256(keys.encode()).hexdigest(),
        "confirmed_by": audit.staff(second.pk) if second else None,
    }


def register() -> None:
    """Have confirmed proposals take effect from now on."""
    effect_register(ProposalKind.WITHDRAWAL, _withdrawn)
