"""Each answer speaks the language of its address, else one the browser asks for; without cookie."""

import re

import pytest
from django.conf import settings as live
from django.test import Client
from django.urls import get_script_prefix, reverse
from django.utils.translation import get_language

from removal.custody.receipts import mint
from tests.removal.web.conftest import form, photo

PAGES = ["/", "/request/", "/status/", "/datasets/", "/privacy/", "/releases/", "/transparency/"]
CODES = [code for code, _ in live.LANGUAGES]
HEADINGS = {
    "en": "Take your photo off image datasets",
    "de": "Nehmen Sie Ihr Foto aus Bilddatensätzen",
    "fr": "Retirez votre photo des jeux d\N{RIGHT SINGLE QUOTATION MARK}images",
    "es": "Retire su foto de los conjuntos de imágenes",
    "pt-br": "Tire sua foto dos conjuntos de imagens",
    "ar": "أزِل صورتك من مجموعات بيانات الصور",
}


@pytest.mark.parametrize("address", PAGES)
def test_prefixed_page_names_its_language_and_keeps_its_links_in_it(
    visitor: Client, address: str
) -> None:
    for code in CODES:
        _stays_in_its_language(visitor, address, code)


def _stays_in_its_language(visitor: Client, address: str, code: str) -> None:
    answer = visitor.get(f"/{code}{address}", HTTP_ACCEPT_LANGUAGE="sv,fr;q=0.5")
    text = answer.content.decode()
    tag = "pt-BR" if code == "pt-br" else code
    assert answer.status_code == 200
    assert f'<html lang="{tag}" dir="{"rtl" if code == "ar" else "ltr"}">' in text
    assert answer.headers["Content-Language"] == tag
    assert "Accept-Language" not in answer.get("Vary", "")
    assert not answer.cookies
    body = re.sub(r'<nav class="languages".*?</nav>', "", text, flags=re.DOTALL)
    links = re.findall(r'<(?:a|form)[^>]* (?:href|action)="(/[^"]*)"', body)
    files = ("/api/", "/metadata/", "/targets/", "/transparency.json")
    assert links
    assert [link for link in links if not link.startswith((f"/{code}/", *files))] == []


@pytest.mark.parametrize(("code", "heading"), HEADINGS.items())
def test_first_page_speaks_each_language(visitor: Client, code: str, heading: str) -> None:
    assert heading in visitor.get(f"/{code}/").content.decode()


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ("", "en"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("pt", "pt-br"),
        ("pt-PT,pt;q=0.9", "pt-br"),
        ("sv,ar;q=0.7,fr;q=0.3", "ar"),
        ("es-419", "es"),
        ("tlh", "en"),
        ("*", "en"),
        ("de;q=x, \xff, ,;", "en"),
        ("x" * 5000, "en"),
    ],
)
def test_plain_address_goes_by_what_the_browser_asks_for(
    visitor: Client, wanted: str, code: str
) -> None:
    answer = visitor.get("/", HTTP_ACCEPT_LANGUAGE=wanted)
    assert HEADINGS[code] in answer.content.decode()
    assert "Accept-Language" in answer.headers["Vary"]
    assert 'href="/request/"' in answer.content.decode()


def test_no_cookie_chooses_the_language(visitor: Client) -> None:
    visitor.cookies["django_language"] = "de"
    assert HEADINGS["en"] in visitor.get("/").content.decode()


@pytest.mark.parametrize("address", PAGES)
def test_page_offers_itself_in_every_language(visitor: Client, address: str) -> None:
    text = visitor.get(f"/fr{address}").content.decode()
    assert '<nav class="languages" aria-label="Langue">' in text
    for code, name in live.LANGUAGES:
        tag = "pt-BR" if code == "pt-br" else code
        turned = "rtl" if code == "ar" else "ltr"
        here = ' aria-current="true"' if code == "fr" else ""
        link = f'<a href="/{code}{address}" lang="{tag}" dir="{turned}" hreflang="{tag}"'
        assert f'{link} translate="no"{here}>{name}</a>' in text
        assert f'<link rel="alternate" hreflang="{tag}" href="/{code}{address}">' in text


def test_unknown_page_says_so_in_its_language_and_leads_to_the_first(visitor: Client) -> None:
    answer = visitor.get("/de/keine-solche-seite/")
    assert answer.status_code == 404
    assert "Diese Seite gibt es nicht" in answer.content.decode()
    assert 'href="/fr/" lang="fr"' in answer.content.decode()
    assert "keine-solche-seite" not in answer.content.decode()


