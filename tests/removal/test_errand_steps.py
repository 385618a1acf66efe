"""Errands on their way through the workers: each step once, survived by its workers, ended once."""

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import pytest
from django.utils import timezone

from catalog.models import Group
from catalog.stores import stores_announce
from removal import tasks
from removal.life import destroying
from removal.life.errands import PARTIAL, errand_ask, errand_end
from removal.models import DataKey, Errand, ErrandKind, ErrandState, ErrandUnit, Wrap
from removal.search import errand_kinds, errands
from removal.search.errand_kinds import Asked, ErrandOpened, ErrandRefused, Stage, work_register
from removal.search.leases import FRAIL
from removal.search.searching import EncoderMissing, GroupUnavailable, PicturesUnavailable
from tests.removal import factories
from tests.removal.factories import FakeSearcher, catalog_group

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]

ORDER = b"the order"
State = ErrandUnit.State


class Toy:
    """A kind that asks the first group to prepare and all to search, and keeps what they said."""

    batch: Mapping[str, int] = {Stage.PREPARE: 1, Stage.SEARCH: 3}

    def __init__(self) -> None:
        self.begun: list[bytes] = []
        self.batches: list[tuple[str, int]] = []
        self.concluded: list[list[bytes]] = []
        self.error: Exception | None = None
        self.meanwhile: Callable[[], object] = lambda: None

    def begin(self, opened: ErrandOpened, searcher: Any) -> bytes:
        self.begun.append(opened.order)
        self.meanwhile()
        return opened.order + b", begun"

    def units(self, opened: ErrandOpened) -> Collection[Asked]:
        assert opened.order == ORDER + b", begun"
        groups = list(Group.objects.order_by("pk").values_list("pk", flat=True))
        if not opened.asked(Stage.PREPARE):
            return [(Stage.PREPARE, groups[0])]
        if opened.asked(Stage.SEARCH):
            return []
        return [(Stage.SEARCH, group) for group in groups]

    def answer(
        self, group: Group, stage: Any, opened: Sequence[ErrandOpened], searcher: Any
    ) -> list[bytes]:
        self.batches.append((stage, len(opened)))
        self.meanwhile()
        if self.error is not None:
            raise self.error
        return [f"{stage} {group.number} {one.order.decode()}".encode() for one in opened]

    def conclude(self, opened: ErrandOpened, searcher: Any) -> Callable[[], None]:
        self.meanwhile()
        found = list(opened.results(Stage.SEARCH))
        return lambda: self.concluded.append(found)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Toy:
    monkeypatch.setattr(errand_kinds, "WORK", {})
    made = Toy()
    work_register(ErrandKind.SWEEP, made)
    return made


@pytest.fixture
def groups() -> list[Group]:
    return [catalog_group(number=number) for number in range(2)]


def asked() -> Errand:
    return errand_ask(ErrandKind.SWEEP, order=ORDER)


def advance(errand: Errand) -> bool:
    return errands.errand_advance(str(errand.pk), searcher=FakeSearcher())


def drain(group: Group) -> list[Any]:
    return errands.errands_drain(group.pk, searcher=FakeSearcher())


def waited_for() -> list[int]:
    return [one.group_id for one in errands.groups_waiting()]


def fresh(errand: Errand) -> Errand:
    return Errand.objects.get(pk=errand.pk)


def lapse() -> None:
    past = timezone.now() - dt.timedelta(seconds=1)
    Errand.objects.update(lease_until=past)
    ErrandUnit.objects.update(lease_until=past)


def searching(groups: Sequence[Group]) -> Errand:
    """Return an errand that all groups are being asked."""
    errand = asked()
    assert advance(errand)
    assert drain(groups[0]) == [errand.pk]
    assert advance(errand)
    return errand


def test_an_errand_goes_its_way_and_leaves_nothing(toy: Toy, groups: list[Group]) -> None:
    errand = asked()
    assert list(errands.errands_idle()) == [errand]
    assert advance(errand)
    assert (fresh(errand).state, waited_for()) == (ErrandState.SEARCHING, [groups[0].pk])
    assert not advance(errand)  # a group must answer first
    assert drain(groups[0]) == [errand.pk]
    assert errands.errands_answered([errand.pk]) == [errand.pk]
    assert advance(errand)
    assert waited_for() == [group.pk for group in groups]
    sealed = ErrandUnit.objects.filter(state=State.DONE).get().result_sealed
    assert ORDER not in bytes(sealed)
    assert drain(groups[0]) == drain(groups[1]) == [errand.pk]
    assert advance(errand)
    ended = fresh(errand)
    assert (ended.state, ended.fault, bytes(ended.order_sealed)) == (ErrandState.DONE, "", b"")
    assert toy.begun == [ORDER]
    assert toy.concluded == [
        [b"search 0 the order, begun", b"search 1 the order, begun"],
    ]
    assert ErrandUnit.objects.count() == Wrap.objects.count() == 0
    assert not advance(errand)
    assert len(toy.concluded) == 1


