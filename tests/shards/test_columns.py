"""Columns of somebody else's tables, of any type and in any slice, against the obvious way."""

import string
from collections import Counter
from typing import Any

import can_ada
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shards.columns import (
    bytes_of,
    digests_of,
    keys_of,
    lenient_text_of,
    pdqs_of,
    phashes_of,
    text_of,
)
from shards.urls import urls_note

TYPES = (
    *(pa.binary(), pa.large_binary(), pa.binary_view()),
    *(pa.string(), pa.large_string(), pa.string_view()),
)
ENTRIES = st.lists(st.none() | st.binary(max_size=6), max_size=12)
HEX = st.text(string.hexdigits, min_size=32, max_size=32)


def column(values: list[bytes | None], kind: pa.DataType) -> "pa.Array[Any]":
    """A column of a type, its bytes unchecked, as parquet gives them."""
    stored = pa.array(values, pa.binary())
    if kind in {pa.string(), pa.string_view()}:
        return stored.view(pa.string()).cast(kind, safe=False)
    if kind == pa.large_string():
        return stored.cast(pa.large_binary()).view(pa.large_string())
    return stored.cast(kind)


def lower(text: str | None) -> str | None:
    return None if text is None else text.lower()


@given(ENTRIES, st.sampled_from(TYPES), st.integers(0, 4))
def test_text_is_what_decoding_one_by_one_gives(
    values: list[bytes | None], kind: pa.DataType, skip: int
) -> None:
    whole = column(values, kind)[skip:]
    text, broken = text_of(whole)
    own = [_decoded(value) for value in values[skip:]]
    assert text.type == pa.string()
    assert text.to_pylist() == own
    assert broken == sum(
        mine is None and value is not None for mine, value in zip(own, values[skip:], strict=True)
    )
    lenient = [None if value is None else value.decode(errors="replace") for value in values[skip:]]
    assert lenient_text_of(whole).to_pylist() == lenient


@given(ENTRIES, st.sampled_from(TYPES), st.sampled_from([pa.binary(), pa.large_binary()]))
def test_bytes_are_those_that_are_stored(
    values: list[bytes | None], kind: pa.DataType, wanted: pa.DataType
) -> None:
    found = bytes_of(column(values, kind), wanted)
    assert (found.type, found.to_pylist()) == (wanted, values)


def test_bytes_of_what_holds_none() -> None:
    assert bytes_of(pa.array([12, None])).to_pylist() == [b"12", None]
    assert bytes_of(pa.array([12, None]), spelled=False).to_pylist() == [None, None]
    assert bytes_of(pa.array([["a"], ["b"]])).to_pylist() == [None, None]
    assert bytes_of(pa.array(["a", "a", None]).dictionary_encode()).to_pylist() == [
        b"a",
        b"a",
        None,
    ]


def test_bytes_of_one_length_that_are_no_text_cost_their_own_row() -> None:
    text, broken = text_of(pa.array([b"ok", b"\xff\xff", None], pa.binary(2)))
    assert (text.to_pylist(), broken) == (["ok", None, None], 1)


def _decoded(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


@given(
    st.lists(st.none() | HEX | st.just("") | st.text(max_size=40), max_size=12), st.integers(0, 4)
)
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
@pytest.mark.parametrize("dictionary", [False, True])
def test_digests_are_lowered_and_the_rest_is_null(
    kind: pa.DataType, dictionary: bool, values: list[str | None], skip: int
) -> None:
    whole = pa.array(values, kind)
    if dictionary and kind != pa.string_view():
        whole = whole.dictionary_encode()
    refused: Counter[str] = Counter()
    found = digests_of(whole[skip:], 32, refused)
    own = [
        value.lower()
        if value and len(value) == 32 and set(value) <= set(string.hexdigits)
        else None
        for value in values[skip:]
    ]
    assert found.type == pa.string()
    found.validate(full=True)
    assert found.to_pylist() == own
    malformed = sum(
        bool(value) and mine is None for value, mine in zip(values[skip:], own, strict=True)
    )
    assert refused == ({"digest_malformed": malformed} if malformed else {})


@given(st.lists(st.none() | st.integers(0, 2**64 - 1), max_size=12), st.integers(0, 4))
def test_hashes_keep_every_bit(values: list[int | None], skip: int) -> None:
    text = [None if value is None else f"{value:016X}" for value in values]
    assert phashes_of(pa.array(text, pa.string())[skip:], Counter()).to_pylist() == values[skip:]
    long = [None if value is None else f"{value:016x}" * 4 for value in values]
    raw = [None if value is None else value.to_bytes(8) * 4 for value in values]
    assert pdqs_of(pa.array(long, pa.string())[skip:], Counter()).to_pylist() == raw[skip:]
    assert pdqs_of(pa.array(raw, pa.binary(32))[skip:], Counter()).to_pylist() == raw[skip:]


@pytest.mark.parametrize(
    ("values", "keys"),
    [
        (pa.array(["a", "", None, "ü"]), ["a", "#7", "#8", "ü"]),
        (pa.array([5, None, -5, 0]), ["5", "#7", "-5", "0"]),
        (pa.array([5.0, 5.5, 2.0**60, -0.0]), ["5", "#7", "#8", "0"]),
        (pa.array([b"a", b"\xff", b"", None], pa.binary()), ["a", "#7", "#8", "#9"]),
        (pa.array([[1], [2], [3], None]), ["#6", "#7", "#8", "#9"]),
        (pa.nulls(4), ["#6", "#7", "#8", "#9"]),
    ],
)
def test_rows_without_a_key_go_by_their_place(values: Any, keys: list[str]) -> None:
    refused: Counter[str] = Counter()
    assert keys_of(values, np.arange(6, 10), refused).to_pylist() == keys
    assert refused == {"key_by_place": sum(key.startswith("#") for key in keys)}


@given(
    st.lists(
        st.text(max_size=30)
        | st.from_regex(r"https?://[a-zA-Z0-9.:@\[\]_-]{0,20}(/.{0,5})?", fullmatch=True)
        | st.from_regex(r"https?://([xX][nN]?-?-?[a-z0-9]{0,4}\.){1,2}[a-z]{1,4}", fullmatch=True),
        max_size=10,
    )
)
def test_urls_are_counted_as_the_parser_says(urls: list[str]) -> None:
    refused: Counter[str] = Counter()
    urls_note(pa.array(urls, pa.string()), refused)
    own: Counter[str] = Counter()
    for url in urls:
        try:
            scheme = can_ada.parse(url).protocol
        except ValueError:
            own["url_unparseable"] += 1
        else:
            own["url_not_http"] += scheme not in {"http:", "https:"}
    assert refused == +own
