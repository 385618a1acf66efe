"""Fetching over real sockets: what is sent, what is followed, what is bounded, and by which way."""

import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from removal.search import fetch_http, fetching
from removal.search.fetch_guard import FetchFault, FetchRefused
from removal.search.fetch_http import BYTES_MOST, Fetcher
from removal.search.fetch_lines import Direct, GuardedBackend, Proxied, resolve
from tests.removal.websites import (
    PUBLIC,
    Names,
    ProxyServer,
    Shunt,
    Website,
    certified,
    leads_to,
    told,
    website,
)

BODY = b"\xff\xd8 the bytes of a picture"
URL = "http://pictures.example.org/a.jpg"
MILLION = bytes(1_000_000)


@pytest.fixture
def serve() -> Iterator[Callable[..., Website]]:
    with ExitStack() as stack:
        yield lambda answers, **kept: stack.enter_context(website(answers, **kept))


def fetched(site: Website, url: str = URL, **seams: Any) -> bytes:
    seams = {"line": Shunt(site.port), "look_up": Names(), **seams}
    return Fetcher(**seams).fetch(url)


def outcome(site: Website) -> str:
    """Return what became of a fetch; anything but a file or a refusal is raised."""
    try:
        return f"a file of {len(fetched(site, seconds=2))} bytes"
    except FetchRefused as refused:
        return str(refused)


def fault_of(site: Website, url: str = URL, **seams: Any) -> FetchFault:
    with pytest.raises(FetchRefused) as refused:
        fetched(site, url, **seams)
    return refused.value.fault


# --- what is told ------------------------------------------------------------------------------


def test_a_file_is_fetched_and_nothing_more_is_told_than_must_be(
    serve: Callable[..., Website],
) -> None:
    site, line, names = serve({"/a.jpg": told(BODY)}), Shunt(0), Names()
    line.to = site.port
    assert fetched(site, line=line, look_up=names) == BODY
    [asked] = site.asked
    assert asked.split(b"\r\n") == [
        b"GET /a.jpg HTTP/1.1",
        b"Host: pictures.example.org",
        b"User-Agent: Mozilla/5.0 (compatible)",
        b"Accept: */*",
        b"Accept-Encoding: identity",
        b"Connection: close",
        b"",
        b"",
    ]
    assert names.asked == ["pictures.example.org"]
    assert line.dialed == [(PUBLIC, 80)]


def test_a_cookie_is_not_brought_back(serve: Callable[..., Website]) -> None:
    site = serve({"/a.jpg": leads_to("/b.jpg", "Set-Cookie: a=b"), "/b.jpg": told(BODY)})
    assert fetched(site) == BODY
    assert [b"Cookie" in one or b"Refer" in one for one in site.asked] == [False, False]


def test_a_proxy_of_the_environment_is_none_of_ours(
    serve: Callable[..., Website], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert fetched(serve({"/a.jpg": told(BODY)})) == BODY


# --- where a connection goes ---------------------------------------------------------------------


def test_a_name_that_leads_inside_is_not_connected_to(serve: Callable[..., Website]) -> None:
    site = serve({"/a.jpg": told(BODY)})
    for address in ("127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:10.0.0.1"):
        line = Shunt(site.port)
        names = Names({"pictures.example.org": [[PUBLIC, address]]})
        assert fault_of(site, line=line, look_up=names) is FetchFault.NOT_PUBLIC
        assert line.dialed == []
    assert site.asked == []


def test_a_connection_goes_to_the_address_that_was_checked(serve: Callable[..., Website]) -> None:
    """A name that is answered otherwise the second time (DNS rebinding) gets no second time."""
    site, line = serve({"/a.jpg": told(BODY)}), Shunt(0)
    line.to = site.port
    names = Names({"pictures.example.org": [[PUBLIC], ["127.0.0.1"]]})
    assert fetched(site, line=line, look_up=names) == BODY
    assert line.dialed == [(PUBLIC, 80)]


def test_a_name_is_checked_anew_at_each_redirect(serve: Callable[..., Website]) -> None:
    site, line = serve({"/a.jpg": leads_to("/b.jpg"), "/b.jpg": told(BODY)}), Shunt(0)
    line.to = site.port
    names = Names({"pictures.example.org": [[PUBLIC], ["127.0.0.1"]]})
    assert fault_of(site, line=line, look_up=names) is FetchFault.NOT_PUBLIC
    assert line.dialed == [(PUBLIC, 80)]
    assert len(site.asked) == 1


@pytest.mark.parametrize(
    "inside",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1/",
        "http://0x7f.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://100.100.100.200/",
    ],
)
def test_a_redirect_leads_nowhere_inside(serve: Callable[..., Website], inside: str) -> None:
    site, line = serve({"/a.jpg": leads_to(inside)}), Shunt(0)
    line.to = site.port
    assert fault_of(site, line=line) is FetchFault.NOT_PUBLIC
    assert len(line.dialed) == 1
    assert fault_of(site, inside) is FetchFault.NOT_PUBLIC


