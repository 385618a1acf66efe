"""Every hostile file at the page and at the API: taken or refused as its manifest says."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from indexer.decode import picture_check, pool, process
from removal.models import Photo, RemovalRequest
from tests.hostile import (
    FOLDER,
    MEGABYTES,
    SECONDS,
    acting,
    computing,
    expected_of,
    manifest,
    own_peak,
)
from tests.removal import factories
from tests.removal.web.conftest import form

pytestmark = pytest.mark.once


def outcomes(case: dict[str, Any]) -> set[int]:
    """What may be answered. Whether there is enough in a picture to match is seen later."""
    return {"accept": {201}, "reject": {400}}.get(expected_of(case), {201, 400})


def sent(visitor: Client, way: str, data: bytes, name: str) -> Any:
    file = SimpleUploadedFile(name, data)
    if way == "page":
        return visitor.post("/request/", form(file))
    return visitor.post("/api/v1/requests/", {"photos": [file]})


@pytest.mark.parametrize("way", ["page", "api"])
@pytest.mark.parametrize("case", manifest()["cases"], ids=lambda case: case["file"])
def test_hostile_image(visitor: Client, case: dict[str, Any], way: str) -> None:
    data = (FOLDER / case["file"]).read_bytes()
    picture_check(factories.photo_bytes())  # a decoder that waits, as the site has one
    before = own_peak()
    answer, seconds = computing(lambda: sent(visitor, way, data, case["file"]))
    assert seconds < SECONDS
    assert answer.status_code in outcomes(case), answer.content.decode()
    if case["expect"] == "decodes" and answer.status_code == 400:
        assert b"too small" in answer.content
    taken = answer.status_code == 201
    assert RemovalRequest.objects.exists() == Photo.objects.exists() == taken
    assert own_peak() - before < MEGABYTES
    for secret in case.get("must_not_survive", []):
        assert secret.encode() not in answer.content


@pytest.mark.parametrize("case", manifest()["upload_names"], ids=lambda case: case["why"])
def test_hostile_name_is_thrown_away(visitor: Client, case: dict[str, Any]) -> None:
    name = case["name"]
    part = f'Content-Disposition: form-data; name="photos"; filename="{name}"\r\n\r\n'.encode()
    body = b"--B\r\n" + part + factories.photo_bytes() + b"\r\n--B--\r\n"
    answer = visitor.post("/api/v1/requests/", body, content_type="multipart/form-data; boundary=B")
    plain = name.strip("./\\") and name.isprintable() and '"' not in name
    assert answer.status_code in ({201} if plain else {201, 400}), answer.content.decode()
    assert not name.strip(".") or name not in answer.content.decode()


def test_a_picture_that_kills_its_decoder_is_refused_and_the_site_goes_on(
    visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(pool, "_decoders", pool.Decoders(1))
        acting(patched, "os.kill(os.getpid(), signal.SIGSEGV)")
        answer = sent(visitor, "page", factories.photo_bytes(), "x.jpg")
        assert answer.status_code == 400
        assert "The picture is damaged or incomplete" in answer.content.decode()
        assert not RemovalRequest.objects.exists()
    assert sent(visitor, "page", factories.photo_bytes(), "x.jpg").status_code == 201


def test_where_no_decoder_can_be_started_nothing_is_taken(
    visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_decoders", pool.Decoders(1))
    monkeypatch.setattr(process, "_COMMAND", ("/nonexistent/python",))
    for way in ("page", "api"):
        answer = sent(visitor, way, factories.photo_bytes(), "x.jpg")
        assert answer.status_code == 503
        assert "Retry-After" in answer.headers
    assert not RemovalRequest.objects.exists()


def test_where_every_decoder_is_busy_people_are_told_to_come_back(
    visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten costly pictures in a few submissions hung all threads of the site."""
    busy_ones = pool.Decoders(1)
    monkeypatch.setattr(pool, "_decoders", busy_ones)
    monkeypatch.setattr(pool, "TURN_SECONDS", 0.1)
    with busy_ones._turns.turn(0):
        for way in ("page", "api"):
            answer = sent(visitor, way, factories.photo_bytes(), "x.jpg")
            assert answer.status_code == 503
            assert "Retry-After" in answer.headers
    assert not RemovalRequest.objects.exists()
