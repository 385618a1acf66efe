"""What the tests of the site share: a browser that checks what the site may rely on."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from removal.intake.gate import ticket_issue
from tests.removal import factories


@pytest.fixture(autouse=True)
def _site(db: None, _own_folders: None) -> None:
    """Make the keys that every page needs."""
    factories.secrets_made()


@pytest.fixture
def visitor() -> Client:
    """Return a browser without cookies, for which Django's CSRF check is in force."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def maintainer() -> Client:
    """Return the browser of a member of staff."""
    client = Client()
    factories.sign_in(client)
    return client


def photo(data: bytes | None = None, name: str = "holiday-of-jane.jpg") -> SimpleUploadedFile:
    """Return a file as a browser sends it."""
    return SimpleUploadedFile(name, factories.photo_bytes() if data is None else data)


def form(*photos: SimpleUploadedFile, **fields: str) -> dict[str, object]:
    """Return the fields of the request form, with a fresh ticket."""
    words = {"urls": "", "note": "", "category": "personal", "ticket": ticket_issue()}
    return {**words, "photos": list(photos), **fields}
