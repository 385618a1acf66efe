"""What the database keeps of a request, and that it never keeps personal data in the clear.

What a person sent and what was found for it lies in sealed fields (`sealing.py`), readable only
with a private half that is wrapped to the roles of docs/privacy.md "Keys". In the clear there are
states, days, kinds, counts and random identifiers. Times that concern the subject are days.
"""

from removal.models.errands import Errand, ErrandUnit, SweepRow
from removal.models.house import AuditEntry, AuditTip, RetentionRun, SpentTicket
from removal.models.keys import DataKey, SubjectSession, Wrap
from removal.models.requests import Photo, RemovalRequest
from removal.models.search import Candidate, SearchUnit
from removal.models.staff import (
    PROPOSAL_OPEN,
    Claim,
    DeskSettings,
    Flag,
    Proposal,
    SavedView,
    StaffLock,
)
from removal.models.terms import (
    Author,
    Category,
    ErrandKind,
    ErrandState,
    Kind,
    ProposalKind,
    ProposalState,
    Purpose,
    Recipient,
    State,
    Verdict,
    today,
)
from removal.models.words import Message, Question

__all__ = [
    "PROPOSAL_OPEN",
    "AuditEntry",
    "AuditTip",
    "Author",
    "Candidate",
    "Category",
    "Claim",
    "DataKey",
    "DeskSettings",
    "Errand",
    "ErrandKind",
    "ErrandState",
    "ErrandUnit",
    "Flag",
    "Kind",
    "Message",
    "Photo",
    "Proposal",
    "ProposalKind",
    "ProposalState",
    "Purpose",
    "Question",
    "Recipient",
    "RemovalRequest",
    "RetentionRun",
    "SavedView",
    "SearchUnit",
    "SpentTicket",
    "StaffLock",
    "State",
    "SubjectSession",
    "SweepRow",
    "Verdict",
    "Wrap",
    "today",
]
