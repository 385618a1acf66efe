"""What ``doctor`` looks at in the catalog: datasets, index directories, encoders.

Registered as deployment checks, so that they run for ``doctor`` and not before every command.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004
from django.db import DatabaseError

from catalog.checks_machine import database_works
from catalog.models import Dataset, Group
from catalog.selectors import (
    DatasetCoverage,
    datasets_covered,
    encoders_in_use,
    groups_here,
    stores_known,
)
from catalog.stores import REST
from shards import NotADataset, UnknownFormat, open_dataset

_SEARCHING_ROLES = ("all", "worker")


@register("unlist", deploy=True)
def catalog_check(app_configs: object, **kwargs: Any) -> list[CheckMessage]:  # noqa: ARG001
    """Coverage, index directories and encoders; silent where the database does not work."""
    if not database_works():
        return []
    try:
        return [
            *_dataset_findings(),
            *_store_findings(),
            *index_findings(deep=False),
            *_encoder_findings(),
        ]
    except DatabaseError:
        return [
            Error(
                "The database lacks the catalog's tables.",
                hint="Run python manage.py migrate.",
                id="catalog.E001",
            )
        ]


def index_findings(*, deep: bool) -> list[CheckMessage]:
    """What is wrong with the index directories; ``deep`` reads every file against its digest."""
    if not database_works() or settings.UNLIST.role not in _SEARCHING_ROLES:
        return []
    groups = groups_here()
    failed = [_failed(group) for group in groups.filter(state=Group.State.FAILED)]
    return [*failed, *_ready_findings(groups.filter(state=Group.State.READY), deep=deep)]


def _failed(group: Group) -> CheckMessage:
    since = f", since {group.failed_at:%Y-%m-%d %H:%M} UTC" if group.failed_at else ""
    mend = f"Mend the cause, then run python manage.py index_dataset {group.dataset}."
    if group.manifest_sha256:
        mend += " Requests wait for it: it is tried again by itself, at least once an hour."
    return Error(f"Group {group} failed{since}: {group.error}", hint=mend, id="catalog.E002")


def _ready_findings(groups: Iterable[Group], *, deep: bool) -> Iterator[CheckMessage]:
    try:
        from indexer.group.index import IndexGroup  # noqa: PLC0415  # faiss
        from indexer.storage.manifest import GroupUnreadable  # noqa: PLC0415  # with it
    except ImportError as error:
        yield Error(
            f"This process cannot search: {error}.",
            hint="Install requirements.txt, or give it another UNLIST_ROLE.",
            id="catalog.E003",
        )
        return
    for group in groups:
        try:
            opened = IndexGroup.open(group.path)
            if deep:
                opened.verify()
        except GroupUnreadable as error:
            yield Error(
                f"The index of group {group} cannot be used: {error}",
                hint=f"If its disk is away, mount it. Otherwise remove {group.path} and run "
                f"python manage.py index_dataset {group.dataset}.",
                id="catalog.E004",
            )


def _dataset_findings() -> Iterator[CheckMessage]:
    covered = datasets_covered()
    if not covered:
        yield Warning(
            "There is no dataset: requests will wait.",
            hint="Run python manage.py add_dataset, then index_dataset.",
            id="catalog.W001",
        )
    here = settings.UNLIST.stores
    for dataset, one in zip(Dataset.objects.all(), covered, strict=True):
        yield from _coverage_findings(one)
        if here and dataset.store not in here:
            continue  # on another host: its own doctor looks
        try:
            open_dataset(dataset.path, dataset.format)
        except (NotADataset, UnknownFormat) as error:
            yield Warning(
                f"The files of {dataset} cannot be read, so that reviewers see no picture: {error}",
                hint="Mount the disk, or mend the folder's rights.",
                id="catalog.W003",
            )


def _store_findings() -> Iterator[CheckMessage]:
    """Name the stores that this process is told to serve and that hold nothing."""
    for store in settings.UNLIST.stores:
        if store not in {REST, *stores_known()}:
            yield Warning(
                f"UNLIST_STORES names {store}, where no dataset lies.",
                hint="Correct UNLIST_STORES, or add the dataset with add_dataset --store.",
                id="catalog.W004",
            )


def _coverage_findings(one: DatasetCoverage) -> Iterator[CheckMessage]:
    if one.groups == 0 or one.groups_ready < one.groups:
        done = f"{one.groups_ready} of {one.groups} groups" if one.groups else "nothing"
        yield Warning(
            f"Of {one.name}, {done} can be searched.",
            hint=f"Run python manage.py index_dataset {one.name}.",
            id="catalog.W002",
        )


def _encoder_findings() -> Iterator[CheckMessage]:
    if settings.UNLIST.role not in _SEARCHING_ROLES:
        return
    for name in sorted({settings.UNLIST.encoder, *encoders_in_use()}):
        try:
            from indexer.encoder.load import EncoderUnavailable, load_encoder  # noqa: PLC0415  # torch
        except ImportError as error:
            yield Error(
                f"No encoder can be loaded: {error}.",
                hint="Install requirements.txt.",
                id="catalog.E005",
            )
            return
        try:
            load_encoder(name)
        except EncoderUnavailable as error:
            yield Error(str(error), hint="Correct UNLIST_ENCODER.", id="catalog.E006")
