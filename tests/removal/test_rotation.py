"""Rotation: a secret is replaced while the service runs, and nothing that worked stops working."""

import os
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from removal.custody import peppers, receipts, rotation, sealing, secrets, shred
from removal.custody.sealing import (
    RECIPIENTS,
    NotReadable,
    PrivateKey,
    key_id,
    public_half,
    role_key,
    unwrap,
)
from removal.custody.secrets import PEPPER, REVIEWER_PRIVATE, SecretUnavailable, secret_read
from removal.life import destroying, retention
from removal.life.destroying import request_erase
from removal.models import Purpose, Recipient, RemovalRequest, Wrap
from removal.selectors import ReceiptUnknown, request_open, review_case
from tests.removal import factories
from tests.removal.factories import Case

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]


class Killed(BaseException):
    """A process that ended at this very place."""


def as_role(settings: Any, role: str) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"role": role})


def retired(secret: secrets.Secret) -> list[Path]:
    return list(secrets.retired_read(secret))


def grace_passes() -> None:
    for secret in secrets.SECRETS:
        for path in retired(secret):
            long_ago = time.time() - 2 * rotation.GRACE.total_seconds()
            os.utime(path, (long_ago, long_ago))


def opens(case: Case, recipient: Recipient, purpose: Purpose) -> bool:
    try:
        key = unwrap(case.request_id, purpose, recipient, role_key(recipient))
    except (NotReadable, shred.KeyShredded):
        return False
    return public_half(key) == bytes(case.request.keys.get(purpose=purpose).public)


def all_open(case: Case) -> bool:
    """Tell whether reviewers, the searching worker and the subject open what is theirs."""
    wrapped = {who: [p for p, several in RECIPIENTS.items() if who in several] for who in Recipient}
    staff = all(opens(case, Recipient.REVIEWER, p) for p in wrapped[Recipient.REVIEWER])
    worker = all(opens(case, Recipient.WORKER, p) for p in wrapped[Recipient.WORKER])
    mine = all(len(case.opened().key(purpose).raw) == 32 for purpose in RECIPIENTS)
    return staff and worker and mine


def shred_files() -> set[str]:
    return {path.name for path in shred.folder().iterdir()}


def shreds_named() -> set[str]:
    wraps = {str(name) for name in Wrap.objects.values_list("shred", flat=True)}
    audits = RemovalRequest.objects.values_list("audit_shred", flat=True)
    return wraps | {str(name) for name in audits}


@pytest.mark.parametrize("name", ["reviewer", "worker"])
def test_a_key_pair_is_replaced_and_every_open_request_still_opens(name: str) -> None:
    pair = rotation.PAIRS[name]
    case, old = factories.received(note="please"), secret_read(pair.private)
    before = {wrap.pk: (bytes(wrap.sealed), wrap.shred) for wrap in Wrap.objects.all()}
    progress = rotation.secret_rotate(name)
    wraps = Wrap.objects.filter(recipient=pair.recipient)
    assert (progress.begun, progress.renewed, progress.lost) == (True, wraps.count(), 0)
    assert secret_read(pair.private) != old
    for public in pair.publics:
        assert secret_read(public) == secrets.public_of(secret_read(pair.private))
    assert set(wraps.values_list("holder", flat=True)) == {key_id(secret_read(pair.publics[0]))}
    assert all_open(case)
    for wrap in wraps:  # what a backup holds of them opens with no key that is left
        assert before[wrap.pk] != (bytes(wrap.sealed), wrap.shred)
        with pytest.raises(shred.KeyShredded):
            shred.key_read(before[wrap.pk][1])
    assert shred_files() == shreds_named()
    assert len(retired(pair.private)) == 1  # for what is being sent just now
    grace_passes()
    assert rotation.rotations_continue() == {"keys_renewed": 0, "secrets_destroyed": 1}
    assert retired(pair.private) == []
    assert all_open(case)
    assert all_open(factories.received())


def test_a_submission_under_way_when_the_pair_changes_is_wrapped_anew_too() -> None:
    old = public_half(role_key(Recipient.REVIEWER))
    rotation.secret_rotate("reviewer")
    new = secret_read(secrets.REVIEWER_PUBLIC)
    secrets.secret_put(secrets.REVIEWER_PUBLIC, old)  # as a process that read it before has it
    case = factories.received()
    secrets.secret_put(secrets.REVIEWER_PUBLIC, new)
    assert all_open(case)
    grace_passes()
    assert retention.retention_run()["keys_renewed"] == 3
    assert retired(REVIEWER_PRIVATE) == []
    assert all_open(case)


