"""Celery tasks: ids in, work elsewhere, all of it idempotent.

A message is a hint. One that is lost, late or sent twice changes nothing: `sweep` finds in the
database what was never sent or what a worker that died left behind.
"""

from typing import Any

from celery import Task, shared_task
from django.db import transaction

from removal import draining, matching, retention

# A hint that no worker took within this time is worthless: the sweep has sent others since.
_HINT_SECONDS = 60


def hint(task: "Task[..., Any]", *args: str | int) -> None:
    """Send a message after commit; a broker that is down costs no more than a log line."""

    def send() -> None:
        task.apply_async(args=args, expires=_HINT_SECONDS, retry=False)

    transaction.on_commit(send, robust=True)


@shared_task(acks_late=True, ignore_result=True)
def fingerprint_request(request_id: str) -> None:
    """Fingerprint a request's photos, then have each group searched."""
    for group_id in matching.request_fingerprint(request_id):
        hint(search_group, group_id)


@shared_task(acks_late=True, ignore_result=True)
def search_group(group_id: int) -> None:
    """Search all that waits for a group, then have finished requests concluded."""
    for request_id in draining.group_drain(group_id):
        hint(conclude_request, str(request_id))


@shared_task(acks_late=True, ignore_result=True)
def conclude_request(request_id: str) -> None:
    """Turn the evidence of all groups into candidates."""
    matching.request_conclude(request_id)


@shared_task(acks_late=True, ignore_result=True)
def sweep() -> None:
    """Send again what was never sent or whose lease ran out, and finish what was left undone."""
    retention.worker_keys_destroy()
    waiting = matching.work_waiting()
    for request_id in waiting.to_fingerprint:
        hint(fingerprint_request, str(request_id))
    for group_id in waiting.to_search:
        hint(search_group, group_id)
    for request_id in waiting.to_conclude:
        hint(conclude_request, str(request_id))


@shared_task(acks_late=True, ignore_result=True)
def retention_run() -> None:
    """Delete what is due."""
    retention.retention_run()
