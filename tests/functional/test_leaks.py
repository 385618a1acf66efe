"""Nothing of a person's story lies in the clear, and nothing destroyed comes back from a backup.

The same story on the embedded service (SQLite) and with every role apart (PostgreSQL and Redis).
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.house import House
from scripts.redis_server import Overheard, private_redis
from scripts.sample.dataset import Written
from scripts.web import Subject
from tests.functional import kept, opening
from tests.functional.kept import DERIVED, Service
from tests.functional.leaks import (
    ANSWER,
    APPEAL,
    MESSAGE,
    NOTE,
    found_in_folder,
    row_marks,
    shapes_of,
)
from tests.functional.roles import Roles, compose_read
from tests.functional.told import PATIENCE, Told, row_folder, story_tell

SERVICES = {"public": "web", "all": "prepare"}
"""Services of compose.yaml that are not called by their role."""


def _datasets_add(service: Service, role: str, sample: Path, rows: Path) -> None:
    for name, form, path in (("sample", "img2dataset", sample), ("folder", "images", rows)):
        service.manage(role, "add_dataset", name, "--format", form, "--path", str(path))
        service.manage(role, "index_dataset", name)


def _embedded(folder: Path, sample: Path) -> Iterator[Service]:
    """Yield the service of one process group, on SQLite."""
    (folder / "house" / "tmp").mkdir(parents=True)
    more = {
        "UNLIST_POW_COST": "500",
        "UNLIST_TRUSTED_PROXIES": "1",
        "TMPDIR": str(folder / "house" / "tmp"),
    }
    with House(folder / "house", more) as house:
        views = house.folder / "seen-by"

        def env(role: str) -> dict[str, str]:
            seen = house.secret_dir
            if role != "all":
                seen = kept.own_secrets(seen, role, views)
            return {**house.env, "UNLIST_ROLE": role, "UNLIST_SECRET_DIR": str(seen)}

        def release() -> None:
            house.manage("build_release")
            house.manage("publish_release")

        socket = house.data_dir / "run" / "redis.sock"
        service = Service(
            house.url, "all", house.folder, env, socket, Overheard(socket), release, house.stop
        )
        _datasets_add(service, "all", sample, row_folder(folder))
        yield service


def _apart(folder: Path, sample: Path, postgres_url: str) -> Iterator[Service]:
    """Yield the services of compose.yaml, on PostgreSQL and Redis."""
    compose = compose_read()
    compose["services"]["web"]["environment"]["UNLIST_TRUSTED_PROXIES"] = "1"
    with (
        private_redis() as socket,
        Roles(folder / "roles", postgres_url, f"redis+socket://{socket}", compose) as roles,
    ):
        roles.run("prepare")
        for name in ("worker", "beat", "web"):
            roles.start(name)
        service = Service(
            site=roles.url("web"),
            site_role="public",
            folder=roles.folder,
            env=lambda role: roles.env(SERVICES.get(role, role)),
            broker=socket,
            overheard=Overheard(socket),
            release=lambda: roles.run("release"),
            stop=roles.stop_all,
        )
        _datasets_add(service, "worker", sample, row_folder(folder))
        staff = (
            "from django.contrib.auth.models import User as U; U.objects.create_superuser('ann')"
        )
        service.run("staff", f"{staff}; print('made')")
        roles.answers("web", seconds=PATIENCE)
        yield service


@pytest.fixture(scope="module", params=["SQLite", "PostgreSQL"])
def service(
    request: pytest.FixtureRequest, sample: Written, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("leaks")
    if request.param == "SQLite":
        yield from _embedded(folder, sample.folder)
    else:
        yield from _apart(folder, sample.folder, request.getfixturevalue("postgres_url"))


@pytest.fixture(scope="module")
def told(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Told:
    return story_tell(service, tmp_path_factory.mktemp("story"))


def opened(
    service: Service,
    role: str,
    told: Told | None = None,
    env: dict[str, str] | None = None,
) -> Any:
    """Return what a process of a role opens, with what the subject has where `told` is given."""
    given = {"receipt": told.receipt, "cookies": told.cookies} if told else {}
    return json.loads(service.run(role, opening.OPEN, stdin=json.dumps(given), env=env))


def kinds(told: Any) -> set[tuple[str, str]]:
    return {(purpose, item) for _, purpose, item, _ in told["texts"]}


def texts(told: Any, item: str) -> str:
    return "".join(text for _, _, name, text in told["texts"] if name == item)


def test_the_whole_story_was_told(told: Told) -> None:
    status = told.status
    assert status["state"] == "released"
    assert [message["text"] for message in status["messages"]] == [MESSAGE, ANSWER]
    assert [question["mine"] for question in status["questions"]] == [True]
    assert [photo["state"] for photo in status["photos"]] == ["deleted"]
    assert len(told.proofs) > 1


def test_the_address_was_counted_under_a_name_that_memory_alone_holds(
    told: Told, service: Service
) -> None:
    """Else its absence everywhere would say nothing."""
    assert f"INCRBY unlist.gate.net.work.{told.tag}." in service.overheard.text()
    places = kept.found(service, {"tag": shapes_of(told.tag)})
    assert "tag in the messages" in places
    assert set(places) <= {"tag in the messages", "tag in the broker"}


def test_nothing_lies_in_the_clear_while_it_is_held(told: Told) -> None:
    assert told.found_midway == []


def test_nothing_lies_in_the_clear_in_the_end(told: Told, service: Service) -> None:
    assert kept.found(service, told.marks) == []
    assert "fingerprint_request" in service.overheard.text()


def test_the_search_would_find_it_where_it_is(told: Told, service: Service) -> None:
    """What must be nowhere else is found in the index, and a mark that is planted is found."""
    index = found_in_folder(service.data_dir / "indexes", row_marks())
    assert {line.partition(" in ")[0] for line in index} == set(row_marks())
    (service.folder / "planted").write_text(f"... {NOTE} ...")
    try:
        assert [line.partition(" in ")[0] for line in kept.found(service, told.marks)] == ["note"]
    finally:
        (service.folder / "planted").unlink()
    days = {"days": shapes_of(told.status["received_on"])}
    assert {line.rpartition(" in ")[2] for line in kept.found(service, days)} >= {"the database"}
    assert DERIVED[0] not in "".join(kept.found(service, told.marks))


def test_a_backup_of_before_the_deletion_shows_the_words_and_no_photo(
    told: Told, service: Service
) -> None:
    """With the receipt, the session's cookies and every key that still exists."""
    shown = opened(service, "all", told, told.restored)
    assert {purpose for _, purpose, _ in shown["wraps"]} == {"case", "proof"}
    assert kinds(shown) == {
        ("case", "content"),
        ("case", "message"),
        ("case", "tile"),
        ("case", "row"),
    }
    assert MESSAGE in texts(shown, "message")
    assert ANSWER in texts(shown, "message")
    assert [path for path in (told.backup / "data" / "blobs").iterdir() if path.is_file()]


