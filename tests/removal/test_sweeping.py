"""Sweeps: who starts one, what workers find, what two persons list, and what is left of it."""

import datetime as dt
import io
from collections import Counter
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from PIL import Image

from catalog.models import Group
from removal.custody import content, shred
from removal.custody.sealing import NotReadable, Place, role_key, unwrap
from removal.custody.sweeps import SweepAsked, SweepOrder
from removal.life import retention
from removal.life.effects import ProposalRefused, proposals_take_effect
from removal.life.escalation import request_escalate
from removal.life.proposals import proposal_confirm, proposal_refuse, proposal_undo
from removal.life.sweep_choice import (
    SweepBusy,
    rows_choose,
    rows_choose_first,
    sweep_dismiss,
    sweep_propose,
)
from removal.life.sweep_ends import DAYS_KEPT, sweeps_end
from removal.life.sweeping import EXAMPLE_SIDE, PER_DAY_MOST, SweepInvalid, sweep_start
from removal.models import (
    AuditEntry,
    Errand,
    ErrandKind,
    ErrandState,
    Proposal,
    ProposalKind,
    ProposalState,
    Purpose,
    Recipient,
    SweepRow,
    Wrap,
)
from removal.search import errand_kinds, errands, sweeps
from removal.search.errands import ErrandRefused
from removal.search.searching import EncoderMissing
from removal.search.sweeps import SweepsWork
from removal.selectors.desk import RequestGone
from removal.selectors.sweeps import (
    account_read,
    sweep_row_found,
    sweep_view,
    sweeps_counted,
    sweeps_listed,
)
from tests.removal import factories
from tests.removal.factories import match
from tests.removal.sweeping import WORDS, FakeSweeper, asked, places, searched, started, swept_row

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]

TEXT_ENCODER = "ViT-B-32/openai"


@pytest.fixture(autouse=True)
def _at_once(settings: Any) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": 0})


@pytest.fixture(autouse=True)
def sweeper(monkeypatch: pytest.MonkeyPatch) -> FakeSweeper:
    """Let workers find what this one finds."""
    return worked_by(FakeSweeper(), monkeypatch)


def worked_by(sweeper: FakeSweeper, monkeypatch: pytest.MonkeyPatch) -> FakeSweeper:
    monkeypatch.setitem(errand_kinds.WORK, ErrandKind.SWEEP, SweepsWork(sweeper))
    return sweeper


def proposed(errand: Errand, *numbers: int, name: str = "finder", **changes: Any) -> Proposal:
    """Choose rows by their places, and propose to list them."""
    reviewer = factories.role_user(name, "reviewer")
    ids = list(errand.rows.values_list("pk", flat=True))
    rows_choose(errand_id=errand.pk, reviewer=reviewer, shown=ids, ticked=places(errand, *numbers))
    words = {"tier": "exact", "reason": "medical", "words": "", **changes}
    return sweep_propose(errand_id=errand.pk, reviewer=reviewer, **words)


def order_of(errand: Errand) -> SweepOrder:
    key = unwrap(errand.pk, Purpose.ERRAND, Recipient.WORKER, role_key(Recipient.WORKER))
    place = Place(errand.pk, Purpose.ERRAND, content.ORDER)
    return SweepOrder.from_bytes(key.open(errand.order_sealed, place))


def acts() -> list[str]:
    log = AuditEntry.objects.order_by("seq")
    return [one.act for one in log if one.act.startswith(("sweep", "proposal", "proposed"))]


def nothing_left(errand: Errand, names: list[Any]) -> bool:
    errand.refresh_from_db()
    gone = not Wrap.objects.filter(key__errand=errand).exists() and not errand.rows.exists()
    for name in names:
        with pytest.raises(shred.KeyShredded):
            shred.key_read(name)
    return gone and not errand.result_sealed and not errand.order_sealed


# --- starting one ----------------------------------------------------------------------------