def test_the_fetcher_that_is_used_is_guarded_and_so_is_localhost() -> None:
    """Without any seam: the real resolver and the real line."""
    with website({"/": told(BODY)}) as site:
        for url in ("http://localhost/", "http://127.0.0.1/", "http://[::1]/"):
            with pytest.raises(FetchRefused) as refused:
                Fetcher().fetch(url)
            assert refused.value.fault in {FetchFault.NOT_PUBLIC, FetchFault.UNRESOLVED}
        assert site.asked == []


def test_no_setting_reaches_the_seams(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = fetching._fetcher()
    assert isinstance(made, Fetcher)
    assert made._look_up is resolve
    assert isinstance(made._line, Direct)
    assert made._trust.verify_mode == ssl.CERT_REQUIRED
    assert made._trust.check_hostname
    monkeypatch.setattr(
        "removal.search.fetching.settings",
        type("S", (), {"UNLIST": settings.UNLIST.model_copy(update={"fetch_proxy": _Secret()})}),
    )
    through = fetching._fetcher()
    assert isinstance(through, Fetcher)
    assert isinstance(through._line, Proxied)
    assert through._look_up is resolve


class _Secret:
    def get_secret_value(self) -> str:
        return "socks5://127.0.0.1:9050"


def test_a_socket_of_this_machine_is_no_way_out() -> None:
    network = GuardedBackend.__new__(GuardedBackend)
    with pytest.raises(FetchRefused):
        network.connect_unix_socket("/run/secret.sock")


def test_the_next_address_is_tried_where_one_is_dead(serve: Callable[..., Website]) -> None:
    site = serve({"/a.jpg": told(BODY)})
    names = Names({"pictures.example.org": [["1.1.1.1", PUBLIC]]})
    line = Shunt(site.port, dead=frozenset({"1.1.1.1"}))
    assert fetched(site, line=line, look_up=names) == BODY
    assert line.dialed == [("1.1.1.1", 80), (PUBLIC, 80)]
    line = Shunt(site.port, dead=frozenset({"1.1.1.1", PUBLIC}))
    assert fault_of(site, line=line, look_up=names) is FetchFault.UNREACHABLE


def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*asked: Any, **kept: Any) -> Any:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(FetchRefused) as refused:
        Fetcher(line=Shunt(0)).fetch(URL)
    assert refused.value.fault is FetchFault.UNRESOLVED


def test_digits_are_looked_up_nowhere() -> None:
    assert [str(one) for one in resolve("93.184.215.14", 5)] == [PUBLIC]


# --- redirects -----------------------------------------------------------------------------------


def test_five_redirects_are_followed_and_no_sixth(serve: Callable[..., Website]) -> None:
    chain = {f"/{n}": leads_to(f"/{n + 1}") for n in range(6)}
    site = serve({**chain, "/6": told(BODY)})
    assert fetched(site, "http://pictures.example.org/1") == BODY
    assert len(site.asked) == 6
    assert fault_of(site, "http://pictures.example.org/0") is FetchFault.REDIRECTS
    assert len(site.asked) == 12
    loop = serve({"/a.jpg": leads_to("/a.jpg")})
    assert fault_of(loop) is FetchFault.REDIRECTS


