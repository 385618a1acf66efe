"""The API's views: they read what was sent, call the same writers and readers as the pages.

A browser's script from another site is turned away by its Origin; programs that send none pass.
"""

import hashlib
import json
from dataclasses import asdict
from typing import Any, TypedDict

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.utils.cache import get_conditional_response
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog.selectors import DatasetCoverage, datasets_covered
from indexer.decode import DecoderUnavailable
from removal.api import examples
from removal.api import serializers as shapes
from removal.api.problems import CONTENT_TYPE, Problem
from removal.custody.secrets import SecretUnavailable
from removal.intake.gate import GateClosed, GateRefused, challenge_issue, work_spend
from removal.intake.network import network_of
from removal.intake.origin import REFUSAL, same_origin
from removal.intake.submission import IntakeRefused, request_submit, submission_check
from removal.intake.uploads import RETRY_AFTER_SECONDS, UploadRefused, photos_accepted
from removal.models import Category

UNAVAILABLE = "The service cannot take requests at this moment. Nothing was kept; try again later."

LENGTH_REQUIRED = "Send the body whole, with its Content-Length, and not in chunks."


def problems(*statuses: int) -> dict[tuple[int, str], Any]:
    """Describe the problem answers of an operation for the OpenAPI file."""
    meanings = {
        400: "What was sent cannot be taken",
        403: "Sent by a page of another site",
        404: "No request opens with this receipt",
        406: "Only JSON is answered",
        409: "The state forbids it",
        411: "The length of the body is missing",
        413: "Too large",
        415: "Not this content type",
        503: "Busy or not ready",
    }
    return {
        (status, CONTENT_TYPE): OpenApiResponse(shapes.Problem, meanings[status])
        for status in statuses
    }


class ApiView(APIView):
    """What all calls share: POST answers are never stored, secrets missing means 503."""

    http_method_names = [  # noqa: RUF012  # as Django declares it
        "get",
        "head",
        "post",
        "options",
    ]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Turn away forms and scripts of other sites."""
        super().initial(request, *args, **kwargs)
        if request.method == "POST" and not same_origin(request._request):  # noqa: SLF001
            raise Problem("forbidden", str(REFUSAL))
        if "Transfer-Encoding" in request.headers and not request.META.get("CONTENT_LENGTH"):
            raise Problem("length_required", LENGTH_REQUIRED)  # WSGI would read no body at all

    def handle_exception(self, exc: Exception) -> Response:
        """Answer faults that several calls share."""
        if isinstance(exc, SecretUnavailable | DecoderUnavailable):
            exc = Problem("unavailable", UNAVAILABLE, retry_after=600)
        return super().handle_exception(exc)

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        """Keep the answers to questions out of every cache."""
        answer: Response = super().finalize_response(request, response, *args, **kwargs)
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer


class ChallengeView(ApiView):
    """Proof of work."""

    @extend_schema(
        operation_id="challenge",
        responses={200: shapes.Challenge, **problems(406)},
        examples=[examples.answered("A challenge", examples.CHALLENGE)],
    )
    def get(self, request: Request) -> Response:
        """Get an ALTCHA challenge.

        Solve it and send the solution as `altcha`. Where the server asks for no work, the first
        try solves it and the field may be left out.
        """
        network = network_of(request._request)  # noqa: SLF001
        return Response(challenge_issue(network=network))


class RequestsView(ApiView):
    """Making a request."""

    parser_classes = (MultiPartParser,)

    @extend_schema(
        operation_id="request_submit",
        request=shapes.RequestBody,
        responses={201: shapes.SubmittedRequest, **problems(400, 403, 406, 411, 413, 415, 503)},
        examples=[
            examples.uploaded("Photos", examples.ASKED),
            examples.uploaded("Addresses alone", examples.ASKED_BY_ADDRESS),
            examples.answered("Taken", examples.SUBMITTED, 201),
        ],
    )
    def post(self, request: Request) -> Response:
        """Send photos, or web addresses, or both, and get a receipt.

        The receipt is in this answer alone: it cannot be recovered.
        """
        try:
            with photos_accepted(request._request) as upload:  # noqa: SLF001
                data: Any = request.data or QueryDict()  # DRF has a dict for an empty body
                photos = upload.photos()
                words = _words(data)
                submission_check(photos=photos, **words)
                work_spend(
                    payload=str(data.get("altcha", "")),
                    network=network_of(request._request),  # noqa: SLF001
                )
                submitted = request_submit(photos=photos, **words)
        except UploadRefused as refusal:
            raise _upload_problem(refusal) from None
        except GateClosed as closed:
            raise Problem(closed.code, closed.sentence, retry_after=closed.seconds) from None
        except GateRefused as refusal:
            raise Problem(refusal.code, refusal.sentence) from None
        except IntakeRefused as refusal:
            raise _intake_problem(refusal) from None
        return Response(asdict(submitted), status=201)


def _upload_problem(refusal: UploadRefused) -> Problem:
    if refusal.status == 503:
        return Problem(refusal.code, refusal.sentence, retry_after=RETRY_AFTER_SECONDS)
    return Problem(refusal.code, refusal.sentence, refusal.status)


def _intake_problem(refusal: IntakeRefused) -> Problem:
    if refusal.photos:
        answers = [asdict(answer) for answer in refusal.photos]
        return Problem(refusal.code, refusal.sentence, photos=answers)
    return Problem(refusal.code, refusal.sentence)


class _Words(TypedDict):
    """What a submission says beside its photos."""

    urls: list[str]
    note: str
    category: str


def _words(data: Any) -> _Words:
    urls = [str(url).strip() for url in data.getlist("urls")]
    return {
        "urls": [url for url in urls if url],
        "note": str(data.get("note", "")),
        "category": str(data.get("category", "") or Category.PERSONAL.value),
    }


class DatasetsView(ApiView):
    """What is covered."""

    @extend_schema(
        operation_id="datasets",
        responses={200: shapes.CoveredDatasets, **problems(406)},
        examples=[examples.answered("One dataset", examples.DATASETS)],
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List the datasets that are searched, and how far they are indexed."""
        body = json.dumps(
            {"datasets": [_covered(dataset) for dataset in datasets_covered()]},
            cls=DjangoJSONEncoder,
        ).encode()
        return cacheable(request._request, body)  # noqa: SLF001


def _covered(dataset: DatasetCoverage) -> dict[str, Any]:
    indexed = dataset.indexed_on
    facts = {**asdict(dataset), "indexed_on": indexed.date() if indexed else None}
    del facts["store"]  # where it lies is the operator's business
    return facts


def cacheable(request: HttpRequest, body: bytes) -> HttpResponseBase:
    """Answer with public JSON and its ETag, or with 304 where the client has it already."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    response = HttpResponse(body, content_type="application/json")
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "public, max-age=60"
    answer = get_conditional_response(request, etag=etag, response=response)
    return answer if answer is not None else response
