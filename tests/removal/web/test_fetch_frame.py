"""The frame of a row without a picture: asking for it from the web, waiting, what came of it."""

import base64
import hashlib
import io
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from PIL import Image
from pydantic import SecretStr

from removal import tasks
from removal.life import claims
from removal.models import AuditEntry, Errand
from removal.search import fetching
from removal.search.fetch_guard import FetchFault, FetchRefused
from tests.removal import factories
from tests.removal.factories import Case, match
from tests.removal.test_fetches import PICTURE, Site

QUEUE = "/admin/removal/removalrequest/"
URL = "https://pictures.example.org/marked-url.jpg"
BUTTON = "Fetch it once from the web"


@pytest.fixture(autouse=True)
def sent(settings: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Turn fetching on, and keep the messages that workers would get."""
    settings.UNLIST = settings.UNLIST.model_copy(update={"fetch": True})
    hints: list[Any] = []
    monkeypatch.setattr(
        "removal.desk.fetching.hint", lambda task, *args, **kept: hints.append((task, *args))
    )
    return hints


@pytest.fixture
def case() -> Case:
    digest = hashlib.sha256(PICTURE).hexdigest()
    return factories.in_review([match("copy", url=URL, sha256=digest)])


def frame(case: Case, kind: str = "row") -> str:
    return f"{QUEUE}{kind}/{case.request.candidates.get().pk}/"


def ask(maintainer: Client, case: Case, kind: str = "row") -> Any:
    return maintainer.post(f"{frame(case)}fetch/", {"frame": kind})


def text_of(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def carried(case: Case, answer: Any = PICTURE) -> None:
    fetching.picture_fetch(Errand.objects.latest("asked_at").pk, fetcher=Site(answer))


def test_a_row_without_a_picture_offers_it_and_says_what_that_tells(
    maintainer: Client, case: Case
) -> None:
    for kind in ("row", "pair"):
        text = text_of(maintainer.get(frame(case, kind)))
        assert BUTTON in text
        assert "pictures.example.org then sees by this service&#x27;s own network address" in text
        assert "that somebody wants this picture now; not who, nor for whom." in text
        assert "marked-url" not in text


def test_a_proxy_is_told_of(maintainer: Client, case: Case, settings: Any) -> None:
    proxy = SecretStr("socks5://user:secret@10.0.0.1:9050")
    settings.UNLIST = settings.UNLIST.model_copy(update={"fetch_proxy": proxy})
    text = text_of(maintainer.get(frame(case)))
    assert "the address of the operator&#x27;s proxy" in text
    assert "secret" not in text


def test_nothing_is_offered_where_it_is_off(maintainer: Client, case: Case, settings: Any) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"fetch": False})
    assert "web" not in text_of(maintainer.get(frame(case)))
    refused = ask(maintainer, case)
    assert refused.status_code == 409
    assert "turned off here" in text_of(refused)


def test_nothing_is_offered_for_a_row_that_has_a_picture(
    maintainer: Client, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    for where in ("life.reveals", "life.fetches"):
        monkeypatch.setattr(f"removal.{where}.row_picture", lambda *place: PICTURE)
    assert BUTTON not in text_of(maintainer.get(frame(case)))
    assert ask(maintainer, case).status_code == 409


def test_nothing_is_offered_without_an_address_or_after_the_decision(maintainer: Client) -> None:
    bare = factories.in_review([match("copy", url=None)])
    assert BUTTON not in text_of(maintainer.get(frame(bare)))
    over = factories.decided(approve=[], reason="different_picture")
    one = over.request.candidates.first()
    assert one is not None
    assert BUTTON not in text_of(maintainer.get(f"{QUEUE}row/{one.pk}/"))


@pytest.mark.parametrize("kind", ["row", "pair"])
def test_a_click_asks_once_and_goes_back_to_its_frame(
    maintainer: Client, case: Case, sent: list[Any], kind: str
) -> None:
    answer = ask(maintainer, case, kind)
    assert answer.status_code == 302
    assert answer.headers["Location"] == frame(case, kind)
    errand = Errand.objects.get()
    assert sent == [(tasks.fetch_picture, str(errand.pk))]
    text = text_of(maintainer.get(frame(case, kind)))
    assert "A worker is fetching it from the web." in text
    assert "data-waiting" in text
    assert BUTTON not in text
    assert "being fetched already" in text_of(ask(maintainer, case))
    assert len(sent) == 1
    entry = AuditEntry.objects.latest("seq")
    assert (entry.act, entry.detail) == ("fetch_asked", {})
    assert entry.actor.startswith("staff:")


def test_a_frame_with_a_revealed_photo_does_not_look_again_by_itself(
    maintainer: Client, case: Case
) -> None:
    ask(maintainer, case, "pair")
    shown = text_of(maintainer.post(frame(case, "pair")))
    assert "A worker is fetching" in shown
    assert "data-waiting" not in shown


def test_what_came_is_veiled_until_asked_for_and_each_look_is_noted(
    maintainer: Client, case: Case
) -> None:
    ask(maintainer, case)
    carried(case)
    text = text_of(maintainer.get(frame(case)))
    assert "Same file as recorded" in text
    assert [max(one.size) for one in pictures(text)] == [16]
    assert AuditEntry.objects.filter(act="row_revealed").count() == 0
    shown = maintainer.post(frame(case))
    assert [one.size for one in pictures(text_of(shown))] == [(300, 300)]
    assert AuditEntry.objects.latest("seq").act == "row_revealed"
    assert "no-store" in shown.headers["Cache-Control"]
    beside = pictures(text_of(maintainer.post(frame(case, "pair"))))
    assert [one.size for one in beside] == [(64, 64), (300, 300)]


def pictures(text: str) -> list[Image.Image]:
    found = re.findall(r"data:image/[a-z]+;base64,([^\"]+)", text)
    return [Image.open(io.BytesIO(base64.b64decode(one))) for one in found]


@pytest.mark.parametrize(
    ("digest", "words"),
    [
        ("ab" * 32, "Other file than recorded"),
        (None, "Not verified:</strong> no digest is recorded"),
    ],
)
def test_what_is_not_the_recorded_file_is_said_to_be(
    maintainer: Client, digest: str | None, words: str
) -> None:
    case = factories.in_review([match("copy", url=URL, sha256=digest)])
    ask(maintainer, case)
    carried(case)
    assert words in text_of(maintainer.get(frame(case)))


def test_a_fault_is_told_in_words_and_can_be_tried_again(maintainer: Client, case: Case) -> None:
    ask(maintainer, case)
    carried(case, FetchRefused(FetchFault.GONE))
    text = text_of(maintainer.get(frame(case)))
    assert "Not fetched:</strong> the site has it no more." in text
    assert "Try once more" in text
    assert ask(maintainer, case).status_code == 302


def test_the_history_tells_of_it(maintainer: Client, case: Case) -> None:
    ask(maintainer, case)
    carried(case)
    page = text_of(maintainer.get(f"{QUEUE}{case.request_id}/change/"))
    assert "The picture of a row was asked for from the web" in page
    assert "A worker fetched it" in page
    assert "not verified" in page


def test_the_cap_of_a_day_holds_for_what_was_fetched(maintainer: Client) -> None:
    case = factories.in_review([match("copy", url=URL)], category="intimate")
    maintainer.post(f"{QUEUE}pictures/", {"blurred": "on", "gray": "on", "sensitive_per_day": "1"})
    ask(maintainer, case)
    carried(case)
    assert pictures(text_of(maintainer.post(frame(case))))[0].size == (300, 300)
    spared = text_of(maintainer.post(frame(case)))
    assert "You have seen the 1 sensitive pictures" in spared
    assert not pictures(spared)


def test_a_colleagues_request_is_left_alone(maintainer: Client, case: Case) -> None:
    colleague = factories.role_user("colleague", "reviewer")
    claims.claim(request_id=case.request_id, reviewer=colleague)
    refused = ask(maintainer, case)
    assert refused.status_code == 409
    assert "colleague is working on this request" in text_of(refused)
    assert not Errand.objects.exists()


def test_it_is_a_post_and_needs_its_token(case: Case) -> None:
    strict = Client(enforce_csrf_checks=True)
    factories.sign_in(strict)
    assert strict.get(f"{frame(case)}fetch/").status_code == 405
    assert strict.post(f"{frame(case)}fetch/").status_code == 403
    assert not Errand.objects.exists()


def test_an_auditor_neither_asks_nor_is_offered_it(case: Case) -> None:
    auditor = Client()
    factories.sign_in(auditor, factories.role_user("auditor", "auditor"))
    assert ask(auditor, case).status_code == 403


def test_frames_ask_the_database_equally_often(maintainer: Client, case: Case) -> None:
    counts = []
    for _ in range(3):
        ask(maintainer, case)
        carried(case, FetchRefused(FetchFault.GONE))
        with CaptureQueriesContext(connection) as asked:
            maintainer.get(frame(case))
        counts.append(len(asked))
    assert len(set(counts)) == 1
