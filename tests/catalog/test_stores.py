"""Stores: their queues, who serves them, and the one slot for indexing."""

import datetime as dt
import threading
from typing import Any

import pytest
from django.core.management import call_command

from catalog import stores
from catalog.models import Dataset, Group, WorkerStore
from catalog.selectors import (
    datasets_covered,
    datasets_pictured,
    encoders_in_use,
    groups_covered,
    groups_encoders,
    groups_here,
    stores_known,
)
from catalog.slots import index_slot

pytestmark = pytest.mark.django_db


def dataset(name: str, *, store: str = "local", **more: Any) -> Dataset:
    return Dataset.objects.create(name=name, store=store, encoder="a/b", **more)


def test_a_worker_of_the_rest_takes_its_queue_before_any_store() -> None:
    assert stores.worker_queues(["default", "disk"]) == [
        "default", "search.default", "search.disk", "index.default", "index.disk",
    ]  # fmt: skip
    assert stores.worker_queues(["disk"]) == ["search.disk", "index.disk"]


def test_what_a_person_waits_for_is_taken_first() -> None:
    assert stores.PERSON < stores.BATCH < stores.INDEXING


def test_a_store_is_served_for_a_minute_after_the_last_word(monkeypatch: Any) -> None:
    stores.stores_announce(["disk-1", "default"])
    stores.stores_announce(["disk-1", "disk-2"])
    assert stores.stores_served() == {"disk-1", "disk-2", "default"}
    gone = WorkerStore.objects.get(store="disk-2")
    gone.seen_at -= dt.timedelta(seconds=61)
    gone.save()
    assert stores.stores_served() == {"disk-1", "default"}
    stores.stores_announce(["disk-2"])
    assert "disk-2" in stores.stores_served()


def test_announcing_again_is_one_statement(django_assert_num_queries: Any) -> None:
    stores.stores_announce(["a", "b"])
    with django_assert_num_queries(1):
        stores.stores_announce(["a", "b"])


def test_the_announcement_says_nothing_of_the_worker() -> None:
    assert {field.name for field in WorkerStore._meta.fields} == {"id", "store", "seen_at"}


def test_the_default_store_is_always_known() -> None:
    assert stores_known() == ["local"]
    dataset("far", store="disk-9")
    assert stores_known() == ["disk-9", "local"]


def test_coverage_says_which_store_holds_a_dataset(capsys: pytest.CaptureFixture[str]) -> None:
    dataset("far", store="disk-9")
    assert [one.store for one in datasets_covered()] == ["disk-9"]
    call_command("list_datasets")
    assert "disk-9" in capsys.readouterr().out


def test_requests_must_be_searched_in_all_groups_that_were_ever_ready() -> None:
    parent = dataset("sample")
    for number, (state, digest) in enumerate(
        [("ready", "ab"), ("failed", "ab"), ("pending", "ab"), ("failed", ""), ("pending", "")]
    ):
        Group.objects.create(dataset=parent, number=number, state=state, manifest_sha256=digest)
    assert [group.number for group in groups_covered()] == [0, 1, 2]


def test_an_index_keeps_the_encoder_that_it_was_made_by() -> None:
    parent = dataset("sample")
    Group.objects.create(dataset=parent, number=0, state="ready", encoder="a/b")
    Group.objects.create(dataset=parent, number=1, state="ready")
    Dataset.objects.update(encoder="c/d")
    assert encoders_in_use() == ["a/b", "c/d"]
    assert groups_encoders(groups_covered().filter(number=1)) == ["c/d"]
    assert [group.encoder_name for group in groups_covered()] == ["a/b", "c/d"]


def test_a_process_looks_after_the_groups_of_its_own_stores(settings: Any) -> None:
    for name, store in (("near", "local"), ("far", "disk-9")):
        Group.objects.create(dataset=dataset(name, store=store), number=0)
    assert groups_here().count() == 2
    settings.UNLIST = settings.UNLIST.model_copy(update={"stores": ("disk-9",)})
    assert [str(group) for group in groups_here()] == ["far/0"]


def test_geometry_is_for_datasets_that_hold_pictures() -> None:
    for name, available in (("pictures", True), ("addresses", False)):
        signal = {"name": "geometry", "available": available, "reason": ""}
        dataset(name, facts={"signals": [signal]})
    dataset("unknown")
    assert datasets_pictured() == {"pictures"}


def test_one_thread_of_a_process_indexes_and_the_others_are_left_for_people() -> None:
    seen: list[bool] = []

    def second() -> None:
        with index_slot() as free:
            seen.append(free)

    with index_slot() as free:
        assert free
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    second()
    assert seen == [False, True]
