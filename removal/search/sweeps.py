"""Sweeps on their way through the workers: vectors are made, groups searched, the nearest kept.

A text and a picture become vectors at the beginning, on any worker; a row of a request on a worker
of its own group's store, from its stored picture or, where the dataset has none, from what the
index stores of it. A group that holds vectors of none of these encoders is not searched, and the
account says so. What is kept is the nearest rows of all groups, whatever their dataset; of those
that belong to an escalated request none.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from django.db.models import QuerySet

from catalog.models import Group
from catalog.selectors import groups_covered, groups_encoders, groups_ready
from indexer.decode import ImageRefused
from removal import audit
from removal.custody import content, secrets
from removal.custody.content import FoundRow
from removal.custody.sweeps import (
    ACCOUNT,
    SweepAccount,
    SweepAsked,
    SweepFound,
    SweepOrder,
    SweepVector,
)
from removal.models import Errand, ErrandUnit, SweepRow
from removal.search.candidates import row_tag
from removal.search.errands import Asked, ErrandOpened, ErrandRefused, Stage
from removal.search.searching import EncoderMissing, GroupUnavailable, Searcher
from removal.search.sources import CatalogRows, has_pictures, rows_print
from removal.selectors.escalated import tags_escalated

if TYPE_CHECKING:
    from indexer.evidence.hits import Row

Vectors = Mapping[str, SweepVector]
"""By encoder."""

EXAMPLE_UNREADABLE: Final = "example_unreadable"
NO_TEXT_TOWER: Final = "no_text_tower"
TOKENIZER: Final = "tokenizer_unavailable"
ENCODER: Final = "encoder_unavailable"
ROW_GONE: Final = "row_gone"
NOTHING_SEARCHED: Final = "nothing_searched"

log = logging.getLogger(__name__)


class Sweeper(Protocol):
    """Makes vectors and finds the rows nearest to them."""

    def text_vectors(self, text: str, encoders: Collection[str]) -> Vectors:
        """Make vectors of a text; raises `ErrandRefused`."""

    def picture_vectors(self, data: bytes, encoders: Collection[str]) -> Vectors:
        """Make vectors of a picture; raises `ErrandRefused`."""

    def row_vectors(self, group: Group, row: FoundRow) -> Vectors:
        """Make vectors of a row of a group; none where nothing of it is there any more.

        Raises `GroupUnavailable`, `PicturesUnavailable` and `ErrandRefused`.
        """

    def group_nearest(
        self, group: Group, vectors: Vectors, *, most: int
    ) -> "list[tuple[Row, float]]":
        """Return the nearest rows of a group with their cosines, falling.

        Raises `GroupUnavailable`, and `EncoderMissing` where no vector is of its encoder.
        """


class SweepsWork:
    """What workers do for a sweep: see `errands.ErrandWork`."""

    batch: Mapping[str, int] = {Stage.PREPARE: 1, Stage.SEARCH: 8}

    def __init__(self, sweeper: Sweeper | None = None) -> None:
        self._sweeper = sweeper or CatalogSweeper()

    def begin(self, opened: ErrandOpened, searcher: Searcher) -> bytes:
        """Make vectors of a text or a brought picture, which is not needed after that."""
        del searcher
        order = SweepOrder.from_bytes(opened.order)
        encoders = _encoders(order.asked)
        if order.asked.start == "text":
            return order.prepared(self._sweeper.text_vectors(order.asked.text, encoders)).to_bytes()
        if order.asked.start == "upload":
            made = self._sweeper.picture_vectors(order.example, encoders)
            return order.prepared(made).to_bytes()
        return opened.order

    def units(self, opened: ErrandOpened) -> Collection[Asked]:
        """Ask the group of the row to start from, if it is one; then all groups."""
        order = SweepOrder.from_bytes(opened.order)
        if order.row is not None and not opened.asked(Stage.PREPARE):
            return [(Stage.PREPARE, _group_of(order.row))]
        if opened.asked(Stage.SEARCH):
            return []
        if not _vectors(opened):
            raise ErrandRefused(ROW_GONE)
        found = [(Stage.SEARCH, group.pk) for group in _groups(order.asked)]
        if not found:
            raise ErrandRefused(NOTHING_SEARCHED)
        return found

    def answer(
        self,
        group: Group,
        stage: ErrandUnit.Stage,
        errands: Sequence[ErrandOpened],
        searcher: Searcher,
    ) -> Sequence[bytes]:
        """Make vectors of a row of this group, or find the rows of it nearest to vectors."""
        del searcher
        one = self._prepared if stage == Stage.PREPARE else self._searched
        return [one(group, opened) for opened in errands]

    def _prepared(self, group: Group, opened: ErrandOpened) -> bytes:
        order = SweepOrder.from_bytes(opened.order)
        if order.row is None:
            return order.to_bytes()
        made = self._sweeper.row_vectors(group, order.row)
        return order.prepared(made).to_bytes()

    def _searched(self, group: Group, opened: ErrandOpened) -> bytes:
        asked = SweepOrder.from_bytes(opened.order).asked
        try:
            nearest = self._sweeper.group_nearest(group, _vectors(opened), most=asked.most)
        except EncoderMissing as missing:
            log.info("sweep %s leaves %s out: %s", opened.errand.pk, group, missing)
            return content.json_bytes({"dataset": group.dataset.name, "searched": 0, "rows": []})
        rows = [_found(group, row, cosine) for row, cosine in nearest if cosine >= asked.least]
        return content.json_bytes(
            {
                "dataset": group.dataset.name,
                "searched": group.rows_indexed or group.rows,
                "rows": [json.loads(row.to_bytes()) for row in rows],
            }
        )

    def conclude(self, opened: ErrandOpened, searcher: Searcher) -> Callable[[], None]:
        """Keep the nearest rows of all groups, sealed under the sweep's key."""
        del searcher
        asked = SweepOrder.from_bytes(opened.order).asked
        searched: Counter[str] = Counter(dict.fromkeys(asked.datasets, 0))
        rows: list[FoundRow] = []
        for result in opened.results(Stage.SEARCH):
            facts = json.loads(result)
            searched[facts["dataset"]] += facts["searched"]
            rows += [FoundRow.from_bytes(content.json_bytes(row)) for row in facts["rows"]]
        found = _without_escalated(sorted(rows, key=_turn))[: asked.most]
        account = SweepAccount(asked, searched=dict(searched))
        sealed = [_sealed(opened, place, one) for place, one in enumerate(found, start=1)]

        def store() -> None:
            SweepRow.objects.bulk_create(sealed)
            account_sealed = opened.sealed(ACCOUNT, account.to_bytes())
            Errand.objects.filter(pk=opened.errand.pk).update(result_sealed=account_sealed)
            audit.audit_append(
                act="sweep_searched",
                actor=audit.WORKER,
                detail={"rows": len(sealed), "searched": searched.total()},
            )

        return store


