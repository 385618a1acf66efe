"""The public release API, and the proofs that a receipt opens.

Refusals of its own: `no_release` (404) and `not_released` (409); docs/releases.md lists them.
"""

import json
from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from releases import api_examples as examples
from releases import api_shapes as shapes
from releases import selectors
from releases.proofs import proofs_of
from removal.api.examples import MISTYPED, RECEIPT, UNKNOWN, answered, asked
from removal.api.problems import CONTENT_TYPE, Problem
from removal.api.serializers import Problem as ProblemShape
from removal.api.serializers import ReceiptBody
from removal.api.subject import SubjectView, opened_of
from removal.api.views import ApiView, cacheable, problems


class ReleasesView(ApiView):
    """What was released."""

    @extend_schema(
        operation_id="releases",
        responses={200: shapes.Releases, **problems(406)},
        examples=[answered("One release", {"releases": [examples.RELEASE]})],
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
            answered("What clients get", examples.LATEST),
            answered("No release", examples.NO_RELEASE, 404),
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
        examples=[
            *asked("The receipt", {"receipt": RECEIPT}),
            answered("A row is proven", {"proofs": [examples.PROOF]}),
            MISTYPED,
            UNKNOWN,
            answered("Not yet", examples.NOT_RELEASED, 409),
        ],
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
