"""What the maintainers' side reads of one request: all that it takes to decide.

Rows and words are opened with the reviewers' private key, which only the staff role holds.
Pictures are shown through `life.reveals`, which notes it.
"""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.models import User

from removal.audit import subject_tag
from removal.custody import content
from removal.custody.content import Content, FoundRow, Region, row_opened
from removal.custody.sealing import NotReadable, Place, PrivateKey, Stored, role_key, unwrap
from removal.custody.shred import KeyShredded
from removal.models import (
    AuditEntry,
    Candidate,
    Flag,
    Kind,
    Photo,
    Purpose,
    Recipient,
    RemovalRequest,
    Verdict,
)
from removal.selectors.conversation import (
    MessageView,
    QuestionView,
    messages_read,
    questions_read,
)
from removal.selectors.others import OtherRequest, others_of
from removal.selectors.progress import SearchProgress, search_progress
from removal.selectors.sight import requests_seen
from removal.selectors.subject import domain

_GONE: Final = "There is no such request: it may have been purged on its clock."
_KIND_ORDER: Final = {Kind.EXACT: 0, Kind.COPY: 1, Kind.SIMILAR: 2}


class RequestGone(LookupError):
    """There is no such request (any more), or what it held is deleted."""


@dataclass(frozen=True, slots=True)
class PhotoView:
    """One photo of a request, to be revealed by its id."""

    id: uuid.UUID
    n: int
    held: bool
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CandidateView:
    """One row beside the photo."""

    id: uuid.UUID
    kind: str
    score: float
    evidence: dict[str, Any]
    dataset: str
    key: str
    url: str | None
    domain: str | None
    shard: str
    index: int
    offset: int | None
    photos: tuple[int, ...]
    """Places of the photos it was found by; empty where a URL found it."""
    digests: tuple[str, ...]
    """Of its file, as the dataset records them."""
    regions: dict[int, Region | None]
    """Of the photos that it is a copy of, the part that it covers."""
    corners: tuple[tuple[float, float], ...]
    """Where its picture's corners lie on the photo that it was laid over, in shares of the
    photo's sides, from its upper left clockwise; empty where that is not known."""
    verdict: str
    other_requests: int
    """How many other requests hit the same row."""
    question: QuestionView | None
    """What the subject was asked about it, and answered."""
    duplicate_of: uuid.UUID | None = None
    """The approved candidate that led to it, where it was found as a duplicate."""

    @property
    def nameable(self) -> bool:
        """Whether a list could name it."""
        return bool(self.url or self.digests)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One entry of the request's audit history."""

    seq: int
    day: dt.date
    at: dt.datetime | None
    actor: str
    act: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ReviewCase:
    """A request as a maintainer sees it."""

    request: RemovalRequest
    photos: tuple[PhotoView, ...]
    candidates: tuple[CandidateView, ...]
    offered: tuple[CandidateView, ...]
    """Duplicates of its approved rows, found after the decision, which wait to be looked at."""
    set_aside: int
    """How many such were set aside."""
    note: str
    urls: tuple[str, ...]
    statement: str
    extension_reason: str
    appeal: str
    messages: tuple[MessageView, ...]
    history: tuple[HistoryEntry, ...]
    progress: SearchProgress
    others: tuple[OtherRequest, ...]
    """Other requests that hit some of the same rows."""
    others_unlisted: int
    """How many there are beside those listed."""
    flags: tuple[Flag, ...]
    deleted: bool
    """The case was deleted: words and rows are gone for good."""


def review_case(*, request_id: uuid.UUID, reviewer: User) -> ReviewCase:
    """Open a request for a maintainer.

    Raises:
        RequestGone: there is no such request that they may see.
        SecretUnavailable: this process does not hold the reviewers' key.
    """
    request = request_visible(request_id, reviewer)
    case = reviewer_key(request, Purpose.CASE)
    others = others_of(request, reviewer)
    found = _candidates(request, case, others.by_row) if case else ()
    return ReviewCase(
        request=request,
        photos=tuple(_photo_view(photo) for photo in request.photos.all()),
        candidates=tuple(view for offered, view in found if not offered),
        offered=tuple(view for offered, view in found if offered and _pending(view)),
        set_aside=sum(offered and not _pending(view) for offered, view in found),
        note=_content(request, case).note,
        urls=_content(request, case).urls,
        statement=_words(request, case, content.STATEMENT, request.statement_sealed),
        extension_reason=_words(request, case, content.EXTENSION, request.extension_sealed),
        appeal=_words(request, case, content.APPEAL, request.appeal_sealed),
        messages=messages_read(request, case),
        history=_history(request),
        progress=search_progress(request),
        others=others.listed,
        others_unlisted=others.unlisted,
        flags=tuple(request.flags.order_by("raised_on", "code")),
        deleted=case is None,
    )


