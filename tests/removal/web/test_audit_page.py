"""The audit log in the admin: filters, the history of one request, exports, the check."""

import csv
import datetime as dt
import io
import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from removal import audit
from removal.audit import audit_append, audit_head, entry_digest
from removal.custody import shred
from removal.desk import auditlog
from removal.models import AuditEntry, today
from tests.conftest import ROOT
from tests.removal import factories

LOG = "/admin/removal/auditentry/"


@pytest.fixture
def auditor() -> Client:
    user = User.objects.create_user("audrey", password="x", is_staff=True)
    user.groups.add(Group.objects.get(name="auditor"))
    client = Client()
    factories.sign_in(client, user)
    return client


def noted(count: int, **facts: Any) -> None:
    with transaction.atomic():
        for n in range(count):
            audit_append(**{"act": "decided", "actor": audit.WORKER, "detail": {"n": n}, **facts})


def numbers(answer: Any) -> list[int]:
    return [int(n) for n in re.findall(r'<th scope="row">(\d+)</th>', answer.content.decode())]


def test_newest_first_and_older_ones_a_page_on(
    auditor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditlog, "PAGE", 10)
    noted(25)
    first = auditor.get(LOG)
    assert numbers(first) == list(range(25, 15, -1))
    older = re.search(r'href="(\?[^"]*before=16)"', first.content.decode())
    assert older
    assert numbers(auditor.get(LOG + older.group(1))) == list(range(15, 5, -1))
    assert "Older entries" not in auditor.get(f"{LOG}?before=6").content.decode()
    assert audit_head().digest in first.content.decode()


def test_filters_by_act_actor_and_days(auditor: Client) -> None:
    noted(3)
    noted(2, act="extended", actor=audit.staff(7))
    noted(1, act="withdrawn", actor=audit.SUBJECT)
    AuditEntry.objects.filter(seq=1).update(day=dt.date(2020, 1, 5))
    assert numbers(auditor.get(f"{LOG}?act=extended")) == [5, 4]
    assert numbers(auditor.get(f"{LOG}?actor=subject")) == [6]
    assert numbers(auditor.get(f"{LOG}?actor=staff")) == [5, 4]
    assert numbers(auditor.get(f"{LOG}?first=2020-01-01&last=2020-01-31")) == [1]
    assert numbers(auditor.get(f"{LOG}?first={today()}&act=decided")) == [3, 2]
    assert numbers(auditor.get(f"{LOG}?first=nonsense")) == []
    assert "Enter a valid date" in auditor.get(f"{LOG}?first=nonsense").content.decode()


def test_the_history_of_a_request_is_asked_for_by_post_alone(auditor: Client) -> None:
    case, other = factories.in_review(), factories.in_review()
    answer = auditor.post(LOG, {"request": str(case.request_id)})
    tag = audit.subject_tag(case.request)
    own = list(AuditEntry.objects.filter(subject=tag).values_list("seq", flat=True))
    assert sorted(numbers(answer)) == sorted(own)
    assert len(own) >= 3
    assert tag.hex() not in answer.content.decode()
    assert str(other.request_id) not in answer.content.decode()
    by_get = auditor.get(f"{LOG}?request={case.request_id}")
    assert len(numbers(by_get)) == AuditEntry.objects.count()
    assert str(case.request_id) not in by_get.content.decode()
    unknown = auditor.post(LOG, {"request": "00000000-0000-4000-8000-000000000000"})
    assert unknown.status_code == 404
    shred.keys_destroy([case.request.audit_shred])
    gone = auditor.post(LOG, {"request": str(case.request_id)})
    assert "nobody can tell its entries" in gone.content.decode()


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_an_export_is_noted_and_enough_to_check_the_chain_elsewhere(
    auditor: Client, kind: str
) -> None:
    factories.in_review()
    before = audit_head()
    answer = auditor.post(f"{LOG}export/", {"format": kind})
    text = _text(answer)
    rows = _read(kind, text)
    assert [row["seq"] for row in rows] == list(range(1, before.seq + 1))
    assert rows[-1]["digest"] == before.digest
    for row in rows:
        entry = AuditEntry(
            seq=row["seq"],
            day=dt.date.fromisoformat(row["day"]),
            at=dt.datetime.fromisoformat(row["at"]) if row["at"] else None,
            actor=row["actor"],
            act=row["act"],
            subject=bytes.fromhex(row["subject"]),
            detail=row["detail"],
            previous=bytes.fromhex(row["previous"]),
        )
        assert entry_digest(entry).hex() == row["digest"]
    note = AuditEntry.objects.latest("seq")
    assert note.act == "audit_exported"
    assert note.detail == {"format": kind, "entries": before.seq, "one_request": False}
    assert "attachment" in answer.headers["Content-Disposition"]


