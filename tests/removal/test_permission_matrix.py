"""Who gets in where: every role at every address by every method, and every action of the admin.

The addresses come from the URL configuration and the actions from the admin's registry: a page or
an action without a rule here fails, and so does a rule without a page.
"""

import copy
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver

import config.urls
from catalog.models import Dataset
from catalog.models import Group as IndexGroup
from releases.models import ListEntry, Release
from removal.life.escalation import request_escalate
from removal.life.proposals import decision_propose
from removal.models import SavedView, today
from removal.permissions import ROLES
from tests.removal import factories
from tests.removal.sweeping import started

pytestmark = pytest.mark.django_db

REVIEWERS: Final = frozenset({"reviewer", "approver", "escalation"})
DECIDERS: Final = frozenset({"approver"})
READERS: Final = REVIEWERS | {"auditor"}
RELEASES: Final = frozenset({"reviewer", "approver", "release manager", "auditor", "operator"})
LEDGER: Final = frozenset({"release manager", "auditor"})
AUDITOR: Final = frozenset({"auditor"})
ESCALATION: Final = frozenset({"escalation"})
SUPERUSER: Final = frozenset[str]()
"""A superuser gets in wherever anybody does."""
STAFF: Final = frozenset({*ROLES, "no role"})
NOBODY: Final = None
"""Nobody at all gets in."""
ANYBODY: Final = STAFF | {"stranger", "password alone"}
WHO: Final = ("stranger", "password alone", "no role", *ROLES, "superuser")

Who = frozenset[str] | None


@dataclass(frozen=True)
class Rule:
    """Who gets in by GET and by POST."""

    get: Who
    post: Who


def looked_at(label: str, who: frozenset[str]) -> dict[str, Rule]:
    """Return the rules of a model that the admin shows and nobody changes there."""
    return {
        f"{label}_changelist": Rule(who, who),
        f"{label}_add": Rule(NOBODY, NOBODY),
        f"{label}_history": Rule(who, who),
        f"{label}_delete": Rule(NOBODY, NOBODY),
        f"{label}_change": Rule(who, NOBODY),
        f"admin/{label.replace('_', '/')}/<path:object_id>/": Rule(STAFF, STAFF),  # to `change`
    }


