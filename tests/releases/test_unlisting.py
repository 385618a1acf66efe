"""Taking rows off the list: two persons, all of it or nothing, and nothing comes back by itself."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from releases.build import NothingToRelease, release_build
from releases.ledger import entries_add
from releases.lookup import LookupInvalid, entries_look, first_releases, values_read
from releases.models import ListEntry
from releases.proofs import proofs_of, proofs_seal_due
from releases.publish import releases_publish
from releases.unlisting import (
    REASONS,
    UnlistingRefused,
    said_of,
    withdrawal_propose,
    withdrawals_open,
)
from releases.verify import release_verify
from removal.audit import audit_verify
from removal.custody.rotation import secret_rotate
from removal.life.appeals import request_appeal
from removal.life.effects import ProposalRefused, proposals_take_effect
from removal.life.proposals import proposal_confirm, proposal_refuse, proposal_undo
from removal.models import AuditEntry, Proposal, ProposalKind, ProposalState
from tests.releases.conftest import Row, listed, out, rows
from tests.removal import factories
from tests.removal.deciding import request_decide
from tests.removal.factories import match
from unlist.keys import row_key

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("keys")]
UNDO = 10


@pytest.fixture
def anna() -> User:
    return factories.role_user("anna", "approver")


@pytest.fixture
def bert() -> User:
    return factories.role_user("bert", "approver")


@pytest.fixture(autouse=True)
def _at_once(settings: Any) -> Iterator[None]:
    settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": 0})
    yield
    audit_verify()  # whatever a test did, the chain holds


def values(*numbers: int) -> list[str]:
    named = [(row.url, row.sha256, row.md5) for row in rows(*numbers)]
    return [value for one in named for value in one if value]


def propose(person: User, *given: str, reason: str = "mistake", words: str = "") -> Proposal:
    looked = entries_look(given)
    chosen = [str(entry.pk) for one in looked for entry in one.entries]
    return withdrawal_propose(
        looked=looked, chosen=chosen, reason=reason, words=words, reviewer=person
    )


def withdraw(first: User, second: User, *given: str) -> Proposal:
    proposal = propose(first, *given)
    return proposal_confirm(proposal_id=proposal.pk, reviewer=second)


def keys_listed() -> set[tuple[str, bytes]]:
    return {(kind, bytes(key)) for kind, key in ListEntry.objects.values_list("kind", "key")}


# --- looking up ----------------------------------------------------------------------------------


def test_a_row_is_found_by_address_digest_or_key() -> None:
    listed(1, 2)
    [row] = rows(1)
    assert row.url
    assert row.sha256
    assert row.md5
    key = row_key("url", row.url).hex()
    for value, kind in [
        (row.url, "url"),
        (row.sha256, "sha256"),
        (row.sha256.upper(), "sha256"),
        (row.md5, "md5"),
        (key, "url"),
        (key.upper(), "url"),
    ]:
        [looked] = entries_look([value])
        assert [entry.kind for entry in looked.entries] == [kind], value


def test_an_address_is_found_in_another_spelling() -> None:
    entries_add(rows=[Row("http://example.org/a b.jpg")], tier="exact", on=date(2026, 3, 2))
    [looked] = entries_look(["https://example.org/a%20b.jpg"])
    assert len(looked.entries) == 1


def test_blanks_around_an_address_may_belong_to_it() -> None:
    kept, bare = "https://example.org/kept.jpg ", "https://example.org/bare.jpg"
    entries_add(rows=[Row(kept), Row(bare)], tier="exact", on=date(2026, 3, 2))
    values = values_read(f"{kept}\r\n  {bare} \r\n\r\n")
    assert [len(one.entries) for one in entries_look(values)] == [1, 1]


def test_what_is_not_listed_is_said_to_be_so() -> None:
    listed(1)
    looked = entries_look(["https://example.org/other.jpg", "0" * 64, "0" * 32])
    assert [one.entries for one in looked] == [(), (), ()]


@pytest.mark.parametrize("text", [" \n ", "\n".join(map(str, range(301))), "x" * 4097])
def test_nonsense_is_refused_before_anything_is_looked_up(text: str) -> None:
    with pytest.raises(LookupInvalid):
        values_read(text)


def test_it_says_since_which_release_a_key_is_on_the_list() -> None:
    out(1)
    out(2)
    listed(4)
    looked = entries_look(values(1)[:1] + values(2)[:1] + values(4)[:1])
    entries = [entry for one in looked for entry in one.entries]
    assert list(first_releases(entries).values()) == [1, 2, 0]


# --- two persons ---------------------------------------------------------------------------------


def test_it_waits_for_a_second_person_and_then_goes_from_list_and_release(
    anna: User, bert: User
) -> None:
    out(1, 2)
    before = keys_listed()
    proposal = propose(anna, *values(1))
    assert (proposal.state, proposal.needs_second) == (ProposalState.WAITING, True)
    assert proposals_take_effect() == 0
    assert keys_listed() == before
    proposal = proposal_confirm(proposal_id=proposal.pk, reviewer=bert)
    assert proposal.state == ProposalState.TAKEN
    gone = before - keys_listed()
    assert {kind for kind, _ in gone} == {"url", "sha256", "md5"}
    release = release_build()
    assert (release.added, release.withdrawn, release.entries) == (0, 3, len(before) - 3)


def test_the_log_names_both_and_pins_the_keys_without_showing_one(anna: User, bert: User) -> None:
    listed(1)
    withdraw(anna, bert, *values(1))
    entry = AuditEntry.objects.get(act="unlisted")
    assert entry.actor == f"staff:{anna.pk}"
    assert entry.detail["confirmed_by"] == f"staff:{bert.pk}"
    assert (entry.detail["reason"], entry.detail["entries"]) == ("mistake", 3)
    assert len(entry.detail["keys_sha256"]) == 64
    shown = " ".join(str(one.detail) for one in AuditEntry.objects.all())
    [row] = rows(1)
    assert row.url
    assert row_key("url", row.url).hex() not in shown


def test_nobody_confirms_their_own_not_even_a_superuser(anna: User) -> None:
    listed(1)
    root = factories.staff_user("root")
    for person in (anna, root):
        proposal = propose(person, *values(1))
        with pytest.raises(ProposalRefused):
            proposal_confirm(proposal_id=proposal.pk, reviewer=person)
        proposal_undo(proposal_id=proposal.pk, reviewer=person)
    assert len(keys_listed()) == 3


def test_who_may_not_decide_neither_proposes_nor_confirms(anna: User) -> None:
    listed(1)
    rita = factories.role_user("rita", "reviewer", "release manager")
    with pytest.raises(ProposalRefused):
        propose(rita, *values(1))
    proposal = propose(anna, *values(1))
    for act in (proposal_confirm, proposal_refuse):
        with pytest.raises(ProposalRefused):
            act(proposal_id=proposal.pk, reviewer=rita)


@pytest.mark.parametrize("loses", ["anna", "bert"])
def test_who_loses_the_right_before_it_takes_effect_takes_it_along(
    anna: User, bert: User, loses: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": UNDO})
    listed(1)
    proposal = withdraw(anna, bert, *values(1))
    assert proposal.state == ProposalState.COUNTING
    User.objects.get(username=loses).groups.clear()
    later = timezone.now() + dt.timedelta(seconds=UNDO)
    monkeypatch.setattr(timezone, "now", lambda: later)
    proposals_take_effect()
    proposal.refresh_from_db()
    assert proposal.state == ProposalState.STALE
    assert len(keys_listed()) == 3


def test_the_database_takes_no_withdrawal_of_one_person(anna: User) -> None:
    facts = {
        "kind": ProposalKind.WITHDRAWAL,
        "proposed_by": anna,
        "proposed_at": timezone.now(),
        "effective_at": timezone.now(),
    }
    for wrong in (
        {"needs_second": False, "state": ProposalState.COUNTING},
        {"needs_second": True, "state": ProposalState.COUNTING},
        {"needs_second": True, "state": ProposalState.TAKEN, "confirmed_by": anna},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Proposal.objects.create(**facts, **wrong)


def test_it_can_be_undone_by_both_until_it_takes_effect(
    anna: User, bert: User, settings: Any
) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": UNDO})
    listed(1)
    for person in (anna, bert):
        proposal = withdraw(anna, bert, *values(1))
        proposal_undo(proposal_id=proposal.pk, reviewer=person)
        assert proposals_take_effect() == 0
    assert len(keys_listed()) == 3


# --- what is proposed ----------------------------------------------------------------------------


def test_a_reason_is_needed_and_words_where_it_says_so(anna: User) -> None:
    listed(1)
    for reason, words in (("", ""), ("whim", ""), ("other", " "), ("mistake", "x" * 501)):
        with pytest.raises(UnlistingRefused):
            propose(anna, *values(1), reason=reason, words=words)
    assert not Proposal.objects.exists()
    for reason in REASONS:
        proposal = propose(anna, *values(1), reason=reason, words="see the ticket")
        proposal_undo(proposal_id=proposal.pk, reviewer=anna)


def test_only_what_was_looked_up_can_be_chosen(anna: User) -> None:
    listed(1, 2)
    looked = entries_look(values(1))
    other = str(entries_look(values(2))[0].entries[0].pk)
    for chosen in ([], [other], ["nonsense"]):
        with pytest.raises(UnlistingRefused):
            withdrawal_propose(
                looked=looked, chosen=chosen, reason="mistake", words="", reviewer=anna
            )


def test_what_is_proposed_already_is_not_proposed_twice(anna: User, bert: User) -> None:
    listed(1, 2)
    propose(anna, *values(1))
    with pytest.raises(UnlistingRefused, match="anna"):
        propose(bert, *values(1, 2))
    propose(bert, *values(2))
    assert len(withdrawals_open()) == 2


def test_words_and_addresses_lie_sealed_and_go_with_the_proposal(anna: User, bert: User) -> None:
    listed(1)
    proposal = propose(anna, *values(1), words="a marked-word here")
    said = said_of(proposal)
    assert said is not None
    assert said.words == "a marked-word here"
    assert sorted(said.given.values()) == sorted(values(1))
    stored = bytes(proposal.payload_sealed) + str(proposal.facts).encode()
    for secret in ("marked-word", *values(1)):
        assert secret.encode() not in stored
    proposal_confirm(proposal_id=proposal.pk, reviewer=bert)
    proposal.refresh_from_db()
    assert said_of(proposal) is None
    assert not proposal.payload_sealed


def test_a_rotated_key_still_opens_it_and_a_destroyed_one_leaves_the_keys(
    anna: User, bert: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed(1)
    proposal = propose(anna, *values(1))
    secret_rotate("reviewer")
    assert said_of(proposal) is not None
    later = timezone.now() + dt.timedelta(hours=1)
    monkeypatch.setattr(timezone, "now", lambda: later)
    secret_rotate("reviewer")
    assert said_of(proposal) is None
    assert proposal_confirm(proposal_id=proposal.pk, reviewer=bert).state == ProposalState.TAKEN


# --- nothing comes back by itself ----------------------------------------------------------------


def test_nothing_that_runs_again_brings_a_key_back(anna: User, bert: User) -> None:
    case = factories.decided(approve=(0, 1))
    release_build()
    releases_publish()
    urls = ["https://pictures.example.org/marked-url.jpg", "ab" * 32]
    assert withdraw(anna, bert, *urls).state == ProposalState.TAKEN
    assert release_build().withdrawn == 2
    releases_publish()
    assert proposals_take_effect() == 0
    proofs_seal_due()
    with pytest.raises(NothingToRelease):
        release_build()
    assert keys_listed() == set()
    assert release_verify(number=1).differences == []  # the old one is still what it was
    assert case.request.released_in == [1]


def test_the_second_decision_after_an_appeal_does_not_list_it_again(anna: User, bert: User) -> None:
    first, second = match(key="000000001"), match(key="000000002", url="https://b.example/2.jpg")
    second = replace(second, sha256="cd" * 32)
    case = factories.decided(matches=[first, second], approve=(0,), reason="different_picture")
    withdraw(anna, bert, "https://pictures.example.org/marked-url.jpg", "ab" * 32)
    request_appeal(opened=case.opened(), text="Look again.")
    request_decide(
        request_id=case.request_id,
        reviewer=bert,
        approve=[row.pk for row in case.candidates],
        deny_reason=None,
        statement="",
        tier="exact",
    )
    assert keys_listed() == {
        ("url", row_key("url", "https://b.example/2.jpg")),
        ("sha256", row_key("sha256", "cd" * 32)),
    }


def test_a_later_approval_may_list_it_again(anna: User, bert: User) -> None:
    out(1)
    withdraw(anna, bert, *values(1))
    assert release_build().withdrawn == 3
    listed(1)
    assert release_build().added == 3


def test_what_is_approved_anew_while_it_waits_stays(anna: User, bert: User) -> None:
    listed(1, 2)
    since = {bytes(entry.key): entry.added_on for entry in ListEntry.objects.all()}
    proposal = propose(anna, *values(1, 2))
    entries_add(rows=rows(1), tier="exact", on=date(2026, 9, 1))
    assert proposal_confirm(proposal_id=proposal.pk, reviewer=bert).state == ProposalState.STALE
    assert {bytes(entry.key): entry.added_on for entry in ListEntry.objects.all()} == since


def test_of_two_that_name_one_entry_the_second_ends_without_effect(
    anna: User, bert: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed(1, 2)
    first = propose(anna, values(1)[0])
    monkeypatch.setattr("releases.unlisting._not_proposed_check", lambda _: None)  # a race lost
    second = propose(bert, *values(1, 2))
    assert proposal_confirm(proposal_id=first.pk, reviewer=bert).state == ProposalState.TAKEN
    assert proposal_confirm(proposal_id=second.pk, reviewer=anna).state == ProposalState.STALE
    assert len(keys_listed()) == 4


# --- the requests --------------------------------------------------------------------------------


def test_a_request_keeps_its_proof_of_the_release_that_carried_it(anna: User, bert: User) -> None:
    case = factories.decided(approve=(0, 1))
    release_build()
    releases_publish()
    proofs = proofs_of(opened=case.opened())
    withdraw(anna, bert, "https://pictures.example.org/marked-url.jpg", "ab" * 32)
    release_build()
    releases_publish()
    assert proofs_of(opened=case.opened()) == proofs


def test_a_key_that_left_before_any_release_has_no_proof_and_breaks_none(
    anna: User, bert: User
) -> None:
    case = factories.decided(approve=(0, 1))
    withdraw(anna, bert, "ab" * 32)
    release_build()
    releases_publish()
    assert [proof["kind"] for proof in proofs_of(opened=case.opened())] == ["url"]
    assert proofs_seal_due() == 1
