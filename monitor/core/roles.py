"""Who may do what: seven roles, and what each of them permits. What stands in no row is forbidden.

Nobody can both make accounts and decide: an administrator has no say in a case, and who decides makes no accounts. An
auditor sees everything and changes nothing. Counsel releases what goes to a government, and exports nothing. Viewers
and administrators see opaque references in the place of names.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum


class Role(StrEnum):
    """What somebody is to the console; everybody has one."""

    VIEWER = "viewer"
    REVIEWER = "reviewer"
    SENIOR_REVIEWER = "senior-reviewer"
    POLICY_EDITOR = "policy-editor"
    AUDITOR = "auditor"
    COUNSEL = "counsel"
    ADMINISTRATOR = "administrator"


class Permission(StrEnum):
    """One thing that a page or a form asks for."""

    OWN_ACCOUNT = "own_account"  # their own password, sessions and tokens
    VIEW_CASES = "view_cases"  # the queue and what leads to it: cases, tenants, runs, policies, lists, the pipeline
    SEE_NAMES = "see_names"  # names of tenants and people, and records as they came
    CLAIM = "claim"  # take a case, write on it, ask, postpone
    DECIDE = "decide"  # close or suppress; of what takes two people, propose it
    APPROVE = "approve"  # be the second person
    EDIT_POLICIES = "edit_policies"
    SEE_AUDIT = "see_audit"
    EXPORT = "export"  # evidence packs, reports and tables as files
    RELEASE = "release"  # as counsel: what goes to a government
    MANAGE_USERS = "manage_users"


_READING = frozenset({Permission.OWN_ACCOUNT, Permission.VIEW_CASES})
_REVIEWING = _READING | {Permission.SEE_NAMES, Permission.CLAIM, Permission.DECIDE, Permission.EXPORT}

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: _READING,
    Role.REVIEWER: _REVIEWING,
    Role.SENIOR_REVIEWER: _REVIEWING | {Permission.APPROVE},
    Role.POLICY_EDITOR: _READING | {Permission.SEE_NAMES, Permission.EDIT_POLICIES, Permission.EXPORT},
    Role.AUDITOR: _READING | {Permission.SEE_NAMES, Permission.SEE_AUDIT, Permission.EXPORT},
    Role.COUNSEL: _READING | {Permission.SEE_NAMES, Permission.RELEASE},
    Role.ADMINISTRATOR: _READING | {Permission.MANAGE_USERS},
}

# What a token may be given. Programs read: people decide, and no token makes another one or an account.
SCOPES = frozenset({Permission.VIEW_CASES, Permission.SEE_NAMES, Permission.SEE_AUDIT, Permission.EXPORT})


def permitted(role: Role, scopes: AbstractSet[Permission] | None = None) -> frozenset[Permission]:
    """What somebody of this role may do; with a token of these scopes, no more than both allow."""
    own = PERMISSIONS[role]
    return own if scopes is None else own & SCOPES & scopes
