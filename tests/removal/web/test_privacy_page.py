"""The privacy page follows the settings in force: change one, and the page says otherwise."""

import datetime as dt
import re
from typing import Any

import pytest
from django.conf import settings as live
from django.test import Client
from django.utils import timezone

from removal.life import retention
from removal.models import RetentionRun
from removal.site import reading
from tests.removal import factories


def told(settings: Any, language: str = "", **changed: Any) -> str:
    """Return the words of the page under changed settings."""
    settings.UNLIST = live.UNLIST.model_copy(update=changed)
    text = Client().get(f"{language}/privacy/").content.decode()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", text))


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("keep_photo_days", 5, "5 days after the decision"),
        ("keep_photo_days", 1, "1 day after the decision"),
        ("keep_photo_max_days", 77, "at most 77 days after they arrived"),
        ("keep_case_days", 33, "33 days after the request is closed"),
        ("keep_tombstone_days", 444, "444 days after the request is closed"),
        ("operator_name", "Ada <& Co>", "This service is run by Ada &lt;&amp; Co&gt;."),
        ("complaint_authority", "the CNIL", "Complain to the CNIL, and go to court."),
        ("hotline_name", "Stop It", "please turn to Stop It and do not send it here"),
    ],
)
def test_page_says_what_is_set(settings: Any, name: str, value: Any, sentence: str) -> None:
    assert sentence not in told(settings)
    assert sentence in told(settings, **{name: value})


def test_page_links_the_hotline(settings: Any) -> None:
    settings.UNLIST = live.UNLIST.model_copy(update={"hotline_url": "https://help.example/x"})
    assert 'href="https://help.example/x"' in Client().get("/privacy/").content.decode()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("https://unlist.example", "is encrypted (HTTPS)"),
        ("http://abcdef.onion", "through the Tor network"),
        ("http://127.0.0.1:8000", "one of this computer itself"),
        ("http://unlist.example", "can read all that you send"),
    ],
)
def test_page_says_how_what_is_sent_travels(settings: Any, url: str, sentence: str) -> None:
    text = told(settings, public_url=url)
    said = [s for s in SENTENCES_OF_TRAVEL if s in text]
    assert said == [sentence]


SENTENCES_OF_TRAVEL = [
    "is encrypted (HTTPS)",
    "through the Tor network",
    "one of this computer itself",
    "can read all that you send",
]


def test_page_admits_that_one_process_holds_all_keys(settings: Any) -> None:
    assert "runs on one machine" in told(settings, role="all")
    assert "runs on one machine" not in told(settings, role="public")


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("", "A maintainer can then have it fetched once from that address"),
        ("/de", "Das Team kann es dann einmal von dieser Adresse abrufen lassen"),
        ("/fr", "équipe peut alors la faire récupérer une fois à cette adresse"),
        ("/es", "El equipo puede entonces pedir que se descargue una vez de esa dirección"),
        ("/pt-br", "A equipe pode então mandar buscá-la uma vez nesse endereço"),
        ("/ar", "يمكن للفريق أن يطلب جلبها مرة واحدة من ذلك العنوان"),
    ],
)
def test_page_says_where_pictures_are_fetched(settings: Any, language: str, sentence: str) -> None:
    assert sentence not in told(settings, language)
    assert sentence in told(settings, language, fetch=True)


def test_page_names_nobody_that_nobody_has_set(settings: Any) -> None:
    text = told(settings)
    assert "has not entered a name" in text
    assert "the operator of this service" not in text
    assert "Complain to the data protection authority of the country you live in" in text


def test_page_goes_by_the_code_s_own_limits(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "IDLE", dt.timedelta(minutes=7))
    monkeypatch.setattr(reading, "LONGEST", dt.timedelta(hours=1))
    monkeypatch.setattr(reading, "WINDOW_SECONDS", 120)
    monkeypatch.setattr(reading, "ANSWER_DAYS", 11)
    monkeypatch.setattr(reading, "APPEAL_DAYS", 13)
    text = told(settings)
    for sentence in (
        "After 7 minutes without a click",
        "after 1 hour in any case",
        "gone after 4 minutes",
        "you have 11 days to answer",
        "within 13 days",
    ):
        assert sentence in text


def test_page_admits_that_deleting_is_late(settings: Any) -> None:
    assert "Deleting is late" not in told(settings)
    factories.received()
    text = told(settings)
    assert "Deleting is late" in text
    assert "It has not run yet" in text
    RetentionRun.objects.update_or_create(
        pk=1, defaults={"ran_at": timezone.now() - 2 * retention.LATE}
    )
    day = (timezone.now() - 2 * retention.LATE).strftime("%-d %B %Y")
    assert f"It last ran on {day}" in told(settings)
    RetentionRun.objects.update(ran_at=timezone.now())
    assert "Deleting is late" not in told(settings)


def test_days_are_counted_as_the_language_does(settings: Any) -> None:
    assert "بعد يومين من القرار" in told(settings, "/ar", keep_photo_days=2)
    assert "بعد 5 أيام من القرار" in told(settings, "/ar", keep_photo_days=5)
    assert "بعد 14 يومًا من القرار" in told(settings, "/ar", keep_photo_days=14)
    assert "بعد 100 يوم من القرار" in told(settings, "/ar", keep_photo_days=100)
    assert "1 jour après la décision" in told(settings, "/fr", keep_photo_days=1)
    assert "0 jour après la décision" in told(settings, "/fr", keep_photo_days=0)
