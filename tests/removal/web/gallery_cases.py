"""A request in each state that its subject can find it in, and the browser that looks at it.

Everything is done by the product's own writers, most of it in the subject's own browser; what
falls due is moved into the past and left to retention. The order matters: a release carries what
was approved before it, and a search sees the groups that are there when it begins.
"""

import datetime as dt
from dataclasses import replace
from typing import Any

from django.test import Client

from catalog.models import Group
from catalog.stores import stores_announce
from releases import signing
from removal.custody.receipts import mint
from removal.life import questions, retention
from removal.life.destroying import request_erase
from removal.life.messages import message_send
from removal.life.review import request_extend
from removal.models import RemovalRequest, SubjectSession, today
from removal.search import draining, fingerprinting
from removal.search.searching import GroupUnavailable
from tests.releases.conftest import out
from tests.removal import factories
from tests.removal.factories import Case, FakeSearcher, match
from tests.removal.web.following import begin

PARTLY = (0.1, 0.1, 0.6, 0.7)
STATEMENT = "We looked twice.\nSorry."


class _Failing(FakeSearcher):
    def group_search(self, *_: Any, **__: Any) -> Any:
        raise GroupUnavailable("The disk is away.")


def visits_made() -> dict[str, Client]:
    """Return by state a browser in whose session a request of that state is open."""
    cases = {**_released(), **_closed(), **_talking()}
    visits = {name: visit(case) for name, case in cases.items()}
    visits |= _acted() | _searched()
    _passed("tombstone", cases)
    _passed("tombstone-denied", cases)
    RemovalRequest.objects.filter(pk=cases["expired"].request_id).update(answer_due_on=_ago(1))
    retention.retention_run()
    visits |= {"searching": visit(_searching()), "ended": _ended()}
    return visits


def visit(case: Case) -> Client:
    """Enter a request's code in a browser of its own."""
    client = Client()
    assert begin(client, case.receipt).status_code == 303
    return client


def codes_unknown() -> dict[str, str]:
    """Return codes that open nothing: one that was never given, one whose request was erased."""
    case = factories.released()
    request_erase(case.request_id)
    return {"unknown": mint(), "purged": case.receipt}


def _released() -> dict[str, Case]:
    """Approve, and publish: two releases, the second with these requests' rows."""
    cases = {
        "released": factories.decided(approve=[0, 1, 2]),
        "released-partly": factories.decided(approve=[0], reason="public_interest"),
        "tombstone": factories.decided(),
    }
    signing.keys_create()
    out(1)
    out(2, 3)
    assert {case.request.state for case in cases.values()} == {"released"}
    return cases


def _closed() -> dict[str, Case]:
    """Decide otherwise, or not yet."""
    return {
        "approved": factories.decided(),
        "partly": factories.decided(approve=[0], reason="public_interest"),
        "denied": factories.decided(approve=[], reason="different_picture", statement=STATEMENT),
        "no-match": factories.no_match(),
        "tombstone-denied": factories.decided(approve=[], reason="unfounded", statement=STATEMENT),
    }


def _talking() -> dict[str, Case]:
    """Leave it with a maintainer, who asks, writes, or needs longer."""
    return {
        "in-review": _written_to(factories.in_review(note="A note")),
        "extended": _extended(factories.in_review()),
        "question": _asked(factories.in_review()),
        "question-half": _half_answered(_asked(_two_similar())),
        "expired": _asked(factories.in_review()),
    }


def _acted() -> dict[str, Client]:
    """Act in the browser: each page then says first what was done."""
    visits = {
        "message-sent": visit(factories.in_review()),
        "answered": visit(_asked(asked := factories.in_review())),
        "photos-deleted": visit(factories.in_review()),
        "given-up": visit(factories.received()),
        "withdrawn": visit(factories.in_review()),
        "appealed": visit(factories.decided(approve=[], reason="unfounded", statement=STATEMENT)),
    }
    question = str(asked.request.questions.get().pk)
    _act(visits["message-sent"], "messages", text="When will it be?")
    _act(visits["answered"], "answer", question=question, mine="yes")
    _act(visits["photos-deleted"], "photo/delete")
    _act(visits["given-up"], "photo/delete")
    _act(visits["withdrawn"], "withdraw")
    _act(visits["appealed"], "appeal", text="It is my picture.")
    return visits


def _act(client: Client, act: str, **fields: str) -> None:
    assert client.post(f"/status/{act}/", fields).status_code == 303


def _searched() -> dict[str, Client]:
    """Search, with all that can come of it; and not begin to."""
    found = match("copy", key="000000002")
    part = replace(found, evidence=replace(found.evidence, box=PARTLY))
    return {
        "received": visit(factories.received()),
        "drawn-up": visit(_unconcluded()),
        "found-partly": visit(factories.in_review([part])),
        "too-plain": visit(factories.searched(FakeSearcher(flags=("too_plain",)))),
        "urls-alone": visit(factories.no_match(photos=[], urls=["https://a.example/b"])),
        "group-gone": visit(_group_gone()),
    }


def _unconcluded() -> Case:
    case, group = factories.received(), factories.catalog_group()
    fingerprinting.request_fingerprint(case.request_id, searcher=FakeSearcher())
    draining.group_drain(group.pk, searcher=FakeSearcher())
    return case


def _group_gone() -> Case:
    passing = factories.catalog_group(number=1)
    case, searcher = factories.received(), FakeSearcher()
    fingerprinting.request_fingerprint(case.request_id, searcher=searcher)
    draining.group_drain(passing.pk, searcher=searcher)
    passing.delete()
    return case


def _searching() -> Case:
    """Search one group of five: the others fail, are away, wait their turn, are not ready."""
    here = factories.catalog_group()
    failing = factories.catalog_group(number=2)
    factories.catalog_group(number=3)
    factories.catalog_group(dataset="elsewhere", store="elsewhere")
    stores_announce([here.dataset.store])
    case = factories.received()
    fingerprinting.request_fingerprint(case.request_id, searcher=FakeSearcher())
    draining.group_drain(here.pk, searcher=FakeSearcher())
    draining.group_drain(failing.pk, searcher=_Failing())
    factories.catalog_group(number=4, state=Group.State.PENDING)
    assert case.request.state == "searching"
    return case


def _ended() -> Client:
    """Let a session end that the browser still has the cookies of."""
    client = visit(case := factories.received())
    SubjectSession.objects.filter(request=case.request_id).delete()
    return client


def _passed(name: str, cases: dict[str, Case]) -> None:
    """Move a request's closing behind the days for which its case is kept."""
    RemovalRequest.objects.filter(pk=cases[name].request_id).update(closed_on=_ago(100))


def _ago(days: int) -> dt.date:
    return today() - dt.timedelta(days=days)


def _written_to(case: Case) -> Case:
    message_send(request_id=case.request_id, reviewer=factories.staff_user(), text="Soon.")
    return case


def _extended(case: Case) -> Case:
    request_extend(
        request_id=case.request_id, reviewer=factories.staff_user(), reason="Many are ill."
    )
    return case


def _two_similar() -> Case:
    keys = ("000000003", "000000004")
    alike = [match("similar", key=key, score=0.4) for key in keys]
    return factories.in_review([match("copy"), *alike])


def _asked(case: Case) -> Case:
    similar = [one.pk for one in case.candidates if one.kind == "similar"]
    questions.question_put(
        request_id=case.request_id, reviewer=factories.staff_user(), candidate_ids=similar
    )
    return case


def _half_answered(case: Case) -> Case:
    first = case.request.questions.order_by("pk")[0]
    questions.question_answer(opened=case.opened(), question=first.pk, mine=False)
    return case
