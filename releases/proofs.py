"""Proofs of removal: made from the files that everybody can get, for the subject alone.

A proof names a release and the key of a row in it, never the row, so that it can be shown to
others without showing what the row was. Only `exact` and `copy` rows have one. It is made on the
subject's demand while the rows can be read; and once more when the case is closed, by the staff
role, which seals all of them to the subject. Those are what is left when the rows are deleted, and
they open with the receipt and nothing else.
"""

import json
import logging
import uuid
import zlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.utils.translation import gettext as _

from releases import trees
from releases.ledger import Row, row_keys_of
from releases.models import Release
from releases.selectors import NotReleased
from releases.unlisting import pairs_withdrawn
from removal.custody.secrets import SecretUnavailable
from removal.life.closing import proofs_keep
from removal.selectors import OpenedRequest, approved_rows
from removal.selectors.duplicates import copies_unreleased
from removal.selectors.proofs import proofs_due, proofs_kept, rows_provable
from removal.signals import case_ending
from unlist.keys import Kind
from unlist.manifest import ManifestInvalid

Proof = dict[str, Any]
_FORM: Final = "unlist-proofs/1"

log = logging.getLogger(__name__)


def proofs_of(*, opened: OpenedRequest) -> list[Proof]:
    """Return a proof for each key of the subject's approved rows, in order of kind and key.

    Each names the first of the releases of the request's status that carried the key. What was
    approved since waits for the next one, and has no proof yet.

    Raises:
        NotReleased: no release carries the request's rows yet.
    """
    opened.request.refresh_from_db()
    numbers = opened.request.released_in
    if not numbers:
        raise NotReleased(
            _(
                "Your picture is on no removal list yet. The proof is here as soon as your "
                "request says that it is."
            )
        )
    kept = proofs_kept(opened=opened)
    if kept is not None:
        return _unpacked(kept)
    request = opened.request
    waiting = request.closed_on is None or copies_unreleased(request).exists()
    return proofs_make(approved_rows(opened=opened), numbers, waiting=waiting)


def proofs_make(
    rows: Iterable[Row], numbers: Sequence[int], *, waiting: bool = False
) -> list[Proof]:
    """Prove each key of the rows by the first of the releases that lists it.

    A key that was taken off the list before a release carried it has no proof.

    Args:
        rows: whose keys.
        numbers: of the releases.
        waiting: some of the rows may wait for a later one, and have no proof yet.

    Raises:
        KeyError: none of them lists a key, and nobody took it off.
    """
    wanted = {pair for row in rows for pair in row_keys_of(row).items()}
    proofs: dict[tuple[Kind, bytes], Proof] = {}
    for number in sorted(numbers):
        if missing := wanted - proofs.keys():
            proofs |= trees.proofs_find(number, missing)
    missing = wanted - proofs.keys()
    if not waiting and missing and (missing := missing - pairs_withdrawn()):
        raise KeyError(f"The releases {list(numbers)} do not list {len(missing)} of the keys.")
    return [proofs[pair] for pair in sorted(proofs)]


def proofs_seal_due() -> int:
    """Seal what is due to its subjects; return for how many requests.

    One whose release cannot be read holds up no other: it is logged, and tried again.

    Raises:
        SecretUnavailable: this process is not of the staff role.
    """
    return sum(proofs_seal(request_id) for request_id in proofs_due())


def proofs_seal(request_id: uuid.UUID) -> bool:
    """Seal the proofs of one closed request to its subject; tell whether this call did it.

    Raises:
        SecretUnavailable: this process is not of the staff role.
    """
    provable = rows_provable(request_id=request_id)
    if provable is None:
        return False
    try:
        proofs = proofs_make(provable.rows, provable.released_in)
    except (OSError, KeyError, ManifestInvalid, Release.DoesNotExist) as fault:
        log.warning("proofs of request %s cannot be made: %s", request_id, type(fault).__name__)
        return False
    return proofs_keep(
        request_id=request_id, proofs=_packed(proofs), released_in=provable.released_in
    )


def connect() -> None:
    """Hear of cases that end from now on; connecting twice is connecting once."""
    case_ending.connect(_on_case_ending, dispatch_uid="releases.proofs")


def _on_case_ending(sender: object, *, request_id: uuid.UUID, **_extra: Any) -> None:  # noqa: ARG001
    """Seal at the last moment what no process of the staff role sealed in time."""
    try:
        proofs_seal(request_id)
    except SecretUnavailable:
        log.warning("request %s: only the staff role can seal its proofs", request_id)


def _packed(proofs: list[Proof]) -> bytes:
    text = json.dumps({"form": _FORM, "proofs": proofs}, separators=(",", ":"))
    return zlib.compress(text.encode())


def _unpacked(packed: bytes) -> list[Proof]:
    facts = json.loads(zlib.decompress(packed))
    if facts["form"] != _FORM:
        raise ValueError("These proofs were kept in a form that this version does not read.")
    proofs: list[Proof] = facts["proofs"]
    return proofs