def test_an_example_is_kept_small_and_sealed_and_only_until_vectors_are_made(
    sweeper: FakeSweeper,
) -> None:
    large = factories.photo_bytes(1, side=1500)
    factories.catalog_group()
    reviewer = factories.role_user("finder", "reviewer")
    errand = sweep_start(reviewer=reviewer, asked=asked(), example=large)
    kept = order_of(errand).example
    assert kept.startswith(b"\xff\xd8")
    assert max(Image.open(io.BytesIO(kept)).size) == EXAMPLE_SIDE
    assert kept not in bytes(errand.order_sealed)
    errands.errand_advance(errand.pk)
    errand.refresh_from_db()
    assert sweeper.examples == [kept]
    assert order_of(errand).example == b""
    assert set(order_of(errand).vectors) == {"efficientnet-lite0/imagenet"}


def test_a_text_by_an_encoder_that_reads_none_is_refused_by_its_name() -> None:
    group = factories.catalog_group()
    reviewer = factories.role_user("finder", "reviewer")
    with pytest.raises(SweepInvalid, match="efficientnet-lite0/imagenet"):
        sweep_start(reviewer=reviewer, asked=asked("text"))
    Group.objects.filter(pk=group.pk).update(encoder=TEXT_ENCODER)
    errand = sweep_start(reviewer=reviewer, asked=asked("text"))
    account = account_read(errand)
    assert account is not None
    assert account.asked.text == WORDS
    assert WORDS.encode() not in bytes(errand.order_sealed) + bytes(errand.result_sealed)
    [entry] = AuditEntry.objects.filter(act="sweep_started")
    assert entry.detail == {"start": "text", "datasets": 1, "most": 100}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"most": 0}, "1 to 500"),
        ({"most": 501}, "1 to 500"),
        ({"least": 1.5}, "from 0 to 1"),
        ({"least": float("nan")}, "from 0 to 1"),
        ({"datasets": ()}, "at least one dataset"),
        ({"datasets": ("sample", "other")}, "each of them indexed"),
        ({"start": "row"}, "from a row"),
        ({"start": "text", "text": "x" * 201}, "shorten it to 200"),
        ({"start": "text", "text": " "}, "no words"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], said: str) -> None:
    group = factories.catalog_group()
    if changes.get("start") == "text":
        Group.objects.filter(pk=group.pk).update(encoder=TEXT_ENCODER)
    wanted: SweepAsked = asked(**changes)
    with pytest.raises(SweepInvalid, match=said):
        sweep_start(reviewer=factories.role_user("finder", "reviewer"), asked=wanted)
    assert not Errand.objects.exists()


@pytest.mark.parametrize("example", [b"", factories.PLAIN])
def test_what_is_no_picture_starts_nothing(example: bytes) -> None:
    factories.catalog_group()
    with pytest.raises(SweepInvalid):
        sweep_start(
            reviewer=factories.role_user("finder", "reviewer"), asked=asked(), example=example
        )
    assert not Errand.objects.exists()


def test_who_does_not_review_starts_none() -> None:
    reader, example = factories.role_user("reader", "auditor"), factories.photo_bytes()
    with pytest.raises(ProposalRefused):
        sweep_start(reviewer=reader, asked=asked(), example=example)


def test_nobody_starts_more_than_so_many_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("removal.life.sweeping.PER_DAY_MOST", 2)
    assert PER_DAY_MOST > 2
    started()
    old = started()
    with pytest.raises(SweepInvalid, match="today"):
        started()
    started("another")
    Errand.objects.filter(pk=old.pk).update(asked_at=timezone.now() - dt.timedelta(days=2))
    started()


