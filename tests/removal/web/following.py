"""A subject's browser in the tests: it enters the code and keeps the cookies."""

from typing import Any

from django.test import Client

from removal.site import session


def begin(client: Client, receipt: str) -> Any:
    """Enter a code; return the answer, which is a redirect where it opened."""
    return client.post("/status/", {"receipt": receipt})


def shown(client: Client, receipt: str) -> str:
    """Enter a code and return the page that it opens."""
    answer = begin(client, receipt)
    assert answer.status_code == 303, answer.content.decode()[:2000]
    page = client.get("/status/")
    assert page.status_code == 200
    return str(page.content.decode())


def noted(client: Client, path: str, fields: dict[str, Any]) -> str:
    """Act, follow to the page, and return it."""
    answer = client.post(path, fields)
    assert answer.status_code == 303, answer.content.decode()[:2000]
    assert answer.headers["Location"].startswith("/status/")
    return str(client.get("/status/").content.decode())


def cookie(client: Client, name: str) -> Any:
    """Return a cookie of a session, as the browser holds it."""
    return client.cookies[session.cookie_name(name)]
