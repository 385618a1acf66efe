"""Fetching a row's picture: who may ask, that a click is one fetch, what is kept and told."""

import datetime as dt
import hashlib
import io
import logging
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from PIL import Image

from indexer.decode import DecoderUnavailable
from removal import tasks
from removal.custody.content import row_opened
from removal.custody.sealing import NotReadable, Place, role_key, unwrap
from removal.desk import fetched as desk_fetched
from removal.desk import words
from removal.life import claims, fetches, reveals
from removal.life.destroying import case_destroy
from removal.life.errands import DAYS_MOST, TOO_OLD, errands_give_up
from removal.life.escalation import request_escalate
from removal.life.fetches import FETCHES_MOST, FetchDenied, FetchOrder, fetch_ask
from removal.life.review import request_withdraw
from removal.models import (
    AuditEntry,
    Candidate,
    DataKey,
    Errand,
    ErrandKind,
    ErrandState,
    Purpose,
    Recipient,
    Wrap,
)
from removal.permissions import ROLES
from removal.search import fetching
from removal.search.fetch_guard import FetchFault, FetchRefused
from removal.search.fetch_http import Fetcher
from removal.selectors import RequestGone
from removal.selectors.desk import case_key_held
from removal.selectors.fetched import FetchedPicture, fetch_last, fetched_picture
from tests.removal import factories
from tests.removal.deciding import request_decide
from tests.removal.factories import Case, match
from tests.removal.websites import Names, Shunt, told, website

URL = "https://pictures.example.org/marked-url.jpg"
PICTURE = factories.photo_bytes(7, side=300)


@dataclass
class Site:
    """What is fetched, without a net: answers, and what was asked for."""

    answer: bytes | BaseException | Callable[[], bytes] = PICTURE
    asked: list[str] = field(default_factory=list)

    def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer() if callable(self.answer) else self.answer


@pytest.fixture(autouse=True)
def _on(settings: Any) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"fetch": True})


@pytest.fixture
def case(db: None) -> Case:
    """A request with one row, which its dataset holds no picture of."""
    digest = hashlib.sha256(PICTURE).hexdigest()
    return factories.in_review([match("copy", url=URL, sha256=digest.upper())])


@pytest.fixture
def reviewer(db: None) -> User:
    return factories.role_user("reviewer", "reviewer")


def asked(case: Case, reviewer: User) -> Errand:
    candidate = case.request.candidates.get()
    return fetch_ask(candidate_id=candidate.pk, reviewer=reviewer)


def brought(case: Case) -> FetchedPicture:
    found = fetched_picture(case.candidates[0], case_key_held(case.request))
    assert found is not None
    return found


def acts(case: Case) -> list[str]:
    return [entry.act for entry in AuditEntry.objects.order_by("seq")]


# --- the story -----------------------------------------------------------------------------------


def test_a_picture_is_fetched_made_small_and_shown_to_reviewers(case: Case, reviewer: User) -> None:
    errand, site = asked(case, reviewer), Site()
    assert fetching.fetches_waiting() == [errand.pk]
    assert fetching.picture_fetch(errand.pk, fetcher=site)
    assert site.asked == [URL]
    assert fetching.fetches_waiting() == []
    errand.refresh_from_db()
    assert (errand.state, errand.fault, bytes(errand.order_sealed)) == (ErrandState.DONE, "", b"")
    found = brought(case)
    assert found.same is True
    assert found.size == (300, 300)
    made = Image.open(io.BytesIO(found.picture))
    assert (made.format, made.size) == ("WEBP", (300, 300))
    veil = reveals.candidate_veiled(candidate_id=case.candidates[0].pk, reviewer=reviewer)
    assert veil is not None
    assert max(veil.image.size) <= 16
    shown = reveals.candidate_reveal(candidate_id=case.candidates[0].pk, reviewer=reviewer)
    assert shown is not None
    assert Image.open(io.BytesIO(shown)).size == (300, 300)
    assert acts(case)[-3:] == ["fetch_asked", "fetch_done", "row_revealed"]