def test_a_row_of_a_request_starts_one_on_its_own_group(sweeper: FakeSweeper) -> None:
    case = factories.in_review()
    reviewer = factories.role_user("finder", "reviewer")
    errand = sweep_start(reviewer=reviewer, asked=asked("row"), candidate_id=case.candidates[1].pk)
    searched(errand)
    [row] = sweeper.rows
    assert (row.key, row.photos, row.evidence) == ("000000002", (), {})
    assert errand.state == ErrandState.DONE
    assert errand.request is None
    account = account_read(errand)
    assert account is not None
    assert (account.asked.start, account.asked.text) == ("row", "")


def test_a_row_of_an_escalated_request_starts_none() -> None:
    case = factories.in_review()
    candidate = case.candidates[0].pk
    request_escalate(request_id=case.request_id, reviewer=factories.role_user("finder", "reviewer"))
    for name, role, refusal in (
        ("finder", "reviewer", RequestGone),
        ("chief", "escalation", SweepInvalid),
    ):
        reviewer = factories.role_user(name, role)
        with pytest.raises(refusal):
            sweep_start(reviewer=reviewer, asked=asked("row"), candidate_id=candidate)


# --- what workers do -------------------------------------------------------------------------


def test_the_nearest_rows_of_all_groups_are_kept_in_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    factories.catalog_group(number=1)
    found = [(swept_row(n), round(0.9 - n / 10, 2)) for n in range(6)]
    worked_by(FakeSweeper(*found), monkeypatch)
    errand = searched(started(most=7, least=0.55))
    view = sweep_view(errand.pk)
    assert [row.row.score for row in view.rows] == [0.9, 0.9, 0.8, 0.8, 0.7, 0.7, 0.6]
    assert [row.place for row in view.rows] == list(range(1, 8))
    assert {row.row.group for row in view.rows} == {0, 1}
    assert view.account is not None
    assert view.account.searched == {"sample": 200}
    assert errand.state == ErrandState.DONE
    with pytest.raises(NotReadable):
        order_of(errand)
    [entry] = AuditEntry.objects.filter(act="sweep_searched")
    assert (entry.actor, entry.detail) == ("worker", {"rows": 7, "searched": 200})


def test_a_group_of_another_encoder_is_left_out_and_said_to_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Missing(FakeSweeper):
        def group_nearest(self, group: Group, vectors: Any, *, most: int) -> Any:
            raise EncoderMissing("another")

    worked_by(Missing(), monkeypatch)
    view = sweep_view(searched(started()).pk)
    assert (view.count, view.account and view.account.searched) == (0, {"sample": 0})