def test_error_page_leads_on_in_its_language(visitor: Client) -> None:
    answer = visitor.post("/de/request/code/", {"receipt": "x"})
    assert answer.status_code == 400
    assert '<a class="btn" href="/de/status/">' in answer.content.decode()
    gone = visitor.get("/de/keine-solche-seite/").content.decode()
    assert '<a class="btn" href="/de/">' in gone


def test_form_is_answered_in_its_language_and_offers_no_way_to_lose_the_answer(
    visitor: Client,
) -> None:
    taken = visitor.post("/de/request/", form(photo()))
    assert taken.status_code == 201
    assert '<html lang="de"' in taken.content.decode()
    assert "hreflang" not in taken.content.decode()
    wrong = visitor.post("/ar/status/", {"receipt": "x"}).content.decode()
    assert '<html lang="ar" dir="rtl"' in wrong
    assert 'action="/ar/status/"' in wrong


@pytest.mark.parametrize("code", ["de", "ar"])
def test_api_keeps_its_codes_and_translates_its_sentences(visitor: Client, code: str) -> None:
    def unknown(language: str) -> dict[str, str]:
        answer = visitor.post(
            "/api/v1/status/",
            {"receipt": mint()},
            content_type="application/json",
            HTTP_ACCEPT_LANGUAGE=language,
        )
        assert answer.status_code == 404
        assert "Accept-Language" in answer.headers["Vary"]
        return dict(answer.json())

    english, translated = unknown("en"), unknown(code)
    assert english["code"] == translated["code"] == "receipt_unknown"
    assert english["type"] == translated["type"]
    assert english["detail"] != translated["detail"]


@pytest.mark.parametrize(
    ("address", "onward"),
    [
        ("/de", "/de/"),
        ("/pt-br", "/pt-br/"),
        ("/de/metadata/timestamp.json", "/metadata/timestamp.json"),
        ("/ar/admin/", "/admin/"),
        ("/en/health/live", "/health/live"),
    ],
)
def test_what_has_no_language_loses_the_prefix(visitor: Client, address: str, onward: str) -> None:
    answer = visitor.get(address)
    assert (answer.status_code, answer.headers["Location"]) == (302, onward)


@pytest.mark.parametrize("address", ["/xx/", "/sv/request/", "/dede/", "/de//evil.example/"])
def test_what_is_no_language_is_no_page(visitor: Client, address: str) -> None:
    assert visitor.get(address).status_code == 404


def test_case_of_the_prefix_does_not_matter(visitor: Client) -> None:
    answer = visitor.get("/PT-BR/privacy/")
    assert answer.status_code == 200
    assert 'href="/pt-br/request/"' in answer.content.decode()


def test_staff_pages_are_in_english_whatever_the_browser_asks_for(visitor: Client) -> None:
    answer = visitor.get("/admin/login/", HTTP_ACCEPT_LANGUAGE="de")
    assert "Log in" in answer.content.decode()
    assert "Anmelden" not in answer.content.decode()


def test_nothing_of_a_language_is_left_after_the_answer(visitor: Client) -> None:
    before = get_language(), get_script_prefix()
    visitor.get("/ar/request/")
    visitor.get("/ar/no-such-page/")
    assert (get_language(), get_script_prefix()) == before
    assert reverse("removal:request") == "/request/"


@pytest.mark.parametrize(
    ("code", "number", "day"),
    [
        ("en", "1\u202f234\u202f567", "3 May 2026"),
        ("de", "1.234.567", "3. Mai 2026"),
        ("fr", "1\xa0234\xa0567", "3 mai 2026"),
        ("es", "1\xa0234\xa0567", "3 de mayo de 2026"),
        ("pt-br", "1.234.567", "3 de maio de 2026"),
        ("ar", "1,234,567", "3 مايو، 2026"),
    ],
)
def test_numbers_and_days_are_written_as_the_language_does(
    code: str, number: str, day: str
) -> None:
    from django.utils import translation  # noqa: PLC0415 - beside its one use

    from removal.templatetags import unlist_text  # noqa: PLC0415

    with translation.override(code):
        assert unlist_text.grouped(1234567) == number
        assert unlist_text.day("2026-05-03").casefold() == day.casefold()
        assert unlist_text.day(None) == ""
