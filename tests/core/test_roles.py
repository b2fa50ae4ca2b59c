"""Who may do what: the table of roles, and what a token of somebody may do."""

from __future__ import annotations

import pytest

from monitor.core.roles import PERMISSIONS, SCOPES, Permission, Role, permitted

# In the order of Permission: own account, view, names, claim, decide, approve, policies, audit, export, release, users.
TABLE = {
    Role.VIEWER: "xx.........",
    Role.REVIEWER: "xxxxx...x..",
    Role.SENIOR_REVIEWER: "xxxxxx..x..",
    Role.POLICY_EDITOR: "xxx...x.x..",
    Role.AUDITOR: "xxx....xx..",
    Role.COUNSEL: "xxx......x.",
    Role.ADMINISTRATOR: "xx........x",
}
CHANGES = {
    Permission.CLAIM,
    Permission.DECIDE,
    Permission.APPROVE,
    Permission.EDIT_POLICIES,
    Permission.RELEASE,
    Permission.MANAGE_USERS,
}


@pytest.mark.parametrize("role", Role)
def test_each_role_may_do_this(role: Role) -> None:
    """Every role and every permission, so that a change of either is seen here."""
    expected = {permission for permission, mark in zip(Permission, TABLE[role], strict=True) if mark == "x"}

    assert expected == permitted(role)


def test_every_role_has_a_row() -> None:
    """Nobody has a role that permits nothing by oversight."""
    assert set(Role) == set(PERMISSIONS)


def test_who_makes_accounts_decides_nothing() -> None:
    """No role has both, so it takes two accounts to let oneself decide."""
    assert [] == [role for role in Role if {Permission.MANAGE_USERS, Permission.DECIDE} <= permitted(role)]
    assert set() == permitted(Role.ADMINISTRATOR) & {Permission.CLAIM, Permission.DECIDE, Permission.APPROVE}


def test_who_exports_releases_nothing() -> None:
    """What goes to a government takes an account of each kind."""
    assert [] == [role for role in Role if {Permission.EXPORT, Permission.RELEASE} <= permitted(role)]


def test_an_auditor_sees_everything_and_changes_nothing() -> None:
    """All that is to be read, nothing of what changes something."""
    assert set(Permission) - CHANGES == permitted(Role.AUDITOR)


def test_viewers_see_no_names() -> None:
    """Of viewers it is asked, and administrators need none."""
    without = {role for role in Role if Permission.SEE_NAMES not in permitted(role)}

    assert {Role.VIEWER, Role.ADMINISTRATOR} == without


def test_a_token_may_do_what_both_its_scopes_and_its_person_may() -> None:
    """Never more than either; a scope that the role lost is worth nothing."""
    scopes = {Permission.VIEW_CASES, Permission.SEE_AUDIT}

    assert {Permission.VIEW_CASES} == permitted(Role.REVIEWER, scopes)
    assert scopes == permitted(Role.AUDITOR, scopes)
    assert set() == permitted(Role.AUDITOR, set())


def test_no_token_changes_anything() -> None:
    """Whatever its row says, a token decides nothing, makes no account and no other token."""
    assert set() == SCOPES & (CHANGES | {Permission.OWN_ACCOUNT})
    assert SCOPES & permitted(Role.SENIOR_REVIEWER) == permitted(Role.SENIOR_REVIEWER, frozenset(Permission))
