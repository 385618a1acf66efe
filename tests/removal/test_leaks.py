"""Nothing that identifies anyone lies in the clear on any disk, nor in any log or message."""

import datetime as dt
import logging
import os
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core import serializers
from django.db import connection

from removal.custody import blobs, shred
from removal.custody.sealing import role_key, unwrap
from removal.life import appeals, sessions
from removal.life.deciding import request_decide
from removal.life.messages import message_post, message_send
from removal.life.reveals import photo_reveal
from removal.models import Photo, Purpose, Recipient, SearchUnit
from removal.search import draining, fingerprinting, matching
from removal.selectors import review_case
from tests.functional.leaks import found_in_bytes, shapes_of
from tests.removal import factories
from tests.removal.factories import FakeSearcher, match, photo_bytes

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("real_database")]

NOTE = "marked-note-of-the-subject"
URL = "https://marked-host.example.org/marked-picture.jpg"
ROW_URL = "https://marked-row.example.org/found.jpg"
STATEMENT = "marked-statement"
MESSAGE = "marked-message-of-the-subject"
ANSWER = "marked-message-of-the-maintainers"
APPEAL = "marked-appeal"


def everything_on_disk() -> dict[Path, bytes]:
    """Return the bytes of every file of data, secrets and database."""
    roots = [settings.UNLIST.data_dir, settings.UNLIST.secret_dir]
    if connection.vendor == "sqlite":
        roots.append(Path(connection.settings_dict["NAME"]).parent)
    paths = {
        Path(folder) / name
        for root in roots
        for folder, _, names in os.walk(root)
        for name in names
    }
    return {path: path.read_bytes() for path in paths}


def database_as_text() -> str:
    models = apps.get_app_config("removal").get_models()
    rows = [row for model in models for row in model._default_manager.all()]
    return str(serializers.serialize("json", rows))


def test_no_personal_data_lies_in_the_clear_anywhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    photo = photo_bytes(77)
    found = match("copy", url=ROW_URL, key="000777777", md5="5e" * 16)
    factories.catalog_group(pictured=True)
    searcher = FakeSearcher(
        [found], rows=[factories.row_to_verify("000777777")], inliers={"000777777": 30}
    )
    waiting = factories.received(photos=[photo], urls=[URL])  # in mid-search, all of it kept
    fingerprinting.request_fingerprint(waiting.request_id, searcher=searcher)
    draining.group_drain(factories.catalog_group().pk, searcher=searcher)
    assert not matching.request_conclude(waiting.request_id, searcher=searcher)
    assert Photo.objects.exclude(probe_sealed=b"").exists()
    assert SearchUnit.objects.exclude(rows_sealed=b"").exists()
    case = factories.searched(searcher, photos=[photo], note=NOTE, urls=[URL], category="medical")
    view = review_case(request_id=case.request_id, reviewer=factories.staff_user())
    photo_reveal(photo_id=view.photos[0].id, reviewer=factories.staff_user())
    message_post(opened=case.opened(), text=MESSAGE)
    message_send(request_id=case.request_id, reviewer=factories.staff_user(), text=ANSWER)
    request_decide(
        request_id=case.request_id,
        reviewer=factories.staff_user(),
        approve=[],
        deny_reason="public_interest",
        statement=STATEMENT,
        tier=None,
    )
    appeals.request_appeal(opened=case.opened(), text=APPEAL)
    cookies = sessions.session_start(opened=case.opened())
    private = case.opened()
    symbols = case.receipt.replace("-", "")
    marked = [
        NOTE.encode(),
        URL.encode(),
        ROW_URL.encode(),
        b"marked-host",
        b"marked-row",
        b"000777777",
        STATEMENT.encode(),
        photo[:24] if photo[:4] != b"\xff\xd8\xff\xe0" else photo[200:232],
        photo[-32:],
        symbols.encode(),
        symbols[:25].encode(),
        case.receipt.encode(),
        ("5e" * 16).encode(),
        searcher.photo_probe(photo),
        private.subject.raw,
        *(private.key(purpose).raw for purpose in Purpose),
        MESSAGE.encode(),
        ANSWER.encode(),
        APPEAL.encode(),
        *(value.encode() for value in (cookies.name, cookies.secret)),
        *(urlsafe_b64decode(f"{value}=") for value in (cookies.name, cookies.secret)),
    ]
    disk = everything_on_disk()
    assert len(disk) > 10
    marks = {f"{n}: {secret[:16]!r}": shapes_of(secret) for n, secret in enumerate(marked)}
    where = [
        (path.name, mark) for path, data in disk.items() for mark in found_in_bytes(data, marks)
    ]
    # The ledger of the releases lists approved rows; this request was denied.
    assert where == []
    text = database_as_text().encode() + caplog.text.encode()
    assert [secret for secret in marked if secret in text] == []


def test_files_bear_the_day_of_a_request_and_no_time(tmp_path: Path) -> None:
    factories.received()
    paths = [*shred.folder().iterdir(), *blobs.folder().iterdir()]
    assert len(paths) > 10
    today = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    midnight = (today + dt.timedelta(days=1)).timestamp()
    assert {path.stat().st_mtime for path in paths} == {midnight}


def test_what_is_marked_would_be_found_if_it_were_there(tmp_path: Path) -> None:
    """The search above can fail: a value written in the clear is seen."""
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "leak").write_bytes(b"..." + NOTE.encode() + b"...")
    assert any(NOTE.encode() in data for data in everything_on_disk().values())


def test_a_copied_disk_without_the_shred_store_yields_nothing(tmp_path: Path) -> None:
    """Data folder, database and even the roles' private keys are not enough."""
    case = factories.in_review(note=NOTE)
    shred.keys_destroy(list(shred.keys_older_than(-2 * 24 * 60 * 60)))
    for purpose in (Purpose.PHOTO, Purpose.PRINT, Purpose.CASE):
        with pytest.raises(shred.KeyShredded):
            unwrap(case.request_id, purpose, Recipient.REVIEWER, role_key(Recipient.REVIEWER))
