"""The duplicates of approved rows: the errand's way through the groups (see `errands`).

First the groups that hold the approved rows make each of them a query; then every group is
searched, and compares the pictures of its own best rows within the same unit; then each query is
judged over all groups at once, as a photo's is (`copies`). Only the same file, a copy, or an
address that the dataset stores in another spelling is a duplicate: look-alikes are not offered.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from django.db.models import Q

from catalog.models import Group
from catalog.selectors import datasets_pictured, groups_covered
from removal import audit
from removal.custody import content
from removal.custody.content import FoundRow, RowId, RowToVerify
from removal.custody.sealing import NotReadable
from removal.life.destroying import PURGING
from removal.life.duplicates import Source, sources_from_bytes
from removal.models import Candidate, ErrandUnit, Kind, RemovalRequest
from removal.search.candidates import Found, candidates_make
from removal.search.copies import OFFERED_MOST, CopyEvidence, Sources, copies_found, evidence_joined
from removal.search.errand_kinds import Asked, ErrandOpened, Stage
from removal.search.leases import FRAIL
from removal.search.searching import MATCHES_TOP, PicturesUnavailable, Searcher
from removal.search.sources import CatalogRows, RowPrint, RowReader, has_pictures, rows_print
from removal.selectors.escalated import tags_escalated


class DuplicatesWork:
    """What workers do for a search for duplicates; the order is its sources."""

    batch: Mapping[str, int] = {Stage.PREPARE: 1, Stage.SEARCH: 1}

    def __init__(self, reader: RowReader | None = None) -> None:
        """Take what reads rows; tests have their own."""
        self._reader = reader or CatalogRows()

    def begin(self, opened: ErrandOpened, searcher: Searcher) -> bytes:
        """Nothing is to be done before the first group is asked."""
        del searcher
        return opened.order

    def units(self, opened: ErrandOpened) -> Collection[Asked]:
        """Ask the groups that hold the sources, then all."""
        if opened.asked(Stage.SEARCH):
            return []
        if not opened.asked(Stage.PREPARE) and (groups := _groups_of(_sources(opened).values())):
            return [(Stage.PREPARE, group) for group in groups]
        return [(Stage.SEARCH, group.pk) for group in groups_covered()]

    def answer(
        self,
        group: Group,
        stage: ErrandUnit.Stage,
        errands: Sequence[ErrandOpened],
        searcher: Searcher,
    ) -> Sequence[bytes]:
        """Make a group's own sources queries, or search it by all."""
        if stage == Stage.PREPARE:
            return [self._prepared(group, opened) for opened in errands]
        return [self._searched(group, opened, searcher) for opened in errands]

    def conclude(self, opened: ErrandOpened, searcher: Searcher) -> Callable[[], None]:
        """Judge what was found for each source; offer what was not found before."""
        request_id = opened.errand.request_id
        if request_id is None:
            raise NotReadable("This search for duplicates is about no request.")
        sources = _sources(opened)
        found = copies_found(sources, evidence_joined(opened.results(Stage.SEARCH)), searcher)
        return partial(_offer, request_id, found, len(sources))

    def _prepared(self, group: Group, opened: ErrandOpened) -> bytes:
        mine = {n: one.row for n, one in _sources(opened).items() if _holds(group, one)}
        prints = dict(zip(mine, self._made(group, list(mine.values()), opened), strict=True))
        parts = [(n, one.fingerprint) for n, one in prints.items()]
        return content.hits_pack([*parts, *((-n, one.probe) for n, one in prints.items())])

    def _made(self, group: Group, rows: list[FoundRow], opened: ErrandOpened) -> list[RowPrint]:
        try:
            return rows_print(group, rows, self._reader, pictured=has_pictures(group))
        except PicturesUnavailable:
            if opened.tries < FRAIL:
                raise
            return rows_print(group, rows, self._reader, pictured=False)

    def _searched(self, group: Group, opened: ErrandOpened, searcher: Searcher) -> bytes:
        sources = _sources(opened)
        prints = {n: self._reader.by_record(one.row) for n, one in sources.items()}
        prints |= _prints(opened)
        addresses = searcher.fingerprint_urls([s.row.url for s in sources.values() if s.row.url])
        queries = [searcher.fingerprint_read(one.fingerprint) for one in prints.values()]
        queries += [addresses] if addresses else []
        hits = [
            hit.to_bytes() for hit in self._reader.group_search(group, queries, top=MATCHES_TOP)
        ]
        evidence = CopyEvidence(followed=hits[len(prints) :])
        for n, hit in zip(prints, hits, strict=False):
            evidence.hits[n].append(hit)
        pairs = _pairs(sources, prints, evidence, searcher)
        for pair, text in zip(pairs, _compared(group, pairs, opened, searcher), strict=True):
            if text is not None:
                evidence.geometry[pair.source][pair.row.id] = text
        return evidence.to_bytes()


