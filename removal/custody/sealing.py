"""Who can read what of a request: data keys, their wraps, and sealing to a purpose.

Each request has one data key per purpose (`RECIPIENTS` is the table of docs/privacy.md). A data
key is an X25519 pair: the public half is stored in the clear, so that any process can seal to the
purpose without being able to read it; the private half is wrapped to each recipient and, once
more, under a shred key of the wrap's own. Sealing is HPKE (RFC 9180: DHKEM(X25519), HKDF-SHA256,
ChaCha20-Poly1305). What a sealed text belongs to (request, purpose, item) goes into HPKE's `info`
or the cipher's associated data, so that no text can be moved to another place unnoticed.

An errand (`models.Errand`) has one data key, made and kept in the same way: what is said here of a
request by its id holds for it too.
"""

import hashlib
import os
import uuid
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.db.models import Q

from removal.custody import secrets, shred
from removal.models import DataKey, Purpose, Recipient, Wrap

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_NONCE: Final = 12
_SUBJECT: Final = b"unlist/subject/1"
_KEY_ID: Final = b"unlist/key-id/1"

Stored = bytes | memoryview
"""What a binary field gives: bytes on SQLite, a view on PostgreSQL."""

RECIPIENTS: Final[Mapping[Purpose, tuple[Recipient, ...]]] = {
    Purpose.PHOTO: (Recipient.SUBJECT, Recipient.REVIEWER, Recipient.WORKER),
    Purpose.PRINT: (Recipient.SUBJECT, Recipient.REVIEWER, Recipient.WORKER),
    Purpose.CASE: (Recipient.SUBJECT, Recipient.REVIEWER),
    Purpose.PROOF: (Recipient.SUBJECT,),
}
"""Of a request; the key of an errand is for whom it is made (`keys.errand_keys_make`)."""


PRIVATE_HALVES: Final[Mapping[Recipient, secrets.Secret]] = {
    Recipient.REVIEWER: secrets.REVIEWER_PRIVATE,
    Recipient.WORKER: secrets.WORKER_PRIVATE,
}
"""The roles' own key pairs; the subject's comes from the receipt."""


class NotReadable(Exception):
    """This process cannot open it: no wrap for it, or the text is not what was sealed here."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a sealed text belongs to; it opens nowhere else.

    Attributes:
        request: the request's id, or the errand's.
        purpose: the data key's purpose.
        item: what it is within the request, such as `photo <id>`.
    """

    request: uuid.UUID
    purpose: Purpose
    item: str

    def bound(self) -> bytes:
        """Return the bytes that bind a text to this place."""
        return f"unlist/seal/1\n{self.request}\n{self.purpose.value}\n{self.item}".encode()


@dataclass(frozen=True, slots=True, repr=False)
class PrivateKey:
    """The private half of a key, in memory alone.

    Attributes:
        raw: its 32 bytes.
        retired: halves that rotation replaced; what is not wrapped anew yet still opens with them.
    """

    raw: bytes
    retired: tuple[bytes, ...] = ()

    def open(self, sealed: Stored, place: Place) -> bytes:
        """Open what was sealed to this key at this place.

        Raises:
            NotReadable: it was not.
        """
        for raw in (self.raw, *self.retired):
            private = X25519PrivateKey.from_private_bytes(raw)
            try:
                return _SUITE.decrypt(bytes(sealed), private, info=place.bound())
            except (InvalidTag, ValueError):
                continue
        raise NotReadable("This is not what was sealed here.")


def seal_to(public: Stored, text: bytes, place: Place) -> bytes:
    """Seal a text to a public half (32 bytes) at a place."""
    key = X25519PublicKey.from_public_bytes(bytes(public))
    return _SUITE.encrypt(text, key, info=place.bound())


def seal(request_id: uuid.UUID, purpose: Purpose, item: str, text: bytes) -> bytes:
    """Seal a text to a purpose of a stored request or errand."""
    keys = DataKey.objects.filter(_owner(request_id, purpose))
    public = keys.values_list("public", flat=True).get()
    return seal_to(public, text, Place(request_id, purpose, item))


def subject_key(symbols: str, salt: Stored) -> PrivateKey:
    """Derive the subject's key pair from the receipt's 25 symbols and the request's salt."""
    derivation = HKDF(SHA256(), length=32, salt=bytes(salt), info=_SUBJECT)
    return PrivateKey(derivation.derive(symbols.encode("ascii")))


def public_half(key: PrivateKey) -> bytes:
    """Return the 32 bytes to which others can seal."""
    return secrets.public_of(key.raw)


def key_id(public: bytes) -> str:
    """Return the short name by which wraps tell whose key pair opens them."""
    return hashlib.sha256(_KEY_ID + public).digest()[:8].hex()


def role_key(recipient: Recipient) -> PrivateKey:
    """Return the private key of the reviewers or of the workers.

    Raises:
        SecretUnavailable: this process does not hold it.
    """
    raw, *retired = secrets.secret_held(PRIVATE_HALVES[recipient])
    return PrivateKey(raw, tuple(retired))


