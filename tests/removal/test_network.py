"""Which network a request is counted by: cut short, and none where it says nothing."""

from typing import Any

import pytest
from django.conf import settings as live
from django.test import RequestFactory

from removal.intake.network import network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("93.184.216.34", "93.184.216.0/24"),
        ("2606:2800:220:1:248:1893:25c8:1946", "2606:2800:220::/48"),
        ("::ffff:93.184.216.34", "93.184.216.0/24"),
        ("127.0.0.1", None),
        ("::1", None),
        ("10.1.2.3", None),
        ("fe80::1", None),
        ("", None),
        ("nonsense", None),
    ],
)
def test_network_is_cut_from_the_address(address: str, network: str | None) -> None:
    assert network_of(RequestFactory().get("/", REMOTE_ADDR=address)) == network


@pytest.mark.parametrize(
    ("proxies", "told", "network"),
    [
        (0, "93.184.216.34", None),
        (1, "93.184.216.34", "93.184.216.0/24"),
        (1, "8.8.8.8, 93.184.216.34", "93.184.216.0/24"),
        (2, "8.8.8.8, 93.184.216.34, 10.0.0.1", "93.184.216.0/24"),
        (2, "93.184.216.34", None),
        (1, "", None),
    ],
)
def test_only_trusted_proxies_are_believed(
    proxies: int, told: str, network: str | None, settings: Any
) -> None:
    settings.UNLIST = live.UNLIST.model_copy(update={"trusted_proxies": proxies})
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.9", headers={"X-Forwarded-For": told})
    assert network_of(request) == network
