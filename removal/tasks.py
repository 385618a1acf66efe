"""Celery tasks: ids in, work elsewhere, all of it idempotent.

A message is a hint. One that is lost, late or sent twice changes nothing: `sweep` finds in the
database what was never sent or what a worker that died left behind.
"""

import uuid
from collections.abc import Iterable
from typing import Any

from celery import Task, shared_task
from django.conf import settings
from django.db import transaction

from catalog.stores import BATCH, PERSON, REST, STAFF, search_queue, stores_served
from removal.life import claims, effects, retention, rules
from removal.life.destroying import worker_keys_destroy
from removal.search import draining, errands, fetching, fingerprinting, matching
from removal.search.queues import GroupWaiting

# A hint that no worker took within this time is worthless: the sweep has sent others since.
_HINT_SECONDS = 60


def hint(
    task: "Task[..., Any]",
    *args: str | int,
    queue: str = REST,
    priority: int = PERSON,
    after: int = 0,
) -> None:
    """Send a message after commit; a broker that is down costs no more than a log line.

    Args:
        task: what to run.
        args: ids.
        queue: one of `catalog.stores`.
        priority: likewise.
        after: for how many seconds it is too early to run it.
    """

    def send() -> None:
        task.apply_async(
            args=args,
            queue=queue,
            priority=priority,
            countdown=after,
            expires=after + _HINT_SECONDS,
            retry=False,
        )

    transaction.on_commit(send, robust=True)


def _groups_hint(groups: Iterable[GroupWaiting], task: "Task[..., Any] | None" = None) -> None:
    """Have groups searched by the workers of their stores, who waits in person first."""
    for group in groups:
        priority, queue = BATCH if group.priority else PERSON, search_queue(group.store)
        hint(task or search_group, group.group_id, queue=queue, priority=priority)


@shared_task(acks_late=True, ignore_result=True)
def fingerprint_request(request_id: str) -> None:
    """Fingerprint a request's photos, then have each group searched."""
    if fingerprinting.request_fingerprint(request_id):
        _groups_hint(matching.groups_waiting(request=request_id))


@shared_task(acks_late=True, ignore_result=True)
def search_group(group_id: int) -> None:
    """Answer what waits for a group, then have finished requests concluded."""
    advanced = draining.group_drain(group_id)
    for request_id in matching.requests_answered(advanced):
        hint(conclude_request, str(request_id))
    _groups_hint(matching.groups_waiting(group=group_id))


@shared_task(acks_late=True, ignore_result=True)
def conclude_request(request_id: str) -> None:
    """Have the best rows verified; once they are, turn the evidence into candidates."""
    if not matching.request_conclude(request_id):
        _groups_hint(matching.groups_waiting(request=request_id))


def errand_hint(errand_id: uuid.UUID) -> None:
    """Have an errand begun at once; call it after `errand_ask`."""
    hint(advance_errand, str(errand_id), priority=BATCH)


@shared_task(acks_late=True, ignore_result=True)
def advance_errand(errand_id: str) -> None:
    """Take an errand one step on: begin it, have groups asked, or conclude it."""
    errands.errand_advance(errand_id)
    _groups_hint(errands.groups_waiting(errand=errand_id), search_errands)


@shared_task(acks_late=True, ignore_result=True)
def search_errands(group_id: int) -> None:
    """Answer a batch of the errands that wait for a group; then have them go on."""
    for errand_id in errands.errands_answered(errands.errands_drain(group_id)):
        errand_hint(errand_id)
    _groups_hint(errands.groups_waiting(group=group_id), search_errands)


def proposals_hint() -> None:
    """Have what was just proposed or confirmed take effect on time; call it after either."""
    hint(take_proposals, queue=STAFF, after=settings.UNLIST.undo_seconds)


@shared_task(acks_late=True, ignore_result=True)
def take_proposals() -> None:
    """Have the proposals take effect whose time to undo is over (queue `staff`)."""
    effects.proposals_take_effect()


@shared_task(acks_late=True, ignore_result=True)
def fetch_picture(errand_id: str) -> None:
    """Fetch the picture of a row that a maintainer asked for."""
    fetching.picture_fetch(errand_id)


@shared_task(acks_late=True, ignore_result=True)
def apply_rules() -> None:
    """Have what a rule approves approved, where the operator turned one on (queue `staff`)."""
    rules.rules_apply()


@shared_task(acks_late=True, ignore_result=True)
def sweep() -> None:
    """Send again what was never sent or whose lease ran out, and finish what was left undone."""
    worker_keys_destroy()
    retention.sessions_destroy()
    claims.claims_expire()
    if effects.proposals_due():
        hint(take_proposals, queue=STAFF)
    if rules.rules_wait():
        hint(apply_rules, queue=STAFF)
    waiting = matching.work_waiting()
    for request_id in waiting.to_fingerprint:
        hint(fingerprint_request, str(request_id))
    served = stores_served()  # what nobody takes would lie in the broker for ever
    _groups_hint(group for group in waiting.to_search if group.store in served)
    for request_id in waiting.to_conclude:
        hint(conclude_request, str(request_id))
    errands.units_release()
    errands.units_give_up()
    for errand_id in errands.errands_idle().values_list("pk", flat=True):
        errand_hint(errand_id)
    asked = (group for group in errands.groups_waiting() if group.store in served)
    _groups_hint(asked, search_errands)
    for errand_id in fetching.fetches_waiting():
        hint(fetch_picture, str(errand_id))


@shared_task(acks_late=True, ignore_result=True)
def retention_run() -> None:
    """Delete what is due."""
    retention.retention_run()