RULES: Final[Mapping[str, Rule]] = {
    # signing in
    "login": Rule(ANYBODY, ANYBODY),
    "login_code": Rule(ANYBODY, ANYBODY),
    "login_set_up": Rule(ANYBODY, ANYBODY),
    "logout": Rule(NOBODY, STAFF),
    "second_factor": Rule(STAFF, STAFF),
    "password_change": Rule(STAFF, STAFF),
    "password_change_done": Rule(STAFF, NOBODY),
    # the front
    "index": Rule(STAFF, STAFF),
    "app_list": Rule(STAFF, STAFF),
    "jsi18n": Rule(STAFF, NOBODY),
    "autocomplete": Rule(NOBODY, NOBODY),
    "admin/(?P<url>.*)$": Rule(STAFF, STAFF),  # not found
    # requests
    "removal_removalrequest_changelist": Rule(READERS, READERS),
    "removal_removalrequest_change": Rule(READERS, REVIEWERS),
    "removal_next": Rule(NOBODY, REVIEWERS),
    "removal_bulk": Rule(NOBODY, REVIEWERS),
    "removal_view_save": Rule(NOBODY, READERS),
    "removal_view_delete": Rule(NOBODY, READERS),
    "removal_claim": Rule(NOBODY, REVIEWERS),
    "removal_release": Rule(NOBODY, REVIEWERS),
    "removal_desk_settings": Rule(REVIEWERS, REVIEWERS),
    "removal_photo": Rule(REVIEWERS, REVIEWERS),
    "removal_row": Rule(REVIEWERS, REVIEWERS),
    "removal_pair": Rule(REVIEWERS, REVIEWERS),
    "removal_fetch": Rule(NOBODY, REVIEWERS),
    "removal_undo": Rule(NOBODY, REVIEWERS),
    "removal_confirm": Rule(NOBODY, DECIDERS),
    "removal_refuse": Rule(NOBODY, DECIDERS),
    "removal_extend": Rule(NOBODY, REVIEWERS),
    "removal_flags_seen": Rule(NOBODY, REVIEWERS),
    "removal_duplicates": Rule(NOBODY, REVIEWERS),
    "removal_message": Rule(NOBODY, REVIEWERS),
    "removal_question": Rule(NOBODY, REVIEWERS),
    "removal_escalate": Rule(REVIEWERS, REVIEWERS),
    "removal_hold_end": Rule(NOBODY, ESCALATION),
    "removal_escalation_return": Rule(NOBODY, ESCALATION),
    "removal_procedure": Rule(REVIEWERS, NOBODY),
    # sweeps
    "removal_sweeps": Rule(READERS, REVIEWERS),
    "removal_sweep": Rule(READERS, REVIEWERS),
    "removal_sweep_dismiss": Rule(NOBODY, REVIEWERS),
    "removal_sweep_row": Rule(REVIEWERS, REVIEWERS),
    "removal_sweep_undo": Rule(NOBODY, REVIEWERS),
    "removal_sweep_confirm": Rule(NOBODY, DECIDERS),
    "removal_sweep_refuse": Rule(NOBODY, DECIDERS),
    # the audit log
    "removal_auditentry_changelist": Rule(AUDITOR, AUDITOR),
    "removal_auditentry_export": Rule(NOBODY, AUDITOR),
    "removal_auditentry_verify": Rule(NOBODY, AUDITOR),
    # taking rows off the list
    "releases_unlist": Rule(DECIDERS | LEDGER, DECIDERS | LEDGER),
    "releases_unlist_propose": Rule(NOBODY, DECIDERS),
    "releases_unlist_rows": Rule(NOBODY, DECIDERS),
    "releases_unlist_confirm": Rule(NOBODY, DECIDERS),
    "releases_unlist_refuse": Rule(NOBODY, DECIDERS),
    "releases_unlist_undo": Rule(NOBODY, DECIDERS),
    # what commands and decisions make
    **looked_at("releases_release", RELEASES),
    **looked_at("releases_listentry", LEDGER),
    **looked_at("catalog_dataset", RELEASES),
    **looked_at("catalog_group", RELEASES),
    # accounts
    **looked_at("auth_group", SUPERUSER),
    **looked_at("auth_user", SUPERUSER),
    "auth_user_add": Rule(SUPERUSER, SUPERUSER),
    "auth_user_change": Rule(SUPERUSER, SUPERUSER),
    "auth_user_password_change": Rule(SUPERUSER, SUPERUSER),
}

PUBLIC: Final = {
    *("health/live", "health/ready", "metrics"),
    *("home", "request", "receipt-save", "receipt-kept", "receipt-remind", "status"),
    *("status-answer", "status-appeal", "status-leave", "status-left", "status-messages"),
    *("status-photo", "status-photo-delete", "status-withdraw", "status-proof"),
    *("datasets", "privacy", "releases", "transparency", "transparency-json"),
    *("metadata", "target"),
    *("api-challenge", "api-requests", "api-status", "api-status-answer", "api-status-appeal"),
    *("api-status-messages", "api-status-photo-delete", "api-status-withdraw", "api-datasets"),
    *("api-schema", "api-releases", "api-releases-latest", "api-status-proof"),
}
"""Pages that are the same whoever of the staff has a session: the subject's, and anybody's."""

ACTIONS: Final[Mapping[tuple[str, str], frozenset[str]]] = {
    ("removal.RemovalRequest", "approve_sure"): REVIEWERS,
    ("auth.User", "unlock"): SUPERUSER,
    ("auth.User", "reset_second_factor"): SUPERUSER,
}


@dataclass(frozen=True)
class Address:
    """An address of the URL configuration."""

    key: str
    """Its name, or its route where it has none."""
    route: str
    pattern: URLPattern

    @property
    def staff(self) -> bool:
        return self.route.startswith("admin/")


def addresses(
    patterns: Iterable[URLPattern | URLResolver] | None = None, before: str = ""
) -> Iterator[Address]:
    for one in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from addresses(one.url_patterns, route)
        else:
            named = one.name if one.name and not route.startswith("health/") else None
            yield Address(named or route, route, one)


# --- completeness: these fail when a page comes or goes ------------------------------------------


