"""A kind of errand: what workers do for it, and an errand opened for them (see `errands`)."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from catalog.models import Group
from removal.custody import content
from removal.custody.sealing import Place, PrivateKey, public_half, role_key, seal_to, unwrap
from removal.models import Errand, ErrandKind, ErrandUnit, Purpose, Recipient
from removal.search.searching import Searcher

Stage = ErrandUnit.Stage
Asked = tuple[ErrandUnit.Stage, int]
"""A stage and the id of a group that is asked in it."""


class ErrandRefused(Exception):
    """An errand cannot be done, however often it is tried.

    Attributes:
        code: why, as `Errand.fault` keeps it.
    """

    def __init__(self, code: str) -> None:
        super().__init__(f"This errand cannot be done: {code}.")
        self.code = code


@dataclass(frozen=True, slots=True)
class ErrandOpened:
    """An errand with the worker's key to it, in memory alone.

    Attributes:
        errand: as it stood when it was opened.
        key: opens what is sealed to it.
        order: what is asked, as `begin` left it.
        tries: how often the unit that is being answered was tried, this time included.
    """

    errand: Errand
    key: PrivateKey
    order: bytes
    tries: int = 0

    def sealed(self, item: str, text: bytes) -> bytes:
        """Seal a text to the errand's key."""
        return seal_to(public_half(self.key), text, Place(self.errand.pk, Purpose.ERRAND, item))

    def asked(self, stage: ErrandUnit.Stage) -> bool:
        """Tell whether groups were asked in a stage, those gone since included."""
        return self.errand.units.filter(stage=stage).exists()

    def results(self, stage: ErrandUnit.Stage) -> Iterator[bytes]:
        """Return what the groups answered in a stage, by their ids; not of groups that are gone."""
        units = self.errand.units.filter(stage=stage, state=ErrandUnit.State.DONE)
        facts = units.filter(group__isnull=False).order_by("group_id")
        for pk, sealed in facts.values_list("pk", "result_sealed").iterator():
            place = Place(self.errand.pk, Purpose.ERRAND, content.errand_unit_item(pk))
            yield self.key.open(sealed, place)


class ErrandWork(Protocol):
    """What workers do for one kind of errand; see the module's text."""

    @property
    def batch(self) -> Mapping[str, int]:
        """By stage, for how many errands a group is asked at once."""

    def begin(self, opened: ErrandOpened, searcher: Searcher) -> bytes:
        """Do what needs no group; return the order as it is to stand from now on."""

    def units(self, opened: ErrandOpened) -> Collection[Asked]:
        """Return what is to be asked next; nothing when all is."""

    def answer(
        self,
        group: Group,
        stage: ErrandUnit.Stage,
        errands: Sequence[ErrandOpened],
        searcher: Searcher,
    ) -> Sequence[bytes]:
        """Answer for one group and stage; one answer per errand, in order."""

    def conclude(self, opened: ErrandOpened, searcher: Searcher) -> Callable[[], None]:
        """Judge what all groups answered; return what stores the outcome."""


def errand_open(errand: Errand) -> ErrandOpened:
    """Open an errand for a worker.

    Raises:
        NotReadable, KeyShredded: it ended, or its request was erased.
    """
    key = unwrap(errand.pk, Purpose.ERRAND, Recipient.WORKER, role_key(Recipient.WORKER))
    place = Place(errand.pk, Purpose.ERRAND, content.ORDER)
    return ErrandOpened(errand, key, key.open(errand.order_sealed, place))


WORK: Final[dict[str, ErrandWork]] = {}


def work_register(kind: ErrandKind, work: ErrandWork) -> None:
    """Say what workers do for a kind of errand."""
    WORK[kind] = work


def work_of(kind: str) -> ErrandWork:
    """Return what workers do for a kind of errand that was registered."""
    return WORK[kind]


def kinds_known() -> list[str]:
    """Return the kinds that were registered; of others nothing is taken."""
    return list(WORK)