def test_a_group_answers_several_errands_together(toy: Toy, groups: list[Group]) -> None:
    several = [asked() for _ in range(4)]
    for errand in several:
        advance(errand)
    while waited_for():
        drain(groups[0])
    for errand in several:
        advance(errand)
    toy.batches.clear()
    assert len(drain(groups[1])) == 3  # the rest waits for another message
    assert len(drain(groups[1])) == 1
    assert toy.batches == [("search", 3), ("search", 1)]


def test_what_nobody_registered_is_left_alone(toy: Toy, groups: list[Group]) -> None:
    errand = searching(groups)
    errand_kinds.WORK.clear()
    assert not errands.errands_idle().exists()
    assert waited_for() == []
    assert not advance(errand)


def test_a_worker_that_died_in_a_step_is_replaced(toy: Toy, groups: list[Group]) -> None:
    errand = asked()

    def dies() -> None:
        raise KeyboardInterrupt

    toy.meanwhile = dies
    with pytest.raises(KeyboardInterrupt):
        advance(errand)
    assert not errands.errands_idle().exists()
    toy.meanwhile = lambda: None
    assert not advance(errand)
    lapse()
    assert advance(errand)
    assert (fresh(errand).attempts, fresh(errand).lease_token) == (0, None)


def test_a_step_that_another_worker_took_meanwhile_is_dropped(
    toy: Toy, groups: list[Group]
) -> None:
    errand = asked()

    def other() -> None:
        toy.meanwhile = lambda: None
        lapse()
        assert advance(errand)

    toy.meanwhile = other
    assert not advance(errand)
    assert ErrandUnit.objects.count() == 1
    drain(groups[0])
    advance(errand)
    for group in groups:
        drain(group)
    toy.meanwhile = other
    assert not advance(errand)
    assert len(toy.concluded) == 1


def test_a_late_answer_is_dropped(toy: Toy, groups: list[Group]) -> None:
    errand = searching(groups)

    def other() -> None:
        toy.meanwhile = lambda: None
        lapse()
        assert drain(groups[1]) == [errand.pk]

    toy.meanwhile = other
    assert drain(groups[1]) == []
    unit = ErrandUnit.objects.get(group=groups[1])
    assert (unit.state, unit.attempts) == (State.DONE, 2)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (GroupUnavailable("damaged"), "group_unavailable"),
        (EncoderMissing("another"), "encoder_missing"),
        (PicturesUnavailable("away"), "pictures_unavailable"),
    ],
)
def test_a_group_that_cannot_answer_is_asked_again_after_a_pause(
    toy: Toy, groups: list[Group], error: Exception, fault: str
) -> None:
    errand = searching(groups)
    toy.error = error
    assert drain(groups[1]) == []
    unit = ErrandUnit.objects.get(group=groups[1])
    assert (unit.state, unit.error) == (State.FAILED, fault)
    assert waited_for() == [groups[0].pk]
    toy.error = None
    drain(groups[0])
    assert not advance(errand)
    lapse()
    assert drain(groups[1]) == [errand.pk]
    assert advance(errand)
    assert fresh(errand).state == ErrandState.DONE


def test_what_waited_for_a_group_goes_on_when_it_is_ready_again(
    toy: Toy, groups: list[Group]
) -> None:
    searching(groups)
    toy.error = GroupUnavailable("damaged")
    drain(groups[1])
    assert waited_for() == [groups[0].pk]
    assert errands.units_release() == 1
    assert waited_for() == [group.pk for group in groups]


def test_a_unit_that_kills_its_workers_is_tried_once_an_hour(toy: Toy, groups: list[Group]) -> None:
    searching(groups)
    ErrandUnit.objects.filter(group=groups[1]).update(attempts=FRAIL)
    lapse()
    assert waited_for() == [groups[0].pk]
    hour = timezone.now() - dt.timedelta(hours=1, seconds=1)
    ErrandUnit.objects.filter(group=groups[1]).update(lease_until=hour)
    assert waited_for() == [group.pk for group in groups]


