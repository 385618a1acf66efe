"""Sites, proxies and a map of the net for tests of fetching: real sockets, all on this machine.

The guard is the product's own and as strict as ever. Tests put in what no setting reaches: where
names lead (`Names`), and where a connection to a public address really goes (`Shunt`).
"""

import datetime as dt
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from removal.search.fetch_guard import IPAddress

PUBLIC = "93.184.215.14"
Answer = Callable[[str, socket.socket], None]
"""Gets the path that was asked for and the connection to answer on."""


def told(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return an HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def leads_to(where: str, *headers: str) -> bytes:
    """Return a redirect."""
    return told(b"", f"Location: {where}", *headers, status="302 Found")


@dataclass
class Names:
    """A resolver: names with their addresses; the last answer is given again."""

    known: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __call__(self, name: str, seconds: float) -> Sequence[IPAddress]:
        answers = self.known.get(name, [[PUBLIC]])
        turn = min(self.asked.count(name), len(answers) - 1)
        self.asked.append(name)
        with suppress(ValueError):
            return [ip_address(name)]
        return [ip_address(one) for one in answers[turn]]


@dataclass
class Shunt:
    """A line whose connections all end at one port of this machine."""

    to: int
    dialed: list[tuple[str, int]] = field(default_factory=list)
    dead: frozenset[str] = frozenset()

    def dial(self, address: IPAddress, port: int, seconds: float) -> socket.socket:
        self.dialed.append((str(address), port))
        if str(address) in self.dead:
            raise ConnectionRefusedError
        return socket.create_connection(("127.0.0.1", self.to), seconds)


class Website:
    """A server that answers as it is told and keeps what it was sent."""

    def __init__(self, answer: Answer, context: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._context = context
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.asked: list[bytes] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._talk, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _talk(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with suppress(OSError), connection:
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection:
                data = b""
                while b"\r\n\r\n" not in data:
                    part = connection.recv(65536)
                    if not part:
                        return
                    data += part
                self.asked.append(data)
                self._answer(data.split(b" ")[1].decode(), connection)

    def close(self) -> None:
        self._ended.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(timeout=10)


@contextmanager
def website(answers: Mapping[str, bytes] | Answer, **kept: ssl.SSLContext) -> Iterator[Website]:
    """Serve answers by path, or by a function."""
    if callable(answers):
        answer = answers
    else:
        known = answers

        def answer(path: str, connection: socket.socket) -> None:
            connection.sendall(known.get(path, told(b"", status="404 Not Found")))

    site = Website(answer, kept.get("context"))
    try:
        yield site
    finally:
        site.close()


@dataclass(frozen=True)
class Certified:
    """A site's side of TLS, and what trusts it."""

    site: ssl.SSLContext
    trust: ssl.SSLContext


def certified(folder: Path, name: str) -> Certified:
    """Make a certificate for a name, trusted where `trust` is used."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / f"{name}.pem", folder / f"{name}.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    site = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    site.load_cert_chain(public, private)
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.load_verify_locations(public)
    return Certified(site, trust)


class ProxyServer:
    """A proxy of HTTP CONNECT or SOCKS 5 that notes what it is asked for and goes elsewhere."""

    def __init__(self, to: int, *, socks: bool, refuses: bool = False) -> None:
        self._to = to
        self._socks = socks
        self._refuses = refuses
        self.asked: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        port = self._listening.getsockname()[1]
        self.url = f"{'socks5' if socks else 'http'}://127.0.0.1:{port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with suppress(OSError), connection:
                connection.settimeout(5)
                (self._by_socks if self._socks else self._by_connect)(connection)

    def _by_connect(self, connection: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536)
        self.asked.append(data)
        if self._refuses:
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            return
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self._joined(connection)

    def _by_socks(self, connection: socket.socket) -> None:
        connection.recv(262)
        connection.sendall(b"\x05\x00")
        self.asked.append(connection.recv(262))
        if self._refuses:
            connection.sendall(b"\x05\x02\x00\x01" + bytes(6))
            return
        connection.sendall(b"\x05\x00\x00\x01" + bytes(6))
        self._joined(connection)

    def _joined(self, connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._to), 5) as site:
            back = threading.Thread(target=_poured, args=(site, connection), daemon=True)
            back.start()
            _poured(connection, site)
            back.join(timeout=5)

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(timeout=10)


def _poured(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(65536):
            sink.sendall(part)
        sink.shutdown(socket.SHUT_WR)
