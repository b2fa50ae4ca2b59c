"""How the work goes: what rules led to, whether reviewers agree, how old is what waits, and all of it by months."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from monitor.core.cases import precision_of
from monitor.core.model import SECOND_MS
from monitor.core.workload import Month, first_of_months, months
from monitor.run.casework import Cases
from monitor.run.documents import Document
from monitor.store import BlindRow


class RuleLine(NamedTuple):
    """What the decided cases with a flag of a rule came to."""

    rule: str
    outcomes: Mapping[str, int]

    @property
    def decided(self) -> int:
        """How many there are, one at least."""
        return sum(self.outcomes.values())

    @property
    def precision(self) -> float:
        """The share in which somebody had to answer for something."""
        return precision_of(self.outcomes)


class Report(NamedTuple):
    """How the work goes."""

    rules: Sequence[RuleLine]  # by name
    reviews: Mapping[str, int]  # agreed, disagreed, waiting -> decided cases, whatever there is of them
    ages: Mapping[str, int]  # of what waits for people
    months: Sequence[Month]  # the latest first


def report_of(cases: Cases, blind: Sequence[BlindRow], now: int) -> Report:
    """How the work goes. `blind`: what could not be seen; `now`: the wall clock, in milliseconds.

    Raises:
        StoreProblem: the store cannot be read.
    """
    found = cases.statistics(now)
    rules = [RuleLine(rule, outcomes) for rule, outcomes in sorted(found.outcomes.items())]
    by_month = months(cases.worked(first_of_months(now)), spans_of(blind), now)
    return Report(rules, found.reviews, found.ages, by_month)


def spans_of(blind: Iterable[BlindRow]) -> list[tuple[int, int | None]]:
    """When something could not be seen."""
    return [(one.start, one.end) for one in blind]


def report_document(report: Report) -> Document:
    """The same as JSON; durations in seconds."""
    return {
        "rules": [
            {"rule": one.rule, "decided": one.decided, "precision": one.precision, **one.outcomes}
            for one in report.rules
        ],
        "reviews": dict(report.reviews),
        "waiting": dict(report.ages),
        "months": [
            {
                "month": one.name,
                "opened": one.opened,
                "decided": dict(one.decided),
                "median_seconds_to_claim": _seconds(one.to_claim),
                "median_seconds_to_decision": _seconds(one.to_decision),
                "unseen_seconds": one.unseen // SECOND_MS,
            }
            for one in report.months
        ],
    }


def _seconds(milliseconds: int | None) -> int | None:
    return None if milliseconds is None else milliseconds // SECOND_MS
