"""Nothing that identifies anyone lies in the clear on any disk, nor in any log or message."""

import datetime as dt
import hashlib
import logging
import os
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.core import serializers
from django.db import connection
from django.test import Client

from indexer.query.fingerprint import fingerprint_photo
from removal.custody import blobs, shred
from removal.custody.sealing import RECIPIENTS, role_key, unwrap
from removal.intake import load
from removal.intake.counters import MemoryCounters
from removal.life import appeals, sessions
from removal.life.messages import message_post, message_send
from removal.life.reveals import photo_reveal
from removal.models import Photo, Purpose, Recipient, RemovalRequest, SearchUnit
from removal.search import draining, fingerprinting, matching
from removal.selectors import review_case
from tests.functional.leaks import (
    ADDRESS,
    AGENT,
    FILE_NAME,
    NETWORK,
    Marks,
    address_marks,
    found_in_bytes,
    print_marks,
    shapes_of,
)
from tests.removal import factories
from tests.removal.deciding import request_decide
from tests.removal.factories import Case, FakePrint, FakeSearcher, match, photo_bytes
from tests.removal.web.conftest import form
from tests.removal.web.conftest import photo as upload

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("real_database")]

NOTE = "marked-note-of-the-subject"
URL = "https://marked-host.example.org/marked-picture.jpg"
ROW_URL = "https://marked-row.example.org/found.jpg"
ROW_KEY = "000777777"
ROW_MD5 = "5e" * 16
STATEMENT = "marked-statement"
MESSAGE = "marked-message-of-the-subject"
ANSWER = "marked-message-of-the-maintainers"
APPEAL = "marked-appeal"
PHOTO = photo_bytes(77)


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


class PrintingSearcher(FakeSearcher):
    """Finds one row, by fingerprints that hold in the clear all that a photo is recognized by."""

    def __init__(self) -> None:
        super().__init__(
            [match("copy", url=ROW_URL, key=ROW_KEY, md5=ROW_MD5)],
            rows=[factories.row_to_verify(ROW_KEY)],
            inliers={ROW_KEY: 30},
        )

    def fingerprint_photo(self, data: bytes, encoders: Sequence[str]) -> FakePrint:
        """Return the digests and hashes of a photo as one text."""
        found = fingerprint_photo(data, [])
        assert found.pdq is not None
        assert found.phash is not None
        digests = [hashlib.new(name, data).hexdigest() for name in ("sha256", "md5")]
        keys = [key.hex() for _, key in found.digests]
        hashes = [found.pdq[0].tobytes().hex(), f"{int(found.phash[0]):016x}"]
        return FakePrint(" ".join(["photo", *digests, *keys, *hashes]), self.flags)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch, settings: Any) -> MemoryCounters:
    """Count behind one trusted proxy, in counters that the test can look into."""
    settings.UNLIST = settings.UNLIST.model_copy(update={"trusted_proxies": 1})
    counters = MemoryCounters()
    monkeypatch.setattr(load, "counters", lambda: counters)
    return counters


def sent_by_page() -> None:
    """Send a photo by the page, from the marked address, with a marked program and file name."""
    headers = {"X-Forwarded-For": ADDRESS, "User-Agent": AGENT}
    answer = Client(headers=headers).post("/request/", form(upload(PHOTO, FILE_NAME), note=NOTE))
    assert answer.status_code == 201
    assert RemovalRequest.objects.count() == 1


def stopped_in_mid_search(searcher: FakeSearcher) -> None:
    """Leave a request where evidence, probes and the rows to verify are all kept."""
    waiting = factories.received(photos=[PHOTO], urls=[URL])
    fingerprinting.request_fingerprint(waiting.request_id, searcher=searcher)
    draining.group_drain(factories.catalog_group().pk, searcher=searcher)
    assert not matching.request_conclude(waiting.request_id, searcher=searcher)
    assert Photo.objects.exclude(fingerprint_sealed=b"").exists()
    assert Photo.objects.exclude(probe_sealed=b"").exists()
    assert SearchUnit.objects.exclude(rows_sealed=b"").exists()


