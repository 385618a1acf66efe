"""The queue, the dashboard and the transparency page in a browser: axe finds nothing, all fits.

The pages are made in this process, with requests of every kind, and given to the browser as a site
would give them, with their headers and policy.
"""

import datetime as dt
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, Route, sync_playwright

from catalog.models import WorkerStore
from releases.months import months_close
from removal.life import claims
from removal.models import Flag, RemovalRequest, SavedView, State, today
from scripts.browser import FLAGS
from tests.functional.browsing import DESK, SMALL, axe_faults, lines, page_of, shot, too_wide
from tests.releases.months import answered
from tests.removal import factories
from tests.removal.factories import match

SITE = "http://localhost"
QUEUE = "/admin/removal/removalrequest/"
WORDS = "/admin/jsi18n/"
SURE = [match("exact", key="000000001", score=1.0), match("copy", key="000000002")]


def requests_made() -> list[str]:
    """Make requests of many kinds; return the ids of those that wait."""
    cases = [factories.in_review(SURE if n % 2 else None) for n in range(8)]
    for n, case in enumerate(cases):
        days = {"due_on": today() + dt.timedelta(days=4 * n - 3), "category": _category(n)}
        age = today() - dt.timedelta(days=6 * n)
        RemovalRequest.objects.filter(pk=case.request_id).update(received_on=age, **days)
    for n in range(5):
        done = factories.decided(
            approve=(0, 1) if n % 3 else (), reason=None if n % 3 else "unfounded"
        )
        day = today() - dt.timedelta(days=9 * n)
        RemovalRequest.objects.filter(pk=done.request_id).update(decided_on=day)
    RemovalRequest.objects.filter(pk=cases[3].request_id).update(state=State.NEEDS_INFO)
    Flag.objects.create(request=cases[2].request, code="crops", raised_on=today())
    claims.claim(request_id=cases[1].request_id, reviewer=factories.staff_user())
    claims.claim(request_id=cases[4].request_id, reviewer=factories.role_user("ann", "reviewer"))
    SavedView.objects.create(name="Certain ones", query="evidence=sure")
    SavedView.objects.create(name="Late", query="show=overdue", owner=factories.staff_user())
    return [str(case.request_id) for case in cases]


def _category(n: int) -> str:
    return ("personal", "personal", "child", "medical", "intimate", "artwork")[n % 6]


SHOWN = {"/admin/": "admin-front", QUEUE: "admin-list", "/en/transparency/": "transparency"}
"""What the documentation shows, in one look: wide and light."""
LOOK_SHOWN = 1


@pytest.fixture
def pages(db: None, settings: Any, tmp_path: Path) -> dict[str, Any]:
    """Return the pages by their address, and by a name of their own those answered to a POST."""
    settings.UNLIST = settings.UNLIST.model_copy(
        update={"data_dir": tmp_path / "data", "secret_dir": tmp_path / "secrets"}
    )
    factories.secrets_made()
    for months in range(14, 0, -1):
        answered(7 * months % 40, days=3 + months, months=months)
        answered(3 * months % 17, days=9, months=months, state="denied")
    waiting = requests_made()
    WorkerStore.objects.create(store="default", seen_at=timezone.now())
    months_close()
    client = Client()
    factories.sign_in(client)
    chosen = {"action": "approve_sure", "_selected_action": waiting}
    return {
        WORDS: client.get(WORDS),
        "/admin/": client.get("/admin/"),
        QUEUE: client.get(QUEUE),
        f"{QUEUE}approve/": client.post(QUEUE, chosen),
        "/en/transparency/": client.get("/en/transparency/"),
        "/de/transparency/": client.get("/de/transparency/"),
        "/ar/transparency/": client.get("/ar/transparency/"),
    }


@pytest.mark.timeout(300)
def test_axe_finds_nothing_and_every_page_fits(pages: dict[str, Any], chromium: str) -> None:
    faults = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        page = page_of(browser, SITE, SMALL, script=True)
        page.route("**/*", partial(_served, pages=pages))
        for path in pages.keys() - {WORDS}:
            page.goto(path)
            page.evaluate(
                "document.querySelectorAll('details').forEach(one => { one.open = true })"
            )
            faults += [fault for look in range(4) for fault in _looked_at(page, path, look)]
        browser.close()
    assert not faults, lines(faults)


def _looked_at(page: Page, path: str, look: int) -> list[str]:
    size, scheme = ((SMALL, DESK)[look % 2], ("light", "dark")[look // 2])
    page.set_viewport_size({"width": size["width"], "height": size["height"]})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    if look == LOOK_SHOWN and path in SHOWN:
        shot(page, SHOWN[path])
    faults = [*axe_faults(page), *too_wide(page)]
    return [f"{path} {size['width']} px {scheme}: {fault}" for fault in faults]


def _served(route: Route, pages: dict[str, Any]) -> None:
    path = urlsplit(route.request.url).path
    if (answer := pages.get(path)) is not None:
        route.fulfill(status=200, headers=dict(answer.headers), body=answer.content)
    elif path.startswith("/static/") and (found := finders.find(path.removeprefix("/static/"))):
        route.fulfill(path=str(found))
    else:
        route.fulfill(status=404, body="")
