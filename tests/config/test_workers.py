"""Which queues a worker takes from, by its role."""

from types import SimpleNamespace
from typing import Any

import pytest

from config import workers

pytestmark = pytest.mark.django_db


class Queues:
    """What Celery holds of queues: those taken from, and how they are chosen."""

    def __init__(self, *taken: str) -> None:
        self.consume_from = dict.fromkeys(taken)

    def select(self, names: list[str]) -> None:
        self.consume_from = dict.fromkeys(names)


@pytest.mark.parametrize(
    ("role", "told", "taken"),
    [
        ("staff", ["default"], ["staff"]),
        ("worker", ["default"], ["default", "search.default", "index.default"]),
        ("all", ["default"], ["default", "search.default", "index.default", "staff"]),
        ("all", ["search.disk"], ["search.disk"]),  # started with --queues
        ("staff", ["search.disk"], ["search.disk"]),
    ],
)
def test_the_staff_role_has_a_queue_of_its_own(
    settings: Any, monkeypatch: pytest.MonkeyPatch, role: str, told: list[str], taken: list[str]
) -> None:
    settings.UNLIST = settings.UNLIST.model_copy(update={"role": role, "stores": ("default",)})
    monkeypatch.setattr("django.db.connections.close_all", lambda: None)
    queues = Queues(*told)
    workers.queues_choose(SimpleNamespace(app=SimpleNamespace(amqp=SimpleNamespace(queues=queues))))
    assert list(queues.consume_from) == taken
