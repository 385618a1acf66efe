from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from releases.build import release_build
from releases.templatetags.release_text import breakable
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


def test_staff_look_and_change_nothing(root: Path, client: Client) -> None:
    out(1)
    factories.sign_in(client)
    for name in ("release", "listentry"):
        assert client.get(f"/admin/releases/{name}/").status_code == 200
        assert client.get(f"/admin/releases/{name}/add/").status_code == 403
