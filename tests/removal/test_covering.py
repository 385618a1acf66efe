"""A dataset is not taken out from under the requests that are searched in it."""

import pytest
from django.core.management import CommandError, call_command

from catalog.models import Dataset
from removal.search import fingerprinting
from tests.removal.factories import FakeSearcher, catalog_group, in_review, received

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]


def test_open_searches_object() -> None:
    case = received()
    catalog_group()
    fingerprinting.request_fingerprint(case.request_id, searcher=FakeSearcher([]))
    with pytest.raises(CommandError, match="1 open requests are being searched in it"):
        call_command("remove_dataset", "sample")
    assert Dataset.objects.exists()


def test_requests_that_were_searched_do_not() -> None:
    in_review()
    call_command("remove_dataset", "sample")
    assert not Dataset.objects.exists()