def test_a_large_picture_is_kept_small_and_its_size_is_told(case: Case, reviewer: User) -> None:
    large = io.BytesIO()
    Image.new("RGB", (2600, 1300), "teal").save(large, "PNG", exif=b"Exif\0\0secret place")
    fetching.picture_fetch(asked(case, reviewer).pk, fetcher=Site(large.getvalue()))
    found = brought(case)
    made = Image.open(io.BytesIO(found.picture))
    assert found.size == (2600, 1300)
    assert made.size == (1024, 512)
    assert b"secret" not in found.picture
    veil = reveals.candidate_veiled(candidate_id=case.candidates[0].pk, reviewer=reviewer)
    assert veil is not None
    assert veil.size == (2600, 1300)


@pytest.mark.parametrize(
    ("recorded", "same"),
    [
        ({"sha256": hashlib.sha256(PICTURE).hexdigest(), "md5": None}, True),
        ({"sha256": "ab" * 32, "md5": None}, False),
        ({"sha256": None, "md5": hashlib.md5(PICTURE).hexdigest()}, True),
        ({"sha256": None, "md5": "ab" * 16}, False),
        ({"sha256": "ab" * 32, "md5": hashlib.md5(PICTURE).hexdigest()}, False),
        ({"sha256": None, "md5": None}, None),
    ],
)
def test_the_file_is_compared_with_what_the_dataset_records(
    reviewer: User, recorded: dict[str, Any], same: bool | None
) -> None:
    case = factories.in_review([match("copy", url=URL, **recorded)])
    fetching.picture_fetch(asked(case, reviewer).pk, fetcher=Site())
    assert brought(case).same is same


def test_the_whole_way_over_a_socket(case: Case, reviewer: User, monkeypatch: Any) -> None:
    """From the click by way of the task to a site; only where its name leads is the test's."""
    with website({"/marked-url.jpg": told(PICTURE)}) as site:
        line, names = Shunt(site.port), Names()
        fetcher = Fetcher(line=line, look_up=names)
        monkeypatch.setattr(fetching, "_fetcher", lambda: fetcher)
        plain = factories.in_review([match("copy", url=URL.replace("https", "http"))])
        errand = asked(plain, reviewer)
        tasks.fetch_picture(str(errand.pk))
    assert brought(plain).same is False
    assert line.dialed == [("93.184.215.14", 80)]


# --- asking --------------------------------------------------------------------------------------


def denied(case: Case, reviewer: User) -> str:
    with pytest.raises(FetchDenied) as refused:
        asked(case, reviewer)
    assert str(refused.value).endswith(".")
    return refused.value.code


def test_it_is_off_unless_the_operator_turns_it_on(
    case: Case, reviewer: User, settings: Any
) -> None:
    assert type(settings.UNLIST).model_fields["fetch"].default is False
    settings.UNLIST = settings.UNLIST.model_copy(update={"fetch": False})
    assert denied(case, reviewer) == "off"
    assert not Errand.objects.exists()


def test_a_row_without_an_address_has_nothing_to_fetch(reviewer: User) -> None:
    assert denied(factories.in_review([match("copy", url=None)]), reviewer) == "no_address"


def test_a_row_that_has_a_picture_needs_none(
    case: Case, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetches, "row_picture", lambda *place: PICTURE)
    assert denied(case, reviewer) == "has_picture"


def test_one_fetch_at_a_time_and_none_after_one_that_came(case: Case, reviewer: User) -> None:
    errand = asked(case, reviewer)
    assert denied(case, reviewer) == "waiting"
    fetching.picture_fetch(errand.pk, fetcher=Site())
    assert denied(case, reviewer) == "fetched"
    assert Errand.objects.count() == 1


def test_one_that_failed_can_be_asked_for_again(case: Case, reviewer: User) -> None:
    gone = Site(FetchRefused(FetchFault.GONE))
    fetching.picture_fetch(asked(case, reviewer).pk, fetcher=gone)
    last = fetch_last(case.candidates[0].pk)
    assert last is not None
    assert (last.state, last.fault) == (ErrandState.FAILED, "gone")
    entry = AuditEntry.objects.latest("seq")
    assert (entry.act, entry.actor, entry.detail) == ("fetch_failed", "worker", {"fault": "gone"})
    fetching.picture_fetch(asked(case, reviewer).pk, fetcher=Site())
    assert brought(case).same is True