def test_a_redirect_without_a_place_ends_there(serve: Callable[..., Website]) -> None:
    nowhere = told(b"", status="301 Moved")
    assert fault_of(serve({"/a.jpg": nowhere})) is FetchFault.REDIRECTS


@pytest.mark.parametrize(
    "to", ["http://pictures.example.org:8080/", "ftp://a.example/", "http://["]
)
def test_a_redirect_to_no_web_address_ends(serve: Callable[..., Website], to: str) -> None:
    assert fault_of(serve({"/a.jpg": leads_to(to)})) is FetchFault.ADDRESS


# --- TLS -----------------------------------------------------------------------------------------


def test_a_certificate_is_checked_by_the_name_not_the_address(
    tmp_path: Path, serve: Callable[..., Website]
) -> None:
    kept = certified(tmp_path, "pictures.example.org")
    site = serve({"/a.jpg": told(BODY)}, context=kept.site)
    url, line = "https://pictures.example.org/a.jpg", Shunt(site.port)
    assert fetched(site, url, trust=kept.trust, line=line) == BODY
    assert line.dialed == [(PUBLIC, 443)]
    other = "https://other.example.org/a.jpg"
    assert fault_of(site, other, trust=kept.trust) is FetchFault.INSECURE
    assert fault_of(site, url) is FetchFault.INSECURE  # the system does not trust it


def test_encryption_is_never_given_up(tmp_path: Path, serve: Callable[..., Website]) -> None:
    kept = certified(tmp_path, "pictures.example.org")
    down = leads_to("http://pictures.example.org/b.jpg")
    site = serve({"/a.jpg": down}, context=kept.site)
    url = "https://pictures.example.org/a.jpg"
    assert fault_of(site, url, trust=kept.trust) is FetchFault.DOWNGRADED
    assert len(site.asked) == 1


def test_a_site_may_lead_on_to_encryption(tmp_path: Path, serve: Callable[..., Website]) -> None:
    kept = certified(tmp_path, "pictures.example.org")
    shielded = serve({"/a.jpg": told(BODY)}, context=kept.site)
    plain = serve({"/a.jpg": leads_to("https://pictures.example.org/a.jpg")})

    class Both:
        def dial(self, address: Any, port: int, seconds: float) -> socket.socket:
            to = {80: plain.port, 443: shielded.port}[port]
            return socket.create_connection(("127.0.0.1", to), seconds)

    assert fetched(plain, line=Both(), trust=kept.trust) == BODY


def test_a_site_that_speaks_no_tls_is_broken(serve: Callable[..., Website]) -> None:
    def talk(path: str, connection: socket.socket) -> None:
        connection.sendall(told(BODY))

    site = serve(talk)
    assert fault_of(site, "https://pictures.example.org/", seconds=1) in {
        FetchFault.BROKEN,
        FetchFault.TOO_SLOW,  # it waits for the end of what it takes for a request
    }


# --- bounds --------------------------------------------------------------------------------------


def test_a_file_that_says_it_is_too_large_is_not_begun(serve: Callable[..., Website]) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {BYTES_MOST + 1}\r\n\r\n".encode()
    began = time.monotonic()
    assert fault_of(serve({"/a.jpg": head})) is FetchFault.TOO_LARGE
    assert time.monotonic() - began < 5


