"""Taking a dataset out again: it is searched no more, and its indexes are deleted.

Its files stay where they are; what was decided about its rows stays too, for decisions name rows by
what a dataset stores of them. A run that was killed half-way is finished by running it again.
"""

import shutil

from django.db import transaction

from catalog.locks import indexing_lock
from catalog.models import Dataset, indexes_path
from catalog.selectors import dataset_get
from catalog.signals import dataset_leaving


class DatasetInUse(RuntimeError):
    """Somebody still needs the dataset; each sentence says who and until when."""

    def __init__(self, dataset: str, objections: list[str]) -> None:
        super().__init__(f"{dataset!r} cannot be taken out now: {' '.join(objections)}")


def dataset_remove(*, name: str) -> int:
    """Take a dataset out of the catalog and delete its indexes; returns how many groups it had.

    Raises:
        DatasetUnknown: there is no such dataset, nor anything left of one.
        DatasetInUse: see there; nothing was changed.
        IndexingElsewhere: it is being indexed.
    """
    folder = indexes_path(name)
    if not folder.is_dir():
        return _forget(name)
    with indexing_lock(name):
        left_over = not Dataset.objects.filter(name=name).exists()
        groups = 0 if left_over else _forget(name)
        shutil.rmtree(folder)
    return groups


def _forget(name: str) -> int:
    with transaction.atomic():
        dataset = dataset_get(name)
        answers = dataset_leaving.send(sender=Dataset, dataset=dataset)
        if objections := [answer for _, answer in answers if answer]:
            raise DatasetInUse(name, objections)
        groups = dataset.groups.count()
        dataset.groups.all().delete()
        dataset.delete()
    return groups
