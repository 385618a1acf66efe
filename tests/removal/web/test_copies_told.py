"""What the person reads when more copies of their picture were found and approved later."""

import datetime as dt
import html
import re
from typing import Any

import pytest
from django.conf import settings as live
from django.test import Client
from django.utils.translation import ngettext, override

from removal.life.closing import request_release
from removal.life.destroying import case_destroy
from removal.life.spreading import duplicates_propose
from removal.models import AuditEntry, today
from tests.removal import factories
from tests.removal.factories import Case
from tests.removal.web.following import begin, shown

CODES = [code for code, _ in live.LANGUAGES]
KEYS = ("000000101", "000000102", "000000103")


@pytest.fixture(autouse=True)
def _at_once(settings: Any) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": 0})


def spread(case: Case, *keys: str, **offered: Any) -> None:
    rows = factories.offered(case, *keys, **offered)
    duplicates_propose(
        request_id=case.request_id,
        reviewer=factories.staff_user(),
        approve=[row.pk for row in rows],
    )


def status(client: Client, case: Case) -> Any:
    answer = client.post(
        "/api/v1/status/", {"receipt": case.receipt}, content_type="application/json"
    )
    assert answer.status_code == 200
    return answer.json()


def words(text: str) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", text).split()))


def test_the_status_counts_them_and_says_since_when(client: Client) -> None:
    case = factories.released()
    before = status(client, case)
    assert (before["more_found"], before["state"]) == ([], "released")
    spread(case, *KEYS[:2])
    spread(case, KEYS[2], dataset="other", url="https://else.example/3.jpg")
    told = status(client, case)
    day = today().isoformat()
    assert told["more_found"] == [{"day": day, "rows": 2}, {"day": day, "rows": 1}]
    assert told["state"] == "approved"
    assert told["decision"] == before["decision"]
    found = {(one["dataset"], one["kind"]): one for one in told["found"]}
    mixed, new = found["sample", "copy"], found["other", "copy"]
    assert (mixed["rows"], mixed["released_in"], mixed["waiting"]) == (3, [1], 2)
    assert (new["rows"], new["released_in"], new["waiting"]) == (1, None, 1)
    assert new["domains"] == ["else.example"]
    assert "proof" in told["acts"]
    request_release(request_id=case.request_id, release=2)
    told = status(client, case)
    assert (told["state"], {one["waiting"] for one in told["found"]}) == ("released", {0})
    assert {tuple(one["released_in"]) for one in told["found"]} == {(1, 2)}


def test_the_page_says_it_step_by_step(visitor: Client) -> None:
    case = factories.released()
    spread(case, *KEYS)
    text = words(shown(visitor, case.receipt))
    assert "We found 3 more copies of what was approved. They go on the removal list, too." in text
    assert "What was approved first is in release 1; the rest goes into the next." in text
    assert "A part is on the removal list since release 1; the rest follows with the next." in text
    request_release(request_id=case.request_id, release=2)
    text = words(visitor.get("/status/").content.decode())
    assert "We found 3 more copies" in text
    assert "In release 1, 2." in text


def test_copies_of_look_alikes_are_told_by_their_number_alone(visitor: Client) -> None:
    case = factories.decided(approve=(0, 1, 2))
    spread(case, *KEYS, source=2, kind="similar", dataset="secret")
    told = status(visitor, case)
    assert told["more_found"] == [{"day": today().isoformat(), "rows": 0}]
    assert told["other_rows_removed"] == 4
    assert "secret" not in str(told)
    text = words(shown(visitor, case.receipt))
    assert "More pictures like those that were removed were found. They go, too." in text


@pytest.mark.parametrize("code", CODES)
def test_it_is_told_in_every_language(visitor: Client, code: str) -> None:
    case = factories.released()
    spread(case, *KEYS)
    begin(visitor, case.receipt)
    one = "We found %(n)s more copy of what was approved. It goes on the removal list, too."
    many = "We found %(n)s more copies of what was approved. They go on the removal list, too."
    with override(code):
        sentence = ngettext(one, many, 3) % {"n": 3}
    assert ("We found" in sentence) is (code == "en")
    assert sentence in words(visitor.get(f"/{code}/status/").content.decode())


def test_the_day_is_told_and_nobody_who_approved(client: Client) -> None:
    case = factories.released()
    spread(case, *KEYS)
    entry = AuditEntry.objects.get(act="duplicates_approved")
    assert entry.at is not None  # the log has the time; the person is told the day
    [more] = status(client, case)["more_found"]
    assert dt.date.fromisoformat(more["day"]) == entry.day
    assert set(more) == {"day", "rows"}


def test_it_goes_with_the_case(client: Client) -> None:
    case = factories.released()
    spread(case, *KEYS)
    request_release(request_id=case.request_id, release=2)
    case_destroy(case.request_id)
    told = status(client, case)
    assert (told["more_found"], told["found"]) == ([], [])
