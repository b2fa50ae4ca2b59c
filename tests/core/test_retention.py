"""Periods, and what people still look at."""

from __future__ import annotations

import pytest

from monitor.core.cases import Act
from monitor.core.flags import Flag
from monitor.core.model import DAY_MS
from monitor.core.retention import HOLDINGS, Kind, needed, until
from tests.core.casefile import CASE, EVE, SUBJECT, File, flag

NOW = 1_000 * DAY_MS


@pytest.mark.parametrize(
    ("days", "before", "expected"),
    [
        (None, None, None),
        (None, NOW, None),
        (30, None, NOW - 30 * DAY_MS),
        (30, NOW, NOW - 30 * DAY_MS),
        (30, NOW - 90 * DAY_MS, NOW - 90 * DAY_MS),
    ],
)
def test_only_what_is_older_than_its_period_may_go(days: int | None, before: int | None, expected: int | None) -> None:
    """Whoever names a time can only have less removed than the period allows; without a period nothing goes."""
    assert expected == until(days, NOW, before)


def test_every_kind_says_what_it_holds() -> None:
    """People are told of each kind what it holds, from when on, and what stays."""
    assert set(Kind) == set(HOLDINGS)


def tied(tenant: str) -> list[str]:
    return [f"tenant {tenant}", "party acme"] if tenant == "t-1" else [f"tenant {tenant}"]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], {}),
        ([flag()], {"tenant t-1": "Flag F-1 stands", "party acme": "Flag F-1 stands"}),
        ([flag(state="closed")], {}),
        ([flag(state="withdrawn")], {}),
        ([flag(tenant="", members=("t-2", "t-3"))], {"tenant t-2": "Flag F-1 stands", "tenant t-3": "Flag F-1 stands"}),
    ],
)
def test_whoever_a_standing_flag_is_about_is_needed(flags: list[Flag], expected: dict[str, str]) -> None:
    """An open flag needs all on whom an answer about its tenants rests; a closed or withdrawn one nobody."""
    assert expected == needed([], flags, tied)


def test_whoever_an_unfinished_case_is_about_is_needed() -> None:
    """A case needs its party and its tenants, and says why: it is undecided, or under legal hold."""
    file = File()
    live = needed([file.case], [flag()], tied)
    file.decide()
    file.do(Act.HELD, EVE)

    held = needed([file.case], [], tied)

    assert {SUBJECT: f"Case {CASE} is new", "tenant t-1": f"Case {CASE} is new"} == live
    assert {f"Case {CASE} is under legal hold"} == set(held.values())
    assert live.keys() == held.keys()
