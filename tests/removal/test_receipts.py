"""Receipts: exhaustive proof that slips are caught, and that nothing readable is stored."""

import itertools
import random

import pytest

from removal.custody import receipts
from removal.custody.receipts import (
    ALPHABET,
    SYMBOLS,
    ReceiptMistyped,
    canonical,
    check_symbol,
    mint,
)

SAMPLES = ["0" * SYMBOLS, ALPHABET[:SYMBOLS], ALPHABET[-SYMBOLS:], "Z" * SYMBOLS]
SAMPLES += ["".join(random.Random(seed).choices(ALPHABET, k=SYMBOLS)) for seed in range(20)]


def is_mistyped(code: str) -> bool:
    try:
        canonical(code)
    except ReceiptMistyped:
        return True
    return False


@pytest.mark.parametrize("symbols", SAMPLES)
def test_every_wrong_symbol_at_every_place_is_caught(symbols: str) -> None:
    code = symbols + check_symbol(symbols)
    for place, wrong in itertools.product(range(len(code)), ALPHABET):
        changed = code[:place] + wrong + code[place + 1 :]
        assert is_mistyped(changed) == (changed != code)


@pytest.mark.parametrize("symbols", SAMPLES)
def test_every_swap_of_two_symbols_is_caught(symbols: str) -> None:
    code = list(symbols + check_symbol(symbols))
    for one, other in itertools.combinations(range(len(code)), 2):
        swapped = code.copy()
        swapped[one], swapped[other] = code[other], code[one]
        assert is_mistyped("".join(swapped)) == (swapped != code)


def test_weights_are_distinct_units_so_that_the_proof_holds_for_all_codes() -> None:
    weights = receipts._weights()
    assert len(weights) == len(set(weights)) == SYMBOLS + 1
    assert 0 not in weights
    # GF(32) has no zero divisors under this product: a wrong symbol always changes the sum.
    products = [receipts._product(a, b) for a in range(1, 32) for b in range(1, 32)]
    assert 0 not in products


def test_form_is_five_groups_of_five_and_a_check_symbol() -> None:
    assert [len(group) for group in mint().split("-")] == [5, 5, 5, 5, 5, 1]


def test_typed_in_any_way_it_reads_the_same() -> None:
    code = "1A2B30C4D5E0F6G7H0JKMNP0Q"[:SYMBOLS]
    shown = receipts.written(code)
    for typed in (
        shown.lower(),
        shown.replace("-", " "),
        shown.replace("-", ""),
        f"  {shown}\n",
        shown.replace("1", "l").replace("0", "o"),
        shown.replace("1", "I"),
        shown.replace("-", "\u2013"),
    ):
        assert canonical(typed) == code


@pytest.mark.parametrize("typed", ["", "A", "U" * 26, "0" * 25, "0" * 27, "0" * 10_000, "ß" * 26])
def test_what_is_no_code_is_mistyped(typed: str) -> None:
    with pytest.raises(ReceiptMistyped, match="mistyped"):
        canonical(typed)


def test_minted_codes_differ_and_use_the_whole_alphabet() -> None:
    minted = [canonical(mint()) for _ in range(400)]
    assert len(set(minted)) == 400
    for place in range(SYMBOLS):
        assert len({code[place] for code in minted}) > 25


def test_lookup_tag_is_the_hmac_of_the_design() -> None:
    # HMAC-SHA256 computed with OpenSSL: printf 'lookup1000…0' | openssl dgst -sha256 -hmac pepper
    tag = receipts.lookup_tag("0" * 25, b"pepper")
    assert tag.hex() == "ea135e8072f7f9c1803a7fc73cc3623868432cd90faa4698424dc2ae7cfdf86d"
    assert receipts.lookup_tag("0" * 25, b"other") != tag
