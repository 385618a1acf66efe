"""Fetching by real processes: the click, the worker and its guard, what frame and files say.

No site here is public, so the whole way is walked to a refusal: a row's address leads to this very
machine. That what is public is fetched is shown over sockets in tests/removal/test_fetch_http.py.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.forms import forms_read
from scripts.house import House
from scripts.maintainer import Maintainer
from scripts.web import Subject
from tests.functional.leaks import found_in_folder, shapes_of
from tests.shards.makers import write_parquet

NAME = "marked-address-of-a-row"
URL = f"http://localhost/{NAME}.jpg"
PATIENCE = 60.0


@pytest.fixture
def fetching(tmp_path: Path) -> Iterator[House]:
    """A service that fetches, and a dataset of addresses without pictures."""
    columns = {
        "SAMPLE_ID": [1.0],
        "URL": [URL],
        "TEXT": ["a picture"],
        "HEIGHT": [480],
        "WIDTH": [640],
    }
    write_parquet(tmp_path / "laion" / "part-00000-5b54c000.snappy.parquet", columns)
    env = {"UNLIST_FETCH": "true", "UNLIST_POW_COST": "500"}
    with House(tmp_path / "house", env) as house:
        house.manage("add_dataset", "laion", "--format", "laion", "--path", tmp_path / "laion")
        house.manage("index_dataset", "laion")
        yield house


def test_a_click_reaches_a_worker_whose_guard_holds(fetching: House) -> None:
    subject = Subject(fetching.url)
    receipt = subject.submit(urls=[URL])["receipt"]
    assert subject.searched(receipt)["state"] == "in_review"
    assert "fetched once from that address" in subject.get("/privacy/")
    maintainer = Maintainer(fetching.url)
    maintainer.login(*fetching.staff_login())
    [path] = maintainer.waiting()
    frame = re.findall(r'<iframe[^>]* src="([^"]+/row/[0-9a-f-]{36}/)"', maintainer.get(path))[0]
    offered = maintainer.get(frame)
    assert "localhost then sees by this service" in offered
    [form] = [one for one in forms_read(offered) if "frame" in one.names()]
    answer = maintainer.post_form(form.action, form.filled())
    assert (answer.status, answer.headers["Location"]) == (302, frame)
    ends = time.monotonic() + PATIENCE
    while "Not fetched" not in (told := maintainer.get(frame)):
        assert time.monotonic() < ends, told
        time.sleep(0.3)
    assert "the address leads to a network that is not public" in told
    history = maintainer.get(path)
    assert "The picture of a row was asked for from the web" in history
    assert "A worker could not fetch it" in history
    fetching.stop()
    assert "Traceback" not in fetching.words()
    assert found_in_folder(fetching.folder, {"address": shapes_of(NAME)}, but=["indexes"]) == []