def _groups(asked: SweepAsked) -> QuerySet[Group]:
    return groups_ready(asked.datasets)


def _encoders(asked: SweepAsked) -> list[str]:
    return groups_encoders(_groups(asked))


def _group_of(row: FoundRow) -> int:
    group = groups_covered().filter(dataset__name=row.dataset, number=row.group).first()
    if group is None:
        raise ErrandRefused(ROW_GONE)
    return group.pk


def _vectors(opened: ErrandOpened) -> Vectors:
    """Return the vectors, wherever they were made."""
    made = SweepOrder.from_bytes(opened.order).vectors
    for result in opened.results(Stage.PREPARE):
        made = SweepOrder.from_bytes(result).vectors
    return made


def _turn(row: FoundRow) -> tuple[float, str, str, int]:
    return -row.score, row.dataset, row.shard, row.index


def _found(group: Group, row: "Row", cosine: float) -> FoundRow:
    return FoundRow(
        dataset=group.dataset.name,
        group=group.number,
        shard=row.shard,
        key=row.key,
        index=row.index,
        offset=row.offset,
        url=row.url,
        sha256=row.sha256,
        md5=row.md5,
        score=cosine,
        evidence={"cosine": cosine},
        photos=(),
    )


def _without_escalated(rows: Sequence[FoundRow]) -> list[SweepFound]:
    key = secrets.secret_read(secrets.ROW_TAG_KEY)
    tagged = [SweepFound(row, row_tag(row, key)) for row in rows]
    hidden = tags_escalated(one.tag for one in tagged)
    return [one for one in tagged if one.tag not in hidden]


def _sealed(opened: ErrandOpened, place: int, found: SweepFound) -> SweepRow:
    row = SweepRow(errand_id=opened.errand.pk, place=place)
    row.row_sealed = opened.sealed(content.row_item(row.pk), found.to_bytes())
    return row


class CatalogSweeper:
    """The service's own; what needs torch or faiss is imported where it is used."""

    def text_vectors(self, text: str, encoders: Collection[str]) -> Vectors:
        """Make vectors of a text."""
        from catalog import sweeping  # noqa: PLC0415  # torch

        return self._made(lambda: sweeping.text_vectors(text, encoders))

    def picture_vectors(self, data: bytes, encoders: Collection[str]) -> Vectors:
        """Make vectors of a picture."""
        from catalog import sweeping  # noqa: PLC0415  # torch

        return self._made(lambda: sweeping.picture_vectors(data, encoders))

    def row_vectors(self, group: Group, row: FoundRow) -> Vectors:
        """Make vectors of a row: of its stored picture, else what its index has of it."""

        def made() -> dict[str, tuple[str, bytes]]:
            from indexer.query.fingerprint import Fingerprint  # noqa: PLC0415  # hashing libraries

            [one] = rows_print(group, [row], CatalogRows(), pictured=has_pictures(group))
            found = Fingerprint.from_bytes(one.fingerprint)
            return {
                name: (found.preprocessing[name], vectors[0].tobytes())
                for name, vectors in found.embeddings.items()
            }

        return self._made(made)

    def group_nearest(
        self, group: Group, vectors: Vectors, *, most: int
    ) -> "list[tuple[Row, float]]":
        """Return the nearest rows of a group."""
        from catalog import sweeping  # noqa: PLC0415  # faiss
        from indexer.storage.manifest import EncoderMismatch, GroupUnreadable  # noqa: PLC0415

        wanted = {name: (one.preprocessing, one.numbers) for name, one in vectors.items()}
        try:
            return sweeping.group_nearest(group, wanted, most=most)
        except EncoderMismatch as error:
            raise EncoderMissing(str(error)) from error
        except GroupUnreadable as error:
            raise GroupUnavailable(str(error)) from error

    def _made(self, make: Callable[[], Mapping[str, tuple[str, bytes]]]) -> Vectors:
        from indexer.encoder.known import (  # noqa: PLC0415  # worker only
            EncoderUnavailable,
            NoTextTower,
            TokenizerUnavailable,
        )

        try:
            return {name: SweepVector(*made) for name, made in make().items()}
        except ImageRefused as refused:
            raise ErrandRefused(EXAMPLE_UNREADABLE) from refused
        except EncoderUnavailable as refused:
            log.warning("a sweep cannot be done: %s", refused)
            codes = {NoTextTower: NO_TEXT_TOWER, TokenizerUnavailable: TOKENIZER}
            raise ErrandRefused(codes.get(type(refused), ENCODER)) from refused