def test_a_file_that_does_not_say_is_counted(serve: Callable[..., Website]) -> None:
    sent: list[int] = []

    def pour(path: str, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(100):
            connection.sendall(b"F4240\r\n" + MILLION + b"\r\n")
            sent.append(1)

    assert fault_of(serve(pour)) is FetchFault.TOO_LARGE
    assert len(sent) < 40


def test_a_file_of_just_the_bound_is_taken(
    serve: Callable[..., Website], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_http, "BYTES_MOST", 1000)
    for body, packed in ((bytes(1000), False), (bytes(1000), True)):
        assert fetched(serve({"/a.jpg": _packed(body) if packed else told(body)})) == body
    assert fault_of(serve({"/a.jpg": told(bytes(1001))})) is FetchFault.TOO_LARGE
    assert fault_of(serve({"/a.jpg": _packed(bytes(1001))})) is FetchFault.TOO_LARGE


def _packed(body: bytes, *, name: str = "gzip", bits: int = 31) -> bytes:
    machine = zlib.compressobj(wbits=bits)
    return told(machine.compress(body) + machine.flush(), f"Content-Encoding: {name}")


def test_what_is_packed_unasked_is_unpacked_within_the_bound(
    serve: Callable[..., Website],
) -> None:
    assert fetched(serve({"/a.jpg": _packed(BODY)})) == BODY
    assert fetched(serve({"/a.jpg": _packed(BODY, name="deflate", bits=15)})) == BODY
    bomb = _packed(bytes(200 * 1024 * 1024))
    assert len(bomb) < 300_000
    assert fault_of(serve({"/a.jpg": bomb})) is FetchFault.TOO_LARGE


@pytest.mark.parametrize("name", ["br", "zstd", "gzip, gzip", "compress"])
def test_what_is_packed_otherwise_is_refused(serve: Callable[..., Website], name: str) -> None:
    site = serve({"/a.jpg": told(BODY, f"Content-Encoding: {name}")})
    assert fault_of(site) is FetchFault.ENCODED


@pytest.mark.parametrize("cut", [slice(0, -3), slice(0, 5)])
def test_what_cannot_be_unpacked_is_refused(serve: Callable[..., Website], cut: slice) -> None:
    body = _packed(BODY * 50).partition(b"\r\n\r\n")[2]
    damaged = told(body[cut], "Content-Encoding: gzip")
    assert fault_of(serve({"/a.jpg": damaged})) is FetchFault.ENCODED
    trailing = told(body + body, "Content-Encoding: gzip")
    assert fault_of(serve({"/a.jpg": trailing})) is FetchFault.ENCODED


def _trickled(data: bytes, ended: threading.Event) -> Any:
    def answer(path: str, connection: socket.socket) -> None:
        for place in range(len(data)):
            connection.sendall(data[place : place + 1])
            if ended.wait(0.05):
                return

    return answer


@pytest.mark.parametrize("what", ["the head", "the body", "one line", "nothing"])
def test_the_time_is_that_of_the_whole_fetch(serve: Callable[..., Website], what: str) -> None:
    """A byte now and then keeps no connection open."""
    ended = threading.Event()
    slow = {
        "the head": b"HTTP/1.1 200 OK\r\n" + b"X-Padding: aaaaaaaaaa\r\n" * 100,
        "the body": told(bytes(2000)),
        "one line": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 2000,
        "nothing": b"",
    }[what]

    def answer(path: str, connection: socket.socket) -> None:
        _trickled(slow, ended)(path, connection)
        ended.wait(10)

    began = time.monotonic()
    site = serve(answer)
    try:
        assert fault_of(site, seconds=0.7) is FetchFault.TOO_SLOW
        assert time.monotonic() - began < 3
    finally:
        ended.set()


def test_a_slow_handshake_is_bounded_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(FetchRefused) as refused:
            Fetcher(line=Shunt(silent.getsockname()[1]), look_up=Names(), seconds=0.5).fetch(
                "https://pictures.example.org/"
            )
    assert refused.value.fault is FetchFault.TOO_SLOW
    assert time.monotonic() - began < 3


def test_redirects_share_the_time(serve: Callable[..., Website]) -> None:
    def answer(path: str, connection: socket.socket) -> None:
        time.sleep(0.3)
        connection.sendall(leads_to("/b"))

    began = time.monotonic()
    assert fault_of(serve(answer), seconds=0.8) is FetchFault.TOO_SLOW
    assert time.monotonic() - began < 3


def test_a_name_that_is_never_answered_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *asked, **kept: ended.wait(10))
    try:
        began = time.monotonic()
        with pytest.raises(FetchRefused) as refused:
            Fetcher(line=Shunt(0), seconds=0.5).fetch(URL)
        assert refused.value.fault is FetchFault.UNRESOLVED
        assert time.monotonic() - began < 3
    finally:
        ended.set()


