"""The receipt: the one secret that a subject holds, and the check that catches slips of the pen.

A receipt is 125 random bits as 25 Crockford base-32 symbols and one check symbol of the same
alphabet, shown as five groups of five and the check. The check is a weighted sum over GF(32)
with weights g^1 … g^26 for a generator g. The weights are distinct and not zero, so any one wrong
symbol and any two swapped symbols change the sum: such a code is called mistyped before any
look-up. The server keeps only `lookup_tag`, an HMAC under a pepper that lies outside the database.
"""

import hmac
import secrets
from typing import Final

from django.utils.translation import gettext as _

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SYMBOLS: Final = 25
_GROUP: Final = 5
_VALUE: Final = {symbol: value for value, symbol in enumerate(ALPHABET)}
_READ_AS: Final = str.maketrans("ILO", "110", " -\t\r\n\u00a0\u2010\u2011\u2012\u2013\u2014\u2212")
_MODULUS: Final = 0b100101  # x^5 + x^2 + 1, primitive: x generates all 31 units
_LOOKUP: Final = b"lookup1"


class ReceiptMistyped(ValueError):
    """The code cannot be one of ours: a symbol is wrong, swapped, missing or too many."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "This code is mistyped: a symbol is wrong, swapped, missing or too many. "
                "Compare it with the code you kept: 26 letters and digits."
            )
        )


def _doubled(value: int) -> int:
    value <<= 1
    return value ^ _MODULUS if value & 32 else value


def _product(left: int, right: int) -> int:
    """Multiply in GF(32)."""
    product = 0
    while right:
        if right & 1:
            product ^= left
        left, right = _doubled(left), right >> 1
    return product


def _weights() -> tuple[int, ...]:
    powers = [2]
    while len(powers) <= SYMBOLS:
        powers.append(_doubled(powers[-1]))
    return tuple(powers)


# _TERM[place][value]: what a symbol adds to the sum. The last place is the check symbol's.
_TERM: Final = tuple(tuple(_product(w, v) for v in range(32)) for w in _weights())


def _sum(values: list[int]) -> int:
    total = 0
    for place, value in enumerate(values):
        total ^= _TERM[place][value]
    return total


def check_symbol(symbols: str) -> str:
    """Return the check symbol of 25 canonical symbols: it brings the weighted sum to zero."""
    total = _sum([_VALUE[symbol] for symbol in symbols])
    return ALPHABET[_TERM[SYMBOLS].index(total)]


def mint() -> str:
    """Draw a new receipt from 125 random bits, in the form it is shown in."""
    bits = secrets.randbits(5 * SYMBOLS)
    symbols = "".join(ALPHABET[(bits >> (5 * place)) & 31] for place in range(SYMBOLS))
    return written(symbols)


def written(symbols: str) -> str:
    """Return the form that people see: groups of five and the check symbol."""
    groups = [symbols[start : start + _GROUP] for start in range(0, SYMBOLS, _GROUP)]
    return "-".join([*groups, check_symbol(symbols)])


def canonical(typed: str) -> str:
    """Return the 25 canonical symbols of a code as someone typed it.

    Case, spaces and dashes do not count; I and L are read as 1, O as 0.

    Raises:
        ReceiptMistyped: the check symbol does not agree, or the length or a symbol is wrong.
    """
    symbols = typed[:200].upper().translate(_READ_AS)
    if len(symbols) != SYMBOLS + 1 or not all(symbol in _VALUE for symbol in symbols):
        raise ReceiptMistyped
    if _sum([_VALUE[symbol] for symbol in symbols]):
        raise ReceiptMistyped
    return symbols[:SYMBOLS]


def end_matches(code: str, typed: str) -> bool:
    """Tell whether someone typed the end of a code: its last group of five and the check symbol.

    Args:
        code: as `written` gives it.
        typed: read as `canonical` reads a code; the whole code is right too.
    """
    symbols, whole = (text[:200].upper().translate(_READ_AS) for text in (typed, code))
    return len(symbols) > _GROUP and hmac.compare_digest(
        symbols.encode(), whole[-len(symbols) :].encode()
    )


def lookup_tag(symbols: str, pepper: bytes) -> bytes:
    """Return what the server stores of a receipt: 32 bytes that say nothing without the pepper."""
    return hmac.digest(pepper, _LOOKUP + symbols.encode("ascii"), "sha256")
