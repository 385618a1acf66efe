"""Who can read what: the table of docs/privacy.md "Keys", and that nothing opens anywhere else."""

import uuid
from dataclasses import replace
from typing import Any

import pytest

from removal.custody import secrets, shred
from removal.custody.sealing import (
    RECIPIENTS,
    NotReadable,
    Place,
    PrivateKey,
    public_half,
    role_key,
    seal,
    seal_to,
    subject_key,
    unwrap,
)
from removal.custody.secrets import SecretUnavailable
from removal.intake.submission import request_submit
from removal.models import DataKey, Purpose, Recipient, Wrap
from tests.removal import factories
from tests.removal.factories import Case

pytestmark = pytest.mark.django_db

TABLE = {
    "photo": {"subject", "reviewer", "worker"},
    "print": {"subject", "reviewer", "worker"},
    "case": {"subject", "reviewer"},
    "proof": {"subject"},
}
ROLE_OF = {Recipient.REVIEWER: "staff", Recipient.WORKER: "worker"}


@pytest.fixture
def case(made_secrets: None) -> Any:
    return factories.received()


def holder(case: Case, recipient: Recipient, settings: Any) -> PrivateKey:
    """Return the recipient's key as its own process has it."""
    if recipient == Recipient.SUBJECT:
        return case.opened().subject
    settings.UNLIST = settings.UNLIST.model_copy(update={"role": ROLE_OF[recipient]})
    return role_key(recipient)


def test_table_is_the_designs() -> None:
    assert {p.value: {r.value for r in several} for p, several in RECIPIENTS.items()} == TABLE


@pytest.mark.parametrize("purpose", RECIPIENTS)
@pytest.mark.parametrize("recipient", Recipient)
def test_each_role_opens_exactly_what_the_table_says(
    case: Any, settings: Any, purpose: Purpose, recipient: Recipient
) -> None:
    place = Place(case.request_id, purpose, "word")
    sealed = seal(case.request_id, purpose, "word", b"for your eyes")
    key = holder(case, recipient, settings)
    if recipient.value in TABLE[purpose.value]:
        assert unwrap(case.request_id, purpose, recipient, key).open(sealed, place) == (
            b"for your eyes"
        )
    else:
        with pytest.raises(NotReadable):
            unwrap(case.request_id, purpose, recipient, key)


@pytest.mark.parametrize("role", ["public", "release"])
def test_public_and_release_processes_hold_no_reading_key(
    case: Any, settings: Any, role: str
) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"role": role})
    for recipient in ROLE_OF:
        with pytest.raises(SecretUnavailable):
            role_key(recipient)


def test_a_wrap_moved_to_another_reader_or_request_opens_nothing(case: Any, settings: Any) -> None:
    other = factories.received()
    mine = Wrap.objects.get(key__request=case.request_id, key__purpose="case", recipient="reviewer")
    theirs = Wrap.objects.get(
        key__request=other.request_id, key__purpose="case", recipient="reviewer"
    )
    Wrap.objects.filter(pk=mine.pk).update(sealed=theirs.sealed)
    with pytest.raises(NotReadable):
        unwrap(case.request_id, Purpose.CASE, Recipient.REVIEWER, role_key(Recipient.REVIEWER))


def test_a_sealed_text_opens_at_its_own_place_alone() -> None:
    key = subject_key("A" * 25, b"salt")
    place = Place(uuid.uuid4(), Purpose.CASE, "content")
    sealed = seal_to(public_half(key), b"text", place)
    assert key.open(sealed, place) == b"text"
    moved = [
        replace(place, request=uuid.uuid4()),
        replace(place, purpose=Purpose.PRINT),
        replace(place, item="statement"),
    ]
    for elsewhere in moved:
        with pytest.raises(NotReadable):
            key.open(sealed, elsewhere)
    for changed in (b"", sealed[:-1], sealed[:40] + b"x" + sealed[41:]):
        with pytest.raises(NotReadable):
            key.open(changed, place)


def test_without_its_shred_key_a_wrap_is_noise_even_with_the_receipt(case: Any) -> None:
    opened = case.opened()
    wrap = Wrap.objects.get(key__request=case.request_id, key__purpose="case", recipient="subject")
    assert shred.keys_destroy([wrap.shred]) == 1
    with pytest.raises(shred.KeyShredded):
        opened.key(Purpose.CASE)
    assert shred.keys_destroy([wrap.shred]) == 0


def test_every_wrap_has_a_shred_key_of_its_own_for_its_user_alone(case: Any) -> None:
    names = list(Wrap.objects.values_list("shred", flat=True))
    assert len(names) == len(set(names)) == sum(len(several) for several in TABLE.values())
    for name in names:
        assert (shred.folder() / str(name)).stat().st_mode & 0o777 == 0o600


def test_private_halves_are_stored_nowhere_and_shown_nowhere(case: Any) -> None:
    key = case.opened().key(Purpose.CASE)
    assert key.raw.hex() not in repr(key)
    stored = b"".join(bytes(wrap.sealed) for wrap in Wrap.objects.all())
    stored += b"".join(bytes(row.public) for row in DataKey.objects.all())
    assert key.raw not in stored


def test_reviewer_key_of_another_service_opens_nothing(case: Any) -> None:
    stranger = PrivateKey(b"\x07" * 32)
    with pytest.raises(NotReadable):
        unwrap(case.request_id, Purpose.CASE, Recipient.REVIEWER, stranger)


def test_the_subjects_key_follows_from_receipt_and_salt() -> None:
    assert subject_key("A" * 25, b"one").raw == subject_key("A" * 25, b"one").raw
    assert subject_key("A" * 25, b"one").raw != subject_key("A" * 25, b"two").raw
    assert subject_key("A" * 25, b"one").raw != subject_key("B" * 25, b"one").raw


def test_intake_without_keys_keeps_nothing(db: None, settings: Any) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"role": "public"})
    with pytest.raises(SecretUnavailable, match="make_secrets"):
        request_submit(photos=[factories.photo_bytes()], urls=[], note="", category="personal")
    assert not list(shred.folder().glob("*"))
    assert not secrets.PEPPER.path.exists()
