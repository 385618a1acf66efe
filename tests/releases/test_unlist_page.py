"""The page for taking rows off the list: what who sees there, and that it takes two."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from releases.lookup import entries_look
from releases.models import ListEntry
from removal.models import AuditEntry, Proposal, ProposalState
from tests.releases.conftest import listed
from tests.removal import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("keys")]
PAGE = "/admin/releases/listentry/unlist/"
URL = "https://example.org/1.jpg"


@pytest.fixture(autouse=True)
def _at_once(settings: Any) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"undo_seconds": 0})


@pytest.fixture
def anna() -> User:
    return factories.role_user("anna", "approver")


@pytest.fixture
def bert() -> User:
    return factories.role_user("bert", "approver")


def browser(person: User) -> Client:
    client = Client()
    factories.sign_in(client, person)
    return client


def proposed(client: Client, *values: str, **form: str) -> Any:
    chosen = [str(entry.pk) for one in entries_look(values) for entry in one.entries]
    sent = {"values": "\n".join(values), "entry": chosen, "reason": "mistake", **form}
    return client.post(f"{PAGE}propose/", sent, follow=True)


def act(client: Client, name: str) -> Any:
    proposal = Proposal.objects.get()
    return client.post(reverse(f"admin:releases_unlist_{name}", args=[proposal.pk]), follow=True)


def test_looking_up_shows_what_is_listed_and_what_is_not(anna: User) -> None:
    listed(1)
    answer = browser(anna).post(PAGE, {"values": f"{URL}\nhttps://example.org/none.jpg\n"})
    page = answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    assert "in none yet" in page
    assert "2026-03-02" in page
    assert page.index("Not on the list") < page.index("<li><code>https://example.org/none.jpg")
    assert page.count('type="checkbox" name="entry"') == 1


def test_two_approvers_take_a_row_off_and_both_are_told(anna: User, bert: User) -> None:
    listed(1)
    first, second = browser(anna), browser(bert)
    page = proposed(first, URL, words="seen in the <wrong> place").content.decode()
    assert "another approver has to confirm" in page
    assert "Confirm: take off" not in page
    page = second.get(PAGE).content.decode()
    assert "seen in the &lt;wrong&gt; place" in page
    assert URL in page
    page = act(second, "confirm").content.decode()
    assert "taken off the list" in page
    assert "second person bert" in page
    assert not ListEntry.objects.filter(kind="url").exists()
    assert AuditEntry.objects.filter(act="unlisted").count() == 1


def test_one_approver_alone_is_told_that_it_takes_another(anna: User) -> None:
    listed(1)
    client = browser(anna)
    proposed(client, URL)
    for name in ("confirm", "refuse"):
        assert "another person has to" in act(client, name).content.decode()
    assert Proposal.objects.get().state == ProposalState.WAITING
    assert "stay on the list" in act(client, "undo").content.decode()
    assert ListEntry.objects.filter(kind="url").exists()


def test_the_second_can_refuse(anna: User, bert: User) -> None:
    listed(1)
    proposed(browser(anna), URL)
    assert "not confirmed" in act(browser(bert), "refuse").content.decode()
    assert Proposal.objects.get().state == ProposalState.REFUSED


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"reason": ""}, "Choose the reason"),
        ({"reason": "other"}, "There are no words in it"),
        ({"entry": ""}, "Choose at least one entry"),
        ({"values": ""}, "Write at least one address"),
    ],
)
def test_what_lacks_something_comes_back_as_it_was(
    anna: User, form: dict[str, str], said: str
) -> None:
    listed(1)
    answer = proposed(browser(anna), URL, **form)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert said in page
    assert not Proposal.objects.exists()


def test_an_auditor_sees_what_waits_and_a_release_manager_no_address(anna: User) -> None:
    listed(1)
    proposed(browser(anna), URL, words="marked words")
    auditor = browser(factories.role_user("aud", "auditor")).get(PAGE).content.decode()
    assert URL in auditor
    manager = browser(factories.role_user("man", "release manager")).get(PAGE).content.decode()
    for page in (auditor, manager):
        assert "They were listed by mistake" in page
        assert "Confirm: take off" not in page
    assert URL not in manager
    assert "marked words" not in manager


def test_from_a_requests_page_the_chosen_rows_fill_the_form(anna: User) -> None:
    case = factories.decided(approve=(0, 1))
    client = browser(anna)
    page = client.get(f"/admin/removal/removalrequest/{case.request_id}/change/").content.decode()
    assert "Take approved rows off the list" in page
    address = reverse("admin:releases_unlist_rows", args=[case.request_id])
    chosen = [str(row.pk) for row in case.candidates]
    page = client.post(address, {"row": chosen}).content.decode()
    assert "https://pictures.example.org/marked-url.jpg" in page
    assert page.count('name="entry"') == 2  # one address and one digest, of two rows
    unchosen = client.post(address, {"row": ["nonsense"]})
    assert unchosen.status_code == 400
    actor = f"staff:{anna.pk}"
    assert AuditEntry.objects.filter(act="case_opened", actor=actor).count() == 1


def test_a_reviewer_finds_no_such_form_on_a_requests_page() -> None:
    case = factories.decided(approve=(0, 1))
    client = browser(factories.role_user("rita", "reviewer"))
    page = client.get(f"/admin/removal/removalrequest/{case.request_id}/change/").content.decode()
    assert "Take approved rows off" not in page
    address = reverse("admin:releases_unlist_rows", args=[case.request_id])
    assert client.post(address, {"row": []}).status_code == 403


def test_rows_of_a_request_that_is_gone_are_not_found(anna: User) -> None:
    case = factories.decided(approve=(0, 1))
    client = browser(anna)
    case.request.keys.all().delete()
    address = reverse("admin:releases_unlist_rows", args=[case.request_id])
    assert client.post(address, {"row": []}).status_code == 404


def test_a_decision_cannot_be_confirmed_by_this_page(anna: User, bert: User) -> None:
    listed(1)
    proposed(browser(anna), URL)
    Proposal.objects.update(kind="sweep")
    assert act(browser(bert), "confirm").status_code == 404


def test_the_dashboard_counts_and_leads_there(anna: User) -> None:
    listed(1)
    proposed(browser(anna), URL)
    page = browser(anna).get("/admin/").content.decode()
    assert "Rows to take off the list" in page
    assert f'href="{PAGE}"' in page
    ledger = browser(factories.role_user("aud", "auditor")).get("/admin/releases/listentry/")
    assert f'href="{PAGE}"' in ledger.content.decode()


def test_the_number_of_queries_does_not_grow(
    anna: User, bert: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    listed(*range(1, 40))
    client = browser(bert)
    counts = []
    for n in (1, 2, 20):
        for one in range(Proposal.objects.count() + 1, n + 1):
            proposed(browser(anna), f"https://example.org/{one}.jpg")
        client.get(PAGE)  # what is looked up once per process is known then
        with django_assert_max_num_queries(40) as asked:
            client.get(PAGE)
            client.post(
                PAGE, {"values": "\n".join(f"https://example.org/{i}.jpg" for i in range(n))}
            )
        counts.append(len(asked))
    assert counts[0] == counts[1] == counts[2]
