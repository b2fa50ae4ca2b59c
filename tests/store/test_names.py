"""Small numbers for what many rows repeat."""

from __future__ import annotations

import pytest

from monitor.core.model import Traits
from monitor.store import names
from monitor.store.names import TraitsNumbering


def test_traits_have_one_number_while_it_is_remembered() -> None:
    """The same traits get the number that they have, new ones the next; what a store has is known without being new."""
    numbering = TraitsNumbering(8)
    numbering.keep(Traits(job="stored"), 7)

    given = [numbering.number(Traits(job=job)) for job in ("a", "stored", "b", "a")]

    assert [8, 7, 9, 8] == given
    assert [(8, Traits(job="a")), (9, Traits(job="b"))] == numbering.unwritten


def test_traits_that_were_forgotten_get_another_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, few are remembered; no number is given twice."""
    monkeypatch.setattr(names, "TRAITS_KNOWN_MAX", 4)
    numbering = TraitsNumbering(1)

    given = [numbering.number(Traits(job=job)) for job in "abcdefafd"]

    assert [1, 2, 3, 4, 5, 6, 7, 6, 8] == given
