"""New data keys: of a request, one per purpose; of an errand, one.

The private halves exist here alone, in memory, until each is wrapped to its readers (`sealing`).
"""

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from removal.custody import secrets, shred
from removal.custody.sealing import (
    PRIVATE_HALVES,
    RECIPIENTS,
    PrivateKey,
    key_id,
    public_half,
    role_key,
    seal_to,
    wrap_lock,
    wrap_place,
)
from removal.models import DataKey, Purpose, Recipient, Wrap


@dataclass(frozen=True, slots=True)
class NewKeys:
    """Keys of what is about to be stored: rows to insert, nothing private."""

    keys: tuple[DataKey, ...]
    wraps: tuple[Wrap, ...]

    def public(self, purpose: Purpose) -> bytes:
        """Return the public half for a purpose."""
        return next(bytes(key.public) for key in self.keys if key.purpose == purpose)

    @property
    def shreds(self) -> tuple[uuid.UUID, ...]:
        """Names of the shred keys that were written for the wraps."""
        return tuple(wrap.shred for wrap in self.wraps)


def keys_make(request_id: uuid.UUID, subject_public: bytes) -> NewKeys:
    """Make a request's data keys and their wraps; the private halves are forgotten on return."""
    publics = {
        Recipient.SUBJECT: subject_public,
        Recipient.REVIEWER: secrets.secret_read(secrets.REVIEWER_PUBLIC),
        Recipient.WORKER: secrets.secret_read(secrets.WORKER_PUBLIC),
    }
    private = _privates(RECIPIENTS)
    keys = {
        purpose: DataKey(request_id=request_id, purpose=purpose, public=public_half(key))
        for purpose, key in private.items()
    }
    return _wrapped(request_id, keys, private, RECIPIENTS, publics)


def errand_keys_make(errand_id: uuid.UUID, recipients: Collection[Recipient]) -> NewKeys:
    """Make an errand's one data key, wrapped for workers, reviewers or both.

    Raises:
        SecretUnavailable: this process is not of the staff role.
    """
    publics = {who: _STAFF_SEALS_TO[who]() for who in recipients}
    several = {Purpose.ERRAND: tuple(recipients)}
    private = _privates(several)
    public = public_half(private[Purpose.ERRAND])
    key = DataKey(errand_id=errand_id, purpose=Purpose.ERRAND, public=public)
    return _wrapped(errand_id, {Purpose.ERRAND: key}, private, several, publics)


_STAFF_SEALS_TO: Final[Mapping[Recipient, Callable[[], bytes]]] = {
    Recipient.REVIEWER: lambda: public_half(role_key(Recipient.REVIEWER)),
    Recipient.WORKER: lambda: secrets.secret_read(secrets.WORKER_PUBLIC_AT_STAFF),
}


def _privates(purposes: Iterable[Purpose]) -> dict[Purpose, PrivateKey]:
    return {
        purpose: PrivateKey(X25519PrivateKey.generate().private_bytes_raw()) for purpose in purposes
    }


def _wrapped(
    owner_id: uuid.UUID,
    keys: Mapping[Purpose, DataKey],
    private: Mapping[Purpose, PrivateKey],
    recipients: Mapping[Purpose, tuple[Recipient, ...]],
    publics: Mapping[Recipient, bytes],
) -> NewKeys:
    """Wrap the private halves to their recipients, each wrap under a new shred key."""
    pairs = [(purpose, who) for purpose, several in recipients.items() for who in several]
    wraps = []
    made = shred.keys_make(len(pairs))
    for (purpose, who), (name, shred_key) in zip(pairs, made.items(), strict=True):
        place = wrap_place(owner_id, purpose, who)
        inner = seal_to(publics[who], private[purpose].raw, place)
        sealed = wrap_lock(shred_key, inner, place)
        holder = key_id(publics[who]) if who in PRIVATE_HALVES else ""
        wraps.append(
            Wrap(key=keys[purpose], recipient=who, holder=holder, sealed=sealed, shred=name)
        )
    return NewKeys(tuple(keys.values()), tuple(wraps))
