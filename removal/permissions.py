"""Who may do what on the maintainers' side: the rights by name, and the roles made of them.

A role is a group of Django's own, made by migration 0005 with the rights below; an operator may
change the groups later. A person can have several roles, and a superuser has all of them. Rights
are asked for by page and by writer alike; that nobody confirms their own proposal is no right that
could be given: `life.proposals` and the database see to it.
"""

from collections.abc import Mapping
from typing import Final

SEE: Final = "removal.view_removalrequest"
"""Read requests, but no picture."""
REVIEW: Final = "removal.change_removalrequest"
"""Claim, ask, write, extend, escalate, and propose decisions."""
REVEAL: Final = "removal.reveal_picture"
DECIDE: Final = "removal.decide_request"
"""Decide alone what one person may, and confirm what somebody else proposed."""
ESCALATED: Final = "removal.see_escalated"
AUDIT: Final = "removal.view_auditentry"
AUDIT_EXPORT: Final = "removal.export_auditentry"
HEALTH: Final = "removal.see_health"
RELEASES: Final = "releases.view_release"
LEDGER: Final = "releases.view_listentry"
BUILD: Final = "releases.add_release"
PUBLISH: Final = "releases.change_release"
COVERAGE: Final = frozenset({"catalog.view_dataset", "catalog.view_group"})

_REVIEWER: Final = frozenset({SEE, REVIEW, REVEAL, RELEASES}) | COVERAGE

ROLES: Final[Mapping[str, frozenset[str]]] = {
    "reviewer": _REVIEWER,
    "approver": _REVIEWER | {DECIDE},
    "release manager": frozenset({RELEASES, LEDGER, BUILD, PUBLISH}) | COVERAGE,
    "auditor": frozenset({SEE, AUDIT, AUDIT_EXPORT, HEALTH, RELEASES, LEDGER}) | COVERAGE,
    "operator": frozenset({HEALTH, RELEASES}) | COVERAGE,
    "escalation": frozenset({SEE, REVIEW, REVEAL, ESCALATED}),
}