@pytest.mark.parametrize("code", [sweeps.NO_TEXT_TOWER, sweeps.TOKENIZER, sweeps.ENCODER])
def test_what_no_worker_can_do_fails_with_its_reason(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(FakeSweeper):
        def picture_vectors(self, data: bytes, encoders: Any) -> Any:
            raise ErrandRefused(code)

    worked_by(Refusing(), monkeypatch)
    errand = searched(started())
    assert (errand.state, errand.fault) == (ErrandState.FAILED, code)
    assert sweep_view(errand.pk).account is not None


def test_a_row_that_is_gone_fails_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing(FakeSweeper):
        def row_vectors(self, group: Group, row: Any) -> Any:
            return {}

    worked_by(Nothing(), monkeypatch)
    case = factories.in_review()
    errand = sweep_start(
        reviewer=factories.role_user("finder", "reviewer"),
        asked=asked("row"),
        candidate_id=case.candidates[0].pk,
    )
    assert searched(errand).fault == sweeps.ROW_GONE


def test_rows_of_an_escalated_request_are_in_no_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither when it is searched, nor shown, nor listed, whenever the escalation came."""
    rows = [(swept_row(n, url=None, sha256="ab" * 32), 0.9) for n in (1, 2, 3)]
    worked_by(FakeSweeper(*rows), monkeypatch)
    early = factories.in_review([match(key="000000001")])
    late = factories.in_review([match(key="000000002")])
    finder = factories.role_user("finder", "reviewer")
    request_escalate(request_id=early.request_id, reviewer=finder)
    errand = searched(started())
    assert [row.row.key for row in sweep_view(errand.pk).rows] == ["000000002", "000000003"]
    hidden = sweep_view(errand.pk).rows[0].id
    assert sweep_row_found(hidden).key == "000000002"
    proposal = proposed(errand, 1, 2)
    request_escalate(request_id=late.request_id, reviewer=finder)
    with pytest.raises(RequestGone):
        sweep_row_found(hidden)
    assert [row.row.key for row in sweep_view(errand.pk).rows] == ["000000003"]
    proposal_confirm(proposal_id=proposal.pk, reviewer=factories.role_user("second", "approver"))
    [entry] = AuditEntry.objects.filter(act="sweep_listed")
    assert entry.detail["rows"] == 1


def test_staff_and_workers_each_with_their_own_keys_alone(settings: Any, told: list[int]) -> None:
    def become(role: str) -> None:
        settings.UNLIST = settings.UNLIST.model_copy(update={"role": role})

    become("staff")
    errand = started()
    become("worker")
    assert searched(errand).state == ErrandState.DONE
    become("staff")
    second = factories.role_user("second", "approver")
    proposal_confirm(proposal_id=proposed(errand, 1, 2).pk, reviewer=second)
    assert told == [2]


def test_nothing_of_it_lies_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what it looks for nor what it found: in no column of any table, before its end."""
    group = factories.catalog_group()
    Group.objects.filter(pk=group.pk).update(encoder=TEXT_ENCODER)
    finder = factories.role_user("finder", "reviewer")
    errand = sweep_start(reviewer=finder, asked=asked("text"))
    asked_for = columns()
    searched(errand)
    proposed(errand, 1, words="as the clinic wrote")
    for marked in (WORDS, "marked-0.jpg", "000000001", "as the clinic wrote"):
        assert marked.encode() not in asked_for + columns()
    assert b"efficientnet" in columns()  # which is how it would look


def columns() -> bytes:
    """Return what all tables hold, one value after the other."""
    with connection.cursor() as cursor:
        names = connection.introspection.table_names(cursor)
        values: list[Any] = []
        for name in names:
            quoted = connection.ops.quote_name(name)
            cursor.execute(f"SELECT * FROM {quoted}")  # noqa: S608  # a table of ours
            values += [value for row in cursor.fetchall() for value in row]
    raw = (bytes, bytearray, memoryview)
    return b"|".join(bytes(one) if isinstance(one, raw) else str(one).encode() for one in values)


# --- two persons -----------------------------------------------------------------------------


def test_what_a_second_person_confirms_is_listed_and_the_sweep_ends(told: list[int]) -> None:
    errand = searched(started())
    files = list(Wrap.objects.filter(key__errand=errand).values_list("shred", flat=True))
    proposal = proposed(errand, 1, 3, words="from the clinic's site")
    assert (proposal.state, proposal.needs_second) == (ProposalState.WAITING, True)
    rows = SweepRow.objects.filter(errand=errand, place__in=(1, 3)).order_by("place")
    assert proposal.facts == {
        "tier": "exact",
        "reason": "medical",
        "chosen": [str(row.pk) for row in rows],
    }
    account = sweep_view(errand.pk).account
    assert account is not None
    assert account.words == "from the clinic's site"
    assert told == []
    second = factories.role_user("second", "approver")
    with transaction.atomic():
        confirmed = proposal_confirm(proposal_id=proposal.pk, reviewer=second)
    assert confirmed.state == ProposalState.TAKEN
    assert told == [2]
    entry = AuditEntry.objects.get(act="sweep_listed")
    assert entry.detail["confirmed_by"] == f"staff:{second.pk}"
    assert (entry.detail["rows"], entry.detail["reason"]) == (2, "medical")
    for name in files:  # the test's own transaction never commits
        shred.keys_destroy([name])
    assert nothing_left(errand, files)
    assert errand.fault == "listed"
    assert acts() == [
        *("sweep_started", "sweep_searched", "proposed", "proposal_confirmed", "sweep_listed"),
    ]


def test_a_row_that_was_hidden_from_both_is_not_listed_once_it_is_seen(told: list[int]) -> None:
    errand = searched(started())
    proposal = proposed(errand, 1)
    SweepRow.objects.filter(errand=errand, place=2).update(chosen=True)  # as one given back is
    proposal_confirm(proposal_id=proposal.pk, reviewer=factories.role_user("second", "approver"))
    assert told == [1]


@pytest.mark.django_db(transaction=True)
def test_the_key_files_of_a_sweep_that_was_listed_are_destroyed() -> None:
    errand = searched(started())
    files = list(Wrap.objects.filter(key__errand=errand).values_list("shred", flat=True))
    assert files
    proposal = proposed(errand, 1)
    proposal_confirm(proposal_id=proposal.pk, reviewer=factories.role_user("second", "approver"))
    assert nothing_left(errand, files)


def test_nobody_lists_a_sweep_alone() -> None:
    errand = searched(started("boss"))
    boss = factories.role_user("boss", "approver")
    proposal = proposed(errand, 1, name="boss")
    with pytest.raises(ProposalRefused):
        proposal_confirm(proposal_id=proposal.pk, reviewer=boss)
    with pytest.raises(ProposalRefused):
        proposal_confirm(
            proposal_id=proposal.pk, reviewer=factories.role_user("reader", "reviewer")
        )
    with pytest.raises(IntegrityError), transaction.atomic():
        Proposal.objects.filter(pk=proposal.pk).update(needs_second=False)
    with pytest.raises(IntegrityError), transaction.atomic():
        Proposal.objects.filter(pk=proposal.pk).update(state=ProposalState.TAKEN)
    assert proposals_take_effect() == 0


def test_a_second_who_lost_the_right_meanwhile_lists_nothing(
    settings: Any, told: list[int]
) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": 10})
    errand = searched(started())
    proposal = proposed(errand, 1)
    second = factories.role_user("second", "approver")
    proposal_confirm(proposal_id=proposal.pk, reviewer=second)
    second.groups.clear()
    Proposal.objects.filter(pk=proposal.pk).update(effective_at=timezone.now())
    proposals_take_effect()
    proposal.refresh_from_db()
    assert (proposal.state, told) == (ProposalState.STALE, [])
    assert errand.rows.count() == 5


def test_undone_or_refused_the_choice_is_as_it_was(settings: Any, told: list[int]) -> None:
    errand = searched(started())
    finder = factories.role_user("finder", "reviewer")
    second = factories.role_user("second", "approver")
    proposal_refuse(proposal_id=proposed(errand, 2, 4).pk, reviewer=second)
    assert sweep_view(errand.pk).chosen == 2
    proposal_undo(proposal_id=proposed(errand, 2).pk, reviewer=finder)
    assert sweep_view(errand.pk).chosen == 1
    assert told == []
    assert Counter(acts())["proposed"] == 2


def test_while_something_is_proposed_nothing_else_changes() -> None:
    errand = searched(started())
    proposed(errand, 1)
    other = factories.role_user("other", "approver")
    with pytest.raises(SweepBusy, match="finder"):
        rows_choose_first(errand_id=errand.pk, reviewer=other, first=5)
    with pytest.raises(SweepBusy):
        sweep_dismiss(errand_id=errand.pk, reviewer=other)
    with pytest.raises(SweepBusy):
        sweep_propose(errand_id=errand.pk, reviewer=other, tier="exact", reason="medical", words="")
    assert sweep_view(errand.pk).chosen == 1
    assert sweeps_counted().second == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tier": "masked"}, "how the rows are listed"),
        ({"reason": "because"}, "Choose why"),
        ({"reason": "other"}, "Say in words"),
        ({"words": "x" * 1001}, "shorten"),
    ],
)
def test_a_proposal_says_how_and_why(changes: dict[str, str], said: str) -> None:
    errand = searched(started())
    with pytest.raises(SweepInvalid, match=said):
        proposed(errand, 1, **changes)
    assert not Proposal.objects.exists()