def talked_over(searcher: FakeSearcher) -> Case:
    """Return a request that was looked at, written about, refused and appealed."""
    reviewer = factories.staff_user()
    case = factories.searched(searcher, photos=[PHOTO], note=NOTE, urls=[URL], category="medical")
    view = review_case(request_id=case.request_id, reviewer=reviewer)
    photo_reveal(photo_id=view.photos[0].id, reviewer=reviewer)
    message_post(opened=case.opened(), text=MESSAGE)
    message_send(request_id=case.request_id, reviewer=reviewer, text=ANSWER)
    request_decide(
        request_id=case.request_id,
        reviewer=reviewer,
        approve=[],
        deny_reason="public_interest",
        statement=STATEMENT,
        tier=None,
    )
    appeals.request_appeal(opened=case.opened(), text=APPEAL)
    return case


def marks_of_case(case: Case, cookies: sessions.Cookies) -> dict[str, str | bytes]:
    """Return what only the subject of a case has: receipt, keys, cookies."""
    symbols, private = case.receipt.replace("-", ""), case.opened()
    return {
        "receipt": case.receipt,
        "receipt without hyphens": symbols,
        "receipt without check": symbols[:25],
        "subject's key": private.subject.raw,
        **{f"key of {purpose}": private.key(purpose).raw for purpose in RECIPIENTS},
        "cookie's name": cookies.name,
        "cookie's secret": cookies.secret,
        "cookie's name in bytes": urlsafe_b64decode(f"{cookies.name}="),
        "cookie's secret in bytes": urlsafe_b64decode(f"{cookies.secret}="),
    }


def marks(case: Case, cookies: sessions.Cookies, searcher: FakeSearcher) -> Marks:
    """Return everything that must lie nowhere in the clear, in every shape."""
    middle = len(PHOTO) // 2
    values: dict[str, str | bytes] = {
        "note": NOTE,
        "address of the picture": URL,
        "its host": "marked-host",
        "address of the row": ROW_URL,
        "host of the row": "marked-row",
        "key of the row": ROW_KEY,
        "digest of the row": ROW_MD5,
        "file name": FILE_NAME,
        "user agent": AGENT,
        "message": MESSAGE,
        "answer": ANSWER,
        "statement": STATEMENT,
        "appeal": APPEAL,
        "photo's middle": PHOTO[middle : middle + 48],
        "photo's end": PHOTO[-32:],
        "probe": searcher.photo_probe(PHOTO),
        **marks_of_case(case, cookies),
    }
    shapes = {name: shapes_of(value) for name, value in values.items()}
    return {**shapes, **address_marks(), **print_marks(PHOTO)}


def test_no_personal_data_lies_in_the_clear_anywhere(
    counted: MemoryCounters, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    searcher = PrintingSearcher()
    sent_by_page()
    factories.catalog_group(pictured=True)
    stopped_in_mid_search(searcher)
    case = talked_over(searcher)
    marked = marks(case, sessions.session_start(opened=case.opened()), searcher)
    places = {str(path): data for path, data in everything_on_disk().items()}
    assert len(places) > 10
    places |= {"the rows": database_as_text().encode(), "the log": caplog.text.encode()}
    places["the counters"] = repr(vars(counted)).encode()
    # The ledger of the releases lists approved rows; this request was denied.
    found = [(mark, place) for place in places for mark in found_in_bytes(places[place], marked)]
    assert found == []


def test_the_marked_address_is_counted(counted: MemoryCounters) -> None:
    """Else its absence above would say nothing."""
    sent_by_page()
    tag = load._network_tag(NETWORK)
    names = [name for name in counted._counts if name.startswith("net.")]
    assert [name.rpartition(".")[0] for name in names] == [f"net.ticket.{tag}"]
    assert [counted.read([name]) for name in names] == [[1]]


def test_what_the_search_is_given_would_be_found(counted: MemoryCounters) -> None:
    """The fingerprint that is sealed above holds every mark of the photo."""
    text = PrintingSearcher().fingerprint_photo(PHOTO, []).to_bytes()
    names = {
        name.removesuffix(" of the photo") for name in found_in_bytes(text, print_marks(PHOTO))
    }
    assert names == {"sha256", "md5", "row key of sha256", "row key of md5", "PDQ", "pHash"}


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
