"""The API: shapes of docs/api.md, and a problem with a stable type for every fault."""

import json
from typing import Any

import pytest
from django.conf import settings as live
from django.test import Client
from rest_framework.serializers import BaseSerializer, ListSerializer

from removal.api import examples
from removal.api import serializers as shapes
from removal.api.status_shapes import RequestStatus
from removal.custody import receipts
from removal.models import RemovalRequest
from tests.removal import factories
from tests.removal.web.conftest import photo

SUBMIT, STATUS = "/api/v1/requests/", "/api/v1/status/"


def _post(client: Client, address: str, body: Any, **extra: Any) -> Any:
    return client.post(address, json.dumps(body), content_type="application/json", **extra)


def is_problem(answer: Any, status: int, code: str) -> None:
    body = answer.json()
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert body["type"] == f"urn:unlist:problem:{code}"
    assert body["status"] == status
    assert body["title"]
    assert len(body["detail"]) > 20


def fits(body: Any, shape: Any) -> None:
    """Check that a body has the members of a shape and no others, all the way down."""
    if isinstance(shape, ListSerializer):
        for item in body:
            fits(item, shape.child)
        return
    assert set(body) == set(shape.fields)
    for name, field in shape.fields.items():
        if isinstance(field, BaseSerializer) and body[name] is not None:
            fits(body[name], field)


def test_submit_and_follow(visitor: Client) -> None:
    answer = visitor.post(
        SUBMIT,
        {"photos": [photo(), photo(factories.PLAIN)], "urls": ["https://a.example/1.jpg"]},
    )
    body = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    fits(body, shapes.SubmittedRequest())
    assert body["state"] == "received"
    assert [one["accepted"] for one in body["photos"]] == [True, False]
    assert body["photos"][1]["reason"] == "unknown_format"
    followed = _post(visitor, STATUS, {"receipt": body["receipt"]})
    assert followed.status_code == 200
    fits(followed.json(), RequestStatus())
    assert RemovalRequest.objects.get().category == "personal"


@pytest.mark.parametrize(
    "make", [factories.received, factories.in_review, factories.no_match, factories.released]
)
def test_status_has_its_shape_in_every_state(visitor: Client, make: Any) -> None:
    body = _post(visitor, STATUS, {"receipt": make().receipt}).json()
    fits(body, RequestStatus())


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data"])
def test_an_empty_body_sends_nothing_whatever_it_is_called(visitor: Client, kind: str) -> None:
    is_problem(visitor.generic("POST", SUBMIT, b"", content_type=kind), 400, "nothing_sent")


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({}, 400, "nothing_sent"),
        ({"note": "only words"}, 400, "nothing_sent"),
        ({"photos": [photo(factories.PLAIN)]}, 400, "no_usable_photo"),
        ({"photos": [photo(b"")]}, 400, "no_usable_photo"),
        ({"photos": [photo(b"x") for _ in range(11)]}, 400, "too_many_photos"),
        ({"photos": [photo(b"x") for _ in range(45)]}, 400, "too_many_photos"),
        ({"photos": [photo(bytes(20 * 1024**2 + 1))]}, 413, "photo_too_large"),
        ({"urls": ["ftp://a.example/"]}, 400, "url_invalid"),
        ({"urls": ["http://a.b/"] * 21}, 400, "too_many_urls"),
        ({"urls": ["http://a.b/"], "note": "n" * 2001}, 400, "note_too_long"),
        ({"urls": ["http://a.b/"], "note": "n" * 300_000}, 413, "body_too_large"),
        ({"urls": ["http://a.b/"], "category": "nonsense"}, 400, "category_unknown"),
    ],
)
def test_what_cannot_be_taken(
    visitor: Client, fields: dict[str, Any], status: int, code: str
) -> None:
    for value in fields.get("photos", []):
        value.seek(0)
    is_problem(visitor.post(SUBMIT, fields), status, code)
    assert not RemovalRequest.objects.exists()


