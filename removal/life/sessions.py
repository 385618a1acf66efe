"""The subject's session: for a while, two cookies stand in for the receipt.

What always holds: the database has the digest of the first cookie, and the subject's key sealed
under a key that is made of the second cookie, the first, and a file of the shred store. So a
stolen database, a restored backup or either cookie opens nothing alone. The session seals the key
that opens wraps, not the data keys: what is destroyed is destroyed for open sessions too
(docs/adr/0014). It ends after `IDLE` without use, after `LONGEST` whatever happens, and on leaving.
"""

import binascii
import datetime as dt
import hashlib
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.utils import timezone

from removal.custody import shred
from removal.custody.sealing import PrivateKey
from removal.custody.shred import KeyShredded
from removal.models import SubjectSession
from removal.selectors.subject import OpenedRequest, ReceiptUnknown, still_opens

IDLE: Final = dt.timedelta(minutes=20)
LONGEST: Final = dt.timedelta(hours=2)
MOST: Final = 4
"""How many sessions a request can have at once: the oldest gives way."""
_SIZE: Final = 32
_INFO: Final = b"unlist/session/1"
_NONCE: Final = bytes(12)  # each key seals one text


class SessionEnded(LookupError):
    """There is no such session (any more): the receipt opens a new one."""

    def __init__(self) -> None:
        super().__init__("This session has ended: enter the receipt code to open a new one.")


@dataclass(frozen=True, slots=True, repr=False)
class Cookies:
    """The two values that the subject's browser holds; both are needed.

    Attributes:
        name: names the session; the server keeps its digest.
        secret: opens it; the server keeps nothing of it.
    """

    name: str
    secret: str


def session_start(*, opened: OpenedRequest) -> Cookies:
    """Begin a session of an opened request and return what its cookies hold."""
    _make_room(opened)
    name, secret = secrets.token_bytes(_SIZE), secrets.token_bytes(_SIZE)
    now = timezone.now()
    [(shred_name, shred_key)] = shred.keys_make(1).items()
    try:
        SubjectSession.objects.create(
            id_digest=_digest(name),
            request=opened.request,
            keys_sealed=_cipher(name, secret, shred_key).encrypt(
                _NONCE, opened.subject.raw, opened.request_id.bytes
            ),
            shred=shred_name,
            used_at=_minute(now),
            expires_at=_minute(now + LONGEST),
        )
    except BaseException:
        shred.keys_destroy([shred_name])
        raise
    return Cookies(_written(name), _written(secret))


def session_open(*, cookies: Cookies) -> OpenedRequest:
    """Open the request of a session, and note to the minute that it was used.

    Raises:
        SessionEnded: it ended, was never, or the cookies do not belong together.
    """
    name, secret, now = _read(cookies.name), _read(cookies.secret), timezone.now()
    session = SubjectSession.objects.select_related("request").filter(pk=_digest(name)).first()
    if session is None:
        raise SessionEnded
    if session.expires_at <= now or session.used_at <= now - IDLE:
        _destroy(session)
        raise SessionEnded
    try:
        cipher = _cipher(name, secret, shred.key_read(session.shred))
        raw = cipher.decrypt(_NONCE, bytes(session.keys_sealed), session.request_id.bytes)
        opened = still_opens(session.request, PrivateKey(raw))
    except (InvalidTag, KeyShredded, ReceiptUnknown):
        raise SessionEnded from None
    if session.used_at < _minute(now):
        SubjectSession.objects.filter(pk=session.pk).update(used_at=_minute(now))
    return opened


def session_end(*, cookies: Cookies) -> None:
    """End a session; one that has ended is no fault."""
    try:
        digest = _digest(_read(cookies.name))
    except SessionEnded:
        return
    session = SubjectSession.objects.filter(pk=digest).first()
    if session is not None:
        _destroy(session)


def _make_room(opened: OpenedRequest) -> None:
    """Let the request's oldest sessions go, so that there is room for one more."""
    held = SubjectSession.objects.filter(request=opened.request).order_by(
        "-expires_at",
        "-used_at",  # of those begun in one minute, what was used last stays
    )
    for session in held[MOST - 1 :]:
        _destroy(session)


def _destroy(session: SubjectSession) -> None:
    shred.keys_destroy([session.shred])
    SubjectSession.objects.filter(pk=session.pk).delete()


def _cipher(name: bytes, secret: bytes, shred_key: bytes) -> ChaCha20Poly1305:
    derivation = HKDF(SHA256(), length=32, salt=name, info=_INFO)
    return ChaCha20Poly1305(derivation.derive(secret + shred_key))


def _digest(name: bytes) -> bytes:
    return hashlib.sha256(name).digest()


def _minute(moment: dt.datetime) -> dt.datetime:
    return moment.replace(second=0, microsecond=0)


def _written(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")


def _read(text: str) -> bytes:
    """Read a cookie's value.

    Raises:
        SessionEnded: it is none of ours.
    """
    try:
        value = urlsafe_b64decode(text[:64].encode("ascii") + b"=")
    except (binascii.Error, UnicodeEncodeError):
        value = b""
    if len(value) != _SIZE or _written(value) != text:
        raise SessionEnded
    return value
