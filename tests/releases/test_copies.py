"""Copies that are approved after a release: the next one carries them, and proofs cover all."""

from typing import Any

import pytest
from django.test import Client

from releases import proofs
from releases.build import NothingToRelease, release_build
from releases.models import ListEntry, RowsListed
from releases.publish import releases_publish
from removal.life.appeals import request_appeal
from removal.life.review import request_withdraw
from removal.life.spreading import duplicates_propose
from removal.models import State
from tests.releases.conftest import out
from tests.removal import factories
from tests.removal.factories import Case
from unlist.proof import proof_verify

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("root")]
KEYS = ("000000101", "000000102", "000000103")


@pytest.fixture(autouse=True)
def _at_once(settings: Any) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": 0})


def spread(case: Case, *keys: str, **offered: Any) -> None:
    rows = factories.offered(case, *keys, **offered)
    duplicates_propose(
        request_id=case.request_id,
        reviewer=factories.staff_user(),
        approve=[row.pk for row in rows],
    )


def released(**submission: Any) -> Case:
    case = factories.decided(**submission)
    out()
    assert case.request.state == State.RELEASED
    return case


def fetched(client: Client, case: Case) -> list[dict[str, Any]]:
    answer = client.post(
        "/api/v1/status/proof/", {"receipt": case.receipt}, content_type="application/json"
    )
    assert answer.status_code == 200, answer.content
    documents: list[dict[str, Any]] = answer.json()["proofs"]
    return documents


def numbers(documents: list[dict[str, Any]]) -> list[int]:
    """Return which release proves each key, after checking the proof."""
    return sorted(proof_verify(one).release for one in documents)


@pytest.mark.parametrize("sealed", [False, True])
def test_proofs_work_before_during_and_after(client: Client, sealed: bool) -> None:
    case = released()
    first = fetched(client, case)
    if sealed:
        assert proofs.proofs_seal_due() == 1
    entries = ListEntry.objects.count()
    spread(case, *KEYS)
    assert ListEntry.objects.count() == entries + 2 * len(KEYS)  # an address and a digest each
    assert fetched(client, case) == first  # those of before, until the next release
    assert proofs.proofs_seal_due() == 0
    release = out()
    assert (release.number, case.request.released_in) == (2, [1, 2])
    assert numbers(fetched(client, case)) == [1] * len(first) + [2] * 2 * len(KEYS)
    assert proofs.proofs_seal_due() == 1
    assert numbers(fetched(client, case)) == [1] * len(first) + [2] * 2 * len(KEYS)


def test_a_release_that_was_built_before_does_not_count_as_theirs(client: Client) -> None:
    case = factories.decided()
    release_build()
    spread(case, *KEYS)
    releases_publish()
    assert (case.request.state, case.request.released_in) == (State.APPROVED, [])
    release = out()
    assert (release.number, case.request.released_in) == (2, [2])
    assert set(numbers(fetched(client, case))) == {2}


def test_copies_whose_keys_are_listed_already_are_released_too(client: Client) -> None:
    """Another request put the same rows on the list: nothing is new, and somebody waits."""
    first, case = factories.decided(), released()
    spread(case, *KEYS)
    out()
    with pytest.raises(NothingToRelease):
        release_build()
    before = ListEntry.objects.count()
    spread(first, *KEYS)
    assert ListEntry.objects.count() == before
    release = out()
    assert first.request.released_in[-1] == release.number
    assert len(fetched(client, first)) == len(fetched(client, case))


@pytest.mark.parametrize("ends", [False, True])
def test_an_appeal_before_the_next_release_loses_no_proof(client: Client, ends: bool) -> None:
    case = released(approve=(0,), reason="public_interest")
    first = numbers(fetched(client, case))
    spread(case, *KEYS)
    request_appeal(opened=case.opened(), text="again")
    assert numbers(fetched(client, case)) == first
    if ends:
        request_withdraw(opened=case.opened())
        assert numbers(fetched(client, case)) == first
        assert proofs.proofs_seal_due() == 0  # not before the release that carries the copies
    out()
    assert case.request.released_in == [1, 2]
    assert case.request.state == (State.WITHDRAWN if ends else State.IN_REVIEW)
    assert len(fetched(client, case)) == len(first) + 2 * len(KEYS)
    assert proofs.proofs_seal_due() == int(ends)


def test_they_are_counted_by_month_and_dataset_like_all_rows() -> None:
    case = released()
    before = {one.dataset: one.rows for one in RowsListed.objects.all()}
    spread(case, *KEYS[:2])
    spread(case, KEYS[2], dataset="other")
    after = {one.dataset: one.rows for one in RowsListed.objects.all()}
    assert after == {**before, "sample": before["sample"] + 2, "other": 1}
