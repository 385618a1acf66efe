"""The API against its own description: schemathesis finds nothing.

Bodies are drawn from docs/openapi.yaml, those that fit it and those that do not, and sent to the
whole application (middleware, handlers, database). Every answer must be one that the description
knows, in the form that it gives, and no answer may be a fault of ours. The draws are the same in
each run.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from config.wsgi import application
from removal.custody import receipts
from removal.models import Question
from tests.removal import factories
from tests.removal.factories import Case
from tests.removal.web.conftest import photo
from tests.removal.web.test_status_acts import asked  # noqa: F401  # a fixture

SCHEMA = "/api/v1/schema/?format=json"
EXAMPLES = 25
# What the description cannot say: that a receipt's check symbol agrees, that a file is a picture.
UNSAID = [positive_data_acceptance]
OPERATIONS = [
    "GET /api/v1/challenge/",
    "GET /api/v1/datasets/",
    "GET /api/v1/releases/",
    "GET /api/v1/releases/latest/",
    "POST /api/v1/requests/",
    "POST /api/v1/status/",
    "POST /api/v1/status/answer/",
    "POST /api/v1/status/appeal/",
    "POST /api/v1/status/messages/",
    "POST /api/v1/status/photo/delete/",
    "POST /api/v1/status/proof/",
    "POST /api/v1/status/withdraw/",
]
once_more = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def open_connection() -> Iterator[None]:
    """Let the end of a request leave the test's connection open, as Django's test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def described() -> Any:
    """The description that the running application serves."""
    return schemathesis.openapi.from_wsgi(SCHEMA, application)


def strategy(described: Any, operation: str, mode: GenerationMode) -> Any:
    method, path = operation.split()
    return described[path][method].as_strategy(generation_mode=mode)


def test_every_operation_is_tried(described: Any) -> None:
    known = {found.ok().label for found in described.get_all_operations()}
    assert known - {"GET /api/v1/schema/"} == set(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_fits_the_description_gets_an_answer_that_it_knows(
    described: Any, operation: str
) -> None:
    @once_more
    @given(case=strategy(described, operation, GenerationMode.POSITIVE))
    def tried(case: Any) -> None:
        case.call_and_validate(excluded_checks=UNSAID)

    tried()


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.startswith("POST")])
def test_what_does_not_fit_is_refused_as_it_says(described: Any, operation: str) -> None:
    @once_more
    @given(case=strategy(described, operation, GenerationMode.NEGATIVE))
    def tried(case: Any) -> None:
        case.call_and_validate(excluded_checks=UNSAID)

    tried()


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if "status" in one])
def test_real_receipts_in_every_state(
    described: Any,
    operation: str,
    asked: Case,  # noqa: F811
) -> None:
    question = str(Question.objects.get().pk)
    held = [
        asked,
        factories.received(),
        factories.no_match(),
        factories.decided(approve=(), reason="unfounded"),
    ]
    if "proof" not in operation:  # this one has no release's files to prove anything from
        held.append(factories.released())
    codes = [*[case.receipt for case in held], receipts.mint()]

    @once_more
    @given(
        case=strategy(described, operation, GenerationMode.POSITIVE),
        code=st.sampled_from(codes),
        known=st.booleans(),
    )
    def tried(case: Any, code: str, known: bool) -> None:
        case.body["receipt"] = code
        if known and "question" in case.body:
            case.body["question"] = question
        answer = case.call_and_validate(excluded_checks=UNSAID)
        assert answer.status_code in {200, 400, 404, 409}

    tried()


def test_real_photos_with_any_words(described: Any) -> None:
    picture = photo().read()

    @once_more
    @given(case=strategy(described, "POST /api/v1/requests/", GenerationMode.POSITIVE))
    def tried(case: Any) -> None:
        words = case.body if isinstance(case.body, dict) else {}
        case.body = {**words, "photos": [picture], "urls": []}
        case.media_type = "multipart/form-data"
        # A picture put in afterwards is, to schemathesis, none of its own valid values.
        answer = case.call_and_validate(excluded_checks=[*UNSAID, negative_data_rejection])
        assert answer.status_code == 201

    tried()
