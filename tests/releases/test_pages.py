from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from releases.build import release_build
from releases.templatetags.release_text import breakable
from releases.transparency import _GROUPS, STEP, request_counts
from removal.models import RemovalRequest, State
from tests.releases.conftest import listed, out
from tests.removal import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/releases/", "/transparency/"])
def test_pages_answer_before_the_first_release_and_set_no_cookie(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert "Nothing has been released yet" in answer.text
    assert not answer.cookies
    assert "<script" not in answer.text
    assert client.post(path).status_code == 405


def test_the_latest_release_is_on_top_with_its_digests_and_the_commands(
    root: Path, client: Client, settings: Any
) -> None:
    first, second = out(1), out(2)
    listed(3)
    release_build()  # not published: not shown
    page = client.get("/releases/").text
    assert page.index(second.manifest_sha256) < page.index(breakable(first.manifest_sha256))
    assert "Release 3" not in page
    assert f"unlist pull {settings.UNLIST.public_url} --root 1.root.json" in page
    assert "unlist apply" in page
    assert "/metadata/1.root.json" in page


def test_every_link_to_a_file_leads_to_it(root: Path, client: Client) -> None:
    out(1)
    page = client.get("/releases/").text
    paths = [
        part.split('"')[0] for part in page.split('href="')[1:] if part.startswith("/targets/")
    ]
    assert len(paths) == 4
    for path in paths:
        answer: Any = client.get(path)
        assert b"".join(answer.streaming_content)


def test_counts_are_too_coarse_to_follow_one_person(client: Client) -> None:
    case = factories.received()
    counts = {count.label: count.at_least for count in request_counts()}
    assert set(counts.values()) == {0}
    assert f"fewer than {STEP}" in client.get("/transparency/").text
    made = [
        RemovalRequest(
            state=State.DENIED,
            receipt_tag=bytes([n]) * 32,
            subject_salt=b"",
            subject_public=b"",
            audit_shred=f"{n:032x}",
            received_on=case.request.received_on,
            due_on=case.request.due_on,
            photos_delete_on=case.request.due_on,
        )
        for n in range(2 * STEP + 3)
    ]
    RemovalRequest.objects.bulk_create(made)
    counts = {count.label: count.at_least for count in request_counts()}
    assert counts["Refused"] == 2 * STEP
    assert "20 or more" in client.get("/transparency/").text


def test_every_state_is_counted_somewhere() -> None:
    counted = [state for states in _GROUPS.values() for state in states]
    assert sorted(counted) == sorted(State.values)


def test_staff_look_and_change_nothing(root: Path, admin_client: Client) -> None:
    out(1)
    for name in ("release", "listentry"):
        assert admin_client.get(f"/admin/releases/{name}/").status_code == 200
        assert admin_client.get(f"/admin/releases/{name}/add/").status_code == 403
