"""Which network a request is counted by: cut short, and none where it says nothing."""

from typing import Any

import pytest
from django.conf import settings as live
from django.test import RequestFactory

from removal.intake.network import is_circuit, network_of


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


CIRCUIT = "fc00:dead:beef:4dad::1234:5678"


def told(proxies: int, forwarded: str, settings: Any, address: str = "10.0.0.9") -> str | None:
    settings.UNLIST = live.UNLIST.model_copy(update={"trusted_proxies": proxies})
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    return network_of(RequestFactory().get("/", REMOTE_ADDR=address, headers=headers))


def test_behind_an_onion_address_each_circuit_is_counted_by_itself(settings: Any) -> None:
    own = told(1, CIRCUIT, settings)
    assert own == f"{CIRCUIT}/128"
    assert told(1, "fc00:dead:beef:4dad::1234:5679", settings) not in {own, None}
    assert told(1, "fc00:dead:beef:4dae::1", settings) is None


def test_nobody_chooses_the_circuit_they_are_counted_by(settings: Any) -> None:
    assert told(0, CIRCUIT, settings) is None
    assert told(0, "", settings, address=CIRCUIT) is None, "no proxy stands before this site"
    assert told(1, f"{CIRCUIT}, 93.184.216.34", settings) == "93.184.216.0/24"


@pytest.mark.parametrize(
    ("network", "circuit"),
    [(f"{CIRCUIT}/128", True), ("2606:2800:220::/48", False), ("93.184.216.0/24", False)],
)
def test_circuits_are_told_from_networks(network: str, circuit: bool) -> None:
    assert is_circuit(network) is circuit
