"""The peppers of the receipts: the one in use makes tags, every one that is held finds them.

A tag cannot be made anew when the pepper is rotated, for the receipt is not here. So a retired
pepper is kept until the last request made under it is purged (at most its life and twelve months),
and each look-up computes a tag under each pepper held, whatever is found: the same work for every
code. Tags are not renewed when a receipt comes in, since that would make a write of a read and
would leave the old tag in the backups anyway (docs/adr/0013).
"""

import hmac
from pathlib import Path
from typing import Final

from removal.custody import receipts
from removal.custody.secrets import PEPPER, retired_read, secret_held, secret_read
from removal.models import RemovalRequest

_ID: Final = b"pepper-id/1"


def pepper_id(pepper: bytes) -> str:
    """Return what a request remembers of the pepper that made its tag."""
    return hmac.digest(pepper, _ID, "sha256")[:8].hex()


def receipt_tag_new(symbols: str) -> tuple[bytes, str]:
    """Return the tag of a new receipt, and the id of the pepper that made it.

    Raises:
        SecretUnavailable: this process has no pepper.
    """
    pepper = secret_read(PEPPER)
    return receipts.lookup_tag(symbols, pepper), pepper_id(pepper)


def receipt_tags(symbols: str) -> list[bytes]:
    """Return the tags that a receipt may be stored under, one for each pepper held.

    Raises:
        SecretUnavailable: this process has no pepper.
    """
    return [receipts.lookup_tag(symbols, pepper) for pepper in secret_held(PEPPER)]


def peppers_unneeded() -> list[Path]:
    """Return the files of retired peppers under which no request is left.

    Raises:
        SecretUnavailable: this process has no pepper.
    """
    retired = retired_read(PEPPER)
    current = secret_read(PEPPER) if retired else b""
    return [path for path, value in retired.items() if value == current or not _in_use(value)]


def _in_use(pepper: bytes) -> bool:
    # Requests of before there were ids may have been made under any of them.
    return RemovalRequest.objects.filter(pepper__in=("", pepper_id(pepper))).exists()
