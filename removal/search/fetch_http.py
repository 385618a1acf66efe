"""One file fetched over HTTP: bounded in bytes, time and redirects, telling as little as can be.

The request carries neither referrer nor cookie nor anything of whom it is for, and names no
product: a site that saw this service's name would know that somebody asked for a removal. The
client is httpcore2, which follows no redirect, keeps no cookie, reads no proxy from the environment
and decodes nothing by itself. Workers alone import this module.
"""

import ssl
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import httpcore2

from removal.search.fetch_guard import FetchFault, FetchRefused, Target, target_next, target_read
from removal.search.fetch_lines import Deadline, Direct, GuardedBackend, Line, Resolve, resolve

BYTES_MOST: Final = 20 * 1024 * 1024
SECONDS_MOST: Final = 20.0
REDIRECTS_MOST: Final = 5
USER_AGENT: Final = "Mozilla/5.0 (compatible)"

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_FAULTS: Final[Mapping[int, FetchFault]] = {
    **dict.fromkeys((404, 410), FetchFault.GONE),
    **dict.fromkeys((401, 402, 403, 407, 429, 451), FetchFault.FORBIDDEN),
}
_AUTO: Final = zlib.MAX_WBITS | 32
"""Take gzip and zlib alike."""


class Fetcher:
    """Fetches files, each by its own connection.

    Args:
        line: how connections are made; directly by default.
        look_up: finds the addresses of a name.
        trust: which certificates are; those of the system by default.
        seconds: for the whole of a fetch.
    """

    def __init__(
        self,
        *,
        line: Line | None = None,
        look_up: Resolve = resolve,
        trust: ssl.SSLContext | None = None,
        seconds: float = SECONDS_MOST,
    ) -> None:
        self._line = line or Direct()
        self._look_up = look_up
        self._trust = trust or httpcore2.default_ssl_context()
        self._seconds = seconds

    def fetch(self, url: str) -> bytes:
        """Return the file at an address.

        Raises:
            FetchRefused: it may not be fetched, or cannot be.
        """
        deadline = Deadline(self._seconds)
        network = GuardedBackend(deadline, self._line, self._look_up)
        target = target_read(url)
        for _ in range(1 + REDIRECTS_MOST):
            with self._asked(target, network) as answer:
                if answer.status not in _REDIRECTS:
                    return _file_read(answer, deadline)
                target = target_next(target, _header(answer, b"location"))
        raise FetchRefused(FetchFault.REDIRECTS)

    @contextmanager
    def _asked(self, target: Target, network: GuardedBackend) -> Iterator[httpcore2.Response]:
        url = httpcore2.URL(
            scheme=target.scheme, host=target.host, port=target.port, target=target.path
        )
        try:
            with (
                httpcore2.HTTPConnection(
                    url.origin, ssl_context=self._trust, network_backend=network
                ) as connection,
                connection.stream("GET", url, headers=_headers(target)) as answer,
            ):
                yield answer
        except (httpcore2.ProtocolError, httpcore2.NetworkError):
            raise FetchRefused(FetchFault.BROKEN) from None


def _headers(target: Target) -> list[tuple[str, str]]:
    """Return all that is told beside the address."""
    return [
        ("Host", target.authority),
        ("User-Agent", USER_AGENT),
        ("Accept", "*/*"),
        ("Accept-Encoding", "identity"),
        ("Connection", "close"),
    ]


def _header(answer: httpcore2.Response, name: bytes) -> str:
    values = [value for key, value in answer.headers if key.lower() == name]
    return values[0].decode("utf-8", "replace").strip() if values else ""


def _file_read(answer: httpcore2.Response, deadline: Deadline) -> bytes:
    """Return what an answer holds, in at most `BYTES_MOST` bytes."""
    if answer.status != 200:
        raise FetchRefused(_FAULTS.get(answer.status, FetchFault.STATUS))
    said = _header(answer, b"content-length")
    if said.isdecimal() and int(said) > BYTES_MOST:
        raise FetchRefused(FetchFault.TOO_LARGE)
    parts = _bounded(answer, deadline)
    encoding = _header(answer, b"content-encoding").lower()
    if encoding in {"", "identity"}:
        return b"".join(parts)
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise FetchRefused(FetchFault.ENCODED)
    return _inflated(parts)


def _bounded(answer: httpcore2.Response, deadline: Deadline) -> Iterator[bytes]:
    size = 0
    for part in answer.iter_stream():
        deadline.left()  # a part may come of what was read before
        size += len(part)
        if size > BYTES_MOST:
            raise FetchRefused(FetchFault.TOO_LARGE)
        yield part


def _inflated(parts: Iterator[bytes]) -> bytes:
    """Unpack what was packed though nobody asked for that; never more than the bound."""
    machine, whole = zlib.decompressobj(_AUTO), bytearray()
    try:
        for part in parts:
            whole += machine.decompress(part, BYTES_MOST + 1 - len(whole))
            if len(whole) > BYTES_MOST:
                raise FetchRefused(FetchFault.TOO_LARGE)
    except zlib.error:
        raise FetchRefused(FetchFault.ENCODED) from None
    if not machine.eof or machine.unused_data:
        raise FetchRefused(FetchFault.ENCODED)
    return bytes(whole)