def test_a_group_that_is_gone_is_not_waited_for(toy: Toy, groups: list[Group]) -> None:
    errand = searching(groups)
    drain(groups[0])
    groups[1].delete()
    assert list(errands.errands_idle()) == [errand]
    assert advance(errand)
    assert fresh(errand).fault == ""
    assert toy.concluded == [[b"search 0 the order, begun"]]


def test_a_group_that_cannot_answer_for_a_week_is_waited_for_no_longer(
    toy: Toy, groups: list[Group]
) -> None:
    errand = searching(groups)
    drain(groups[0])
    assert errands.units_give_up() == 0
    late = timezone.now() - dt.timedelta(days=errands.PATIENCE_DAYS, minutes=1)
    Errand.objects.filter(pk=errand.pk).update(asked_at=late)
    assert errands.units_give_up() == 1
    assert waited_for() == []
    assert advance(errand)
    errand.refresh_from_db()
    assert (errand.state, errand.fault) == (ErrandState.DONE, PARTIAL)
    assert toy.concluded == [[b"search 0 the order, begun"]]


@pytest.mark.parametrize("step", ["begin", "conclude"])
def test_what_cannot_be_done_ends_with_its_code(toy: Toy, groups: list[Group], step: str) -> None:
    def refuses() -> None:
        raise ErrandRefused("no_use")

    if step == "begin":
        errand = asked()
    else:
        errand = searching(groups)
        for group in groups:
            drain(group)
    toy.meanwhile = refuses
    assert advance(errand)
    assert (fresh(errand).state, fresh(errand).fault) == (ErrandState.FAILED, "no_use")
    assert toy.concluded == []


def test_an_errand_that_ended_meanwhile_is_let_go(toy: Toy, groups: list[Group]) -> None:
    errand = searching(groups)
    toy.meanwhile = lambda: errand_end(errand.pk, ErrandState.FAILED, fault="stopped")
    assert drain(groups[0]) == []
    assert not advance(errand)
    assert fresh(errand).fault == "stopped"


def test_an_errand_whose_key_is_gone_ends(toy: Toy, groups: list[Group]) -> None:
    errand, sound = searching(groups), asked()
    Wrap.objects.filter(key__errand=errand).delete()
    advance(sound)
    drain(groups[0])
    unit = ErrandUnit.objects.get(errand=errand, stage=Stage.SEARCH, group=groups[0])
    assert (unit.state, unit.error) == (State.FAILED, "key_gone")
    ErrandUnit.objects.filter(errand=errand).update(state=State.DONE)
    assert advance(errand)
    assert (fresh(errand).state, fresh(errand).fault) == (ErrandState.FAILED, "key_gone")


def test_an_errand_of_an_erased_request_is_gone_with_it(toy: Toy, groups: list[Group]) -> None:
    errand_kinds.WORK[ErrandKind.DUPLICATES] = toy
    case = factories.in_review()
    errand = errand_ask(ErrandKind.DUPLICATES, order=ORDER, request=case.request)
    advance(errand)

    def erased() -> None:
        toy.meanwhile = lambda: None
        assert destroying.request_erase(case.request_id)

    toy.meanwhile = erased
    assert drain(groups[0]) == []
    assert not advance(errand)
    assert Errand.objects.count() == ErrandUnit.objects.count() == DataKey.objects.count() == 0


def test_the_sweep_finds_what_waits(
    toy: Toy,
    groups: list[Group],
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    going, new = searching(groups), asked()
    sent: list[tuple[str, Any, str, int]] = []
    for task in (tasks.advance_errand, tasks.search_errands):
        name = task.name.rsplit(".", 1)[1]

        def send(name: str = name, **kwargs: Any) -> None:
            [argument] = kwargs["args"]
            sent.append((name, argument, kwargs["queue"], kwargs["priority"]))

        monkeypatch.setattr(task, "apply_async", send)
    with django_capture_on_commit_callbacks(execute=True):
        tasks.sweep()
    assert sent == [("advance_errand", str(new.pk), "default", 6)]  # nobody serves the store
    stores_announce(["default", "local"])
    sent.clear()
    with django_capture_on_commit_callbacks(execute=True):
        tasks.sweep()
    assert sent[1:] == [("search_errands", group.pk, "search.local", 6) for group in groups]
    sent.clear()
    with django_capture_on_commit_callbacks(execute=True):
        tasks.search_errands(groups[0].pk)
        tasks.search_errands(groups[1].pk)
    assert sent == [("advance_errand", str(going.pk), "default", 6)]
