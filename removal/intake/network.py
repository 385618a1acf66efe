"""The network that a request comes from: kept for as long as it takes to count it, never stored.

IPv4 is cut to 24 bits and IPv6 to 48. What comes from this machine or a private network has no
network: a proxy that tells nothing, or Tor's onion service, behind which everybody would share one.
There Tor can tell the *circuit* that a visitor came by (`HiddenServiceExportCircuitID haproxy`): a
number that names nobody, and that ends with the circuit, but that costs work to have many of.
"""

import ipaddress
from typing import Final

from django.conf import settings
from django.http import HttpRequest

_BITS: Final = {4: 24, 6: 48}
CIRCUITS: Final = ipaddress.IPv6Network("fc00:dead:beef:4dad::/64")
"""Where Tor puts the numbers of circuits, as if they were addresses."""


def network_of(request: HttpRequest) -> str | None:
    """Return the sender's network, or None where it cannot be told from others.

    With `UNLIST_TRUSTED_PROXIES` n, the address is the one that the n-th proxy from here saw.
    """
    proxies: int = settings.UNLIST.trusted_proxies
    told = request.META.get("REMOTE_ADDR", "")
    if proxies:
        seen = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
        told = seen[-proxies] if len(seen) >= proxies else ""
    try:
        address = ipaddress.ip_address(told)
    except ValueError:
        return None
    address = getattr(address, "ipv4_mapped", None) or address
    if proxies and address in CIRCUITS:
        return f"{address}/128"
    if not address.is_global:
        return None
    return str(ipaddress.ip_network((address, _BITS[address.version]), strict=False))


def is_circuit(network: str) -> bool:
    """Tell whether a sender is counted by a circuit of Tor and not by a network."""
    return ":" in network and ipaddress.IPv6Network(network).subnet_of(CIRCUITS)
