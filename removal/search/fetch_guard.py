"""What may be fetched from the web: addresses of the public internet, by http and https alone.

A row's address is what somebody wrote into a dataset, and where a site redirects to is what the
site says: either may name a machine of the operator's own. So what an address leads to is checked
after its name was looked up, for each redirect anew, and the connection goes to the very address
that was checked (`fetch_lines`). Nothing here does any input or output.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final
from urllib.parse import urljoin

import can_ada

URL_MAX: Final = 8192
IPAddress = IPv4Address | IPv6Address

_PORTS: Final = {"http": 80, "https": 443}
_IPV6_PUBLIC: Final = ip_network("2000::/3")
"""All that was ever handed out; what embeds an IPv4 address lies outside or is named below."""
_SPECIAL: Final = tuple(
    ip_network(written)
    for written in (
        # IANA's special-purpose registries, read strictly: what is "global" there for a protocol
        # of its own is no web server either.
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers' own, and the metadata of some clouds
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, and the metadata of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "168.63.129.16/32",  # public by its number, and a cloud's metadata all the same
        "2001::/23",  # protocols of their own, Teredo among them
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)


class FetchFault(StrEnum):
    """Why nothing was fetched: a code each, with its words in `desk.fetching`."""

    ADDRESS = "address"
    NOT_PUBLIC = "not_public"
    UNRESOLVED = "unresolved"
    UNREACHABLE = "unreachable"
    PROXY = "proxy"
    INSECURE = "insecure"
    DOWNGRADED = "downgraded"
    REDIRECTS = "redirects"
    GONE = "gone"
    FORBIDDEN = "forbidden"
    STATUS = "status"
    ENCODED = "encoded"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    BROKEN = "broken"
    NO_PICTURE = "no_picture"
    NO_DECODER = "no_decoder"
    INTERRUPTED = "interrupted"
    ENDED = "ended"
    OFF = "off"


class FetchRefused(Exception):
    """Nothing was fetched.

    Attributes:
        fault: why; holds nothing of the address.
    """

    def __init__(self, fault: FetchFault) -> None:
        super().__init__(f"Nothing was fetched: {fault.value}.")
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Target:
    """An address that may be asked for, as far as can be told before its name is looked up.

    Attributes:
        url: the whole of it, without fragment, as WHATWG's rules write it.
        scheme: `http` or `https`.
        host: a name in ASCII, or the digits of an address; IPv6 without brackets.
        port: the scheme's own.
        authority: the host as the `Host` header has it.
        path: with the query, as it is asked for.
    """

    url: str
    scheme: str
    host: str
    port: int
    authority: str
    path: str


def target_read(url: str) -> Target:
    """Read an address.

    Raises:
        FetchRefused: it is none of http or https, names a user, or a port that is not the scheme's.
    """
    try:
        parsed = can_ada.parse(url) if len(url) <= URL_MAX else None
    except ValueError:
        parsed = None
    if parsed is None or parsed.protocol not in {"http:", "https:"} or not parsed.hostname:
        raise FetchRefused(FetchFault.ADDRESS)
    if parsed.port or parsed.username or parsed.password:  # a scheme's own port is left out
        raise FetchRefused(FetchFault.ADDRESS)
    scheme = parsed.protocol.removesuffix(":")
    path = f"{parsed.pathname}{parsed.search}"
    return Target(
        url=f"{scheme}://{parsed.hostname}{path}",
        scheme=scheme,
        host=parsed.hostname.removeprefix("[").removesuffix("]"),
        port=_PORTS[scheme],
        authority=parsed.hostname,
        path=path,
    )


def target_next(before: Target, location: str) -> Target:
    """Read where a redirect leads.

    Raises:
        FetchRefused: to no address that may be asked for, or from https to http.
    """
    try:
        whole = urljoin(before.url, location)
    except ValueError:
        raise FetchRefused(FetchFault.ADDRESS) from None
    following = target_read(whole)
    if before.scheme == "https" and following.scheme == "http":
        raise FetchRefused(FetchFault.DOWNGRADED)
    return following


def addresses_check(found: Sequence[IPAddress]) -> None:
    """Pass where all that a name leads to is public.

    A name that leads to a public and to a private address is one that somebody made so.

    Raises:
        FetchRefused: there is nothing, or anything that is not public.
    """
    if not found:
        raise FetchRefused(FetchFault.UNRESOLVED)
    if not all(is_public(address) for address in found):
        raise FetchRefused(FetchFault.NOT_PUBLIC)


def is_public(address: IPAddress) -> bool:
    """Tell whether an address is of the public internet and stands for no other address."""
    if isinstance(address, IPv6Address) and address not in _IPV6_PUBLIC:
        return False
    special = any(address in network for network in _SPECIAL if network.version == address.version)
    return address.is_global and not special
