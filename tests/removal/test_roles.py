"""Roles: the groups that the migration makes are those that the code names, right by right."""

import ast
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, Permission

from removal import permissions
from removal.permissions import DECIDE, ESCALATED, REVEAL, REVIEW, ROLES, SEE
from tests.conftest import ROOT
from tests.removal import factories

pytestmark = pytest.mark.django_db

CHANGES = {REVIEW, DECIDE, ESCALATED, permissions.BUILD, permissions.PUBLISH}


def rights(group: Group) -> set[str]:
    codes = group.permissions.values_list("content_type__app_label", "codename")
    return {f"{app}.{code}" for app, code in codes}


def test_the_migration_makes_the_roles_with_their_rights() -> None:
    made = {group.name: rights(group) for group in Group.objects.all()}
    assert made == {role: set(codes) for role, codes in ROLES.items()}


def test_a_right_is_one_and_has_the_name_that_django_gives_it() -> None:
    """The migration makes rights before Django does: it must not have made others."""
    for codes in ROLES.values():
        for app, code in (right.split(".") for right in codes):
            found = Permission.objects.filter(content_type__app_label=app, codename=code)
            assert found.count() == 1, code
            model = found.get().content_type.model_class()
            assert model is not None
            named = {*model._meta.permissions}
            named |= {
                (f"{act}_{model._meta.model_name}", f"Can {act} {model._meta.verbose_name_raw}")
                for act in ("view", "add", "change", "delete")
            }
            assert (code, found.get().name) in named


def test_only_the_escalation_role_sees_what_was_escalated() -> None:
    assert {role for role, codes in ROLES.items() if ESCALATED in codes} == {"escalation"}


def test_an_auditor_reads_requests_without_pictures_and_changes_nothing() -> None:
    auditor = factories.role_user("auditor", "auditor")
    assert auditor.has_perm(SEE)
    assert not any(auditor.has_perm(right) for right in {REVEAL, *CHANGES})


def test_an_operator_and_a_release_manager_see_no_request() -> None:
    for role in ("operator", "release manager"):
        person = factories.role_user(role, role)
        assert not any(person.has_perm(right) for right in (SEE, REVIEW, REVEAL, DECIDE))


def test_an_approver_has_what_a_reviewer_has_and_the_decision() -> None:
    assert ROLES["approver"] - ROLES["reviewer"] == {DECIDE}


def decides_past_the_rules(path: Path) -> bool:
    """Whether a module takes in what decides, past window and second person."""
    tree = ast.parse(path.read_text("utf-8"))
    names = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "removal.life.deciding"
        for alias in node.names
    }
    return "decision_take" in names


def test_nothing_but_a_proposal_or_a_rule_decides_a_request() -> None:
    """`decision_take` knows no second person: no page, command or task may call it."""
    modules = [*(ROOT / "removal").rglob("*.py"), *(ROOT / "releases").rglob("*.py")]
    past = {str(path.relative_to(ROOT)) for path in modules if decides_past_the_rules(path)}
    assert past == {"removal/life/effects.py", "removal/life/rules.py"}
