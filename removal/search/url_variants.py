"""The spellings of one web address: which are looked up for it, and which count as the same.

A row is found by the hash of its address byte for byte as the dataset stores it, and datasets store
what pages of the web had: raw spaces and letters, or percent-encoded ones, `http` or `https`.
So a known address is looked up under every spelling that can be listed. What always holds: nothing
is fetched, what was typed comes first and unchanged, no spelling leads to another host, their
number is bounded, and two spellings of one address have one canonical form.

Parsing is WHATWG's (https://url.spec.whatwg.org), by Ada, which agrees with the Web Platform Tests;
percent-encoding is compared as RFC 3986, section 6.2.2, advises. docs/matching.md says what is
looked up, what is not, and why.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import can_ada

URL_MAX: Final = 2048
VARIANTS_MAX: Final = 64
_TWIN: Final = {"http:": "https:", "https:": "http:"}
_DEFAULT_PORT: Final = {"http:": "80", "https:": "443"}
_UNRESERVED: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)
# What the parser encodes by itself, so that the raw and the encoded form are one address; of the
# sets in section 1.3 of the standard, without what would end the part or the whole.
_ENCODED_IN_PATH: Final = frozenset(' "<>`{}')
_ENCODED_IN_QUERY: Final = frozenset(" \"<>'")
_ESCAPES: Final = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_ESCAPE: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_TYPED: Final = re.compile(
    r"https?://(?:[^/\\?#@]*@)?([^/\\?#@:\s]*)(?::[0-9]*)?([^#]*)", re.IGNORECASE
)
_SECOND: Final = re.compile(r"\shttps?:", re.IGNORECASE)


def url_acceptable(url: str) -> bool:
    """Tell whether an address can be searched for as it stands; it is never changed.

    It must be one that a browser would open over http or https, and one alone.
    """
    if len(url) > URL_MAX or _SECOND.search(url):
        return False
    return _parsed(url) is not None


def url_canonical(url: str) -> str:
    """Return what all spellings of an address have in common; of what is no address, itself."""
    parsed = _parsed(url)
    if parsed is None:
        return url
    scheme = parsed.protocol if parsed.port else "https:"
    return f"{scheme}//{_userinfo(parsed)}{parsed.host}{_normal(_tail(parsed))}"


def url_variants(url: str) -> tuple[str, ...]:
    """Return the spellings to look an address up under, the likeliest first, each once.

    The first is `url` itself, byte for byte. There are at most `VARIANTS_MAX`.
    """
    parsed = _parsed(url)
    if parsed is None:
        return (url,)
    common = url_canonical(url)
    spelled = dict.fromkeys(_spelled(_Parts.of(url, parsed)))
    same = [one for one in spelled if one != url and url_canonical(one) == common]
    return (url, *same)[:VARIANTS_MAX]


@dataclass(frozen=True, slots=True)
class _Parts:
    """An address in parts, each with its spellings, the likeliest first.

    Attributes:
        schemes: its own, and the other where the port does not speak against it.
        user: name and password, which have one spelling.
        hosts: as the parser writes it, as people do, as it was typed.
        port: with its colon; empty where it is the scheme's own.
        tails: path and query.
        fragment: with its sign; empty where there is none.
    """

    schemes: tuple[str, ...]
    user: str
    hosts: tuple[str, ...]
    port: str
    tails: tuple[str, ...]
    fragment: str

    @classmethod
    def of(cls, url: str, parsed: Any) -> "_Parts":
        own = parsed.protocol
        return cls(
            schemes=(own,) if parsed.port else (own, _TWIN[own]),
            user=_userinfo(parsed),
            hosts=_hosts(url, parsed.hostname),
            port=f":{parsed.port}" if parsed.port else "",
            tails=_tails(url, parsed),
            fragment=parsed.href[len(parsed.href.partition("#")[0]) :],
        )


def _parsed(url: str) -> Any | None:
    """Parse an address of the web; None where a browser would not open it, or not by http(s)."""
    try:
        parsed = can_ada.parse(url)
    except (ValueError, TypeError):  # TypeError: text that has no UTF-8
        return None
    return parsed if parsed.protocol in _TWIN and parsed.hostname else None


def _spelled(parts: _Parts) -> Iterator[str]:
    common = parts.tails[:2]
    for scheme in parts.schemes:
        for host in parts.hosts:
            for tail in parts.tails:
                yield f"{scheme}//{parts.user}{host}{parts.port}{tail}"
    for scheme in parts.schemes:
        for tail in common:
            if not parts.port:
                yield f"{scheme}//{parts.user}{parts.hosts[0]}:{_DEFAULT_PORT[scheme]}{tail}"
            if parts.fragment:
                yield f"{scheme}//{parts.user}{parts.hosts[0]}{parts.port}{tail}{parts.fragment}"


def _userinfo(parsed: Any) -> str:
    if not (parsed.username or parsed.password):
        return ""
    password = f":{parsed.password}" if parsed.password else ""
    return f"{parsed.username}{password}@"


def _tail(parsed: Any) -> str:
    """Return path and query; an empty query differs from none, which `search` does not tell."""
    whole = parsed.href.partition("#")[0]
    mark = "?" if whole.endswith("?") and not parsed.search else ""
    return f"{parsed.pathname}{parsed.search}{mark}"


def _hosts(url: str, ascii_name: str) -> tuple[str, ...]:
    """Return the spellings of a host: all of them lead to it and to no other."""
    typed = _TYPED.match(url)
    known = ascii_name.encode()  # its stub says text; it takes bytes
    shown = can_ada.idna_decode(known) if b"xn--" in known else ""  # type: ignore[arg-type]
    named = [shown, typed.group(1) if typed else ""]
    own = [name for name in named if name and _host_of(name) == ascii_name]
    return tuple(dict.fromkeys([ascii_name, *own]))


def _host_of(name: str) -> str | None:
    parsed = _parsed(f"http://{name}/")
    return parsed.hostname if parsed is not None else None


def _tails(url: str, parsed: Any) -> tuple[str, ...]:
    """Return the spellings of path and query: as written, encoded more, encoded less."""
    written = _tail(parsed)
    normal, raw = _normal(written), _raw(written)
    spellings = [
        *_typed_tail(url, written),
        written,
        raw,
        raw.replace(" ", "%20"),
        normal,
        _lower(normal),
        _lower(written),
    ]
    slashless = [tail[1:] for tail in spellings[:2] if tail == "/" or tail.startswith("/?")]
    return tuple(dict.fromkeys([*spellings, *slashless]))


def _typed_tail(url: str, written: str) -> list[str]:
    """Return path and query as they were typed, where that is a spelling of its own."""
    typed = _TYPED.match(url)
    if typed is None:
        return []
    parsed = _parsed(f"https://host.example{typed.group(2)}")
    return [typed.group(2)] if parsed is not None and _tail(parsed) == written else []


def _normal(tail: str) -> str:
    """Write escapes in capitals, and none where there need not be any (RFC 3986, 6.2.2)."""
    return _ESCAPE.sub(lambda found: _unescaped(found.group()), tail)


def _unescaped(escape: str) -> str:
    value = int(escape[1:], 16)
    return chr(value) if value in _UNRESERVED else escape.upper()


def _lower(tail: str) -> str:
    return _ESCAPE.sub(lambda found: found.group().lower(), tail)


def _raw(tail: str) -> str:
    """Undo what the parser would do again by itself: letters of all scripts, blanks, quotes."""
    path, mark, query = tail.partition("?")
    return _decoded(path, _ENCODED_IN_PATH) + mark + _decoded(query, _ENCODED_IN_QUERY)


def _decoded(part: str, encoded: frozenset[str]) -> str:
    def readable(run: re.Match[str]) -> str:
        data = bytes.fromhex(run.group().replace("%", ""))
        return "".join(_character(char, encoded) for char in _characters(data))

    return _ESCAPES.sub(readable, part)


def _characters(data: bytes) -> Iterator[str]:
    """Return the characters of UTF-8; a byte that is none is a surrogate, to be told apart."""
    yield from data.decode("utf-8", "surrogateescape")


def _character(char: str, encoded: frozenset[str]) -> str:
    if char in encoded or (ord(char) > 0x9F and not "\ud800" <= char <= "\udfff"):
        return char
    value = ord(char) - 0xDC00 if "\udc80" <= char <= "\udcff" else None
    data = char.encode() if value is None else bytes([value])
    return "".join(f"%{byte:02X}" for byte in data)
