"""What `doctor` looks at in removal: secrets and who can read them, the stores, retention's pulse.

They are deployment checks with the tag "unlist": `doctor` and `check --deploy` run them, ordinary
commands do not, for `make_secrets` must run while secrets are missing, and `migrate` before there
are tables.
"""

import datetime as dt
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Info, register
from django.db import DatabaseError
from django.db.models import Q
from django.utils import timezone

from catalog.stores import REST, stores_served
from removal.custody import blobs, rotation, secrets, shred
from removal.life import retention
from removal.models import RemovalRequest, RetentionRun, SearchUnit, State
from removal.search.leases import FRAIL
from removal.search.matching import groups_waiting

_ROLES: Final = ("public", "staff", "worker", "release")
ROTATION_LATE: Final = dt.timedelta(days=1)
_Fault: Final = SearchUnit.Fault
_FAULTS: Final[Mapping[str, str]] = {
    _Fault.GROUP_UNAVAILABLE: "its index cannot be opened",
    _Fault.ENCODER_MISSING: "their photos are fingerprinted again, by its index's encoder",
    _Fault.PICTURES_UNAVAILABLE: "the dataset's pictures cannot be reached to compare them",
    _Fault.KEY_GONE: "the worker cannot open what it is to search by",
    "": "workers died while they searched it",
}
_MENDS: Final[Mapping[str, str]] = {
    _Fault.GROUP_UNAVAILABLE: "Mount its disk, or run python manage.py index_dataset {dataset}; "
    "the searches then go on by themselves.",
    _Fault.ENCODER_MISSING: "It goes on by itself. If it does not, the index was made by another "
    "version of the encoder: run python manage.py index_dataset {dataset} --changed.",
    _Fault.PICTURES_UNAVAILABLE: "Mount its disk. After some tries the rows are judged without.",
    _Fault.KEY_GONE: "Mount the shred store for the worker; a key that was destroyed on purpose "
    "ends its request by itself.",
    "": "Read the worker's log; an index that is damaged is built anew by index_dataset.",
}


@register("unlist", deploy=True)
def secrets_check(**_: Any) -> list[CheckMessage]:
    """Each secret of the role is there, for this user alone; those of others cannot be read."""
    return [*_own_secrets(), *_others_secrets(), *_pairs(), *_peppers()]


@register("unlist", deploy=True)
def operator_check(**_: Any) -> list[CheckMessage]:
    """The privacy page and every refusal can say who answers for the service."""
    if settings.UNLIST.operator_named:
        return []
    return [
        checks.Warning(
            "Nobody is named as the one who runs this service.",
            hint="Set UNLIST_OPERATOR_NAME: people have a right to know, and to complain.",
            id="removal.W001",
        )
    ]


@register("unlist", deploy=True)
def stores_check(**_: Any) -> list[CheckMessage]:
    """Blobs and shred keys can be written, and the shred keys are apart from the data."""
    return [
        Error(
            f"{folder} cannot be written.",
            hint=f"Give the folder to the user of this process: chown it, and chmod 700 {folder}",
            id="removal.E010",
        )
        for folder in (blobs.folder(), shred.folder())
        if not _writable(folder)
    ]


@register("unlist", deploy=True)
def retention_check(**_: Any) -> list[CheckMessage]:
    """Retention ran within the last day, once there is something to delete."""
    late = retention.retention_late() if _tables_there() else None
    if late is None:
        return []
    return [
        Error(
            f"Retention {late}: photos and cases stay longer than promised.",
            hint="Start the scheduler (celery beat), or run `python manage.py shred_expired` now.",
            id="removal.E020",
        )
    ]


@register("unlist", deploy=True)
def search_check(**_: Any) -> list[CheckMessage]:
    """No search stands still, for want of a worker or for a fault."""
    if not _tables_there():
        return []
    return [*_unserved(), *_stuck()]


def _unserved() -> Iterator[CheckMessage]:
    """Name the stores that units wait for and no worker serves; likewise the rest."""
    waiting = Counter(group.store for group in groups_waiting())
    served = stores_served()
    for store in sorted(waiting.keys() - served):
        yield checks.Warning(
            f"Requests wait for {waiting[store]:,} groups of the store {store}, and no worker "
            "serves it.",
            hint=f"Start a worker where {store} is mounted, with {store} in its UNLIST_STORES, or "
            "without UNLIST_STORES: celery --app config worker --pool threads.",
            id="removal.W010",
        )
    if REST not in served and RemovalRequest.objects.filter(state=State.RECEIVED).exists():
        yield checks.Warning(
            "Requests wait to be fingerprinted, and no worker does that.",
            hint=f"Start a worker without UNLIST_STORES, or with {REST} among them.",
            id="removal.W011",
        )


