"""What is read to prove removals: whose proofs are to be kept, of which rows, and what is kept."""

import datetime as dt
import uuid
from dataclasses import dataclass

from django.db.models import QuerySet

from removal.custody import content
from removal.custody.sealing import Place
from removal.models import Kind, Purpose, RemovalRequest, Verdict, today
from removal.selectors.desk import reviewer_key
from removal.selectors.duplicates import with_unreleased
from removal.selectors.subject import ApprovedRow, OpenedRequest, row_approved, rows_opened


@dataclass(frozen=True, slots=True)
class ProvableRows:
    """The rows of a closed request whose removal can be proven.

    Attributes:
        released_in: numbers of the releases that carry them.
        rows: exact and copy alone.
    """

    released_in: tuple[int, ...]
    rows: tuple[ApprovedRow, ...]


def proofs_waiting() -> QuerySet[RemovalRequest]:
    """Return the closed requests with rows in a release whose proofs are not kept yet."""
    closed = RemovalRequest.objects.filter(
        ~with_unreleased(),
        closed_on__isnull=False,
        case_deleted_on__isnull=True,
        proof_sealed=b"",
    )
    return closed.exclude(released_in=[])


def proofs_due() -> list[uuid.UUID]:
    """Return the closed requests whose proofs are not kept yet, the longest closed first."""
    return list(proofs_waiting().order_by("closed_on", "pk").values_list("pk", flat=True))


def proofs_late(*, days: int) -> int:
    """Count those that have been closed for more than some days."""
    return proofs_waiting().filter(closed_on__lt=today() - dt.timedelta(days=days)).count()


def rows_provable(*, request_id: uuid.UUID) -> ProvableRows | None:
    """Return what the proofs of a closed request are made from; None where none are due.

    Raises:
        SecretUnavailable: this process is not of the staff role.
    """
    request = proofs_waiting().filter(pk=request_id).first()
    case = reviewer_key(request, Purpose.CASE) if request else None
    if request is None or case is None:
        return None
    rows = [
        row_approved(row)
        for candidate, row in rows_opened(request, case)
        if candidate.kind != Kind.SIMILAR and candidate.verdict == Verdict.APPROVED
    ]
    return ProvableRows(tuple(request.released_in), tuple(rows))


def proofs_kept(*, opened: OpenedRequest) -> bytes | None:
    """Return what `closing.proofs_keep` sealed; None where nothing is kept."""
    request = opened.request
    if not request.proof_sealed:
        return None
    place = Place(request.pk, Purpose.PROOF, content.PROOFS)
    return opened.key(Purpose.PROOF).open(request.proof_sealed, place)