def test_a_request_has_so_many_and_no_more(
    case: Case, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetches, "FETCHES_MOST", 2)
    for _ in range(2):
        gone = Site(FetchRefused(FetchFault.GONE))
        fetching.picture_fetch(asked(case, reviewer).pk, fetcher=gone)
    assert denied(case, reviewer) == "too_many"
    assert FETCHES_MOST > 20


def test_who_works_on_it_is_not_gone_over(case: Case, reviewer: User) -> None:
    claims.claim(request_id=case.request_id, reviewer=factories.role_user("other", "reviewer"))
    with pytest.raises(claims.ClaimedByOther):
        asked(case, reviewer)


def test_a_decided_request_has_nothing_fetched(case: Case, reviewer: User) -> None:
    request_decide(
        request_id=case.request_id,
        reviewer=factories.staff_user(),
        approve=[],
        deny_reason="different_picture",
        statement="",
        tier=None,
    )
    assert denied(case, reviewer) == "ended"


def test_a_duplicate_that_is_offered_after_the_decision_may_be_fetched(
    case: Case, reviewer: User
) -> None:
    request_decide(
        request_id=case.request_id,
        reviewer=factories.staff_user(),
        approve=[case.candidates[0].pk],
        deny_reason=None,
        statement="",
        tier="exact",
    )
    assert denied(case, reviewer) == "ended"
    Candidate.objects.update(offered=True, verdict="pending")
    assert fetches.fetch_wanted(Candidate.objects.select_related("request").get())
    fetching.picture_fetch(asked(case, reviewer).pk, fetcher=Site())
    assert Errand.objects.get(kind=ErrandKind.FETCH).state == ErrandState.DONE


def test_an_escalated_request_has_nothing_fetched_by_anybody(case: Case, reviewer: User) -> None:
    waiting, site = asked(case, reviewer), Site()
    request_escalate(request_id=case.request_id, reviewer=reviewer)
    with pytest.raises(RequestGone):
        fetch_ask(candidate_id=Candidate.objects.get().pk, reviewer=reviewer)
    Errand.objects.filter(pk=waiting.pk).update(state=ErrandState.FAILED)
    escalated = factories.role_user("escalation", "escalation")
    with pytest.raises(FetchDenied):
        fetch_ask(candidate_id=Candidate.objects.get().pk, reviewer=escalated)
    Errand.objects.filter(pk=waiting.pk).update(state=ErrandState.ASKED)
    assert fetching.picture_fetch(waiting.pk, fetcher=site)
    assert site.asked == []
    assert Errand.objects.get().fault == "ended"


def test_a_row_of_nobody_is_gone(reviewer: User) -> None:
    factories.secrets_made()
    with pytest.raises(RequestGone):
        fetch_ask(candidate_id=uuid.uuid4(), reviewer=reviewer)


# --- once ----------------------------------------------------------------------------------------


def test_a_second_message_fetches_nothing(case: Case, reviewer: User) -> None:
    errand, site = asked(case, reviewer), Site()
    assert fetching.picture_fetch(errand.pk, fetcher=site)
    assert not fetching.picture_fetch(errand.pk, fetcher=site)
    assert len(site.asked) == 1


def test_a_worker_that_holds_it_is_left_alone(case: Case, reviewer: User) -> None:
    errand = asked(case, reviewer)
    inner: list[bool] = []

    def meanwhile() -> bytes:
        inner.append(fetching.picture_fetch(errand.pk, fetcher=Site()))
        assert fetching.fetches_waiting() == []
        return PICTURE

    assert fetching.picture_fetch(errand.pk, fetcher=Site(meanwhile))
    assert inner == [False]


