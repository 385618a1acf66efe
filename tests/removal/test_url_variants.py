"""One web address in all its spellings: WHATWG's own cases, and what datasets really store."""

import json
from typing import Any

import can_ada
import pytest
from hypothesis import given
from hypothesis import strategies as st

from removal.search.url_variants import (
    URL_MAX,
    VARIANTS_MAX,
    url_acceptable,
    url_canonical,
    url_variants,
)
from tests.conftest import VECTORS

CASES: list[dict[str, Any]] = json.loads((VECTORS / "url" / "urltestdata-http.json").read_bytes())
PLAIN = "https://example.org/a/b.jpg"


def test_the_foreign_vectors_are_those_that_the_tests_were_written_for() -> None:
    assert (len(CASES), sum(case["href"] is None for case in CASES)) == (270, 154)


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["input"]))
def test_the_parser_writes_every_address_as_whatwg_has_it(case: dict[str, Any]) -> None:
    given, href = case["input"], case["href"]
    if href is None:
        assert not url_acceptable(given)
        assert url_variants(given) == (given,)
        with pytest.raises(ValueError, match=r"."):
            can_ada.parse(given)
        return
    assert url_acceptable(given)
    assert can_ada.parse(given).href == href
    assert url_canonical(given) == url_canonical(href)
    assert href in url_variants(given)


BOTH_WAYS = [
    ("https://example.org/a.jpg", "http://example.org/a.jpg"),
    ("http://example.org:80/a.jpg", "https://example.org/a.jpg"),
    ("HTTPS://example.org/a.jpg", "https://example.org/a.jpg"),
    ("https://example.org", "https://example.org/"),
    ("https://example.org?a=1", "http://example.org/?a=1"),
    ("https://bücher.example/ä.jpg", "https://xn--bcher-kva.example/%C3%A4.jpg"),
    ("https://example.org/my photo.jpg", "https://example.org/my%20photo.jpg"),
    ("https://example.org/%c3%a4.jpg", "https://example.org/%C3%A4.jpg"),
    ("https://example.org/%c3%a4.jpg", "https://example.org/ä.jpg"),
    ("https://example.org/ä b.jpg", "https://example.org/ä%20b.jpg"),
    ("https://example.org/a.jpg?q='x'", "https://example.org/a.jpg?q=%27x%27"),
]
ONE_WAY = [  # as typed, as stored: the other way there would be no end of guessing
    ("https://example.org/a.jpg#top", "https://example.org/a.jpg"),
    ("https://EXAMPLE.org/a.jpg", "https://example.org/a.jpg"),
    ("https://example.org/%7Eme/%41.jpg", "http://example.org/~me/A.jpg"),
    ("https://example.org/b/../a.jpg", "https://example.org/a.jpg"),
    ("https:\\\\example.org\\a.jpg", "https://example.org/a.jpg"),
]


@pytest.mark.parametrize(
    ("typed", "stored"), [*BOTH_WAYS, *((b, a) for a, b in BOTH_WAYS if a[:5] != "HTTPS"), *ONE_WAY]
)
def test_a_spelling_that_a_dataset_stores_is_among_those_looked_up(typed: str, stored: str) -> None:
    assert stored in url_variants(typed)
    assert url_canonical(stored) == url_canonical(typed)


@pytest.mark.parametrize(
    "other",
    [
        "https://www.example.org/a/b.jpg",
        "https://example.org./a/b.jpg",
        "https://example.org:8443/a/b.jpg",
        "https://example.org/a/b.jpg/",
        "https://example.org/A/b.jpg",
        "https://example.org/a%2Fb.jpg",
        "https://example.org/a//b.jpg",
        "https://example.org/a/b.jpg?",
        "https://example.org/a/b.jpg?x=1",
        "https://me@example.org/a/b.jpg",
    ],
)
def test_another_address_is_no_spelling(other: str) -> None:
    assert url_canonical(other) != url_canonical(PLAIN)
    assert other not in url_variants(PLAIN)
    assert PLAIN not in url_variants(other)


def test_what_was_typed_comes_first_byte_for_byte() -> None:
    typed = "hTTps://Example.ORG:443/%7e/a b?c=%c3%a4#top"
    assert url_variants(typed)[0] == typed


def test_a_port_of_its_own_keeps_to_its_scheme() -> None:
    assert all(
        one.startswith("http://example.org:81/")
        for one in url_variants("http://example.org:81/%41")
    )


@pytest.mark.parametrize(
    "refused",
    [
        "",
        "example.org/a.jpg",
        "ftp://example.org/a.jpg",
        "javascript:alert(1)",
        "https://",
        "https://exa mple.org/",
        "https://example.org/a.jpg http://example.org/b.jpg",
        "https://example.org/\ud800.jpg",
        "https://example.org/" + "a" * URL_MAX,
    ],
)
def test_what_cannot_be_an_address_is_refused(refused: str) -> None:
    assert not url_acceptable(refused)


_TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
_ADDRESSES = st.builds(
    "{}://{}{}{}/{}{}{}".format,
    st.sampled_from(["http", "https", "HTTP"]),
    st.sampled_from(["", "u:p@"]),
    st.sampled_from(["example.org", "Bücher.example", "1.2.3.4", "[::1]", "xn--bcher-kva.example"]),
    st.sampled_from(["", ":80", ":443", ":8080"]),
    st.lists(st.one_of(_TEXT, st.sampled_from(["%41", "%c3%a4", "%2e%2e", "%ff", "%"]))).map(
        "/".join
    ),
    _TEXT.map("?{}".format) | st.just(""),
    _TEXT.map("#{}".format) | st.just(""),
)


@given(_ADDRESSES | _TEXT.map("https:{}".format))
def test_spellings_are_bounded_and_lead_to_one_host(url: str) -> None:
    variants = url_variants(url)
    assert variants[0] == url
    assert len(set(variants)) == len(variants) <= VARIANTS_MAX
    assert {url_canonical(one) for one in variants} == {url_canonical(url)}
    if len(variants) > 1:
        assert len({can_ada.parse(one).hostname for one in variants}) == 1


@given(_ADDRESSES)
def test_the_most_telling_spellings_are_never_cut_off(url: str) -> None:
    variants = url_variants(url)
    if len(variants) > 1:
        assert can_ada.parse(url).href.partition("#")[0] in variants
        assert can_ada.parse(url).href in variants
