"""Speak HTTP to a running site as its three kinds of visitor do: subject, maintainer, anybody."""

import http.cookies
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin

import altcha
import urllib3

OPEN_STATES = {"received", "searching"}


class Unexpected(Exception):
    """The site answered otherwise than the story needs; the sentence says how."""


class Visitor:
    """One visitor with cookies of their own."""

    def __init__(self, site: str) -> None:
        """Visit `site`, its address without a path."""
        self.site = site.rstrip("/")
        self._pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(60))
        self.cookies: dict[str, str] = {}

    def send(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """Send one request and keep the cookies of its answer; redirects are not followed."""
        url = urljoin(f"{self.site}/", path)
        given = {"Origin": self.site, "Referer": url, **(headers or {})}
        if self.cookies:
            given["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self._pool.request(method, url, body=body, headers=given, redirect=False)
        for line in answer.headers.getlist("Set-Cookie"):
            for name, morsel in http.cookies.SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return answer

    def get(self, path: str) -> str:
        """Return a page.

        Raises:
            Unexpected: the status is not 200.
        """
        return _expect(self.send("GET", path), 200, f"GET {path}")

    def post_form(self, path: str, pairs: Iterable[tuple[str, str]]) -> urllib3.BaseHTTPResponse:
        """Send a form's fields as a browser does."""
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.send("POST", path, body=urlencode(list(pairs)).encode(), headers=kind)

    def post_json(self, path: str, value: Mapping[str, object]) -> urllib3.BaseHTTPResponse:
        """Send a JSON object."""
        kind = {"Content-Type": "application/json"}
        return self.send("POST", path, body=json.dumps(value).encode(), headers=kind)


class Subject(Visitor):
    """Somebody who asks for a photo's removal, by the API."""

    def submit(
        self,
        photos: Sequence[Path] = (),
        *,
        note: str = "",
        category: str = "personal",
        urls: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Send a request with the challenge solved; return the answer, receipt included."""
        fields: list[tuple[str, Any]] = [("photos", (p.name, p.read_bytes())) for p in photos]
        fields += [("urls", url) for url in urls]
        fields += [("note", note), ("category", category), ("altcha", self._solved())]
        body, kind = urllib3.encode_multipart_formdata(fields)
        answer = self.send(
            "POST", "api/v1/requests/", body=body, headers={**(headers or {}), "Content-Type": kind}
        )
        return _json(_expect(answer, 201, "POST requests/"))

    def status(self, receipt: str) -> dict[str, Any]:
        """Return the status that the receipt opens."""
        answer = self.post_json("api/v1/status/", {"receipt": receipt})
        return _json(_expect(answer, 200, "POST status/"))

    def searched(self, receipt: str, *, seconds: float = 120) -> dict[str, Any]:
        """Return the status once the search has ended.

        Raises:
            Unexpected: it did not end within `seconds`.
        """
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            status = self.status(receipt)
            if status["state"] not in OPEN_STATES:
                return status
            time.sleep(0.4)
        raise Unexpected(f"the search did not end within {seconds:.0f} s")

    def proofs(self, receipt: str) -> list[dict[str, Any]]:
        """Return the proofs of removal."""
        answer = self.post_json("api/v1/status/proof/", {"receipt": receipt})
        return list(_json(_expect(answer, 200, "POST status/proof/"))["proofs"])

    def _solved(self) -> str:
        given = _json(_expect(self.send("GET", "api/v1/challenge/"), 200, "GET challenge/"))
        if "parameters" not in given:  # UNLIST_POW_COST=0: no work is asked for
            return ""
        challenge = altcha.Challenge.from_dict(given)
        solution = altcha.solve_challenge(challenge)
        if solution is None:
            raise Unexpected("the challenge could not be solved in time: lower UNLIST_POW_COST")
        return str(altcha.Payload(challenge, solution).to_base64())


def _expect(answer: urllib3.BaseHTTPResponse, status: int, what: str) -> str:
    text = answer.data.decode("utf-8", errors="replace")
    if answer.status != status:
        raise Unexpected(f"{what} answered {answer.status} in place of {status}: {text[:300]}")
    return text


def _json(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise Unexpected(f"a JSON object was expected, not {text[:100]}")
    return value