def test_what_a_dead_worker_began_is_not_begun_again(case: Case, reviewer: User) -> None:
    """Its request may have gone out: a click is one fetch at most."""
    errand, site = asked(case, reviewer), Site()
    with pytest.raises(SystemExit):
        fetching.picture_fetch(errand.pk, fetcher=Site(SystemExit()))
    assert fetching.fetches_waiting() == []
    Errand.objects.update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    assert fetching.fetches_waiting() == [errand.pk]
    assert fetching.picture_fetch(errand.pk, fetcher=site)
    assert site.asked == []
    assert Errand.objects.get().fault == "interrupted"
    assert asked(case, reviewer).pk != errand.pk


def test_a_lease_that_was_lost_writes_nothing(case: Case, reviewer: User) -> None:
    errand = asked(case, reviewer)

    def robbed() -> bytes:
        Errand.objects.filter(pk=errand.pk).update(lease_token=uuid.uuid4())
        return PICTURE

    assert not fetching.picture_fetch(errand.pk, fetcher=Site(robbed))
    errand.refresh_from_db()
    assert errand.state == ErrandState.ASKED
    assert not errand.result_sealed


def test_a_fetch_that_nobody_did_is_given_up(case: Case, reviewer: User) -> None:
    asked(case, reviewer)
    Errand.objects.update(asked_at=timezone.now() - dt.timedelta(days=DAYS_MOST + 1))
    assert errands_give_up() == 1
    assert Errand.objects.get().fault == TOO_OLD
    assert TOO_OLD in desk_fetched.FAULT_WORDS


def test_the_sweep_finds_what_no_message_reached(
    case: Case, reviewer: User, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    errand, sent = asked(case, reviewer), []
    monkeypatch.setattr(tasks, "hint", lambda task, *args, **kept: sent.append((task, args)))
    tasks.sweep()
    assert (tasks.fetch_picture, (str(errand.pk),)) in sent


# --- what stands in the way ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (FetchRefused(FetchFault.NOT_PUBLIC), "not_public"),
        (FetchRefused(FetchFault.TOO_SLOW), "too_slow"),
        (b"<!doctype html><title>not here</title>", "no_picture"),
        (b"", "no_picture"),
        (b"\xff\xd8\xff\xe0 broken", "no_picture"),
    ],
)
def test_a_fault_is_a_code(
    case: Case, reviewer: User, answer: bytes | Exception, fault: str
) -> None:
    fetching.picture_fetch(asked(case, reviewer).pk, fetcher=Site(answer))
    errand = Errand.objects.get()
    assert (errand.state, errand.fault) == (ErrandState.FAILED, fault)
    assert not errand.result_sealed


def test_a_machine_that_cannot_decode_is_not_the_sites_fault(
    case: Case, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*args: Any, **kept: Any) -> Any:
        raise DecoderUnavailable

    monkeypatch.setattr(fetching, "decode_sized", none)
    fetching.picture_fetch(asked(case, reviewer).pk, fetcher=Site())
    assert Errand.objects.get().fault == "no_decoder"


def test_a_worker_whose_operator_did_not_turn_it_on_asks_nobody(
    case: Case, reviewer: User, settings: Any
) -> None:
    errand, site = asked(case, reviewer), Site()
    settings.UNLIST = settings.UNLIST.model_copy(update={"fetch": False})
    fetching.picture_fetch(errand.pk, fetcher=site)
    assert site.asked == []
    assert Errand.objects.get().fault == "off"


def test_every_fault_and_act_has_its_words() -> None:
    assert {*FetchFault, TOO_OLD} == set(desk_fetched.FAULT_WORDS)
    assert FetchFault(fetches.ENDED) is FetchFault.ENDED
    assert {"fetch_asked", "fetch_done", "fetch_failed"} <= set(words.ACT_WORDS)


# --- what happens meanwhile ----------------------------------------------------------------------


