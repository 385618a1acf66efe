"""Rotation: a secret gets a successor while the service runs, and then the old one is destroyed.

What holds at every moment, whatever is killed: everything that could be opened or looked up before
still can. A new value is used from the moment its file is renamed into place; the old one is
*retired* beside it first, and held by every process that reads that role's secrets. It is destroyed
when nothing needs it any more:

- the pepper when no request made under it is left (`peppers`);
- a private half when every wrap it opens was wrapped anew to its successor, under a new shred key;
- the key of the row tags at once: rows decided before are not recognized as the same any more.

No value is destroyed before `GRACE` has passed, so that a submission that had read the old public
half is stored and wrapped anew too. Only one rotation of a secret is under way at a time: beginning
another goes on with the first, and `rotation_lock` sees to it that one process at a time does so.
"""

import datetime as dt
import secrets as random
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from django.utils import timezone

from removal.custody import peppers, secrets, shred
from removal.custody.sealing import (
    NotReadable,
    PrivateKey,
    key_id,
    public_half,
    role_key,
    wrap_renew,
)
from removal.custody.secrets import (
    PEPPER,
    REVIEWER_PRIVATE,
    REVIEWER_PUBLIC,
    ROW_TAG_KEY,
    SIZE,
    WORKER_PRIVATE,
    WORKER_PUBLIC,
    WORKER_PUBLIC_AT_STAFF,
    RotationUnderWay,
    Secret,
    SecretUnavailable,
    retired_destroy,
    retired_read,
    roles_readable,
    rotation_lock,
    secret_put,
    secret_read,
    secret_replace,
)
from removal.models import Recipient, Wrap

GRACE: Final = dt.timedelta(minutes=10)
_BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class Pair:
    """A role's key pair: who opens with it, and its files: the public half lies at each sealer."""

    recipient: Recipient
    private: Secret
    publics: tuple[Secret, ...]