# --- the sources and their groups ----------------------------------------------------------------


def _sources(opened: ErrandOpened) -> Sources:
    return dict(enumerate(sources_from_bytes(opened.order), start=1))


def _holds(group: Group, source: Source) -> bool:
    return (source.row.dataset, source.row.group) == (group.dataset.name, group.number)


def _groups_of(sources: Iterable[Source]) -> list[int]:
    """Return the groups that hold any of the sources, as far as they were ever indexed."""
    held = Q(pk__in=())
    for dataset, number in {(one.row.dataset, one.row.group) for one in sources}:
        held |= Q(dataset__name=dataset, number=number)
    return list(groups_covered().filter(held).values_list("pk", flat=True))


def _prints(opened: ErrandOpened) -> dict[int, RowPrint]:
    """Return what the sources' own groups made of them."""
    answers = [content.hits_unpack(one) for one in opened.results(Stage.PREPARE)]
    parts = {n: packed for answer in answers for n, packed in answer}
    return {n: RowPrint(made, parts[-n]) for n, made in parts.items() if n > 0}


# --- the pictures --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pair:
    """A row and the probe of the source that it is compared with."""

    row: RowToVerify
    source: int
    probe: bytes


def _pairs(
    sources: Sources, prints: Mapping[int, RowPrint], evidence: CopyEvidence, searcher: Searcher
) -> list[_Pair]:
    """Return what is worth comparing in a group, the rows of a shard one after the other."""
    own = {(one.row.dataset, one.row.shard, one.row.index) for one in sources.values()}
    pairs = [
        _Pair(row, n, prints[n].probe)
        for n, hits in evidence.hits.items()
        if prints[n].probe
        for row in _worth_comparing(hits, own, searcher)
    ]
    return sorted(pairs, key=lambda pair: pair.row)


def _worth_comparing(
    hits: Sequence[bytes], own: Collection[RowId], searcher: Searcher
) -> list[RowToVerify]:
    """Return the rows that may turn out to be copies: few, for there may be thousands of groups."""
    likely = searcher.conclude(hits, top=MATCHES_TOP, geometry={})
    names = {(one.dataset, one.shard, one.index) for one in likely}.difference(own)
    listed = searcher.shortlist(hits, datasets=datasets_pictured())
    return [row for row in listed if row.id in names]


def _compared(
    group: Group, pairs: Sequence[_Pair], opened: ErrandOpened, searcher: Searcher
) -> list[str | None]:
    try:
        return searcher.rows_verify(group, [(pair.probe, pair.row) for pair in pairs])
    except PicturesUnavailable:
        if opened.tries < FRAIL:
            raise
        return [None] * len(pairs)


# --- the offer -----------------------------------------------------------------------------------


def _offer(request_id: uuid.UUID, found: Sequence[Found], sources: int) -> None:
    """Offer the rows that are no candidates of the request yet, in the caller's transaction.

    Rows of an escalated request are shown to nobody but the escalation role, and left out.

    Raises:
        NotReadable: the case was destroyed meanwhile.
    """
    there = RemovalRequest.objects.select_for_update().filter(case_deleted_on__isnull=True)
    request = there.exclude(closed_on=PURGING).filter(pk=request_id).first()
    if request is None:
        raise NotReadable("The case of this request is destroyed.")
    known = {bytes(tag) for tag in request.candidates.values_list("row_tag", flat=True)}
    new = [one for one in candidates_make(request, found) if one.row_tag not in known]
    hidden = tags_escalated(bytes(one.row_tag) for one in new)
    made = [one for one in new if one.row_tag not in hidden]
    offered = made[:OFFERED_MOST]
    for candidate in offered:
        candidate.offered = True
    Candidate.objects.bulk_create(offered)
    kinds = Counter(one.kind for one in offered)
    counts = {kind.value: kinds[kind] for kind in Kind}
    audit.audit_append(
        act="duplicates_found",
        actor=audit.WORKER,
        tag=audit.subject_tag(request),
        detail={"sources": sources, **counts, "left_out": len(made) - len(offered)},
    )
