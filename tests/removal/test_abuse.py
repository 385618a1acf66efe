"""Signs of abuse: raised with their numbers, seen and noted, and never in anybody's way."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest

from removal.audit import audit_verify
from removal.life import abuse
from removal.life.abuse import flag_words, flags_raise, flags_see, organization_flag
from removal.models import AuditEntry, Flag, RemovalRequest, State, today
from tests.removal import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("made_secrets")]


def flags(case: factories.Case) -> dict[str, Mapping[str, Any]]:
    return {flag.code: flag.detail for flag in Flag.objects.filter(request=case.request_id)}


def cropped(overlap: float | None, key: str = "000000002") -> list[Any]:
    found = factories.match("copy", key=key)
    evidence = type(found.evidence)(**{**vars_of(found.evidence), "overlap": overlap})
    return [factories.match("copy", key=key, evidence=evidence)]


def vars_of(evidence: Any) -> dict[str, Any]:
    return {name: getattr(evidence, name) for name in evidence.__dataclass_fields__}


def test_a_few_requests_for_the_same_rows_are_nothing() -> None:
    cases = [factories.in_review() for _ in range(abuse.MANY_REQUESTS - 1)]
    assert [flags(case) for case in cases] == [{}] * len(cases)


def test_many_requests_for_the_same_rows_are_flagged_with_how_many() -> None:
    *_, last = [factories.in_review() for _ in range(abuse.MANY_REQUESTS)]
    assert flags(last) == {abuse.MANY: {"requests": abuse.MANY_REQUESTS, "days": 30}}
    entry = AuditEntry.objects.get(act="flagged")
    assert entry.detail == {"sign": abuse.MANY, "requests": abuse.MANY_REQUESTS, "days": 30}
    assert last.request.state == State.IN_REVIEW  # and goes on like any other
    assert audit_verify().seq == AuditEntry.objects.count()


def test_requests_of_long_ago_and_for_other_rows_do_not_count() -> None:
    cases = [factories.in_review() for _ in range(abuse.MANY_REQUESTS)]
    RemovalRequest.objects.update(received_on=today() - dt.timedelta(days=abuse.DAYS + 1))
    assert flags(factories.in_review()) == {}
    elsewhere = [factories.match("copy", key="000000077")]
    assert flags(factories.in_review(elsewhere)) == {}
    assert len(cases) == abuse.MANY_REQUESTS


def test_look_alikes_alone_are_no_sign() -> None:
    similar = [factories.match("similar", key="000000003", score=0.4)]
    for _ in range(abuse.MANY_REQUESTS + 1):
        assert flags(factories.in_review(similar)) == {}


def test_a_crop_of_what_others_asked_for_is_flagged() -> None:
    for _ in range(abuse.CROP_REQUESTS - 1):
        assert flags(factories.in_review(cropped(0.4))) == {}
    assert abuse.CROPS in flags(factories.in_review(cropped(0.4)))
    assert abuse.CROPS not in flags(factories.in_review(cropped(0.95)))
    assert abuse.CROPS not in flags(factories.in_review(cropped(None)))


def test_artwork_by_the_dozen_in_one_request() -> None:
    urls = [f"https://a.example/{n}.jpg" for n in range(abuse.ARTWORK_ITEMS - 1)]
    case = factories.in_review(category="artwork", urls=urls)
    assert flags(case)[abuse.BULK_ARTWORK]["items"] == abuse.ARTWORK_ITEMS
    assert flags(factories.in_review(category="personal", urls=urls)) == {}


def test_artwork_by_the_dozen_on_one_day() -> None:
    cases = [
        factories.in_review([factories.match("copy", key=f"{n:09}")], category="artwork")
        for n in range(abuse.ARTWORK_DAY)
    ]
    assert abuse.BULK_ARTWORK not in flags(cases[0])
    assert flags(cases[-1])[abuse.BULK_ARTWORK]["requests"] == abuse.ARTWORK_DAY


@pytest.mark.parametrize(
    ("domains", "raised"),
    [
        (["shop.example"] * 10, True),
        (["shop.example"] * 9, False),
        (["shop.example"] * 10 + ["b.example"] * 2, True),
        (["shop.example"] * 10 + ["b.example"] * 5, False),
        ([], False),
    ],
)
def test_rows_of_one_domain_are_flagged_without_the_domain(
    domains: list[str], raised: bool
) -> None:
    case = factories.in_review()
    assert organization_flag(request=case.request, domains=domains) is raised
    assert (abuse.ORGANIZATION in flags(case)) is raised
    assert "shop" not in str([*Flag.objects.values(), *AuditEntry.objects.values()])


def test_a_sign_is_raised_once_and_weighed_by_somebody() -> None:
    *_, case = [factories.in_review() for _ in range(abuse.MANY_REQUESTS)]
    request, reviewer = case.request, factories.staff_user()
    assert flags_raise(request, []) == []
    assert flags_see(request=request, reviewer=reviewer) == 1
    assert flags_see(request=request, reviewer=reviewer) == 0
    assert Flag.objects.get().seen_by == reviewer
    assert AuditEntry.objects.filter(act="flags_seen", actor=f"staff:{reviewer.pk}").count() == 1


def test_every_sign_says_its_numbers_in_words() -> None:
    details = {
        abuse.MANY: {"requests": 7, "days": 30},
        abuse.CROPS: {"requests": 4, "days": 30},
        abuse.ORGANIZATION: {"rows": 11, "of": 12},
        abuse.BULK_ARTWORK: {"items": 9, "requests": 21, "usual": 2},
    }
    for code, detail in details.items():
        said = flag_words(code, detail)
        assert all(str(number) in said for number in detail.values()), said
