"""Datasets and their index groups.

A group is a run of whole shards. Its index directory is immutable: a group is ``ready`` exactly
when that directory was complete at the time of writing, and its path follows from the dataset's
name and the group's number, so that the database never points elsewhere.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import models

if TYPE_CHECKING:
    from django_stubs_ext.db.models.manager import RelatedManager


STORE_DEFAULT: Final = "local"
"""The store of a dataset that was added without naming one."""


class Dataset(models.Model):
    """A dataset that people may ask to be taken off."""

    name = models.SlugField(max_length=100, unique=True)
    title = models.CharField(max_length=200)
    format = models.CharField(max_length=40)
    path = models.CharField(max_length=1000, help_text="a folder or any fsspec URL")
    revision = models.CharField(max_length=100, blank=True)
    encoder = models.CharField(max_length=200, help_text="open_clip model name / pretrained tag")
    store = models.SlugField(
        max_length=40, default=STORE_DEFAULT, help_text="which disk, mount or bucket holds it"
    )
    rows = models.BigIntegerField(default=0)
    facts = models.JSONField(default=dict, help_text="what the reader found when it was added")
    added_on = models.DateTimeField(auto_now_add=True)

    if TYPE_CHECKING:
        groups: RelatedManager["Group"]

    class Meta:
        """Datasets go by name."""

        ordering = ["name"]  # noqa: RUF012  # Django reads a plain list

    def __str__(self) -> str:
        return self.name


class Group(models.Model):
    """A run of whole shards with one index directory."""

    class State(models.TextChoices):
        """Where a group stands."""

        PENDING = "pending"
        READY = "ready"
        FAILED = "failed"

    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="groups")
    number = models.PositiveIntegerField()
    shards = models.JSONField(default=list, help_text="name, rows, bytes, identity of each shard")
    rows = models.BigIntegerField(default=0, help_text="rows in the shards' tables")
    rows_indexed = models.BigIntegerField(default=0)
    refused = models.JSONField(default=dict, help_text="what was left out, by reason")
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    error = models.TextField(blank=True)
    failed_at = models.DateTimeField(null=True, blank=True, help_text="since when it fails")
    indexed_on = models.DateTimeField(null=True, blank=True)
    manifest_sha256 = models.CharField(
        max_length=64, blank=True, help_text="of the index that requests are searched in"
    )
    encoder = models.CharField(
        max_length=200, blank=True, help_text="by which that index was made; empty: the dataset's"
    )

    lease_token = models.UUIDField(null=True, blank=True, help_text="of the worker indexing it")
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0, help_text="to index it, since it last was")

    class Meta:
        """Groups are numbered within their dataset."""

        ordering = ["dataset", "number"]  # noqa: RUF012  # Django reads a plain list
        constraints = [  # noqa: RUF012
            models.UniqueConstraint(fields=["dataset", "number"], name="group_number_unique")
        ]

    def __str__(self) -> str:
        return f"{self.dataset.name}/{self.number}"

    @property
    def encoder_name(self) -> str:
        """The encoder by which a query must be embedded to be searched in this group."""
        return self.encoder or self.dataset.encoder

    @property
    def path(self) -> Path:
        """The index directory, whether or not it is there yet."""
        return indexes_path(self.dataset.name) / str(self.number)


class WorkerStore(models.Model):
    """A store and when a worker last said that it serves it; nothing says which worker or where."""

    store = models.SlugField(max_length=40, unique=True)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.store


def indexes_path(dataset: str) -> Path:
    """The folder that holds a dataset's index directories."""
    return settings.UNLIST.data_dir / "indexes" / dataset