def test_every_address_has_a_rule_and_every_rule_an_address() -> None:
    there = list(addresses())
    assert {one.key for one in there if one.staff} == set(RULES)
    assert {one.key for one in there if not one.staff} == PUBLIC


def test_every_action_has_a_rule_and_every_rule_an_action() -> None:
    there = {
        (model._meta.label, name)
        for model, model_admin in admin.site._registry.items()
        for name in dict.fromkeys(model_admin.actions or ())
    }
    assert there == set(ACTIONS)


def test_every_role_is_tried() -> None:
    named = set().union(*(who for rule in RULES.values() for who in (rule.get, rule.post) if who))
    assert named == set(ANYBODY)
    assert set(Group.objects.values_list("name", flat=True)) == set(ROLES)


def test_a_public_process_has_no_address_of_the_admin() -> None:
    public = list(addresses(config.urls._BY_ROLE["public"]))
    assert public
    assert not [one for one in public if one.staff]
    assert all(config.urls._BY_ROLE.get(role) is None for role in ("worker", "release"))
    staff = list(addresses(config.urls._BY_ROLE["staff"]))
    assert all(one.staff for one in staff)


# --- the matrix ----------------------------------------------------------------------------------


@pytest.fixture
def world(made_secrets: None) -> dict[str, Any]:
    """Something behind every address."""
    case, other = factories.in_review(), factories.in_review(category="child")
    proposer = person("reviewer", name="proposer")
    proposal = decision_propose(
        request_id=other.request_id,
        reviewer=proposer,
        approve=[],
        deny_reason="unfounded",
        statement="",
        tier=None,
        seen=other.request.state_seq,
    )
    group = IndexGroup.objects.get()
    release = Release.objects.create(
        list_name="public",
        number=1,
        created_on=today(),
        audit_seq=1,
        entries=1,
        added=1,
        withdrawn=0,
    )
    entry = ListEntry.objects.create(
        list_name="public", tier="exact", kind="url", key=b"k" * 16, added_on=today()
    )
    return {
        "request_id": case.request_id,
        "photo_id": case.request.photos.get().pk,
        "candidate_id": case.candidates[0].pk,
        "proposal_id": proposal.id,
        "errand_id": started("sweeper").pk,
        "row_id": uuid.UUID(int=4 << 76 | 8 << 60),
        "view_id": SavedView.objects.create(name="mine", query="show=all", owner=proposer).pk,
        "id": proposer.pk,
        "app_label": "removal",
        "url": "nothing/",
        "objects": {
            "releases_release": release.pk,
            "releases_listentry": entry.pk,
            "catalog_dataset": Dataset.objects.get().pk,
            "catalog_group": group.pk,
            "auth_user": proposer.pk,
            "auth_group": Group.objects.get(name="auditor").pk,
        },
    }


def person(role: str, *, name: str = "") -> User:
    """Return a member of staff with one role."""
    if role == "superuser":
        return factories.staff_user()
    user = User.objects.create_user(name or f"the {role}", password="x", is_staff=True)
    if role in ROLES:
        user.groups.add(Group.objects.get(name=role))
    return user


def browser_of(role: str) -> Client:
    client = Client()
    if role == "password alone":  # a session as if the second factor had been passed over
        client.force_login(person("no role"))
    elif role != "stranger":
        factories.sign_in(client, person(role))
    return client


def path_of(address: Address, world: Mapping[str, Any]) -> str:
    """Return the address with what is behind it."""
    names = list(address.pattern.pattern.converters) or list(
        address.pattern.pattern.regex.groupindex
    )
    path = address.route.replace("^", "").replace("$", "")
    for name in names:
        value = world.get(name, "")
        if name == "object_id":
            label = "_".join(address.route.split("/")[1:3])
            value = world["objects"].get(label, "1")
        start = max(path.find(f":{name}>"), path.find(f"<{name}>"), path.find(f"(?P<{name}>"))
        path = _filled(path, start, str(value))
    return f"/{path}"


def _filled(path: str, at: int, value: str) -> str:
    """Put a value in the place of the placeholder that covers `at`."""
    if path[at:].startswith("(?P<"):
        return path[:at] + value + path[path.index(")", at) + 1 :]
    start = path.rindex("<", 0, at + 1)
    return path[:start] + value + path[path.index(">", at) + 1 :]


