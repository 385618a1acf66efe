"""What a fetch may go to: the public internet, by http and https, and nothing in its disguise."""

from collections.abc import Callable
from ipaddress import ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from removal.search.fetch_guard import (
    FetchFault,
    FetchRefused,
    Target,
    addresses_check,
    is_public,
    target_next,
    target_read,
)

PUBLIC = ["93.184.215.14", "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.32.0.1"]
PUBLIC += ["2606:2800:21f:cb07:6820:80da:af6b:8b2c", "2a00:1450:4001:80b::200e", "2400:cb00::1"]
PRIVATE = {
    "this host": ["0.0.0.0", "0.1.2.3", "::"],  # noqa: S104  # nothing is bound to it
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12::1"],
    "carriers": ["100.64.0.1", "100.127.255.255"],
    "link-local": ["169.254.0.1", "fe80::1", "fe80::1%eth0", "fec0::1"],
    "metadata": ["169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192"],
    "metadata, too": ["fd00:ec2::254", "168.63.129.16", "fd20:ce::254"],
    "protocols": ["192.0.0.1", "192.0.0.9", "192.88.99.1", "192.31.196.1", "192.52.193.1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "benchmarks": ["198.18.0.1", "198.19.255.255", "2001:2::1"],
    "multicast": ["224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "100::1", "4000::1", "5f00::1"],
    "IPv4-mapped": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:93.184.215.14"],
    "IPv4-compatible": ["::127.0.0.1", "::93.184.215.14"],
    "IPv4-translated": ["::ffff:0:127.0.0.1"],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1"],
    "6to4": ["2002:7f00:1::1", "2002:a00:1::1", "2002:5db8:d70e::1"],
    "Teredo": ["2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001::1"],
}


@pytest.mark.parametrize("written", PUBLIC)
def test_a_public_address_passes(written: str) -> None:
    assert is_public(ip_address(written))
    addresses_check([ip_address(written)])


@pytest.mark.parametrize("written", [one for several in PRIVATE.values() for one in several])
def test_no_other_address_passes(written: str) -> None:
    assert not is_public(ip_address(written))
    with pytest.raises(FetchRefused) as refused:
        addresses_check([ip_address(written)])
    assert refused.value.fault is FetchFault.NOT_PUBLIC


def test_a_name_that_leads_to_both_kinds_does_not_pass() -> None:
    with pytest.raises(FetchRefused) as refused:
        addresses_check([ip_address(PUBLIC[0]), ip_address("10.0.0.1")])
    assert refused.value.fault is FetchFault.NOT_PUBLIC
    with pytest.raises(FetchRefused) as refused:
        addresses_check([])
    assert refused.value.fault is FetchFault.UNRESOLVED


@given(st.integers(0, 2**32 - 1))
def test_no_address_passes_in_a_disguise(number: int) -> None:
    """An IPv4 address that is written as IPv6 in any of the known ways is never public."""
    hidden = [0xFFFF << 32 | number, number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80]
    hidden.append(0x20010000 << 96 | (number ^ 0xFFFFFFFF))
    assert not any(is_public(ip_address(one.to_bytes(16, "big"))) for one in hidden)


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("http://pictures.example.org/a.jpg", "pictures.example.org", 80, "/a.jpg"),
        ("HTTPS://Pictures.Example.org:443/a b?c=d#e", "pictures.example.org", 443, "/a%20b?c=d"),
        ("http://bücher.example/ä", "xn--bcher-kva.example", 80, "/%C3%A4"),
        ("https://[2606:2800::1]/", "2606:2800::1", 443, "/"),
        ("http:pictures.example.org", "pictures.example.org", 80, "/"),
    ],
)
def test_an_address_is_read_as_a_browser_reads_it(
    url: str, host: str, port: int, path: str
) -> None:
    target = target_read(url)
    assert (target.host, target.port, target.path) == (host, port, path)


@pytest.mark.parametrize("url", ["http://2130706433/", "http://0x7f.1/", "http://017700000001/"])
def test_an_address_in_other_digits_is_the_address(url: str) -> None:
    assert target_read(url).host == "127.0.0.1"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "pictures.example.org/a.jpg",
        "ftp://pictures.example.org/a.jpg",
        "file:///etc/passwd",
        "gopher://pictures.example.org/",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "http://",
        "http://pictures.example.org:8080/",
        "http://pictures.example.org:443/",
        "https://pictures.example.org:80/",
        "http://pictures.example.org:22/",
        "http://user@pictures.example.org/",
        "http://user:password@pictures.example.org/",
        "http://pictures.example.org/" + "a" * 9000,
    ],
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(FetchRefused) as refused:
        target_read(url)
    assert refused.value.fault is FetchFault.ADDRESS


@pytest.mark.parametrize(
    ("before", "location", "after"),
    [
        ("https://a.example/b/c", "d", "https://a.example/b/d"),
        ("https://a.example/b/c", "/d", "https://a.example/d"),
        ("https://a.example/b/c", "//e.example/f", "https://e.example/f"),
        ("http://a.example/b", "https://a.example/b", "https://a.example/b"),
    ],
)
def test_a_redirect_is_followed_from_where_it_was_found(
    before: str, location: str, after: str
) -> None:
    assert target_next(target_read(before), location).url == after


@pytest.mark.parametrize(
    ("before", "location", "fault"),
    [
        ("https://a.example/", "http://a.example/", FetchFault.DOWNGRADED),
        ("http://a.example/", "http://a.example:8080/", FetchFault.ADDRESS),
        ("http://a.example/", "file:///etc/passwd", FetchFault.ADDRESS),
        ("http://a.example/", "http://[", FetchFault.ADDRESS),
        ("http://a.example/", "http://user@a.example/", FetchFault.ADDRESS),
    ],
)
def test_a_redirect_is_checked_like_an_address(
    before: str, location: str, fault: FetchFault
) -> None:
    with pytest.raises(FetchRefused) as refused:
        target_next(target_read(before), location)
    assert refused.value.fault is fault


@given(st.text(max_size=80), st.text(max_size=80))
@example("http://a.example/", "http://[::1")
@example("http://a.example/", "//\x00")
def test_whatever_is_written_is_read_or_refused(url: str, location: str) -> None:
    reads: list[Callable[[], Target]] = [
        lambda: target_read(url),
        lambda: target_read(f"http://{url}"),
        lambda: target_next(target_read("http://a.example/"), location),
    ]
    for read in reads:
        try:
            target = read()
        except FetchRefused:
            continue
        assert target.scheme in {"http", "https"}
        assert target.url.isascii()
        assert not any(character in target.path for character in "\r\n \t")
