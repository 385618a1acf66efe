import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from releases import places
from releases.selectors import release_targets
from releases.served import ASK_EACH_TIME, FOR_EVER
from tests.releases.conftest import out
from unlist.blocklist import Blocklist
from unlist.client import pull
from unlist.refusals import ListDamaged, ListForged

pytestmark = pytest.mark.django_db


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


def test_the_clock_is_asked_for_each_time_and_the_rest_kept_for_ever(
    root: Path, client: Client
) -> None:
    out(1)
    clock = client.get("/metadata/timestamp.json")
    assert (clock.status_code, clock["Content-Type"]) == (200, "application/json")
    assert clock["Cache-Control"] == ASK_EACH_TIME
    pinned = client.get("/metadata/1.root.json")
    assert pinned["Cache-Control"] == FOR_EVER
    assert body(pinned) == root.read_bytes()
    assert not clock.cookies
    assert clock["Access-Control-Allow-Origin"] == "*"


def test_targets_are_served_under_their_hash(root: Path, client: Client) -> None:
    release = out(1)
    for file in release_targets(release):
        answer = client.get(f"/targets/{file.path}")
        data = body(answer)
        assert hashlib.sha256(data).hexdigest() == file.sha256
        assert answer["Cache-Control"] == FOR_EVER
        assert answer["Content-Type"] in {"application/json", "application/vnd.apache.parquet"}
        again = client.get(f"/targets/{file.path}", headers={"If-None-Match": answer["ETag"]})
        assert (again.status_code, again["ETag"]) == (304, answer["ETag"])


def test_a_client_that_has_the_clock_gets_304_until_it_moves(root: Path, client: Client) -> None:
    out(1)
    etag = client.get("/metadata/timestamp.json")["ETag"]
    held = {"If-None-Match": etag}
    assert client.get("/metadata/timestamp.json", headers=held).status_code == 304
    out(2)
    assert client.get("/metadata/timestamp.json", headers=held).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/metadata/2.root.json",
        "/metadata/root.json",
        "/metadata/..%2f..%2f..%2fdb.sqlite3",
        "/metadata/.timestamp.json.part",
        "/metadata/1.root.json/",
        "/targets/lists/public/1/manifest.json",
        "/targets/../metadata/timestamp.json",
        "/targets/lists/public/1/%2e%2e/%2e%2e/%2e%2e/%2e%2e/1/input.json",
        f"/targets/lists/public/1/{'0' * 64}.manifest.json",
        f"/targets/lists/public/1/{'0' * 64}./../manifest.json",
    ],
)
def test_nothing_else_is_served(root: Path, client: Client, path: str) -> None:
    out(1)
    assert client.get(path).status_code == 404


def test_before_the_first_release_there_is_nothing(client: Client) -> None:
    assert client.get("/metadata/timestamp.json").status_code == 404


def test_files_are_for_reading(root: Path, client: Client) -> None:
    out(1)
    assert client.post("/metadata/timestamp.json").status_code == 405
    assert client.head("/metadata/timestamp.json").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_the_client_pulls_from_the_site_and_refuses_what_was_tampered(
    root: Path, live_server: Any, tmp_path: Path
) -> None:
    out(1, 2)
    cache = tmp_path / "cache"
    pulled = pull(live_server.url, root, cache=cache)
    assert (pulled.release, pulled.entries, pulled.changed) == (1, 5, True)
    assert not pull(live_server.url, root, cache=cache).changed
    blocklist = Blocklist.open(cache)
    assert blocklist.release == 1
    out(3)
    assert pull(live_server.url, root, cache=cache).release == 2

    for path in places.repository_dir().glob("targets/lists/public/2/*.keys-url.parquet"):
        path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(ListDamaged):
        pull(live_server.url, root, cache=tmp_path / "other")
    clock = places.repository_dir() / "metadata" / "timestamp.json"
    altered = json.loads(clock.read_bytes())
    altered["signed"]["version"] += 1
    clock.write_text(json.dumps(altered))
    with pytest.raises(ListForged):
        pull(live_server.url, root, cache=cache)
    assert Blocklist.open(cache).release == 2