def test_unusable_photos_say_why(visitor: Client) -> None:
    truncated = factories.photo_bytes()[:400]
    answer = visitor.post(SUBMIT, {"photos": [photo(truncated), photo(factories.PLAIN)]})
    reasons = [one["reason"] for one in answer.json()["photos"]]
    assert reasons == ["broken", "unknown_format"]


def test_wrong_content_types(visitor: Client) -> None:
    is_problem(_post(visitor, SUBMIT, {"urls": []}), 415, "unsupported_media_type")
    answer = visitor.post(STATUS, "<a/>", content_type="text/xml")
    is_problem(answer, 415, "unsupported_media_type")


def test_unreadable_bodies(visitor: Client) -> None:
    broken = visitor.post(STATUS, "{", content_type="application/json")
    is_problem(broken, 400, "malformed")
    deep = visitor.post(STATUS, "[" * 100_000, content_type="application/json")
    is_problem(deep, 400, "malformed")
    headless = visitor.post(SUBMIT, b"nonsense", content_type="multipart/form-data")
    is_problem(headless, 400, "malformed")


def test_a_body_in_chunks_is_asked_for_with_its_length(visitor: Client) -> None:
    for address in (SUBMIT, STATUS):
        answer = visitor.generic(
            "POST", address, b"", "application/json", HTTP_TRANSFER_ENCODING="chunked"
        )
        is_problem(answer, 411, "length_required")


def test_a_host_name_that_is_not_ours_is_said_to_be_one(visitor: Client) -> None:
    answer = visitor.get("/", headers={"host": "other.example"})
    assert answer.status_code == 400
    assert "does not answer under this host name" in answer.text
    assert "other.example" not in answer.text


def test_methods(visitor: Client) -> None:
    answer = visitor.get(SUBMIT)
    is_problem(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]


def test_scripts_of_other_sites_are_refused(visitor: Client) -> None:
    answer = visitor.post(SUBMIT, {"photos": photo()}, headers={"Origin": "https://evil.example"})
    is_problem(answer, 403, "forbidden")
    assert not RemovalRequest.objects.exists()


def test_work_is_asked_for(visitor: Client, settings: Any) -> None:
    settings.UNLIST = live.UNLIST.model_copy(update={"pow_cost": 2})
    is_problem(visitor.post(SUBMIT, {"photos": photo()}), 400, "altcha_missing")
    answer = visitor.post(SUBMIT, {"photos": photo(), "altcha": "e30="})
    is_problem(answer, 400, "altcha_wrong")
    challenge = visitor.get("/api/v1/challenge/")
    assert challenge.headers["Cache-Control"] == "no-store"
    fits(challenge.json(), shapes.Challenge())


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        (examples.STATUS, RequestStatus),
        (examples.DECIDED, RequestStatus),
        (examples.SUBMITTED, shapes.SubmittedRequest),
    ],
)
def test_examples_are_of_their_shape(body: Any, shape: Any) -> None:
    fits(body, shape())


def test_service_without_secrets(visitor: Client, settings: Any) -> None:
    elsewhere = live.UNLIST.secret_dir / "absent"
    settings.UNLIST = live.UNLIST.model_copy(update={"secret_dir": elsewhere})
    is_problem(visitor.post(SUBMIT, {"photos": photo()}), 503, "unavailable")
    is_problem(_post(visitor, STATUS, {"receipt": receipts.mint()}), 503, "unavailable")


def test_datasets_are_cacheable(visitor: Client) -> None:
    factories.catalog_group(dataset="sample", rows=12)
    answer = visitor.get("/api/v1/datasets/")
    [dataset] = answer.json()["datasets"]
    assert set(dataset) == set(shapes.CoveredDataset().fields)
    assert dataset["groups_ready"] == 1
    assert answer.headers["Cache-Control"].startswith("public")
    tag = answer.headers["ETag"]
    unchanged = visitor.get("/api/v1/datasets/", headers={"If-None-Match": tag})
    assert unchanged.status_code == 304
    assert not unchanged.content
    factories.catalog_group(dataset="sample", number=1)
    changed = visitor.get("/api/v1/datasets/", headers={"If-None-Match": tag})
    assert changed.status_code == 200