# --- answers that are none -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        ("404 Not Found", FetchFault.GONE),
        ("410 Gone", FetchFault.GONE),
        ("401 Unauthorized", FetchFault.FORBIDDEN),
        ("403 Forbidden", FetchFault.FORBIDDEN),
        ("429 Too Many Requests", FetchFault.FORBIDDEN),
        ("451 Unavailable For Legal Reasons", FetchFault.FORBIDDEN),
        ("500 Internal Server Error", FetchFault.STATUS),
        ("204 No Content", FetchFault.STATUS),
        ("206 Partial Content", FetchFault.STATUS),
    ],
)
def test_an_answer_without_a_file_says_why(
    serve: Callable[..., Website], status: str, fault: FetchFault
) -> None:
    assert fault_of(serve({"/a.jpg": told(b"", status=status)})) is fault


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ntoo short",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Padding: a\r\n" * 20_000 + b"\r\n",
    ],
)
def test_an_answer_that_is_no_sound_http_is_refused(
    serve: Callable[..., Website], answer: bytes
) -> None:
    assert fault_of(serve({"/a.jpg": answer}), seconds=5) is FetchFault.BROKEN


@given(head=st.binary(max_size=200), body=st.binary(max_size=50))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_a_site_answers_is_a_file_or_a_refusal(head: bytes, body: bytes) -> None:
    """Nothing else comes out that could carry an address into a log."""
    answers = [head, b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body, b"HTTP/1.1 302 F\r\n"]
    answers[2] += b"Location: " + head.replace(b"\n", b"").replace(b"\r", b"") + b"\r\n\r\n"
    for answer in answers:
        with website({"/a.jpg": answer}) as site:
            assert "example" not in outcome(site)


# --- proxies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("socks", [False, True])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_is_told_the_address_that_was_checked_and_never_the_name(
    tmp_path: Path, serve: Callable[..., Website], scheme: str, socks: bool
) -> None:
    kept = certified(tmp_path, "pictures.example.org")
    context = {"context": kept.site} if scheme == "https" else {}
    site, port = serve({"/a.jpg": told(BODY)}, **context), 443 if scheme == "https" else 80
    proxy = ProxyServer(site.port, socks=socks)
    try:
        url = f"{scheme}://pictures.example.org/a.jpg"
        assert fetched(site, url, line=Proxied(proxy.url), trust=kept.trust) == BODY
    finally:
        proxy.close()
    [asked] = proxy.asked
    address = bytes(map(int, PUBLIC.split(".")))
    if socks:
        assert asked == b"\x05\x01\x00\x01" + address + port.to_bytes(2, "big")
    else:
        assert asked.startswith(f"CONNECT {PUBLIC}:{port} HTTP/1.1\r\n".encode())
        assert b"example" not in asked
    assert b"Host: pictures.example.org" in site.asked[0]


@pytest.mark.parametrize("socks", [False, True])
def test_what_is_not_public_is_not_asked_of_a_proxy(
    serve: Callable[..., Website], socks: bool
) -> None:
    site = serve({"/a.jpg": told(BODY)})
    proxy = ProxyServer(site.port, socks=socks)
    try:
        names = Names({"pictures.example.org": [["10.0.0.1"]]})
        line = Proxied(proxy.url)
        assert fault_of(site, line=line, look_up=names) is FetchFault.NOT_PUBLIC
    finally:
        proxy.close()
    assert proxy.asked == []


@pytest.mark.parametrize("socks", [False, True])
def test_a_proxy_that_refuses_is_said_to(serve: Callable[..., Website], socks: bool) -> None:
    site = serve({"/a.jpg": told(BODY)})
    proxy = ProxyServer(site.port, socks=socks, refuses=True)
    try:
        assert fault_of(site, line=Proxied(proxy.url)) is FetchFault.PROXY
    finally:
        proxy.close()
    assert fault_of(site, line=Proxied(proxy.url), seconds=5) is FetchFault.PROXY  # it is gone
    assert site.asked == []
