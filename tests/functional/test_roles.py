"""compose.yaml's services as separate roles, on PostgreSQL: the same story, secrets kept apart."""

import io
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from scripts.demo.pictures import pictures_make
from scripts.maintainer import Maintainer
from scripts.redis_server import private_redis
from scripts.sample.dataset import Written
from scripts.web import Subject, Unexpected, Visitor
from tests.figures import figures_read
from tests.functional.roles import (
    METRICS_TOKEN,
    Roles,
    compose_read,
    image_command,
    programs_named,
)

PASSWORD = "correct-horse-battery"


@pytest.fixture(scope="module")
def roles(
    postgres_url: str, sample: Written, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Roles]:
    folder = tmp_path_factory.mktemp("roles")
    with private_redis() as socket, Roles(folder, postgres_url, f"redis+socket://{socket}") as all_:
        all_.run("prepare")
        for name in ("worker", "beat", "web", "staff"):
            all_.start(name)
        where = ("--format", "img2dataset", "--path", sample.folder)
        all_.run("worker", "python", "manage.py", "add_dataset", "sample", *where)
        all_.run("worker", "python", "manage.py", "index_dataset", "sample")
        _staff_make(all_)
        for name in all_.ports:
            all_.answers(name)
        yield all_


def _staff_make(roles: Roles) -> None:
    program = (
        "from django.contrib.auth import get_user_model as g;"
        f"g().objects.create_superuser(username='ann', password='{PASSWORD}')"
    )
    roles.run("staff", "python", "manage.py", "shell", "-c", program)


def test_the_story_runs_with_every_role_apart(roles: Roles, tmp_path: Path) -> None:
    copy, screenshot, other = pictures_make(tmp_path)
    subject = Subject(roles.url("web"))
    receipt = subject.submit([copy.path, screenshot.path])["receipt"]
    nothing = subject.submit([other.path])["receipt"]
    assert subject.searched(receipt)["state"] == "in_review"
    assert subject.searched(nothing)["found"] == []
    decide(roles)
    assert subject.status(receipt)["state"] == "approved"
    roles.run("release")
    status = subject.status(receipt)
    assert status["state"] == "released"
    assert subject.proofs(receipt)


def decide(roles: Roles) -> None:
    maintainer = Maintainer(roles.url("staff"))
    maintainer.login("ann", PASSWORD)
    for path in maintainer.waiting():
        case = maintainer.open(path)
        own = [row.id for row in case.rows if row.kind != "similar"]
        assert Image.open(io.BytesIO(maintainer.look(case.photos[0]))).size[0] > 64
        maintainer.decide(
            case,
            approve=own,
            tier="exact" if own else "",
            reason="" if own else "different_picture",
            statement="",
        )
    maintainer.settle()


def test_each_site_answers_its_own_pages_alone(roles: Roles) -> None:
    web, staff = Visitor(roles.url("web")), Visitor(roles.url("staff"))
    assert web.send("GET", "/request/").status == 200
    assert web.send("GET", "/admin/").status == 404
    assert staff.send("GET", "/admin/login/").status == 200
    assert staff.send("GET", "/request/").status == 404


def test_the_staff_site_alone_tells_the_figures_and_to_the_token_alone(roles: Roles) -> None:
    bearer = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    web, staff = Visitor(roles.url("web")), Visitor(roles.url("staff"))
    assert web.send("GET", "/metrics", headers=bearer).status == 404
    assert staff.send("GET", "/metrics").status == 404
    figures = figures_read(staff.send("GET", "/metrics", headers=bearer).data.decode())
    assert figures["unlist_broker_up"] == 1
    assert figures["unlist_intake_cost_factor{way=work}"] >= 1
    assert figures["unlist_groups{dataset=sample,state=ready}"] >= 2
    seen = figures["unlist_store_seen_timestamp_seconds{store=default}"]
    assert time.time() - seen < 60  # the worker says so every 15 seconds
    assert figures["unlist_requests{state=released}"] >= 1


def test_a_role_sees_its_own_secrets_alone(roles: Roles) -> None:
    owns = {"web": "public", "staff": "staff", "worker": "worker", "release": "release"}
    for name, own in owns.items():
        secrets = Path(roles.env(name)["UNLIST_SECRET_DIR"])
        assert {path.name for path in secrets.iterdir()} == {own, "shred"}


def test_doctor_is_content_with_every_role(roles: Roles) -> None:
    for name in ("web", "staff", "worker", "release"):
        told = roles.run(name, "python", "manage.py", "doctor")
        assert "No error." in told or "All is well." in told


def test_a_public_process_cannot_open_what_reviewers_read(roles: Roles) -> None:
    program = (
        "from removal.custody.secrets import REVIEWER_PRIVATE, SecretUnavailable, secret_read\n"
        "try:\n    secret_read(REVIEWER_PRIVATE)\n"
        "except SecretUnavailable as no:\n    print('refused:', no)"
    )
    assert "refused:" in roles.run("web", "python", "manage.py", "shell", "-c", program)


def test_the_database_was_postgresql(roles: Roles) -> None:
    program = "from django.db import connection as c; c.ensure_connection(); print(c.vendor)"
    assert "postgresql" in roles.run("web", "python", "manage.py", "shell", "-c", program)


def test_compose_names_programs_and_volumes_that_are_there() -> None:
    compose = compose_read()
    assert programs_named(compose) <= {"python", "celery", "redis-server"}
    volumes = {
        str(mount).partition(":")[0]
        for service in compose["services"].values()
        for mount in service.get("volumes", ())
    }
    assert {name for name in volumes if name.isidentifier() or "-" in name} - {
        name for name in volumes if name.startswith("$")
    } == set(compose["volumes"])
    assert image_command("web")[0] == "gunicorn"
    assert image_command("worker")[0] == "celery"


def test_nobody_is_given_the_secrets_of_another_role() -> None:
    for name, service in compose_read()["services"].items():
        if name in {"postgres", "redis", "prepare"}:
            continue
        role = service["environment"]["UNLIST_ROLE"]
        given = {str(mount).partition(":")[0] for mount in service["volumes"]}
        secrets = {volume for volume in given if volume.startswith("secrets-")}
        assert secrets == {f"secrets-{role}"}, name


def test_refusals_over_http_name_the_fault(roles: Roles) -> None:
    with pytest.raises(Unexpected, match="400"):
        Subject(roles.url("web")).submit([])
