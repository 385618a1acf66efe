"""The public release API, and the proofs that a receipt opens.

Refusals of its own: `no_release` (404) and `not_released` (409); docs/releases.md lists them.
"""

import json
from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from releases import api_shapes as shapes
from releases import selectors
from releases.proofs import proofs_of
from removal.api.problems import CONTENT_TYPE, Problem
from removal.api.serializers import Problem as ProblemShape
from removal.api.serializers import ReceiptBody
from removal.api.subject import SubjectView, opened_of
from removal.api.views import ApiView, cacheable, problems

_EXAMPLE = {
    "list": "public",
    "release": 7,
    "created_on": "2026-03-02",
    "published_on": "2026-03-02",
    "entries": 1204,
    "added": 37,
    "withdrawn": 0,
    "manifest_sha256": "5d0c…",
    "keyset_sha256": "b1f3…",
    "tree_root": "9ae2…",
}
_NO_RELEASE = {
    "type": "urn:unlist:problem:no_release",
    "title": "Not Found",
    "status": 404,
    "detail": "The list 'public' has no release yet.",
    "code": "no_release",
}
_NOT_RELEASED = {
    "type": "urn:unlist:problem:not_released",
    "title": "Conflict",
    "status": 409,
    "detail": "Your rows are in no release yet.",
    "code": "not_released",
}


class ReleasesView(ApiView):
    """What was released."""

    @extend_schema(
        operation_id="releases",
        responses={200: shapes.Releases, **problems(406)},
        examples=[OpenApiExample("One release", {"releases": [_EXAMPLE]}, response_only=True)],
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List the published releases of the public list, the latest first."""
        found = selectors.releases_published()
        return _public(request, {"releases": [selectors.release_facts(one) for one in found]})


class LatestReleaseView(ApiView):
    """What clients get now."""

    @extend_schema(
        operation_id="release_latest",
        responses={
            200: shapes.LatestRelease,
            (404, CONTENT_TYPE): OpenApiResponse(ProblemShape, "Nothing has been released yet"),
            **problems(406),
        },
        examples=[
            OpenApiExample("No release", _NO_RELEASE, response_only=True, status_codes=[404])
        ],
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Show the release that clients get now, with its files and how long it is fresh.

        Programs that apply the list go by the signed metadata (`unlist pull`), not by this.
        """
        try:
            latest = selectors.release_latest()
        except selectors.NotReleased as refusal:
            raise Problem("no_release", str(refusal), 404) from None
        return _public(request, selectors.latest_facts(latest))


class ProofView(SubjectView):
    """The proofs of removal."""

    @extend_schema(
        operation_id="status_proof",
        request=ReceiptBody,
        responses={200: shapes.Proofs, **problems(400, 403, 404, 406, 409, 411, 413, 415, 503)},
        examples=[OpenApiExample("Not yet", _NOT_RELEASED, response_only=True, status_codes=[409])],
    )
    def post(self, request: Request) -> Response:
        """Get the proofs that the rows of a request are in a release.

        Each can be checked offline with `unlist verify-proof`, and shows which release and which
        key, but not which row. Rows that a maintainer removed besides copies have none.
        """
        try:
            return Response({"proofs": proofs_of(opened=opened_of(request))})
        except selectors.NotReleased as refusal:
            raise Problem("not_released", str(refusal), 409) from None


def _public(request: Request, body: dict[str, Any]) -> HttpResponseBase:
    return cacheable(request._request, json.dumps(body).encode())  # noqa: SLF001 - DRF wraps it