def _stuck() -> Iterator[CheckMessage]:
    """Name the groups that units failed in, why, and how many requests wait for each."""
    units = SearchUnit.objects.filter(request__state=State.SEARCHING, group__isnull=False)
    stuck = units.filter(Q(state=SearchUnit.State.FAILED) | Q(attempts__gte=FRAIL))
    facts = stuck.exclude(state=SearchUnit.State.DONE).values_list(
        "group__dataset__name", "group__number", "error"
    )
    for (dataset, number, fault), waiting in sorted(Counter(facts).items()):
        yield Error(
            f"{waiting:,} requests wait for group {dataset}/{number}: "
            f"{_FAULTS.get(fault, _FAULTS[''])}.",
            hint=_MENDS.get(fault, _MENDS[""]).format(dataset=dataset),
            id="removal.E030",
        )


def _tables_there() -> bool:
    """Tell whether the database answers and has tables; the catalog's checks say if it does not."""
    try:
        RemovalRequest.objects.exists()
        SearchUnit.objects.exists()
        RetentionRun.objects.exists()
    except DatabaseError:
        return False
    return True


def _own_secrets() -> Iterator[CheckMessage]:
    for secret in secrets.SECRETS:
        if secret.role not in secrets.roles_readable():
            continue
        try:
            secrets.secret_held(secret)
        except secrets.SecretUnavailable as error:
            yield Error(str(error), hint="Run `python manage.py make_secrets`.", id="removal.E001")
            continue
        if secret.path.stat().st_mode & 0o077:
            yield Error(
                f"{secret.path} with {secret.says} can be read by other users.",
                hint=f"chmod 600 {secret.path}",
                id="removal.E002",
            )


def _others_secrets() -> Iterator[CheckMessage]:
    role, folder = settings.UNLIST.role, settings.UNLIST.secret_dir
    if role == "all":
        yield Info(
            "UNLIST_ROLE=all: one process can read the secrets of every role.",
            hint="Run public, staff, worker and release as separate users for real requests.",
            id="removal.I001",
        )
        return
    for other in _ROLES:
        if other != role and _readable(folder / other):
            yield Error(
                f"This process, with UNLIST_ROLE={role}, can read the secrets of {other}.",
                hint=f"Mount or chown {folder / other} for that role's user alone.",
                id="removal.E003",
            )


def _pairs() -> Iterator[CheckMessage]:
    """Each public half belongs to its private half; no rotation of a pair was left halfway."""
    for name, pair in rotation.PAIRS.items():
        if pair.private.role not in secrets.roles_readable():
            continue
        try:
            belong = rotation.pair_matches(pair)
            retired = rotation.retired_since(pair.private)
        except (secrets.SecretUnavailable, FileNotFoundError):
            continue  # told by `_own_secrets`, or destroyed just now
        if not belong:
            yield Error(
                f"What is sealed to {pair.public.path} does not open with {pair.private.path}.",
                hint=f"If a rotation was interrupted: python manage.py rotate_secret {name}. "
                "Else restore the two files that belong together.",
                id="removal.E004",
            )
        if retired is not None and timezone.now() - retired > ROTATION_LATE:
            yield checks.Warning(
                f"The rotation of the {name}'s key pair, begun on {retired:%Y-%m-%d}, is not done: "
                "the old private half is still there.",
                hint=f"Run python manage.py rotate_secret {name}: it goes on and says what it "
                "waits for.",
                id="removal.W002",
            )


def _peppers() -> Iterator[CheckMessage]:
    """No retired pepper outlives the requests that were made under it."""
    if secrets.PEPPER.role not in secrets.roles_readable() or not _tables_there():
        return
    try:
        late = rotation.peppers_overdue(ROTATION_LATE)
    except (secrets.SecretUnavailable, FileNotFoundError):
        return  # told by `_own_secrets`, or destroyed just now
    for path in late:
        yield checks.Warning(
            f"The retired pepper {path} is not needed any more and still there.",
            hint="Run python manage.py shred_expired where the folder public/ lies.",
            id="removal.W003",
        )


def _readable(folder: Path) -> bool:
    """Tell whether any file of a folder can be read by this process."""
    return os.access(folder, os.R_OK | os.X_OK) and any(
        os.access(path, os.R_OK) for path in folder.iterdir() if path.is_file()
    )


def _writable(folder: Path) -> bool:
    """Tell whether files can be made in a folder, or the folder itself can be made."""
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK)