def outcome(answer: Any) -> str:
    """Say whether somebody got in: `in`, `out`, or asked to sign in first."""
    if answer.status_code in {403, 405}:
        return "out"
    to = answer.headers.get("Location", "")
    if answer.status_code == 302 and to.startswith("/admin/login/?"):
        return "sign in"
    return "in"


def signed_in(role: str) -> bool:
    return role not in {"stranger", "password alone"}


def expected(who: Who, role: str) -> str:
    if who is ANYBODY:
        return "in"
    if not signed_in(role):
        return "sign in"
    if who is not None and (role == "superuser" or role in who):
        return "in"
    return "out"


class _Undone(Exception):
    """Takes back what a request did, so that the next one finds the world as it was."""


def asked(client: Client, method: str, path: str) -> str:
    found, cookies = "", copy.copy(client.cookies)
    try:
        with transaction.atomic():
            found = outcome(getattr(client, method)(path))
            raise _Undone
    except _Undone:
        client.cookies = cookies
        return found


@pytest.mark.parametrize("role", WHO)
def test_a_role_gets_in_where_its_rule_says_and_nowhere_else(
    role: str, world: dict[str, Any]
) -> None:
    client, wrong = browser_of(role), []
    for address in addresses():
        if not address.staff:
            continue
        rule, path = RULES[address.key], path_of(address, world)
        for method, who in (("get", rule.get), ("post", rule.post)):
            got = asked(client, method, path)
            want = expected(who, role)
            if address.key in {"login_code", "login_set_up"}:  # lead to the first step
                got = "in" if got == "sign in" else got
            if address.key == "logout" and not signed_in(role):  # leads to the front, signed out
                got = "sign in" if got == "in" else got
            if got != want:
                wrong.append(f"{method.upper()} {path}: {got}, not {want}")
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize("role", ["no role", *ROLES, "superuser"])
def test_a_role_is_offered_the_actions_that_its_rule_says(role: str, rf: RequestFactory) -> None:
    request = rf.get("/admin/")
    request.user = person(role)
    offered = {
        (model._meta.label, name)
        for model, model_admin in admin.site._registry.items()
        if model_admin.actions
        for name in model_admin.get_actions(request)
        if model_admin.has_view_permission(request)
    }
    wanted = {key for key, who in ACTIONS.items() if role == "superuser" or role in who}
    assert offered == wanted


@pytest.mark.parametrize("role", [*sorted(set(ROLES) - ESCALATION), "no role"])
def test_an_escalated_request_is_not_there_for_other_roles(
    role: str, world: dict[str, Any]
) -> None:
    request_escalate(request_id=world["request_id"], reviewer=person("reviewer", name="finder"))
    client, told = browser_of(role), []
    names = ("request_id", "photo_id", "candidate_id")
    nothing = {**world, **dict.fromkeys(names, uuid.UUID(int=4 << 76 | 8 << 60))}
    for address in addresses():
        if not any(f":{name}>" in address.route for name in names):
            continue
        for method in ("get", "post"):
            there, not_there = (
                said(client, method, path_of(address, behind)) for behind in (world, nothing)
            )
            if there != not_there:
                told.append(f"{method.upper()} {address.route}: {there[0]}, {not_there[0]}")
    assert told == [], "\n".join(told)
    if role in READERS:
        queue = client.get("/admin/removal/removalrequest/?show=all").content.decode()
        assert str(world["request_id"])[:8] not in queue


def said(client: Client, method: str, path: str) -> tuple[int, str]:
    """Return what an answer says in the end, without ids and tokens."""
    answer = getattr(client, method)(path, follow=True)
    text = re.sub(r'value="[^"]*"|[0-9a-f-]{36}', "", answer.content.decode())
    return answer.status_code, text


def test_the_public_pages_do_not_know_the_staff(world: dict[str, Any]) -> None:
    stranger, superuser, differ = Client(), browser_of("superuser"), []
    simple = [one for one in addresses() if not one.staff and "<" not in one.route]
    for address in simple:
        path = path_of(address, world)
        answers = [client.get(path).status_code for client in (stranger, superuser)]
        if answers[0] != answers[1]:
            differ.append((path, answers))
    assert simple
    assert differ == []