def request_visible(request_id: uuid.UUID, reviewer: User) -> RemovalRequest:
    """Return a request by its id to a reviewer.

    Raises:
        RequestGone: there is none, or it was escalated and they may not see it.
    """
    request = requests_seen(reviewer).filter(pk=request_id).first()
    if request is None:
        raise RequestGone(_GONE)
    return request


def request_found(request_id: uuid.UUID) -> RemovalRequest:
    """Return a request by its id.

    Raises:
        RequestGone: there is none.
    """
    request = RemovalRequest.objects.filter(pk=request_id).first()
    if request is None:
        raise RequestGone(_GONE)
    return request


def reviewer_key(request: RemovalRequest, purpose: Purpose) -> PrivateKey | None:
    """Return a data key of the request to a reviewer; None once it was destroyed."""
    try:
        return unwrap(request.pk, purpose, Recipient.REVIEWER, role_key(Recipient.REVIEWER))
    except (NotReadable, KeyShredded):
        return None


def case_key_held(request: RemovalRequest) -> PrivateKey:
    """Return the `case` key of a request to a reviewer.

    Raises:
        RequestGone: it was destroyed.
    """
    case = reviewer_key(request, Purpose.CASE)
    if case is None:
        raise RequestGone("What was found for this request is deleted.")
    return case


def _photo_view(photo: Photo) -> PhotoView:
    return PhotoView(photo.pk, photo.n, photo.state == Photo.State.HELD, tuple(photo.flags))


def _content(request: RemovalRequest, case: PrivateKey | None) -> Content:
    if case is None or not request.content_sealed:
        return Content("", ())
    place = Place(request.pk, Purpose.CASE, content.CONTENT)
    return Content.from_bytes(case.open(request.content_sealed, place))


def _words(request: RemovalRequest, case: PrivateKey | None, item: str, sealed: Stored) -> str:
    if case is None or not sealed:
        return ""
    return case.open(sealed, Place(request.pk, Purpose.CASE, item)).decode()


def _candidates(
    request: RemovalRequest, case: PrivateKey, others: dict[bytes, int]
) -> list[tuple[bool, CandidateView]]:
    """Return whether each is (still) offered, and what is seen of it; the surest first."""
    asked = {question.candidate: question for question in questions_read(request, case)}
    views = [
        (
            candidate.offered,
            _candidate_view(
                candidate,
                row_opened(candidate, case),
                others.get(bytes(candidate.row_tag), 0),
                asked.get(candidate.pk),
            ),
        )
        for candidate in request.candidates.all()
    ]
    return sorted(views, key=lambda pair: (_KIND_ORDER[Kind(pair[1].kind)], -pair[1].score))


def _pending(view: CandidateView) -> bool:
    return view.verdict == Verdict.PENDING


def _candidate_view(
    candidate: Candidate, row: FoundRow, others: int, question: QuestionView | None
) -> CandidateView:
    return CandidateView(
        id=candidate.pk,
        kind=candidate.kind,
        score=row.score,
        evidence=row.evidence,
        dataset=row.dataset,
        key=row.key,
        url=row.url,
        domain=domain(row.url),
        shard=row.shard,
        index=row.index,
        offset=row.offset,
        photos=row.photos,
        digests=tuple(digest for digest in (row.sha256, row.md5) if digest),
        regions=row.regions,
        corners=_corners(row),
        verdict=Verdict(candidate.verdict).value,
        other_requests=others,
        question=question,
        duplicate_of=uuid.UUID(row.duplicate_of) if row.duplicate_of else None,
    )


def _corners(row: FoundRow) -> tuple[tuple[float, float], ...]:
    placement = row.placements.get(photo_beside(row) or 0)
    return tuple((float(x), float(y)) for x, y in placement.corners()) if placement else ()


def photo_beside(row: FoundRow) -> int | None:
    """Return the place of the photo to show beside a row: one that it was laid over, if any."""
    return min(row.placements, default=min(row.photos, default=None))


def _history(request: RemovalRequest) -> tuple[HistoryEntry, ...]:
    try:
        tag = subject_tag(request)
    except KeyShredded:
        return ()
    entries = AuditEntry.objects.filter(subject=tag).order_by("seq")
    return tuple(
        HistoryEntry(entry.seq, entry.day, entry.at, entry.actor, entry.act, entry.detail)
        for entry in entries
    )
