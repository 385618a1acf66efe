"""The lines that a fetch goes by: names looked up, addresses checked, connections held to a time.

`GuardedBackend` is all of the network that the HTTP client has. It gets a name, looks it up,
has what it found checked, and connects to an address that passed: there is no second look-up that
could be answered otherwise. A line is how the connection is made: directly, or through the
operator's proxy, which is told the address and never the name. Workers alone import this module.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit

import httpcore2
from python_socks import ProxyError as ProxyRefused
from python_socks import ProxyType
from python_socks.sync import Proxy

from removal.search.fetch_guard import FetchFault, FetchRefused, IPAddress, addresses_check

CONNECT_SECONDS: Final = 6.0
"""For one address; the next one of the same name is tried after it."""
ADDRESSES_MOST: Final = 4
Resolve = Callable[[str, float], Sequence[IPAddress]]

_resolvers: Final = ThreadPoolExecutor(max_workers=4, thread_name_prefix="resolve")


class Deadline:
    """The end of a fetch: every step of it is given no more time than is left."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left.

        Raises:
            FetchRefused: none.
        """
        left = self._until - time.monotonic()
        if left <= 0:
            raise FetchRefused(FetchFault.TOO_SLOW)
        return left


class Line(Protocol):
    """A way to an address that was checked."""

    def dial(self, address: IPAddress, port: int, seconds: float) -> socket.socket:
        """Connect within a time.

        Raises:
            FetchRefused, OSError: that is not possible.
        """


class Direct:
    """No proxy."""

    def dial(self, address: IPAddress, port: int, seconds: float) -> socket.socket:
        """Connect; the digits of an address are looked up nowhere."""
        return socket.create_connection((str(address), port), seconds)


class Proxied:
    """Through the operator's proxy, by HTTP CONNECT or SOCKS 5, to the address and not the name.

    Args:
        url: `http://` or `socks5://`, perhaps with a user's name and password.
    """

    _KINDS: Final = {"http": ProxyType.HTTP, "socks5": ProxyType.SOCKS5}

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._proxy = Proxy(
            self._KINDS[parts.scheme],
            parts.hostname or "",
            parts.port or 0,
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else None,
        )

    def dial(self, address: IPAddress, port: int, seconds: float) -> socket.socket:
        """Have the proxy connect."""
        try:
            return self._proxy.connect(str(address), port, timeout=seconds)
        except (ProxyRefused, OSError):
            raise FetchRefused(FetchFault.PROXY) from None


def resolve(name: str, seconds: float) -> Sequence[IPAddress]:
    """Return all addresses of a name, each once, in the system's order; of digits, themselves.

    Raises:
        FetchRefused: there is no such name, or nobody said so in time.
    """
    asked = _resolvers.submit(socket.getaddrinfo, name, None, type=socket.SOCK_STREAM)
    try:
        answers = asked.result(timeout=seconds)
    except TimeoutError:
        asked.cancel()
        raise FetchRefused(FetchFault.UNRESOLVED) from None
    except (OSError, UnicodeError):
        raise FetchRefused(FetchFault.UNRESOLVED) from None
    return list(dict.fromkeys(ip_address(answer[4][0]) for answer in answers))


class GuardedBackend(httpcore2.NetworkBackend):
    """The client's network: connects to public addresses alone, within one deadline.

    Args:
        deadline: of the whole fetch.
        line: how connections are made.
        look_up: finds the addresses of a name.
    """

    def __init__(self, deadline: Deadline, line: Line, look_up: Resolve) -> None:
        self._deadline = deadline
        self._line = line
        self._look_up = look_up

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  # the deadline bounds all
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore2.NetworkStream:
        """Look a name up, check all that it leads to, and connect to the first that answers.

        Raises:
            FetchRefused: it leads to what is not public, or nothing answers.
        """
        found = self._look_up(host, self._deadline.left())
        addresses_check(found)
        fault = FetchFault.UNREACHABLE
        for address in found[:ADDRESSES_MOST]:
            seconds = min(CONNECT_SECONDS, self._deadline.left())
            try:
                return _Stream(self._line.dial(address, port, seconds), self._deadline)
            except FetchRefused as refused:
                fault = refused.fault
            except OSError:
                fault = FetchFault.UNREACHABLE
        raise FetchRefused(fault)

    def connect_unix_socket(
        self,
        path: str,  # noqa: ARG002
        timeout: float | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore2.NetworkStream:
        """Refuse: a socket of this machine is nothing public.

        Raises:
            FetchRefused: always.
        """
        raise FetchRefused(FetchFault.NOT_PUBLIC)


class _Stream(httpcore2.NetworkStream):
    """A connection each of whose steps ends with the deadline at the latest."""

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        self._socket = connected
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        with self._in_time():
            return self._socket.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        with self._in_time():
            self._socket.sendall(buffer)

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore2.NetworkStream:
        try:
            with self._in_time():
                shielded = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except BaseException:
            self.close()
            raise
        return _Stream(shielded, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":  # asked before a connection is used again: none ever is
            return False
        return self._socket if info == "socket" else None

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        self._socket.settimeout(self._deadline.left())
        try:
            yield
        except TimeoutError:
            raise FetchRefused(FetchFault.TOO_SLOW) from None
        except ssl.SSLCertVerificationError:
            raise FetchRefused(FetchFault.INSECURE) from None
        except OSError:  # other faults of TLS among them
            raise FetchRefused(FetchFault.BROKEN) from None