PAIRS: Final[Mapping[str, Pair]] = {
    "reviewer": Pair(Recipient.REVIEWER, REVIEWER_PRIVATE, (REVIEWER_PUBLIC,)),
    "worker": Pair(Recipient.WORKER, WORKER_PRIVATE, (WORKER_PUBLIC, WORKER_PUBLIC_AT_STAFF)),
}
_ROTATED: Final[Mapping[str, Secret]] = {
    "pepper": PEPPER,
    **{name: pair.private for name, pair in PAIRS.items()},
    "row-tag": ROW_TAG_KEY,
}
NAMES: Final = tuple(_ROTATED)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rotation is.

    Attributes:
        begun: whether this call put the new value in place.
        renewed: how many keys this call wrapped anew.
        lost: how many wraps cannot be wrapped anew, for their shred key is not there.
        held_until: until when a retired value is kept at least; None when all are destroyed.
        needed: whether one is still needed whatever the time.
    """

    begun: bool
    renewed: int
    lost: int
    held_until: dt.datetime | None
    needed: bool


def secret_rotate(name: str, *, give_up_lost: bool = False) -> Progress:
    """Begin the rotation of a secret, or go on with the one under way.

    Args:
        name: one of `NAMES`.
        give_up_lost: destroy a retired private half although wraps are left whose shred key is
            not there (they were destroyed on purpose, or the shred store is not mounted!).

    Raises:
        RotationUnderWay: another process is at it.
        SecretUnavailable: this process may not read what it needs, or a file is missing.
    """
    with rotation_lock(_ROTATED[name]):
        if name == "pepper":
            return _pepper_rotate()
        if name == "row-tag":
            return _row_tag_rotate()
        return _pair_rotate(PAIRS[name], give_up_lost=give_up_lost)


def rotations_continue() -> Counter[str]:
    """Go on with every rotation under way that this process's role can go on with.

    What another process is at just now is left to it, and to the next time.

    Returns:
        how many keys were wrapped anew, and how many retired secrets were destroyed.
    """
    done: Counter[str] = Counter()
    if PEPPER.role in roles_readable():
        with suppress(RotationUnderWay), rotation_lock(PEPPER):
            done["secrets_destroyed"] += _destroyed(PEPPER, peppers.peppers_unneeded())
    for pair in PAIRS.values():
        if pair.private.role in roles_readable():
            with suppress(RotationUnderWay), rotation_lock(pair.private):
                done.update(_pair_goes_on(pair))
    return done


def strange_publics(pair: Pair) -> list[Secret]:
    """Return the public halves that do not belong to the private one, as far as this role sees.

    Raises:
        SecretUnavailable: a file is missing.
    """
    readable = [public for public in pair.publics if public.role in roles_readable()]
    right = secrets.public_of(secret_read(pair.private)) if readable else b""
    return [public for public in readable if secret_read(public) != right]


def retired_since(secret: Secret) -> dt.datetime | None:
    """Return when the oldest retired value of a secret that is still there was retired.

    Raises:
        SecretUnavailable: a file is missing.
        FileNotFoundError: one was destroyed just now.
    """
    return min((_grace_ends(path) - GRACE for path in _retired(secret)), default=None)


def peppers_overdue(late: dt.timedelta) -> list[Path]:
    """Return the retired peppers that are needed no more and were retired so long ago.

    Raises:
        SecretUnavailable: a file is missing.
        FileNotFoundError: one was destroyed just now.
    """
    before = timezone.now() - late + GRACE
    return [path for path in peppers.peppers_unneeded() if _grace_ends(path) < before]


def _pepper_rotate() -> Progress:
    current = secret_read(PEPPER)
    begun = not [path for path, value in _retired(PEPPER).items() if not _graced(path)]
    if begun:
        new = random.token_bytes(SIZE)
        secret_replace(PEPPER, new, retire_as=peppers.pepper_id(current))
    _destroyed(PEPPER, peppers.peppers_unneeded())
    left = _retired(PEPPER)
    needed = bool(left.keys() - set(peppers.peppers_unneeded()))
    return Progress(begun, 0, 0, _held_until(left), needed)


def _row_tag_rotate() -> Progress:
    current = secret_read(ROW_TAG_KEY)
    begun = not _retired(ROW_TAG_KEY)
    if begun:
        new = random.token_bytes(SIZE)
        secret_replace(ROW_TAG_KEY, new, retire_as=key_id(current))
    for path in retired_read(ROW_TAG_KEY):
        retired_destroy(ROW_TAG_KEY, path)
    return Progress(begun, 0, 0, None, False)


def _pair_rotate(pair: Pair, *, give_up_lost: bool) -> Progress:
    begun = not _retired(pair.private)
    if begun:
        _both_needed(pair)
        private = secret_read(pair.private)
        new = X25519PrivateKey.generate().private_bytes_raw()
        secret_replace(pair.private, new, retire_as=key_id(secrets.public_of(private)))
    return _pair_continue(pair, begun=begun, give_up_lost=give_up_lost)


def _pair_goes_on(pair: Pair) -> dict[str, int]:
    """Go on with the rotation of a pair, if one is under way; return what that did."""
    retired = _retired(pair.private)
    if not retired:
        return {}
    progress = _pair_continue(pair, begun=False, give_up_lost=False)
    destroyed = len(retired) - len(_retired(pair.private))
    return {"keys_renewed": progress.renewed, "secrets_destroyed": destroyed}


def _pair_continue(pair: Pair, *, begun: bool, give_up_lost: bool) -> Progress:
    """Have the public half follow, wrap anew what the old half opens, destroy that in time."""
    installed = _public_follows(pair)
    renewed, lost = _wraps_renewed(pair.recipient)
    if installed and (give_up_lost or not lost):
        _destroyed(pair.private, list(retired_read(pair.private)))
    left = _retired(pair.private)
    needed = bool(left) and (not installed or bool(lost))
    return Progress(begun, renewed, lost, _held_until(left), needed)


def _both_needed(pair: Pair) -> None:
    files = (pair.private, *pair.publics)
    if not {file.role for file in files} <= roles_readable():
        names = ", ".join(str(file.path) for file in files)
        raise SecretUnavailable(
            f"A new key pair is {len(files)} files ({names}): begin the "
            "rotation where both lie, with UNLIST_ROLE=all (the service `prepare` of compose.yaml)."
        )


def _public_follows(pair: Pair) -> bool:
    """Put the public half of the private half in its places; tell whether it is known to be there.

    A role that may not read one of them cannot know what is sealed to there.
    """
    value = secrets.public_of(secret_read(pair.private))
    for public in strange_publics(pair):
        secret_put(public, value)
    return {public.role for public in pair.publics} <= roles_readable()


def _wraps_renewed(recipient: Recipient) -> tuple[int, int]:
    """Wrap anew what a retired half opens; return how many were, and how many cannot be.

    Each wrap is renewed by itself: whoever is killed goes on with the rest the next time.
    """
    holder = role_key(recipient)
    behind = Wrap.objects.filter(recipient=recipient).exclude(holder=key_id(public_half(holder)))
    renewed = lost = last = 0
    while batch := list(behind.filter(pk__gt=last).select_related("key").order_by("pk")[:_BATCH]):
        for wrap in batch:
            outcome = _renewed(wrap, recipient, holder)
            renewed, lost = renewed + (outcome is True), lost + (outcome is None)
        last = batch[-1].pk
    return renewed, lost


def _renewed(wrap: Wrap, recipient: Recipient, holder: PrivateKey) -> bool | None:
    """Renew a wrap; tell whether this call did it; None where it cannot be done."""
    try:
        return wrap_renew(wrap, recipient, holder)
    except (NotReadable, shred.KeyShredded):
        still_there = Wrap.objects.filter(pk=wrap.pk, shred=wrap.shred).exists()
        return None if still_there else False


def _retired(secret: Secret) -> dict[Path, bytes]:
    """Return the retired values that are not the one in use as well."""
    retired = retired_read(secret)
    current = secret_read(secret) if retired else b""
    return {path: value for path, value in retired.items() if value != current}


def _destroyed(secret: Secret, paths: list[Path]) -> int:
    """Destroy those of the retired files whose grace is over; return how many there were."""
    over = [path for path in paths if _graced(path)]
    for path in over:
        retired_destroy(secret, path)
    return len(over)


def _graced(path: Path) -> bool:
    return _grace_ends(path) <= timezone.now()


def _grace_ends(path: Path) -> dt.datetime:
    return dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC) + GRACE


def _held_until(left: Mapping[Path, bytes]) -> dt.datetime | None:
    return max(map(_grace_ends, left), default=None)
