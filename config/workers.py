"""What a worker takes from, and how it says so.

A worker serves the stores of UNLIST_STORES, or every store there is: then it takes up the queues
of a store within seconds of the first dataset that lies there. What only the staff role's keys can
do goes through a queue of its own, from which a worker of that role takes, and no other work (a
worker with every role takes from both). Either way it tells the database
every few seconds which stores it serves, so that `doctor` knows which are served by nobody. A
worker that was started with `--queues` keeps to those.
"""

import logging
import threading
from typing import Any, Final

from celery import Celery, bootsteps
from celery.signals import celeryd_after_setup, worker_init
from django.conf import settings
from django.db import DatabaseError, connections

_SEARCH: Final = "search."
_FOLLOWS: Final = threading.Event()
"""Set where the worker takes up new stores: nobody told it which to serve."""

log = logging.getLogger(__name__)


def worker_stores() -> list[str]:
    """Return the stores to serve now, `default` standing for the queue of the rest."""
    from catalog.selectors import stores_known  # noqa: PLC0415  # the apps are loaded by now
    from catalog.stores import REST  # noqa: PLC0415

    chosen: tuple[str, ...] = settings.UNLIST.stores
    return list(chosen) if chosen else [REST, *stores_known()]


def queues_choose(instance: Any, **_: Any) -> None:
    """Have a worker that starts take from its stores' queues, unless it was told which."""
    from catalog.stores import REST, STAFF, worker_queues  # noqa: PLC0415

    queues = instance.app.amqp.queues
    if list(queues.consume_from) != [REST]:
        return
    if settings.UNLIST.role == "staff":
        queues.select([STAFF])
        return
    if not settings.UNLIST.stores:
        _FOLLOWS.set()
    try:
        own = [STAFF] if settings.UNLIST.role == "all" else []
        queues.select(worker_queues(worker_stores()) + own)
    except DatabaseError as error:
        log.warning("the stores are not known yet: %s", type(error).__name__)
    finally:
        connections.close_all()


class Announcing(bootsteps.StartStopStep):
    """A thread of the worker that announces its stores and takes up the queues of new ones."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, parent: Any) -> None:
        """Begin to announce."""
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=_announcing, args=(parent, self._stop), name="stores", daemon=True
        )
        self._thread.start()

    def stop(self, parent: Any) -> None:
        """End announcing; the last word grows stale by itself."""
        del parent
        self._stop.set()


def _announcing(consumer: Any, stop: threading.Event) -> None:
    from catalog.stores import ANNOUNCE_SECONDS  # noqa: PLC0415  # the apps are loaded by now

    while not stop.is_set():
        try:
            announce(consumer)
        except DatabaseError as error:  # the database was away: the next beat tries again
            log.warning("the stores could not be announced: %s", type(error).__name__)
        finally:
            connections.close_all()  # this thread's own
        stop.wait(ANNOUNCE_SECONDS)


def announce(consumer: Any) -> None:
    """Say once which stores a consumer serves, after taking up those that are new."""
    from catalog.stores import REST, stores_announce, worker_queues  # noqa: PLC0415

    taken = set(consumer.app.amqp.queues.consume_from)
    new = set(worker_queues(worker_stores())) - taken if _FOLLOWS.is_set() else set()
    for queue in sorted(new):
        consumer.call_soon(consumer.add_task_queue, queue)
    stores = {name.removeprefix(_SEARCH) for name in taken | new if name.startswith(_SEARCH)}
    stores_announce(sorted(stores | ({REST} & taken)))


def search_compile(**_: Any) -> None:
    """Have the search's compiled loops ready, so that the first request does not wait for them."""
    if settings.UNLIST.role == "staff":
        return  # it searches nothing, and has no such libraries
    from indexer.hamming.index import warm_up  # noqa: PLC0415  # a worker's libraries

    warm_up()


def install(app: Celery) -> None:
    """Give the workers of an application what this module says."""
    worker_init.connect(search_compile)
    celeryd_after_setup.connect(queues_choose)
    app.steps["consumer"].add(Announcing)
