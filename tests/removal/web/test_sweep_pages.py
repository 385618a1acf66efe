"""The pages of sweeps: what starts one, what is shown of it, what is veiled, who gets in."""

import base64
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from catalog.models import Group
from removal.life.caps import desk_settings_save
from removal.models import (
    AuditEntry,
    Errand,
    ErrandKind,
    ErrandState,
    Proposal,
    ProposalState,
)
from removal.search import errand_kinds
from removal.search.sweeps import SweepsWork
from removal.selectors.sweeps import PAGE_ROWS, account_read
from tests.removal import factories
from tests.removal.sweeping import WORDS, FakeSweeper, places, searched, started, swept_row

SWEEPS = "/admin/removal/sweep/"
FILE = "holiday-of-jane.jpg"


@pytest.fixture(autouse=True)
def _at_once(settings: Any) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": 0})


@pytest.fixture(autouse=True)
def sweeper(monkeypatch: pytest.MonkeyPatch) -> FakeSweeper:
    sweeper = FakeSweeper(*((swept_row(n), round(0.95 - n / 500, 3)) for n in range(130)))
    monkeypatch.setitem(errand_kinds.WORK, ErrandKind.SWEEP, SweepsWork(sweeper))
    return sweeper


@pytest.fixture
def pictured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every row have a picture."""
    picture = factories.photo_bytes(5, side=200)
    monkeypatch.setattr("removal.life.sweep_looks.row_picture", lambda *place: picture)


def browser(name: str, *roles: str, strict: bool = False) -> Client:
    client = Client(enforce_csrf_checks=strict)
    factories.sign_in(client, factories.role_user(name, *roles))
    return client


def form(**fields: Any) -> dict[str, Any]:
    usual = {"start": "upload", "datasets": "sample", "most": "100", "least": ""}
    return {**usual, "photos": SimpleUploadedFile(FILE, factories.photo_bytes(2)), **fields}


def address(errand: Errand) -> str:
    return f"{SWEEPS}{errand.pk}/"


def text_of(client: Client, path: str) -> str:
    return client.get(path).content.decode()


# --- starting one ----------------------------------------------------------------------------


def test_an_example_starts_one_and_its_name_is_nowhere(sweeper: FakeSweeper) -> None:
    factories.catalog_group()
    client = browser("finder", "reviewer")
    answer = client.post(SWEEPS, form(), follow=True)
    errand = Errand.objects.get()
    assert answer.redirect_chain == [(address(errand), 302)]
    assert "being searched" in answer.content.decode()
    assert errand.asked_by is not None
    assert errand.asked_by.username == "finder"
    kept = b"".join(bytes(value) for value in (errand.order_sealed, errand.result_sealed))
    assert b"jane" not in kept
    searched(errand)
    assert len(sweeper.examples) == 1
    text = text_of(client, address(errand))
    assert "jane" not in text
    assert "a brought picture" in text
    assert "sample: 100 rows searched" in text


def test_words_start_one_where_the_encoder_reads_them() -> None:
    group = factories.catalog_group()
    client = browser("finder", "reviewer")
    fields = form(start="text", text=WORDS)
    refused = client.post(SWEEPS, fields)
    assert refused.status_code == 400
    assert "efficientnet-lite0/imagenet" in refused.content.decode()
    assert f'value="{WORDS}"' in refused.content.decode()
    assert not Errand.objects.exists()
    Group.objects.filter(pk=group.pk).update(encoder="ViT-B-32/openai")
    client.post(SWEEPS, fields)
    errand = Errand.objects.get()
    assert WORDS in text_of(client, address(errand))
    assert WORDS not in text_of(client, SWEEPS)


def test_a_row_of_a_request_starts_one(sweeper: FakeSweeper) -> None:
    case = factories.in_review()
    client = browser("finder", "reviewer")
    row = case.candidates[0].pk
    review = text_of(client, f"/admin/removal/removalrequest/{case.request_id}/change/")
    assert f'href="{SWEEPS}?row={row}"' in review
    page = text_of(client, f"{SWEEPS}?row={row}")
    assert f'name="row" value="{row}"' in page
    assert re.search(r'value="row" checked', page)
    client.post(SWEEPS, form(start="row", row=str(row)))
    searched(Errand.objects.get())
    assert [one.key for one in sweeper.rows] == ["000000001"]
    unknown = client.post(SWEEPS, form(start="row", row=str(case.request_id)))
    assert unknown.status_code == 404


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"start": ""}, "Choose what the sweep starts from"),
        ({"most": "many"}, "Ask for 1 to 500 rows"),
        ({"least": "low"}, "from 0 to 1"),
        ({"least": "7"}, "from 0 to 1"),
        ({"datasets": []}, "at least one dataset"),
        ({"photos": []}, "Choose a picture"),
        ({"photos": SimpleUploadedFile(FILE, factories.PLAIN)}, "The example cannot be taken"),
        ({"start": "row", "row": "none"}, "from a row on the page"),
    ],
)
def test_what_is_wrong_is_said_above_the_form(fields: dict[str, Any], said: str) -> None:
    factories.catalog_group()
    answer = browser("finder", "reviewer").post(SWEEPS, form(**fields))
    assert answer.status_code == 400
    assert said in answer.content.decode()
    assert FILE not in answer.content.decode()
    assert not Errand.objects.exists()


def test_two_pictures_or_too_large_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    factories.catalog_group()
    client = browser("finder", "reviewer")
    two = [SimpleUploadedFile(FILE, factories.photo_bytes(n)) for n in range(2)]
    assert client.post(SWEEPS, form(photos=two)).status_code == 400
    monkeypatch.setattr("removal.intake.uploads.MAX_BYTES", 100)
    assert client.post(SWEEPS, form()).status_code == 413
    monkeypatch.setattr("removal.intake.uploads.MAX_BODY_BYTES", 100)
    assert client.post(SWEEPS, form()).status_code == 413
    assert not Errand.objects.exists()


def test_a_form_of_another_site_starts_nothing() -> None:
    """The page reads its own uploads, so it checks by itself where a form came from."""
    factories.catalog_group()
    client = browser("finder", "reviewer", strict=True)
    page = client.get(SWEEPS)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.content.decode())
    assert token is not None
    assert client.post(SWEEPS, form()).status_code == 403
    assert not Errand.objects.exists()
    assert client.post(SWEEPS, form(csrfmiddlewaretoken=token[1])).status_code == 302
    assert Errand.objects.count() == 1


# --- one sweep -------------------------------------------------------------------------------


def test_only_veils_travel_unasked_and_each_look_is_noted_and_counted(pictured: None) -> None:
    errand, client = searched(started()), browser("finder", "reviewer")
    frames = re.findall(r'<iframe[^>]* src="([^"]+)"', text_of(client, address(errand)))
    assert len(frames) == PAGE_ROWS
    before = AuditEntry.objects.count()
    veil = client.get(frames[0])
    assert (veil.headers["X-Frame-Options"], "no-store" in veil.headers["Cache-Control"]) == (
        "SAMEORIGIN",
        True,
    )
    assert "data:image/png" in veil.content.decode()
    assert "data:image/jpeg" not in veil.content.decode()
    assert AuditEntry.objects.count() == before
    finder = factories.role_user("finder")
    desk_settings_save(reviewer=finder, blurred=True, gray=True, sensitive_per_day=1)
    shown = client.post(frames[0]).content.decode()
    found = re.search(r"data:image/jpeg;base64,([^\"]+)", shown)
    assert found is not None
    assert base64.b64decode(found[1]).startswith(b"\xff\xd8")
    entry = AuditEntry.objects.latest("seq")
    assert (entry.act, entry.detail) == ("row_revealed", {"sensitive": True, "sweep": True})
    spared = client.post(frames[1]).content.decode()
    assert "data:image/jpeg" not in spared
    assert "You have seen the 1 sensitive pictures" in spared


def test_pictures_come_at_once_to_who_wants_them_so(pictured: None) -> None:
    errand, client = searched(started()), browser("finder", "reviewer")
    desk_settings_save(
        reviewer=factories.role_user("finder"), blurred=False, gray=True, sensitive_per_day=1
    )
    [one, other] = places(errand, 1, 2)
    assert "data:image/jpeg" in text_of(client, f"{SWEEPS}row/{one}/")
    spared = text_of(client, f"{SWEEPS}row/{other}/")
    assert "data:image/png" in spared
    assert "You have seen" in spared


def test_a_row_without_picture_says_so() -> None:
    errand, client = searched(started()), browser("finder", "reviewer")
    frame = f"{SWEEPS}row/{places(errand, 1)[0]}/"
    assert "holds no picture" in text_of(client, frame)
    assert "holds no picture" in client.post(frame).content.decode()
    assert "There is no such row" in text_of(client, f"{SWEEPS}row/{errand.pk}/")


def test_a_choice_spans_pages_and_is_proposed_and_confirmed(told: list[int]) -> None:
    errand, client = searched(started(most=130)), browser("finder", "reviewer")
    second = browser("second", "approver")
    page, ids = address(errand), list(errand.rows.values_list("pk", flat=True))
    text = text_of(client, page)
    assert "Row 1: similarity 0.95" in text
    assert 'name="turn" value="2"' in text
    shown = [str(one) for one in ids[:PAGE_ROWS]]
    turned = client.post(page, {"shown": shown, "row": shown[:2], "turn": "2"})
    assert turned.headers["Location"] == f"{page}?page=2"
    text = text_of(client, f"{page}?page=2")
    assert f"Row {PAGE_ROWS + 1}:" in text
    assert "2 chosen" in text
    shown = [str(one) for one in ids[PAGE_ROWS : 2 * PAGE_ROWS]]
    others = {"shown": shown, "row": shown[1:], "which": "others"}
    proposal = {"act": "propose", "tier": "exact", "reason": "medical", "words": "said so"}
    answer = client.post(f"{page}?page=2", {**others, **proposal}, follow=True)
    text = answer.content.decode()
    assert "List 3 rows as exact." in text
    assert "it waits for a second person" in text
    assert "removal_sweep_confirm" not in text
    assert "Confirm</button>" not in text
    assert "3 rows of sweep" in text_of(second, SWEEPS)
    text = text_of(second, page)
    assert text.count("<iframe") == 3  # a second person sees what would be listed
    assert text_of(second, f"{page}?show=all").count("<iframe") == PAGE_ROWS
    for words in ("Confirm</button>", "said so", "Pictures from medical treatment"):
        assert words in text
    standing = Proposal.objects.get()
    confirmed = second.post(f"{SWEEPS}proposal/{standing.pk}/confirm/", follow=True)
    assert "This sweep has ended" in confirmed.content.decode()
    assert told == [3]
    assert "its chosen rows were listed" in text_of(client, SWEEPS)


def test_a_second_person_may_refuse_and_the_first_undo(told: list[int], settings: Any) -> None:
    errand = searched(started())
    first, second = browser("finder", "reviewer"), browser("second", "approver")
    page, one = address(errand), str(places(errand, 1)[0])
    fields = {"shown": [one], "row": [one], "act": "propose", "tier": "exact", "reason": "rights"}
    first.post(page, fields)
    refused = second.post(f"{SWEEPS}proposal/{Proposal.objects.get().pk}/refuse/", follow=True)
    assert "A colleague did not confirm" in refused.content.decode()
    first.post(page, fields)
    again = Proposal.objects.get(state=ProposalState.WAITING)
    busy = second.post(page, fields)
    assert busy.status_code == 409
    assert "finder has proposed" in busy.content.decode()
    own = first.post(f"{SWEEPS}proposal/{again.pk}/undo/", follow=True)
    assert "Undone" in own.content.decode()
    late = first.post(f"{SWEEPS}proposal/{again.pk}/undo/", follow=True)
    assert "undid it before" in late.content.decode()
    assert told == []


def test_what_counts_down_takes_effect_when_the_page_is_opened(
    told: list[int], settings: Any
) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": 10})
    errand = searched(started())
    first, second = browser("finder", "reviewer"), browser("second", "approver")
    page, one = address(errand), str(places(errand, 1)[0])
    fields = {"shown": [one], "row": [one], "act": "propose", "tier": "exact", "reason": "rights"}
    first.post(page, fields)
    proposal = Proposal.objects.get()
    text = second.post(f"{SWEEPS}proposal/{proposal.pk}/confirm/", follow=True).content.decode()
    assert "data-countdown" in text
    assert "takes effect in a moment" in text_of(first, SWEEPS)
    Proposal.objects.update(effective_at=proposal.proposed_at)
    assert "This sweep has ended" in text_of(first, page)
    assert told == [1]


def test_all_rows_down_to_a_number_are_chosen_at_once() -> None:
    errand, client = searched(started(most=130)), browser("finder", "reviewer")
    client.post(address(errand), {"act": "first", "first": "77"})
    assert errand.rows.filter(chosen=True).count() == 77
    wrong = client.post(address(errand), {"act": "first", "first": "-1"})
    assert (wrong.status_code, "by its number" in wrong.content.decode()) == (400, True)
    odd = client.post(address(errand), {"shown": ["x"], "row": ["x"]})
    assert odd.status_code == 400


def test_it_is_dismissed_at_a_press() -> None:
    errand, client = searched(started()), browser("finder", "reviewer")
    answer = client.post(f"{address(errand)}dismiss/", follow=True)
    assert "Dismissed" in answer.content.decode()
    assert "ended: dismissed" in answer.content.decode()
    assert account_read(Errand.objects.get()) is None
    again = client.post(f"{address(errand)}dismiss/")
    assert again.status_code == 404


@pytest.mark.parametrize("fault", ["no_text_tower", "tokenizer_unavailable", "too_old"])
def test_why_it_failed_is_said(fault: str) -> None:
    errand, client = started(), browser("finder", "reviewer")
    Errand.objects.update(state=ErrandState.FAILED, fault=fault)
    text = text_of(client, address(errand))
    assert "could not be searched" in text
    assert 'role="alert"' in text
    assert "Dismiss this sweep" in text


def test_an_auditor_reads_and_changes_nothing(pictured: None) -> None:
    errand, client = searched(started()), browser("reader", "auditor")
    text = text_of(client, address(errand))
    for words in ('<button type="submit" name', "Dismiss this sweep", "Propose to list"):
        assert words not in text
    assert "Start it" not in text_of(client, SWEEPS)
    for path in (SWEEPS, address(errand), f"{address(errand)}dismiss/"):
        assert client.post(path).status_code == 403
    assert client.get(f"{SWEEPS}row/{places(errand, 1)[0]}/").status_code == 403


def test_without_the_reviewers_key_the_page_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    errand, client = searched(started()), browser("finder", "reviewer")
    settings.UNLIST = settings.UNLIST.model_copy(update={"role": "worker"})
    answer = client.get(address(errand))
    assert answer.status_code == 503
    assert "staff" in answer.content.decode()


def test_the_front_says_what_waits() -> None:
    errand, client = searched(started()), browser("finder", "reviewer")
    text = text_of(client, "/admin/")
    assert f'href="{SWEEPS}"' in text
    assert re.search(r'To look at</th><td class="num">1<', text)
    assert re.search(r'Waiting for a second person</th><td class="num">0<', text)
    client.post(address(errand), {"act": "first", "first": "2"})
    client.post(address(errand), {"act": "propose", "tier": "exact", "reason": "rights"})
    text = text_of(client, "/admin/")
    assert re.search(r'To look at</th><td class="num">0<', text)
    assert re.search(r'Waiting for a second person</th><td class="num">1<', text)


def test_the_pages_ask_a_constant_number_of_queries(
    django_assert_max_num_queries: Any,
) -> None:
    client = browser("finder", "reviewer")
    client.get(SWEEPS)  # the first page of a session is noted in it
    counts = []
    for most in (3, 130):
        errand = searched(started(most=most))
        for path in (SWEEPS, address(errand)):
            with django_assert_max_num_queries(30) as asked_for:
                client.get(path)
            counts.append(len(asked_for))
    assert counts[:2] == counts[2:]


def test_who_reads_a_sweep_is_in_the_log_once_a_sitting() -> None:
    errand, other = (searched(started()) for _ in range(2))
    reader = browser("reader", "auditor")
    for one in (errand, errand, other):
        assert reader.get(address(one)).status_code == 200
    seen = AuditEntry.objects.filter(act="sweep_opened").order_by("seq")
    assert [one.detail for one in seen] == [{"sweep": str(one.pk)} for one in (errand, other)]
    assert {one.actor for one in seen} == {f"staff:{User.objects.get(username='reader').pk}"}


@pytest.mark.parametrize("text", ["9" * 5000, "1_0", "-1", ""])
def test_a_number_that_is_none_is_refused_with_a_sentence(text: str) -> None:
    errand = searched(started())
    boss = browser("boss", "approver")
    answer = boss.post(address(errand), {"act": "first", "first": text})
    assert answer.status_code == 400
    assert "by its number" in answer.text
    assert boss.get(address(errand), {"page": text}).status_code == 200