def test_it_shows_nothing_at_all_once_the_case_was_closed_and_deleted(
    told: Told, service: Service
) -> None:
    live = opened(service, "all", told)
    assert APPEAL in texts(live, "appeal")
    said = service.manage("all", "shred_expired", env={"UNLIST_KEEP_CASE_DAYS": "0"})
    assert "cases: 1" in said
    for env in (None, told.restored):
        shown = opened(service, "all", told, env)
        assert {tuple(wrap[1:]) for wrap in shown["wraps"]} == {("proof", "subject")}
        assert kinds(shown) == ({("proof", "proofs")} if env is None else set())
    assert Subject(service.site).proofs(told.receipt) == told.proofs


def test_while_a_request_is_reviewed_only_the_staff_open_it(told: Told) -> None:
    """Processes with the whole database, every shred key and their own role's secrets."""
    staff = told.opened_midway.pop("staff")
    assert {tuple(wrap[1:]) for wrap in staff["wraps"]} == {
        ("photo", "reviewer"),
        ("print", "reviewer"),
        ("case", "reviewer"),
    }
    assert NOTE in texts(staff, "content").encode("latin-1").decode()
    assert ("photo", "photo") in kinds(staff)
    for role, shown in told.opened_midway.items():
        assert (shown["wraps"], shown["texts"]) == ([], []), role
    assert told.opened_midway["public"]["keys"] >= 3
    assert told.opened_midway["worker"]["keys"] >= 2


def test_a_worker_opens_what_is_still_searched_and_nothing_else(
    told: Told, service: Service
) -> None:
    """The story's request is closed; another and a sweep wait for workers, and none is there."""
    service.stop()
    service.run("public", opening.SUBMIT, stdin=f"{told.path}\n")
    service.run("staff", opening.SWEEP)
    held: dict[str, set[tuple[str, ...]]] = {
        "public": set(),
        "release": set(),
        "worker": {
            ("received", "photo", "worker"),
            ("received", "print", "worker"),
            ("asked", "errand", "worker"),
        },
        "staff": {
            *(("received", purpose, "reviewer") for purpose in ("photo", "print", "case")),
            ("asked", "errand", "reviewer"),
        },
    }
    for role, expected in held.items():
        shown = opened(service, role)
        assert {tuple(wrap) for wrap in shown["wraps"]} == expected, role
        assert bool(shown["texts"]) == bool(expected), role
        assert opened(service, role, env=told.restored)["wraps"] == [], role
    assert ("case", "content") not in kinds(opened(service, "worker"))
