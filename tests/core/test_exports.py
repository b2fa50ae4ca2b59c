"""What leaves the monitor: what must be said of it, who must release it, and for how long."""

from __future__ import annotations

import pytest

from monitor.core.exports import (
    BASIS_CHARACTERS_MAX,
    RECIPIENT_CHARACTERS_MAX,
    RELEASED_DAYS,
    Export,
    Handover,
    RecipientKind,
    Template,
    Verdict,
    handover,
    not_ready,
)
from monitor.core.model import DAY_MS

NOW = 1_800_000_000_000
ASKED = ("case", "C-1", "pack", "general", "internal", "the board", "15 CFR 744.6")


def test_a_handover_says_everything_with_its_blanks_in_order() -> None:
    """Recipient and basis are one line each, whatever was typed."""
    found = handover(*ASKED[:5], "  the\n board ", "15 CFR\t744.6 ")

    expected = Handover("case", "C-1", "pack", Template.GENERAL, RecipientKind.INTERNAL, "the board", "15 CFR 744.6")
    assert expected == found


@pytest.mark.parametrize(
    ("recipient", "basis", "sentence"),
    [
        (" ", "15 CFR 744.6", "names its recipient"),
        ("x" * (RECIPIENT_CHARACTERS_MAX + 1), "15 CFR 744.6", "names its recipient"),
        ("the board", "\n", "states its legal basis"),
        ("the board", "x" * (BASIS_CHARACTERS_MAX + 1), "states its legal basis"),
    ],
)
def test_nothing_goes_to_nobody_or_without_a_basis(recipient: str, basis: str, sentence: str) -> None:
    """Both are said, and neither is a book."""
    with pytest.raises(ValueError, match=sentence):
        handover(*ASKED[:5], recipient, basis)


def test_templates_and_kinds_of_recipients_are_few() -> None:
    """Whoever names another one is told which there are."""
    for template, kind, sentence in (
        ("none", "internal", "Choose a template: general, iaas-proposal"),
        ("general", "friend", "Say whose hands it gets into: internal, customer, governmental, other"),
    ):
        with pytest.raises(ValueError, match=sentence):
            handover("case", "C-1", "pack", template, kind, "somebody", "15 CFR 744.6")


@pytest.mark.parametrize("kind", RecipientKind)
def test_the_template_of_a_proposed_rule_stays_inside(kind: RecipientKind) -> None:
    """Nobody outside may take it for a report that somebody must make."""
    asked = ("case", "C-1", "pack", "iaas-proposal", kind, "somebody", "15 CFR 744.6")

    if kind is RecipientKind.INTERNAL:
        assert handover(*asked).template is Template.IAAS_PROPOSAL
    else:
        with pytest.raises(ValueError, match="is proposed and not in force"):
            handover(*asked)


def test_only_what_goes_to_a_government_waits() -> None:
    """Of all kinds of recipients."""
    waiting = [kind for kind in RecipientKind if handover(*ASKED[:4], kind, "x", "y").waits]

    assert [RecipientKind.GOVERNMENTAL] == waiting


@pytest.mark.parametrize(
    ("verdict", "answered_at", "now", "sentence"),
    [
        (None, None, NOW, "waits for counsel"),
        (Verdict.REFUSED, NOW, NOW, "Counsel refused export 7: No basis."),
        (Verdict.RELEASED, None, NOW, None),
        (Verdict.RELEASED, None, NOW + RELEASED_DAYS * DAY_MS - 1, None),
        (Verdict.RELEASED, None, NOW + RELEASED_DAYS * DAY_MS, "propose it again"),
        (Verdict.RELEASED, NOW + DAY_MS, NOW + RELEASED_DAYS * DAY_MS, None),
        (Verdict.RELEASED, NOW + DAY_MS, NOW + (RELEASED_DAYS + 1) * DAY_MS, "propose it again"),
    ],
)
def test_an_export_is_made_once_it_is_released_and_for_a_while(
    verdict: Verdict | None, answered_at: int | None, now: int, sentence: str | None
) -> None:
    """A release is of what the books say about then."""
    export = Export(7, handover(*ASKED), "ada", NOW, None, answered_at, verdict, "No basis.")

    found = not_ready(export, now)

    assert (sentence is None) == (found is None)
    assert sentence is None or sentence in str(found)
