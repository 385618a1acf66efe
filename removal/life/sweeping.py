"""Sweeps: a maintainer has rows of a kind found, to propose listing those that they choose.

What is looked for is an example or a text; workers find the rows nearest to it (`search.sweeps`).
Nothing is listed by the finding: rows are chosen, proposed (`sweep_choice`), and confirmed by a
second person, who is always needed. A sweep has a key of its own, opened by workers while they
search and by reviewers until it ends (`sweep_ends`). The audit log says that there was a sweep, of
what kind and with what counts, never what it looked for.
"""

import uuid
from dataclasses import replace
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction

from catalog.selectors import groups_encoders, groups_ready
from indexer.decode import ImageRefused, decode, thumbnail
from indexer.encoder.known import reads_text
from removal import audit
from removal.custody.content import FoundRow
from removal.custody.sealing import seal
from removal.custody.sweeps import ACCOUNT, SweepAccount, SweepAsked, SweepOrder
from removal.life.effects import right_check
from removal.life.errands import errand_ask
from removal.life.plaintext import WordsInvalid, plain_text
from removal.life.reveals import candidate_opened
from removal.models import (
    Errand,
    ErrandKind,
    Purpose,
    today,
)
from removal.permissions import REVIEW
from removal.selectors.sweeps import sweeps

TEXT_MAX: Final = 200
ROWS_MOST: Final = 500
PER_DAY_MOST: Final = 20
"""Sweeps of one person on one day: enough to work with, too few to leaf through a dataset."""
EXAMPLE_SIDE: Final = 1024
"""Pixels of the longer side that an example is kept with: encoders see far fewer."""


class SweepInvalid(ValueError):
    """What was asked lacks something or contradicts itself; nothing was changed."""


def sweep_start(
    *,
    reviewer: User,
    asked: SweepAsked,
    example: bytes = b"",
    candidate_id: uuid.UUID | None = None,
) -> Errand:
    """Have rows of a kind found; the caller sends workers a hint.

    Args:
        reviewer: who asks.
        asked: what for.
        example: the picture to start from, as it was brought; no more than its small copy is kept.
        candidate_id: the row of a request to start from.

    Raises:
        SweepInvalid: a sentence says what to mend.
        RequestGone: there is no such row that they may see.
        ProposalRefused: they may not review.
        DecoderUnavailable: nothing can decode pictures at this moment.
    """
    right_check(reviewer, REVIEW, "A sweep is started by a reviewer.")
    asked = _checked(asked)
    if sweeps().filter(asked_by=reviewer, asked_at__date=today()).count() >= PER_DAY_MOST:
        raise SweepInvalid(f"You have started {PER_DAY_MOST} sweeps today: go on tomorrow.")
    order = SweepOrder(
        asked,
        example=_example(example) if asked.start == "upload" else b"",
        row=_row(candidate_id, reviewer) if asked.start == "row" else None,
    )
    with transaction.atomic():
        errand = errand_ask(
            ErrandKind.SWEEP, order=order.to_bytes(), asked_by=reviewer, reviewers=True
        )
        account_write(errand, SweepAccount(asked))
        audit.audit_append(
            act="sweep_started",
            actor=audit.staff(reviewer.pk),
            detail={"start": asked.start, "datasets": len(asked.datasets), "most": asked.most},
        )
    return errand


def account_write(errand: Errand, account: SweepAccount) -> None:
    """Seal what maintainers read of a sweep; whoever writes it need not be able to read it."""
    errand.result_sealed = seal(errand.pk, Purpose.ERRAND, ACCOUNT, account.to_bytes())
    errand.save(update_fields=["result_sealed"])


def _checked(asked: SweepAsked) -> SweepAsked:
    """Return what was asked as it is kept."""
    if not 1 <= asked.most <= ROWS_MOST:
        raise SweepInvalid(f"Ask for 1 to {ROWS_MOST} rows.")
    if not 0 <= asked.least <= 1:
        raise SweepInvalid("Give the least similarity as a number from 0 to 1.")
    _datasets_check(asked)
    text = plain(asked.text, TEXT_MAX) if asked.start == "text" else ""
    return replace(asked, text=text)


def _datasets_check(asked: SweepAsked) -> None:
    groups = groups_ready(asked.datasets)
    ready = set(groups.order_by().values_list("dataset__name", flat=True))
    if not asked.datasets or ready != set(asked.datasets):
        raise SweepInvalid("Choose at least one dataset, each of them indexed.")
    deaf = [name for name in groups_encoders(groups) if not reads_text(name)]
    if asked.start == "text" and deaf:
        raise SweepInvalid(
            f"The encoder {deaf[0]}, by which a chosen dataset was indexed, reads pictures and no "
            "words: leave that dataset out, or start from an example."
        )


def plain(text: str, limit: int) -> str:
    """Return a maintainer's words as they are kept; raises SweepInvalid where they cannot be."""
    try:
        return plain_text(text, limit=limit)
    except WordsInvalid as invalid:
        raise SweepInvalid(str(invalid)) from None


def _example(data: bytes) -> bytes:
    """Return an example as it is kept: small, and nothing but pixels."""
    if not data:
        raise SweepInvalid("Choose a picture to start from.")
    try:
        return thumbnail(decode(data), EXAMPLE_SIDE)
    except ImageRefused as refused:
        raise SweepInvalid(f"The example cannot be taken. {refused.sentence}") from None


def _row(candidate_id: uuid.UUID | None, reviewer: User) -> FoundRow:
    """Return the row of a request to start from."""
    if candidate_id is None:
        raise SweepInvalid("Open a sweep from a row on the page of its request.")
    candidate, row = candidate_opened(candidate_id, reviewer)
    if candidate.request.escalated_on is not None or candidate.request.held_on is not None:
        raise SweepInvalid("This row's request was escalated: nothing is looked for by it.")
    return replace(row, photos=(), regions={}, placements={}, evidence={})