def test_a_row_that_no_list_can_name_is_not_proposed(monkeypatch: pytest.MonkeyPatch) -> None:
    worked_by(FakeSweeper((swept_row(1, url=None, sha256=None), 0.8)), monkeypatch)
    errand = searched(started())
    with pytest.raises(SweepInvalid, match="Row 1 has neither"):
        proposed(errand, 1)
    with pytest.raises(SweepInvalid, match="No row is chosen"):
        proposed(errand)


def test_choosing_is_by_rows_shown_or_down_to_a_place() -> None:
    errand = searched(started())
    finder = factories.role_user("finder", "reviewer")
    assert rows_choose_first(errand_id=errand.pk, reviewer=finder, first=3) == 3
    shown = places(errand, 3, 4, 5)
    assert (
        rows_choose(errand_id=errand.pk, reviewer=finder, shown=shown, ticked=places(errand, 1, 5))
        == 3
    )
    chosen = errand.rows.filter(chosen=True).values_list("place", flat=True)
    assert list(chosen) == [1, 2, 5]


# --- its end ---------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_dismissed_it_leaves_nothing_searched_or_not() -> None:
    finder = factories.role_user("finder", "reviewer")
    for errand in (started(), searched(started())):
        files = list(Wrap.objects.filter(key__errand=errand).values_list("shred", flat=True))
        assert files
        sweep_dismiss(errand_id=errand.pk, reviewer=finder)
        assert nothing_left(errand, files)
        assert errand.fault == "dismissed"
        assert not errands.errand_advance(errand.pk)
        with pytest.raises(RequestGone):
            sweep_dismiss(errand_id=errand.pk, reviewer=finder)
    assert AuditEntry.objects.filter(act="sweep_dismissed").count() == 2