def test_what_comes_after_the_decision_is_not_kept(case: Case, reviewer: User) -> None:
    def decided() -> bytes:
        request_decide(
            request_id=case.request_id,
            reviewer=factories.staff_user(),
            approve=[],
            deny_reason="different_picture",
            statement="",
            tier=None,
        )
        return PICTURE

    fetching.picture_fetch(asked(case, reviewer).pk, fetcher=Site(decided))
    errand = Errand.objects.get()
    assert (errand.state, errand.fault) == (ErrandState.FAILED, "ended")
    assert not errand.result_sealed


@pytest.mark.parametrize("before", [True, False])
def test_what_comes_for_a_request_that_is_gone_leaves_nothing(
    case: Case, reviewer: User, before: bool
) -> None:
    errand = asked(case, reviewer)

    def gone() -> bytes:
        request_withdraw(opened=case.opened())
        assert case_destroy(case.request_id)
        return PICTURE

    if before:
        gone()
    assert not fetching.picture_fetch(errand.pk, fetcher=Site(gone))
    assert not Errand.objects.exists()
    assert not DataKey.objects.filter(purpose=Purpose.ERRAND).exists()


def test_a_destroyed_case_takes_the_picture_along(case: Case, reviewer: User) -> None:
    fetching.picture_fetch(asked(case, reviewer).pk, fetcher=Site())
    candidate = case.candidates[0]
    request_withdraw(opened=case.opened())
    assert case_destroy(case.request_id)
    assert not Errand.objects.exists()
    with pytest.raises(RequestGone):
        reveals.candidate_reveal(candidate_id=candidate.pk, reviewer=reviewer)


# --- who can read it -----------------------------------------------------------------------------


def test_the_worker_reads_the_order_until_the_end_and_the_picture_never(
    case: Case, reviewer: User
) -> None:
    errand = asked(case, reviewer)
    key = unwrap(errand.pk, Purpose.ERRAND, Recipient.WORKER, role_key(Recipient.WORKER))
    place = Place(errand.pk, Purpose.ERRAND, "order")
    assert FetchOrder.from_bytes(key.open(errand.order_sealed, place)).url == URL
    assert set(Wrap.objects.filter(key__errand=errand).values_list("recipient", flat=True)) == {
        Recipient.WORKER
    }
    fetching.picture_fetch(errand.pk, fetcher=Site())
    with pytest.raises(NotReadable):
        unwrap(errand.pk, Purpose.ERRAND, Recipient.WORKER, role_key(Recipient.WORKER))
    sealed = Errand.objects.get().result_sealed
    with pytest.raises(NotReadable):
        key.open(sealed, Place(case.request_id, Purpose.CASE, f"errand {errand.pk}"))


def test_neither_table_nor_log_nor_audit_names_the_address(
    case: Case, reviewer: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for answer in (FetchRefused(FetchFault.GONE), b"no picture", PICTURE):
        fetching.picture_fetch(asked(case, reviewer).pk, fetcher=Site(answer))
    kept = [bytes(one.order_sealed) + bytes(one.result_sealed) for one in Errand.objects.all()]
    logged = "\n".join(record.getMessage() for record in caplog.records)
    noted = repr([(one.act, one.detail) for one in AuditEntry.objects.all()])
    for text in (*map(repr, kept), logged, noted):
        assert "marked-url" not in text
        assert "pictures.example" not in text
    assert row_opened(case.candidates[0], case_key_held(case.request)).url == URL


def test_two_clicks_at_once_are_one_fetch(real_database: None) -> None:
    case = factories.in_review([match("copy", url=URL)])
    reviewer = factories.staff_user()
    candidate_id, outcomes, gate = case.candidates[0].pk, [], threading.Barrier(4)

    def click() -> None:
        try:
            gate.wait(10)
            fetch_ask(candidate_id=candidate_id, reviewer=reviewer)
            outcomes.append("asked")
        except FetchDenied as refused:
            outcomes.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=click) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["asked", "waiting", "waiting", "waiting"]
    assert Errand.objects.count() == 1


def test_only_roles_that_review_and_look_may_ask() -> None:
    able = {"removal.change_removalrequest", "removal.reveal_picture"}
    assert {role for role, rights in ROLES.items() if able <= rights} == {
        "reviewer",
        "approver",
        "escalation",
    }