def unwrap(
    request_id: uuid.UUID, purpose: Purpose, recipient: Recipient, holder: PrivateKey
) -> PrivateKey:
    """Return a data key's private half to one of its recipients.

    Raises:
        NotReadable: there is no such wrap (any more), or it is not the holder's.
        KeyShredded: the wrap's shred key was destroyed.
    """
    place = wrap_place(request_id, purpose, recipient)
    try:
        return _unwrapped(_wrap_of(request_id, purpose, recipient), place, holder)
    except (NotReadable, shred.KeyShredded):
        successor = _successor(recipient, holder)
        if successor is None:
            raise
        # It may have been wrapped anew, to the successor of the holder's key, at this very moment.
        return _unwrapped(_wrap_of(request_id, purpose, recipient), place, successor)


def _successor(recipient: Recipient, holder: PrivateKey) -> PrivateKey | None:
    """Return the role's key as it is now, if the holder's is or was that role's."""
    if recipient not in PRIVATE_HALVES:
        return None
    try:
        current = role_key(recipient)
    except secrets.SecretUnavailable:
        return None
    return current if holder.raw in (current.raw, *current.retired) else None


def _wrap_of(request_id: uuid.UUID, purpose: Purpose, recipient: Recipient) -> Wrap:
    wrap = Wrap.objects.filter(_owner(request_id, purpose, "key__"), recipient=recipient).first()
    if wrap is None:
        raise NotReadable("There is no key for this reader: it was destroyed or never given.")
    return wrap


def unwrap_many(
    request_ids: Collection[uuid.UUID],
    purpose: Purpose,
    recipient: Recipient,
    holder: PrivateKey,
) -> dict[uuid.UUID, PrivateKey]:
    """Return what `unwrap` returns of several requests, by one query.

    A request whose wrap cannot be opened (any more) is left out.
    """
    wraps = Wrap.objects.filter(
        key__request_id__in=request_ids, key__purpose=purpose, recipient=recipient
    ).select_related("key")
    opened = {}
    for wrap in wraps:
        request_id = wrap.key.owner_id
        try:
            opened[request_id] = _unwrapped(
                wrap, wrap_place(request_id, purpose, recipient), holder
            )
        except (NotReadable, shred.KeyShredded):
            with suppress(NotReadable, shred.KeyShredded):  # unless it was just wrapped anew
                opened[request_id] = unwrap(request_id, purpose, recipient, holder)
    return opened


def wrap_renew(wrap: Wrap, recipient: Recipient, holder: PrivateKey) -> bool:
    """Wrap a data key anew, to the holder's own public half, unless it changed meanwhile.

    The new shred key is on the disk before the database names it, and the old one is destroyed
    after: a process that is killed in between loses nothing, and retention finds what is left.

    Raises:
        NotReadable: none of the holder's halves opens it.
        KeyShredded: its shred key was destroyed.
    """
    place = wrap_place(wrap.key.owner_id, Purpose(wrap.key.purpose), recipient)
    private, public = _unwrapped(wrap, place, holder), public_half(holder)
    [(name, shred_key)] = shred.keys_make(1).items()
    sealed = wrap_lock(shred_key, seal_to(public, private.raw, place), place)
    renewed = Wrap.objects.filter(pk=wrap.pk, shred=wrap.shred).update(
        sealed=sealed, shred=name, holder=key_id(public)
    )
    shred.keys_destroy([wrap.shred if renewed else name])
    return bool(renewed)


def publics_of(request_ids: Collection[uuid.UUID], purpose: Purpose) -> dict[uuid.UUID, bytes]:
    """Return the public half for a purpose of each of several requests, by one query."""
    keys = DataKey.objects.filter(request_id__in=request_ids, purpose=purpose)
    return {key.owner_id: bytes(key.public) for key in keys}


def _owner(owner_id: uuid.UUID, purpose: Purpose, prefix: str = "") -> Q:
    """Return the condition that a data key is the owner's for a purpose."""
    owner = "errand_id" if purpose == Purpose.ERRAND else "request_id"
    return Q(**{f"{prefix}{owner}": owner_id, f"{prefix}purpose": purpose})


def _unwrapped(wrap: Wrap, place: Place, holder: PrivateKey) -> PrivateKey:
    inner = _unlock(shred.key_read(wrap.shred), wrap.sealed, place)
    return PrivateKey(holder.open(inner, place))


def wrap_place(request_id: uuid.UUID, purpose: Purpose, recipient: Recipient) -> Place:
    """Return what a wrap belongs to."""
    return Place(request_id, purpose, f"wrap {recipient.value}")


def wrap_lock(key: bytes, text: bytes, place: Place) -> bytes:
    """Encrypt what was sealed to a wrap's reader once more, under the wrap's shred key."""
    nonce = os.urandom(_NONCE)
    return nonce + ChaCha20Poly1305(key).encrypt(nonce, text, place.bound())


def _unlock(key: bytes, sealed: Stored, place: Place) -> bytes:
    whole = bytes(sealed)
    try:
        return ChaCha20Poly1305(key).decrypt(whole[:_NONCE], whole[_NONCE:], place.bound())
    except (InvalidTag, ValueError):
        raise NotReadable("This wrap is not what was stored here.") from None
