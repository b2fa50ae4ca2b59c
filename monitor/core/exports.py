"""Exports: what leaves the monitor as a file, to whom, and on which legal basis.

What goes to a government waits for counsel as a second person; that two people are two is a constraint of the store.
What follows the template of a rule that is only proposed stays inside. Instants are the wall clock's, in milliseconds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from monitor.core.model import DAY_MS

RECIPIENT_CHARACTERS_MAX, BASIS_CHARACTERS_MAX = 200, 500
RELEASED_DAYS = 30  # for which a release holds: what is exported later may be something else


class RecipientKind(StrEnum):
    """Whose hands it gets into."""

    INTERNAL = "internal"
    CUSTOMER = "customer"
    GOVERNMENTAL = "governmental"
    OTHER = "other"


class Template(StrEnum):
    """In which form a case is told."""

    GENERAL = "general"
    IAAS_PROPOSAL = "iaas-proposal"  # 89 FR 5698, 29 January 2024: never in force


PROPOSED_RULES = frozenset({Template.IAAS_PROPOSAL})


class Verdict(StrEnum):
    """What became of an export."""

    RELEASED = "released"
    REFUSED = "refused"


class Handover(NamedTuple):
    """What goes to whom, and why it may."""

    kind: str  # of what it is: case or table
    what: str  # which: the id of a case, the name of a table
    format: str  # pack, csv or json
    template: Template
    recipient_kind: RecipientKind
    recipient: str  # an organisation or an office
    legal_basis: str

    @property
    def waits(self) -> bool:
        """Whether counsel must release it first."""
        return self.recipient_kind is RecipientKind.GOVERNMENTAL


class Export(NamedTuple):
    """A handover that somebody proposed, and what became of it."""

    number: int
    handover: Handover
    proposed_by: str
    proposed_at: int
    answered_by: str | None  # counsel; None: it took nobody, or it waits
    answered_at: int | None
    verdict: Verdict | None  # None: it waits for counsel
    why: str  # it was refused; "": it was not


def handover(
    kind: str, what: str, format: str, template: str, recipient_kind: str, recipient: str, legal_basis: str
) -> Handover:
    """What somebody wants to hand over, with blanks put in order.

    Raises:
        ValueError: something is missing, too long, or not permitted; the text is a sentence.
    """
    if template not in set(Template):
        raise ValueError(f"Choose a template: {', '.join(Template)}.")
    if recipient_kind not in set(RecipientKind):
        raise ValueError(f"Say whose hands it gets into: {', '.join(RecipientKind)}.")
    asked = Handover(
        kind, what, format, Template(template), RecipientKind(recipient_kind), _line(recipient), _line(legal_basis)
    )
    if not asked.recipient or len(asked.recipient) > RECIPIENT_CHARACTERS_MAX:
        raise ValueError(
            f"An export names its recipient, an organisation or an office, in {RECIPIENT_CHARACTERS_MAX} characters at "
            "most."
        )
    if not asked.legal_basis or len(asked.legal_basis) > BASIS_CHARACTERS_MAX:
        raise ValueError(f"An export states its legal basis, in {BASIS_CHARACTERS_MAX} characters at most.")
    if asked.template in PROPOSED_RULES and asked.recipient_kind is not RecipientKind.INTERNAL:
        raise ValueError(
            f"The template {asked.template} follows a rule that is proposed and not in force: it is for internal "
            "recipients only; choose the template general."
        )
    return asked


def _line(text: str) -> str:
    return " ".join(text.split())


def not_ready(export: Export, now: int) -> str | None:
    """Why an export cannot be made now, as a sentence; None: it can."""
    if export.verdict is None:
        return f"Export {export.number} waits for counsel: a recipient that is governmental takes a second person."
    if export.verdict is Verdict.REFUSED:
        return f"Counsel refused export {export.number}: {export.why}"
    since = export.proposed_at if export.answered_at is None else export.answered_at
    if now >= since + RELEASED_DAYS * DAY_MS:
        return f"Export {export.number} was released more than {RELEASED_DAYS} days ago: propose it again."
    return None