STOPS: dict[str, tuple[Any, str, int]] = {
    "before the new private half": (secrets, "secret_put", 1),
    "before the new public half": (rotation, "secret_put", 1),
    "before the first wrap": (rotation, "wrap_renew", 1),
    "in the middle of the wraps": (rotation, "wrap_renew", 3),
    "before a wrap's new shred key is named": (sealing, "key_id", 3),
    "before a wrap's old shred key is destroyed": (shred, "keys_destroy", 2),
    "before the old half is destroyed": (rotation, "retired_destroy", 1),
}


@pytest.mark.parametrize("name", ["reviewer", "worker"])
@pytest.mark.parametrize("stop", STOPS)
def test_a_rotation_that_is_killed_loses_nothing_and_goes_on(
    stop: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [factories.received(photos=[factories.photo_bytes(seed)]) for seed in range(2)]
    old = secret_read(rotation.PAIRS[name].private)
    module, function, call = STOPS[stop]
    with monkeypatch.context() as patch:
        patch.setattr(rotation, "_graced", lambda path: True)
        patch.setattr(module, function, _dies_at(getattr(module, function), call))
        with pytest.raises(Killed):
            rotation.secret_rotate(name)
    assert all(map(all_open, cases))
    assert all_open(factories.received())
    rotation.secret_rotate(name)
    grace_passes()
    progress = rotation.secret_rotate(name)
    if progress.held_until:  # the first run was killed after its last step: this was another one
        grace_passes()
        rotation.rotations_continue()
    pair = rotation.PAIRS[name]
    assert retired(pair.private) == []
    assert secret_read(pair.private) != old
    holders = Wrap.objects.filter(recipient=pair.recipient).values_list("holder", flat=True)
    assert {key_id(secret_read(public)) for public in pair.publics} == set(holders)
    assert all(map(all_open, cases))
    for path in shred.folder().iterdir():
        os.utime(path, (0, 0))
    retention.retention_run()
    assert shred_files() == shreds_named()
    assert all(map(all_open, cases))


def _dies_at(function: Callable[..., Any], call: int) -> Callable[..., Any]:
    calls = iter(range(1, call + 1))

    def dies(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == call:
            raise Killed
        return function(*args, **kwargs)

    return dies


def test_without_the_shred_store_no_private_half_is_destroyed(tmp_path: Path) -> None:
    case = factories.received()
    shred.folder().rename(tmp_path / "not mounted")
    progress = rotation.secret_rotate("reviewer")
    grace_passes()
    progress = rotation.secret_rotate("reviewer")
    assert (progress.lost, progress.needed) == (3, True)
    assert len(retired(REVIEWER_PRIVATE)) == 1
    (tmp_path / "not mounted").rename(shred.folder())
    assert all_open(case)
    assert rotation.secret_rotate("reviewer").renewed == 3
    assert retired(REVIEWER_PRIVATE) == []
    assert all_open(case)


def test_what_was_destroyed_on_purpose_is_given_up_only_when_told() -> None:
    case = factories.received()
    shred.keys_destroy(
        Wrap.objects.filter(recipient="reviewer", key__purpose="photo").values_list(
            "shred", flat=True
        )
    )
    rotation.secret_rotate("reviewer")
    grace_passes()
    assert rotation.secret_rotate("reviewer").lost == 1
    assert len(retired(REVIEWER_PRIVATE)) == 1
    rotation.secret_rotate("reviewer", give_up_lost=True)
    assert retired(REVIEWER_PRIVATE) == []
    assert opens(case, Recipient.REVIEWER, Purpose.CASE)


def test_staff_go_on_with_a_rotation_that_they_may_not_begin(settings: Any) -> None:
    case = factories.received()
    as_role(settings, "staff")
    with pytest.raises(CommandError, match="UNLIST_ROLE=all"):
        call_command("rotate_secret", "reviewer")
    as_role(settings, "worker")
    with pytest.raises(CommandError, match="may not read the reviewers' private key"):
        call_command("rotate_secret", "reviewer")
    as_role(settings, "all")
    rotation.secret_rotate("reviewer")
    grace_passes()
    as_role(settings, "staff")
    progress = rotation.secret_rotate("reviewer")  # what the site seals to, staff cannot see
    assert (progress.begun, progress.needed) == (False, True)
    assert len(retired(REVIEWER_PRIVATE)) == 1
    as_role(settings, "all")
    assert rotation.rotations_continue()["secrets_destroyed"] == 1
    assert all_open(case)


@pytest.mark.parametrize("role", ["public", "staff", "worker", "release", "all"])
def test_retention_goes_on_with_rotations_in_every_role(settings: Any, role: str) -> None:
    case = factories.received()
    for name in rotation.NAMES:
        rotation.secret_rotate(name)
    as_role(settings, role)
    retention.retention_run()
    as_role(settings, "all")
    assert all_open(case)


def test_photos_destroyed_while_they_are_wrapped_anew_stay_destroyed(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    """The wrap gets a new shred key between the end of the old one and its own."""
    case = factories.no_match()
    real, renewed = shred.keys_destroy, []

    def renews_first(names: Any) -> int:
        monkeypatch.setattr(shred, "keys_destroy", real)
        renewed.append(rotation.secret_rotate("reviewer").renewed)
        return real(names)

    monkeypatch.setattr(shred, "keys_destroy", renews_first)
    with django_capture_on_commit_callbacks(execute=True):
        destroying.photos_destroy(case.request_id)
    assert renewed == [3]
    assert not opens(case, Recipient.REVIEWER, Purpose.PHOTO)
    assert opens(case, Recipient.REVIEWER, Purpose.CASE)
    assert shred_files() == shreds_named()


def test_a_reader_in_the_middle_of_a_rotation_is_not_told_that_the_key_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case, real = factories.received(), shred.key_read
    began: list[bool] = []

    def rotates_first(name: uuid.UUID) -> bytes:
        if not began:
            began.append(True)
            monkeypatch.setattr(shred, "key_read", real)
            rotation.secret_rotate("worker")
        return real(name)

    monkeypatch.setattr(shred, "key_read", rotates_first)
    key = unwrap(case.request_id, Purpose.PRINT, Recipient.WORKER, role_key(Recipient.WORKER))
    assert began
    assert len(key.raw) == 32


def test_old_receipts_work_under_a_new_pepper_until_their_requests_are_gone() -> None:
    old_case, old = factories.received(), secret_read(PEPPER)
    progress = rotation.secret_rotate("pepper")
    assert (progress.begun, progress.needed) == (True, True)
    assert secret_read(PEPPER) != old
    new_case = factories.received()
    assert old_case.opened().request_id != new_case.opened().request_id
    kept = {case.request_id: case.request.pepper for case in (old_case, new_case)}
    assert kept == {
        old_case.request_id: peppers.pepper_id(old),
        new_case.request_id: peppers.pepper_id(secret_read(PEPPER)),
    }
    grace_passes()
    retention.retention_run()
    assert len(retired(PEPPER)) == 1
    request_erase(old_case.request_id)
    assert retention.retention_run()["secrets_destroyed"] == 1
    assert retired(PEPPER) == []
    assert new_case.opened().request_id == new_case.request_id


def test_a_pepper_can_be_rotated_again_and_again() -> None:
    cases = []
    for _ in range(3):
        cases.append(factories.received())
        rotation.secret_rotate("pepper")
        grace_passes()
    assert len(retired(PEPPER)) == 3
    assert [case.opened().request_id for case in cases] == [case.request_id for case in cases]
    assert not rotation.secret_rotate("reviewer").lost


def test_a_pepper_rotation_that_is_killed_loses_no_receipt(monkeypatch: pytest.MonkeyPatch) -> None:
    case, old = factories.received(), secret_read(PEPPER)
    with monkeypatch.context() as patch:
        patch.setattr(secrets, "secret_put", _dies_at(secrets.secret_put, 1))
        with pytest.raises(Killed):
            rotation.secret_rotate("pepper")
    assert secret_read(PEPPER) == old
    grace_passes()
    request_erase(factories.received().request_id)
    retention.retention_run()  # the half-retired value is the one in use: it must survive this
    assert secret_read(PEPPER) == old
    assert case.opened().request_id == case.request_id
    rotation.secret_rotate("pepper")
    assert secret_read(PEPPER) != old
    assert case.opened().request_id == case.request_id


def test_a_look_up_does_the_same_work_whichever_pepper_made_the_tag(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = factories.received()
    rotation.secret_rotate("pepper")
    new = factories.received()
    tags: list[bytes] = []
    real = receipts.lookup_tag

    def counted(symbols: str, pepper: bytes) -> bytes:
        tags.append(pepper)
        return real(symbols, pepper)

    monkeypatch.setattr(receipts, "lookup_tag", counted)
    work = []
    for receipt in (old.receipt, new.receipt, receipts.mint()):
        tags.clear()
        with CaptureQueriesContext(connection) as queries, suppress(ReceiptUnknown):
            request_open(receipt=receipt)
        work.append((len(tags), len(queries)))
    assert work == [(2, 2)] * 3


def test_row_tags_start_anew() -> None:
    old = secret_read(secrets.ROW_TAG_KEY)
    case = factories.in_review()
    assert rotation.secret_rotate("row-tag").held_until is None
    assert secret_read(secrets.ROW_TAG_KEY) != old
    assert retired(secrets.ROW_TAG_KEY) == []
    other = factories.in_review(photos=[factories.photo_bytes(9)])
    mine, theirs = (
        {bytes(tag) for tag in c.request.candidates.values_list("row_tag", flat=True)}
        for c in (case, other)
    )
    assert not mine & theirs
    assert review_case(request_id=case.request_id, reviewer=factories.staff_user()).candidates


def test_the_command_tells_what_it_did_and_what_it_waits_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.received()
    call_command("rotate_secret", "reviewer")
    said = capsys.readouterr().out
    assert "reviewer: a new one is in use." in said
    assert "3 keys of requests were wrapped anew." in said
    assert "The old one is kept until " in said
    monkeypatch.setattr(time, "sleep", lambda seconds: grace_passes())
    call_command("rotate_secret", "reviewer", "--wait")
    assert capsys.readouterr().out.endswith("The old one is destroyed.\n")
    call_command("rotate_secret", "pepper")
    assert "until the last request made under it is gone" in capsys.readouterr().out


def test_files_that_rotation_writes_are_for_their_user_alone() -> None:
    for name in rotation.NAMES:
        rotation.secret_rotate(name)
    folder = PEPPER.path.parent.parent
    for path in folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert not [path for path in folder.rglob(".*") if path.is_file()]


def test_a_retired_value_is_held_in_its_own_role_alone(settings: Any) -> None:
    rotation.secret_rotate("reviewer")
    assert len(role_key(Recipient.REVIEWER).retired) == 1
    as_role(settings, "public")
    with pytest.raises(SecretUnavailable):
        secrets.retired_read(REVIEWER_PRIVATE)


def test_a_key_opens_nothing_of_another() -> None:
    case = factories.received()
    stranger = PrivateKey(os.urandom(32), (os.urandom(32),))
    with pytest.raises(NotReadable):
        unwrap(case.request_id, Purpose.CASE, Recipient.REVIEWER, stranger)


@pytest.mark.parametrize("name", rotation.NAMES)
def test_a_rotation_beside_another_is_refused_and_retention_leaves_it(name: str) -> None:
    """Of two at once the second replaced the first one's new key, which nobody had retired."""
    case = factories.received()
    rotation.secret_rotate("reviewer")
    grace_passes()
    secret = rotation._ROTATED[name]
    before = secret_read(secret)
    with secrets.rotation_lock(secret):
        with pytest.raises(CommandError, match="Another process is rotating a secret"):
            call_command("rotate_secret", name)
        destroyed = rotation.rotations_continue()["secrets_destroyed"]
    assert destroyed == (name != "reviewer")
    assert secret_read(secret) == before
    rotation.rotations_continue()
    assert retired(REVIEWER_PRIVATE) == []
    assert all_open(case)


def test_two_rotations_at_once_lose_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    case, real = factories.received(), secrets.secret_put

    def another_first(secret: secrets.Secret, value: bytes) -> None:
        with pytest.raises(secrets.RotationUnderWay):
            rotation.secret_rotate("reviewer")
        real(secret, value)

    monkeypatch.setattr(secrets, "secret_put", another_first)
    rotation.secret_rotate("reviewer")
    assert all_open(case)


def test_retention_sweeps_what_a_killed_destroying_left(monkeypatch: pytest.MonkeyPatch) -> None:
    case = factories.received()
    rotation.secret_rotate("reviewer")
    grace_passes()
    with monkeypatch.context() as patch:
        patch.setattr(shred, "file_overwrite", _dies_at(shred.file_overwrite, 1))
        with pytest.raises(Killed):
            rotation.rotations_continue()
    assert all_open(case)
    assert list(REVIEWER_PRIVATE.path.parent.glob(".*"))
    retention.retention_run()
    assert not list(REVIEWER_PRIVATE.path.parent.glob(".*"))
    assert all_open(case)