@pytest.mark.django_db(transaction=True)
def test_after_its_days_it_ends_by_itself_with_what_is_proposed() -> None:
    errand, young = searched(started()), searched(started())
    proposal = proposed(errand, 1)
    files = list(Wrap.objects.filter(key__errand=errand).values_list("shred", flat=True))
    assert retention.retention_run()["sweeps"] == 0
    old = timezone.now() - dt.timedelta(days=DAYS_KEPT, minutes=1)
    Errand.objects.filter(pk=errand.pk).update(asked_at=old)
    assert retention.retention_run()["sweeps"] == 1
    assert nothing_left(errand, files)
    assert sweep_view(errand.pk).account is None
    assert sweep_view(young.pk).count == 5
    proposal.refresh_from_db()
    assert proposal.state == ProposalState.STALE
    with pytest.raises(ProposalRefused):
        proposal_confirm(
            proposal_id=proposal.pk, reviewer=factories.role_user("second", "approver")
        )
    assert sweeps_end() == 0
    assert {line.id: line.open for line in sweeps_listed()} == {errand.pk: False, young.pk: True}


def test_what_ended_long_ago_is_forgotten(settings: Any) -> None:
    errand = searched(started())
    sweep_dismiss(errand_id=errand.pk, reviewer=factories.role_user("finder", "reviewer"))
    days = settings.UNLIST.keep_tombstone_days + 1
    Errand.objects.update(asked_at=timezone.now() - dt.timedelta(days=days))
    sweeps_end()
    assert not Errand.objects.exists()
    assert not SweepRow.objects.exists()


def test_the_rule_of_two_is_the_kind_s_own() -> None:
    errand = searched(started())
    with pytest.raises(IntegrityError), transaction.atomic():
        Proposal.objects.create(
            kind=ProposalKind.SWEEP,
            errand=errand,
            proposed_by=factories.role_user("finder", "reviewer"),
            proposed_at=timezone.now(),
            needs_second=False,
            state=ProposalState.WAITING,
        )