def _text(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode()


def _read(kind: str, text: str) -> list[dict[str, Any]]:
    if kind == "jsonl":
        return [json.loads(line) for line in text.splitlines()]
    rows = list(csv.DictReader(io.StringIO(text)))
    return [{**row, "seq": int(row["seq"]), "detail": json.loads(row["detail"])} for row in rows]


def test_an_export_takes_what_the_filter_lets_through(auditor: Client) -> None:
    noted(3)
    noted(2, act="extended")
    answer = auditor.post(f"{LOG}export/", {"format": "jsonl", "act": "extended"})
    rows = _read("jsonl", _text(answer))
    assert [row["seq"] for row in rows] == [4, 5]
    assert auditor.post(f"{LOG}export/", {"format": "exe"}).status_code == 400


def test_the_button_shows_the_head_or_the_first_broken_entry(auditor: Client) -> None:
    noted(6)
    head = audit_head()
    sound = auditor.post(f"{LOG}verify/").content.decode()
    assert "The chain is sound" in sound
    assert head.digest in sound
    AuditEntry.objects.filter(seq=4).update(detail={"n": 99})
    broken = auditor.post(f"{LOG}verify/").content.decode()
    assert "The chain is broken" in broken
    assert "Entry 4 was changed" in broken
    last = AuditEntry.objects.latest("seq")
    assert (last.act, last.detail) == ("audit_verified", {"broken": 4})


def test_a_long_log_is_checked_a_part_at_a_time(
    auditor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditlog, "CHECKED_AT_ONCE", 4)
    noted(10)
    told: list[Any] = []
    fields: dict[str, str] = {}
    for _ in range(3):
        text = auditor.post(f"{LOG}verify/", fields).content.decode()
        told.append(re.search(r"Entries 1 to (\d+) of 10|chain is sound", text))
        found = re.search(r'name="resume" value="([^"]+)"', text)
        fields = {"resume": found.group(1)} if found else {}
    assert [match and match.group(1) for match in told] == ["4", "8", None]
    assert told[-1]
    assert auditor.post(f"{LOG}verify/", {"resume": "9:00ff"}).status_code == 403


def test_the_page_asks_the_same_number_of_queries_however_long_the_log(auditor: Client) -> None:
    auditor.get(LOG)  # the first use of a session is noted in it
    counts = []
    for more in (5, 300):
        noted(more)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            auditor.get(f"{LOG}?act=decided")
        counts.append(len(queries))
    assert counts[0] == counts[1] < 15


# --- what stands in the log ----------------------------------------------------------------------


def test_every_act_has_its_words() -> None:
    written = set()
    for path in [*(ROOT / "removal").rglob("*.py"), *(ROOT / "releases").rglob("*.py")]:
        text = path.read_text()
        written |= set(re.findall(r'\bact="([a-z_]+)"', text))
        written |= set(re.findall(r'step_taken\(\s*[\w.]+,\s*"([a-z_]+)"', text))
        written |= set(re.findall(r'_(?:look_)?noted\(\s*(?:request, )?"([a-z_]+)"', text))
    assert len(written) > 20
    assert written - set(auditlog.act_words()) == set()


def test_opening_a_request_is_noted_once_a_sitting(maintainer: Client) -> None:
    case = factories.in_review()
    address = f"/admin/removal/removalrequest/{case.request_id}/change/"
    for _ in range(3):
        assert maintainer.get(address).status_code == 200
    entry = AuditEntry.objects.get(act="case_opened")
    assert bytes(entry.subject) == audit.subject_tag(case.request)
    assert entry.actor == audit.staff(factories.staff_user().pk)


def test_the_log_holds_no_content(maintainer: Client) -> None:
    case = factories.in_review(note="marked-note", urls=["https://marked.example/marked.jpg"])
    maintainer.get(f"/admin/removal/removalrequest/{case.request_id}/change/")
    answer = maintainer.post(f"{LOG}export/", {"format": "jsonl"})
    text = _text(answer)
    assert "case_opened" in text
    assert "marked" not in text
    assert str(case.request_id) not in text
    assert "maintainer" not in text
