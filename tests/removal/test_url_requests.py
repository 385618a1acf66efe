"""Requests by address alone, and rows that share one: searched in real indexes, nothing fetched."""

import socket
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from indexer.query.fingerprint import Fingerprint, fingerprint_url
from releases.models import ListEntry
from removal.custody.content import FoundRow, row_opened
from removal.models import Kind, Purpose, SearchUnit, State
from removal.search import draining, fingerprinting, matching
from removal.search.searching import CatalogSearcher
from removal.selectors import request_open, request_status
from tests.functional.leaks import shapes_of
from tests.removal import factories
from tests.removal.attacker import Attacker
from tests.removal.deciding import request_decide
from tests.removal.factories import Case, groups_waited_for
from unlist.keys import row_key

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]

READABLE = "http://pics.example.org/my photo.jpg"
ENCODED = "https://pics.example.org/my%20photo.jpg"
LETTERS = "https://bücher.example/%c3%a4.jpg"
OTHER = "https://pics.example.org/other.jpg"


class ByAddress(CatalogSearcher):
    """Finds for a photo the row of one address, as if its digest were recorded there."""

    def fingerprint_photo(self, data: bytes, encoders: Sequence[str]) -> Fingerprint:
        return fingerprint_url(READABLE)

    def photo_probe(self, data: bytes) -> bytes:
        return b""


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where anything is fetched, or a name is looked up."""

    def refused(*_: Any, **__: Any) -> Any:
        raise AssertionError("an address was looked up on the network")

    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(socket.socket, "connect", refused)


def dataset(folder: Path, name: str, urls: Sequence[str]) -> None:
    """Index a dataset of addresses and captions."""
    (folder / name).mkdir(parents=True)
    lines = "".join(f"{url}\ta caption\n" for url in urls)
    (folder / name / "0.tsv").write_text(lines, encoding="utf-8")
    call_command("add_dataset", name, format="tsv", path=str(folder / name))
    call_command("index_dataset", name)


@pytest.fixture
def covered(tmp_path: Path) -> None:
    """Two datasets that hold the same pictures' addresses, each in its own spelling."""
    dataset(tmp_path, "first", [OTHER, READABLE, LETTERS])
    dataset(tmp_path, "second", [ENCODED, "https://www.pics.example.org/my%20photo.jpg"])


def searched(searcher: CatalogSearcher | None = None, **submission: Any) -> Case:
    case = factories.received(**submission)
    searched_to_its_end(case.request_id, searcher)
    return case


def searched_to_its_end(request_id: uuid.UUID, searcher: CatalogSearcher | None = None) -> None:
    fingerprinting.request_fingerprint(request_id, searcher=searcher)
    for _ in range(2):
        for group_id in groups_waited_for():
            draining.group_drain(group_id, searcher=searcher)
        if matching.request_conclude(request_id, searcher=searcher):
            return
    raise AssertionError("the search did not end")


def rows_of(case: Case) -> dict[str, tuple[str, FoundRow]]:
    """Return what was found, by the address as it is stored."""
    key = case.opened().key(Purpose.CASE)
    found = [(candidate, row_opened(candidate, key)) for candidate in case.candidates]
    return {row.url or "": (candidate.kind, row) for candidate, row in found}


@pytest.mark.parametrize(
    "typed", [READABLE, ENCODED, "https://PICS.example.org:443/my%20photo.jpg#top"]
)
def test_an_address_alone_finds_every_stored_spelling(covered: None, typed: str) -> None:
    case = searched(photos=[], urls=[typed])
    found = rows_of(case)
    assert set(found) == {READABLE, ENCODED}
    assert {kind for kind, _ in found.values()} == {Kind.EXACT}
    assert {row.evidence["address"] for _, row in found.values()} == {"given"}
    assert not any(row.evidence["digest"] for _, row in found.values())
    assert case.request.state == State.IN_REVIEW
    assert not SearchUnit.objects.filter(stage=SearchUnit.Stage.VERIFY).exists()


def test_letters_of_other_scripts_are_found_however_they_were_written(covered: None) -> None:
    case = searched(photos=[], urls=["https://xn--bcher-kva.example/ä.jpg"])
    assert set(rows_of(case)) == {LETTERS}


def test_an_address_that_no_dataset_stores_is_not_found(covered: None) -> None:
    case = searched(photos=[], urls=["https://pics.example.org/my-photo.jpg"])
    assert case.request.state == State.NO_MATCH
    assert request_status(opened=case.opened())["found"] == []


def test_the_subject_sees_counts_and_no_spelling(covered: None) -> None:
    case = searched(photos=[], urls=[ENCODED])
    status = request_status(opened=case.opened())
    counts = [(one["dataset"], one["kind"], one["rows"]) for one in status["found"]]
    assert counts == [("first", "exact", 1), ("second", "exact", 1)]
    assert "my photo" not in str(status)


def test_guessing_addresses_tells_nothing_of_their_neighbors(covered: None) -> None:
    """Whoever holds the metadata knows what it holds; nothing else is told, not even a spelling."""
    attacker = Attacker()
    receipts = [attacker.submit(urls=(url,)) for url in (ENCODED, "https://pics.example.org/")]
    for receipt in receipts:
        searched_to_its_end(request_open(receipt=receipt).request_id)
        attacker.knock(receipt)
    marks = {url: shapes_of(url) for url in (READABLE, LETTERS, OTHER, "a caption", "0.tsv")}
    assert attacker.leaked(marks) == []
    states = [status["state"] for status in attacker.heard_json("api status/")]
    assert set(states) == {"in_review", "no_match"}


def test_a_photo_s_row_leads_to_its_address_in_other_datasets(covered: None) -> None:
    case = searched(ByAddress())
    found = rows_of(case)
    assert set(found) == {READABLE, ENCODED}
    [kind, row] = found[ENCODED]
    assert (kind, row.dataset, row.photos) == (found[READABLE][0], "second", (1,))
    assert (row.evidence["address"], row.evidence["digest"]) == ("followed", False)
    assert row.score == found[READABLE][1].score
    assert not SearchUnit.objects.exclude(hits_sealed=b"", rows_sealed=b"").exists()


def test_what_a_dataset_holds_a_hundred_times_does_not_hide_another_spelling(
    tmp_path: Path,
) -> None:
    dataset(tmp_path, "many", [READABLE] * 100 + [ENCODED])
    found = rows_of(searched(photos=[], urls=[READABLE]))
    assert set(found) == {READABLE, ENCODED}


def test_an_approval_lists_every_stored_spelling(covered: None) -> None:
    case = searched(ByAddress())
    request_decide(
        request_id=case.request_id,
        reviewer=factories.staff_user(),
        approve=[candidate.pk for candidate in case.candidates],
        deny_reason=None,
        statement="",
        tier="exact",
    )
    listed = {bytes(entry.key) for entry in ListEntry.objects.filter(kind="url")}
    assert listed == {row_key("url", READABLE), row_key("url", ENCODED)}
    assert case.request.state == State.APPROVED
