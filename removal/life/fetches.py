"""Fetches: a picture that a dataset does not hold is had from the web, if a maintainer asks.

It is off unless the operator turns it on (`UNLIST_FETCH`). A click is one fetch at most, made by a
worker (`search.fetching`): the staff process has the reviewers' key and no business on the web.
What it brings is sealed under the request's `case`, seen through the same frames as any picture,
and dies with the case. Asking and the end of it are in the audit log, without the address. Nothing
is fetched for a request that is escalated, or about which nothing is to be decided any more.
"""

import json
import uuid
from dataclasses import asdict, dataclass
from typing import Final, Self

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from catalog.pictures import row_picture
from removal import audit
from removal.custody import content
from removal.custody.content import FoundRow, json_bytes
from removal.custody.sealing import seal
from removal.life import claims
from removal.life.effects import request_locked
from removal.life.errands import errand_ask, errand_end
from removal.life.reveals import candidate_opened
from removal.models import (
    Candidate,
    Errand,
    ErrandKind,
    ErrandState,
    Purpose,
    State,
    Verdict,
)
from removal.selectors.desk import RequestGone
from removal.selectors.escalated import tags_escalated
from removal.selectors.fetched import FetchedPicture, fetch_last

FETCHES_MOST: Final = 50
"""For one request: nobody has a worker walk through a site."""
ENDED: Final = "ended"
"""The fault of a fetch whose request was decided, escalated or withdrawn before it was over."""
_REVIEWED: Final = frozenset({State.IN_REVIEW, State.NEEDS_INFO})


class FetchDenied(Exception):
    """Nothing was asked to be fetched.

    Attributes:
        code: `off`, `ended`, `no_address`, `has_picture`, `fetched`, `waiting` or `too_many`.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class FetchOrder:
    """What a worker is told: an address, and what the dataset records of the file there."""

    url: str
    sha256: str | None
    md5: str | None

    def to_bytes(self) -> bytes:
        """Serialize for sealing."""
        return json_bytes(asdict(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote."""
        return cls(**json.loads(data))


def fetch_ask(*, candidate_id: uuid.UUID, reviewer: User) -> Errand:
    """Ask workers to fetch the picture of a row from the address that its dataset records.

    Raises:
        FetchDenied: it is not to be fetched; a sentence says why.
        ClaimedByOther: somebody else works on the request.
        RequestGone: there is no such row that they may see.
    """
    candidate, row = candidate_opened(candidate_id, reviewer)
    claims.claim_check(request_id=candidate.request_id, reviewer=reviewer)
    url = _address(candidate, row)
    order = FetchOrder(url=url, sha256=row.sha256, md5=row.md5)
    with transaction.atomic():
        request = request_locked(candidate.request_id)
        errand = errand_ask(
            ErrandKind.FETCH,
            order=order.to_bytes(),
            request=request,
            candidate=_still_wanted(candidate_id),
            asked_by=reviewer,
        )
        actor, tag = audit.staff(reviewer.pk), audit.subject_tag(request)
        audit.audit_append(act="fetch_asked", actor=actor, tag=tag)
    return errand


def fetch_offered(candidate: Candidate, row: FoundRow) -> bool:
    """Tell whether a row without a picture could be asked for: what its page offers."""
    return settings.UNLIST.fetch and bool(row.url) and fetch_wanted(candidate)


def fetch_wanted(candidate: Candidate) -> bool:
    """Tell whether there is still something to decide about a row, by who may see it."""
    request = candidate.request
    if request.escalated_on or request.held_on or request.case_deleted_on:
        return False
    if tags_escalated([bytes(candidate.row_tag)]):
        return False
    offered = candidate.offered and candidate.verdict == Verdict.PENDING
    return request.state in _REVIEWED or offered


def row_pictured(row: FoundRow) -> bool:
    """Tell whether the dataset itself holds the row's picture."""
    return row_picture(row.dataset, row.shard, row.key, row.index, row.offset) is not None


def fetch_end(*, errand_id: uuid.UUID, token: uuid.UUID, outcome: FetchedPicture | str) -> bool:
    """End a fetch with what it brought, or with a fault's code; tell whether this call did.

    Args:
        errand_id: which.
        token: of the lease that the worker holds on it.
        outcome: what is kept only where there is still something to decide.
    """
    held = Errand.objects.filter(pk=errand_id, lease_token=token, kind=ErrandKind.FETCH)
    with transaction.atomic():
        owner = held.values_list("request", flat=True).first()
        try:
            request = request_locked(owner)  # first, so that no two lock crosswise
        except RequestGone:
            return False
        errand = held.select_for_update(of=("self",)).select_related("candidate__request").first()
        if errand is None or errand.candidate is None:
            return False
        if isinstance(outcome, FetchedPicture) and not fetch_wanted(errand.candidate):
            outcome = ENDED
        if isinstance(outcome, FetchedPicture):
            item = content.errand_item(errand_id)
            sealed = seal(request.pk, Purpose.CASE, item, outcome.to_bytes())
            held.update(result_sealed=sealed)
        fault = "" if isinstance(outcome, FetchedPicture) else outcome
        state = ErrandState.FAILED if fault else ErrandState.DONE
        if errand_end(errand_id, state, fault=fault):
            _ended_note(request_tag=audit.subject_tag(request), fault=fault)
    return True


def _ended_note(*, request_tag: bytes, fault: str) -> None:
    detail = {"fault": fault} if fault else {}
    act = "fetch_failed" if fault else "fetch_done"
    audit.audit_append(act=act, actor=audit.WORKER, tag=request_tag, detail=detail)


def _address(candidate: Candidate, row: FoundRow) -> str:
    """Return the address to fetch, if anything is to be fetched."""
    if not settings.UNLIST.fetch:
        raise FetchDenied("off", "Fetching is turned off here: the operator sets UNLIST_FETCH.")
    if not row.url:
        raise FetchDenied("no_address", "The dataset records no web address of this row.")
    if row_pictured(row):
        raise FetchDenied("has_picture", "The dataset holds a picture of this row: look at that.")
    _wanted_check(candidate)
    return row.url


def _still_wanted(candidate_id: uuid.UUID) -> Candidate:
    """Return the row, looked at once more while its request's row is locked."""
    candidate = Candidate.objects.select_related("request").filter(pk=candidate_id).first()
    if candidate is None:
        raise RequestGone("What was found for this request is deleted.")
    _wanted_check(candidate)
    last = fetch_last(candidate.pk)
    if last is not None and last.state == ErrandState.DONE:
        raise FetchDenied("fetched", "It was fetched before: load the page again to see it.")
    if last is not None and last.state != ErrandState.FAILED:
        raise FetchDenied("waiting", "It is being fetched already: look again in a moment.")
    asked = Errand.objects.filter(request=candidate.request, kind=ErrandKind.FETCH).count()
    if asked >= FETCHES_MOST:
        sentence = f"{FETCHES_MOST} fetches were asked for this request, and that is the most."
        raise FetchDenied("too_many", sentence)
    return candidate


def _wanted_check(candidate: Candidate) -> None:
    if not fetch_wanted(candidate):
        sentence = "Nothing is fetched for this request: there is nothing to decide about the row."
        raise FetchDenied(ENDED, sentence)
