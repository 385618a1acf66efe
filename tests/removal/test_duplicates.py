"""Duplicates of approved rows: asked for by the decision, judged as their sources, offered once."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from catalog.models import Group
from indexer.decode import ImageRefused
from indexer.evidence.verdict import Match
from indexer.placement import Placement
from removal.custody import content
from removal.custody.content import FoundRow, row_opened
from removal.custody.sealing import Place, role_key, unwrap
from removal.life import appeals, destroying, duplicates, escalation
from removal.life.duplicates import REPLACED, ROWS_MOST, Source, sources_from_bytes
from removal.life.escalation import request_escalate
from removal.models import (
    AuditEntry,
    Candidate,
    Errand,
    ErrandKind,
    ErrandState,
    ErrandUnit,
    Kind,
    Purpose,
    Recipient,
    Verdict,
    Wrap,
)
from removal.search import copies, errand_kinds, errands
from removal.search.copies import CopyEvidence, copies_found
from removal.search.duplicates import DuplicatesWork
from removal.search.leases import FRAIL
from removal.search.searching import PicturesUnavailable
from removal.search.sources import RowPrint
from removal.selectors import request_status
from tests.removal import factories
from tests.removal.deciding import request_decide
from tests.removal.factories import Case, FakeSearcher, catalog_group, match

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]

LAID = Placement((1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), ((0.5, 0.5, 0.5, 0.5),))


class FakeReader:
    """Reads no row, and remembers by what each was made a query."""

    def __init__(self) -> None:
        self.by: list[tuple[str, str]] = []
        self.away = False
        self.unreadable = False

    def pictures(self, group: Group, rows: Sequence[FoundRow]) -> list[bytes | None]:
        if self.away:
            raise PicturesUnavailable("the disk is away")
        return [row.key.encode() for row in rows]

    def by_picture(self, row: FoundRow, picture: bytes, encoders: Sequence[str]) -> RowPrint:
        assert picture == row.key.encode()
        if self.unreadable:
            raise ImageRefused("broken")
        return self._made("picture", row, b"probe")

    def by_index(self, group: Group, row: FoundRow) -> RowPrint:
        return self._made("index", row)

    def by_record(self, row: FoundRow) -> RowPrint:
        return RowPrint(f"photo by record {row.key}".encode())

    def group_search(self, group: Group, fingerprints: Sequence[Any], *, top: int) -> Any:
        return list(fingerprints)

    def _made(self, how: str, row: FoundRow, probe: bytes = b"") -> RowPrint:
        self.by.append((how, row.key))
        return RowPrint(f"photo by {how} {row.key}".encode(), probe)


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> FakeReader:
    made = FakeReader()
    monkeypatch.setitem(errand_kinds.WORK, ErrandKind.DUPLICATES, DuplicatesWork(made))
    return made


def found(*keys: str, kind: str = "copy", **changes: Any) -> FakeSearcher:
    return FakeSearcher([match(kind, key=key, **changes) for key in keys])


def work(searcher: FakeSearcher) -> None:
    """Have the workers do all that waits."""
    for _ in range(3):
        for errand in errands.errands_idle():
            errands.errand_advance(errand.pk, searcher=searcher)
        for group in errands.groups_waiting():
            errands.errands_drain(group.group_id, searcher=searcher)


def offers(case: Case) -> list[tuple[str, FoundRow]]:
    key = unwrap(case.request_id, Purpose.CASE, Recipient.REVIEWER, role_key(Recipient.REVIEWER))
    rows = Candidate.objects.filter(request=case.request_id, offered=True)
    return sorted(((one.kind, row_opened(one, key)) for one in rows), key=lambda one: one[1].key)


def order_of(errand: Errand) -> list[Source]:
    key = unwrap(errand.pk, Purpose.ERRAND, Recipient.WORKER, role_key(Recipient.WORKER))
    place = Place(errand.pk, Purpose.ERRAND, content.ORDER)
    return sources_from_bytes(key.open(errand.order_sealed, place))


def partly() -> Case:
    return factories.decided(approve=(0,), reason="different_picture")


# --- it is asked ------------------------------------------------------------------------------


def test_a_decision_asks_for_the_duplicates_of_what_it_approves() -> None:
    case = factories.decided(approve=(0, 1))
    errand = Errand.objects.get()
    assert (errand.kind, errand.request_id, errand.state, errand.asked_by) == (
        ErrandKind.DUPLICATES,
        case.request_id,
        ErrandState.ASKED,
        None,
    )
    sources = order_of(errand)
    assert [(one.kind, one.row.key) for one in sources] == [
        (Kind.EXACT, "000000001"),
        (Kind.COPY, "000000002"),
    ]
    assert [one.candidate for one in sources] == [one.pk for one in case.candidates[:2]]
    assert not Wrap.objects.filter(key__errand=errand, recipient=Recipient.REVIEWER).exists()


def test_nothing_is_asked_where_nothing_is_approved_or_the_service_does_not(settings: Any) -> None:
    factories.decided(approve=(), reason="public_interest")
    settings.UNLIST = settings.UNLIST.model_copy(update={"duplicates": False})
    factories.decided(approve=(0, 1))
    assert not Errand.objects.exists()


def test_of_many_rows_the_best_are_searched_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "ROWS_MOST", 2)
    factories.decided(approve=(2, 1, 0))
    assert [one.kind for one in order_of(Errand.objects.get())] == [Kind.EXACT, Kind.COPY]
    assert ROWS_MOST == 100


# --- it is searched ---------------------------------------------------------------------------


def test_what_is_found_is_offered_and_nobody_is_told(reader: FakeReader) -> None:
    case = factories.decided(approve=(0, 1))
    before = request_status(opened=case.opened())
    work(found("000000007", "000000008"))
    assert [(kind, row.key) for kind, row in offers(case)] == [
        (Kind.COPY, "000000007"),
        (Kind.COPY, "000000008"),
    ]
    _, row = offers(case)[0]
    assert (row.photos, row.regions) == ((), {})
    assert row.duplicate_of == str(case.candidates[0].pk)
    assert row.evidence["address"] is None
    assert request_status(opened=case.opened()) == before
    errand = Errand.objects.get()
    assert (errand.state, bytes(errand.order_sealed)) == (ErrandState.DONE, b"")
    assert not Wrap.objects.filter(recipient=Recipient.WORKER).exists()
    assert not ErrandUnit.objects.exists()
    [entry] = AuditEntry.objects.filter(act="duplicates_found")
    assert entry.detail == {"sources": 2, "exact": 0, "copy": 2, "similar": 0, "left_out": 0}


def test_rows_that_the_request_has_already_are_not_offered_again(reader: FakeReader) -> None:
    case = partly()  # the second and third stay, by decision
    work(found("000000001", "000000002", "000000003", "000000009"))
    assert [row.key for _, row in offers(case)] == ["000000009"]


def test_a_row_of_an_escalated_request_is_not_offered(reader: FakeReader) -> None:
    other = factories.in_review([match("copy", key="000000008")])
    finder = factories.role_user("finder", "reviewer")
    request_escalate(request_id=other.request_id, reviewer=finder)
    case = partly()
    work(found("000000008", "000000009"))
    assert [row.key for _, row in offers(case)] == ["000000009"]


def test_a_source_is_searched_by_its_picture_where_there_is_one(reader: FakeReader) -> None:
    catalog_group(pictured=True)
    factories.decided(approve=(0, 1))
    work(found())
    assert reader.by == [("picture", "000000001"), ("picture", "000000002")]


def test_a_source_without_a_picture_that_can_be_read_is_searched_by_its_index(
    reader: FakeReader,
) -> None:
    factories.decided(approve=(0,), reason="different_picture")
    work(found())
    assert reader.by == [("index", "000000001")]


def test_a_picture_that_cannot_be_decoded_is_searched_by_its_index(reader: FakeReader) -> None:
    catalog_group(pictured=True)
    reader.unreadable = True
    partly()
    work(found())
    assert reader.by == [("index", "000000001")]


def test_pictures_that_are_away_are_waited_for_and_at_last_done_without(
    reader: FakeReader,
) -> None:
    catalog_group(pictured=True)
    reader.away = True
    case = partly()
    work(found("000000009"))
    unit = ErrandUnit.objects.get()
    assert (unit.state, unit.error) == (ErrandUnit.State.FAILED, "pictures_unavailable")
    ErrandUnit.objects.update(attempts=FRAIL - 1, lease_until=None)
    work(found("000000009"))
    assert reader.by == [("index", "000000001")]
    assert [row.key for _, row in offers(case)] == ["000000009"]


def test_a_source_whose_dataset_is_gone_is_searched_by_what_was_recorded(
    reader: FakeReader,
) -> None:
    case = partly()
    Group.objects.all().delete()
    catalog_group(dataset="other")
    work(found("000000009"))
    assert reader.by == []
    assert [row.key for _, row in offers(case)] == ["000000009"]


def test_the_likely_rows_of_a_group_are_compared_with_the_source(reader: FakeReader) -> None:
    catalog_group(pictured=True)
    case = partly()
    places = [factories.row_to_verify(key) for key in ("000000001", "000000009", "000000010")]
    searcher = FakeSearcher([match(key="000000009")], rows=places, inliers={"000000009": 31})
    work(searcher)
    # Not the source itself, nor what is unlikely by its fingerprints.
    assert searcher.verified == [[(b"probe", places[1])]]
    assert [row.evidence["inliers"] for _, row in offers(case)] == [31]


def test_of_very_many_duplicates_the_best_are_offered(
    reader: FakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("removal.search.duplicates.OFFERED_MOST", 2)
    case = partly()
    worst = match(key="000000010", score=0.91)
    work(FakeSearcher([worst, match(key="000000011"), match("exact", key="000000012")]))
    assert [row.key for _, row in offers(case)] == ["000000011", "000000012"]
    assert AuditEntry.objects.get(act="duplicates_found").detail["left_out"] == 1


# --- it is judged -----------------------------------------------------------------------------


def source(n: int, kind: Kind, **changes: Any) -> Source:
    row = FoundRow(
        dataset="sample",
        group=0,
        shard="00000",
        key=f"{n:09}",
        index=n,
        offset=None,
        url=f"https://pictures.example.org/{n}.jpg",
        sha256=None,
        md5=None,
        score=1.0,
        evidence={},
        photos=(1,),
    )
    return Source(uuid.uuid4(), kind, replace(row, **changes))


class Judge(FakeSearcher):
    """Concludes for a query what it is told to."""

    def __init__(self, answers: Mapping[bytes, Sequence[Match]]) -> None:
        super().__init__()
        self.answers = answers
        self.geometry: list[Any] = []

    def conclude(self, hits: Sequence[bytes], *, top: int, geometry: Any) -> list[Match]:
        self.geometry.append(dict(geometry))
        return [one for hit in hits for one in self.answers[hit]]


@pytest.mark.parametrize(
    ("own", "its", "expected"),
    [
        ("exact", "exact", Kind.EXACT),
        ("exact", "copy", Kind.COPY),
        ("copy", "exact", Kind.COPY),
        ("copy", "copy", Kind.COPY),
        ("similar", "exact", Kind.SIMILAR),
        ("similar", "copy", Kind.SIMILAR),
        ("exact", "similar", None),
        ("similar", "similar", None),
    ],
)
def test_a_duplicate_is_no_surer_than_its_source_or_its_match(
    own: str, its: str, expected: Kind | None
) -> None:
    sources = {1: source(1, Kind(own))}
    judge = Judge({b"hit": [match(its, placement=LAID)]})
    got = copies_found(sources, CopyEvidence(hits={1: [b"hit"]}, geometry={1: {}}), judge)
    assert [kind for kind, _ in got] == ([expected] if expected else [])
    for _, row in got:
        assert row.placements == {0: LAID}
        assert FoundRow.from_bytes(row.to_bytes()) == row


def test_a_row_that_several_sources_lead_to_is_offered_by_the_surest() -> None:
    sources = {1: source(1, Kind.EXACT), 2: source(2, Kind.COPY), 3: source(3, Kind.EXACT)}
    near, nearer = match(score=0.93), match(score=0.98)
    same = match("exact", score=1.0)
    evidence = CopyEvidence(hits={1: [b"a"], 2: [b"b"], 3: [b"c"]})
    judge = Judge({b"a": [near], b"b": [same], b"c": [nearer]})
    [(kind, row)] = copies_found(sources, evidence, judge)
    assert (kind, row.score, row.duplicate_of) == (Kind.COPY, 1.0, str(sources[2].candidate))


def test_an_address_in_another_spelling_is_as_sure_as_its_source() -> None:
    url = "https://pictures.example.org/1.jpg"
    sources = {1: source(1, Kind.COPY, url=url, score=0.94), 2: source(2, Kind.SIMILAR)}
    followed = match("exact", key="000000020", url=url.replace("https", "http"))
    stranger = match("exact", key="000000021", url="https://elsewhere.example.org/")
    both = match("copy", key="000000022", url=url, score=0.92)
    judge = Judge({b"a": [both], b"f": [followed, stranger, both]})
    got = copies_found(sources, CopyEvidence(hits={1: [b"a"]}, followed=[b"f"]), judge)
    facts = {row.key: (kind, row.score, row.evidence["address"]) for kind, row in got}
    assert facts == {
        "000000020": (Kind.COPY, 0.94, "followed"),
        "000000022": (Kind.COPY, 0.92, None),
    }
    assert not any(row.evidence["digest"] for _, row in got)


def test_the_sources_themselves_are_no_duplicates() -> None:
    sources = {n: source(n, Kind.EXACT) for n in (1, 2)}
    judge = Judge({b"a": [match("exact", key="000000001"), match("copy", key="000000002")]})
    assert copies_found(sources, CopyEvidence(hits={1: [b"a"], 2: [b"a"]}), judge) == []


def test_evidence_of_groups_is_joined() -> None:
    written = CopyEvidence(hits={1: [b"a"], 2: [b"b"]}, geometry={2: {("d", "s", 3): "{}"}})
    other = CopyEvidence(hits={1: [b"c"]}, followed=[b"f"])
    joined = copies.evidence_joined([written.to_bytes(), other.to_bytes()])
    assert joined.hits == {1: [b"a", b"c"], 2: [b"b"]}
    assert joined.geometry == {2: {("d", "s", 3): "{}"}}
    assert joined.followed == [b"f"]


# --- meanwhile --------------------------------------------------------------------------------


def test_a_second_decision_searches_again_and_offers_nothing_twice(reader: FakeReader) -> None:
    case = partly()
    work(found("000000009"))
    appeals.request_appeal(opened=case.opened(), text="Look again, please.")
    decide_all(case)
    assert Errand.objects.filter(state=ErrandState.ASKED).count() == 1
    [again] = Errand.objects.filter(state=ErrandState.ASKED)
    assert [one.row.key for one in order_of(again)] == ["000000002"]
    work(found("000000009", "000000010"))
    assert [row.key for _, row in offers(case)] == ["000000009", "000000010"]


def test_a_search_that_has_not_ended_is_replaced_and_its_rows_searched_by_anew(
    reader: FakeReader,
) -> None:
    case = partly()
    first = Errand.objects.get()
    appeals.request_appeal(opened=case.opened(), text="Look again, please.")
    decide_all(case)
    first.refresh_from_db()
    assert (first.state, first.fault) == (ErrandState.FAILED, REPLACED)
    [second] = Errand.objects.filter(state=ErrandState.ASKED)
    assert [one.row.key for one in order_of(second)] == ["000000001", "000000002"]
    work(found("000000009"))
    assert len(offers(case)) == 1


def decide_all(case: Case) -> None:
    candidates = case.candidates
    request_decide(
        request_id=case.request_id,
        reviewer=factories.staff_user(),
        approve=[one.pk for one in candidates if one.kind != Kind.SIMILAR],
        deny_reason=None,
        statement="",
        tier="exact",
    )


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_erasing_the_request_ends_its_search(reader: FakeReader, steps: int) -> None:
    case = partly()
    group = Group.objects.get()
    for _ in range(steps):
        errands.errand_advance(Errand.objects.get().pk, searcher=found("000000009"))
        errands.errands_drain(group.pk, searcher=found("000000009"))
    destroying.request_erase(case.request_id)
    assert not Errand.objects.exists()
    assert not ErrandUnit.objects.exists()
    work(found("000000009"))
    assert not Candidate.objects.exists()


def test_a_case_that_is_destroyed_while_it_is_concluded_is_left_destroyed(
    reader: FakeReader,
) -> None:
    case = partly()
    rest = found("000000009")

    class Slow(FakeSearcher):
        def conclude(self, hits: Any, *, top: int, geometry: Any) -> list[Match]:
            if ErrandUnit.objects.filter(stage="search", state="done").exists():
                destroying.case_destroy(case.request_id)
            return rest.conclude(hits, top=top, geometry=geometry)

    work(Slow())
    assert not Candidate.objects.exists()
    assert not Errand.objects.exists()


def test_photos_may_be_deleted_meanwhile(reader: FakeReader) -> None:
    case = partly()
    destroying.photos_destroy(case.request_id)
    work(found("000000009"))
    assert [row.key for _, row in offers(case)] == ["000000009"]


def test_an_escalated_request_keeps_what_was_found_out_of_sight(reader: FakeReader) -> None:
    case = partly()
    escalation.request_escalate(request_id=case.request_id, reviewer=factories.staff_user())
    work(found("000000009"))
    assert [row.key for _, row in offers(case)] == ["000000009"]
    assert case.request.held_on is not None
    assert Candidate.objects.get(offered=True).verdict == Verdict.PENDING


def test_nothing_of_the_order_lies_in_the_clear(reader: FakeReader) -> None:
    partly()
    errand = Errand.objects.get()
    errands.errand_advance(errand.pk, searcher=found("000000009"))
    errands.errands_drain(Group.objects.get().pk, searcher=found("000000009"))
    errands.errand_advance(errand.pk, searcher=found("000000009"))
    errands.errands_drain(Group.objects.get().pk, searcher=found("000000009"))
    facts = json.dumps(
        [
            [str(value) if not isinstance(value, bytes) else value.hex() for value in row]
            for model in (Errand, ErrandUnit)
            for row in model.objects.values_list()
        ]
    )
    assert "marked-url" not in facts
    assert b"marked-url".hex() not in facts
    assert "000000001" not in facts
