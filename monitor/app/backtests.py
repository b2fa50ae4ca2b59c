"""Backtests: history, files or simulated fleets under other policies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from monitor.app.references import screened_reference
from monitor.app.replays import remarks_on
from monitor.app.stores import Progress, opened_store, store_url, tune_collector, working_archive
from monitor.core.engine import Reference
from monitor.core.model import Observation
from monitor.core.policy import Policy
from monitor.errors import BacktestProblem
from monitor.reference.policies import with_policy
from monitor.reference.root import config_root
from monitor.run.backtest import BACKTEST_PACE, Outcome, Question, facts_of, in_its_own_period, shadows
from monitor.run.backtest import play as run_backtest
from monitor.run.detection import Detection, detect
from monitor.run.letters import rules
from monitor.run.replay import Tally
from monitor.run.walk import DAILY, arrivals, decoded, in_order
from monitor.settings import Settings
from monitor.simulate.scenarios import DETECTABLE, simulate
from monitor.source.files import FileSource


class Asked(NamedTuple):
    """What a backtest is asked."""

    policy: str | None = None  # a file; of shadow rules a policy that is there, as ID or ID@VERSION
    shadow: bool = False
    below: int = 0
    since: int | None = None  # milliseconds; the instants of the first and the last look
    until: int | None = None


class Backtested(NamedTuple):
    """What a backtest says, of what, and sentences about anything that needs saying."""

    outcome: Outcome
    title: str
    asked: Asked
    remarks: list[str]


def backtest(
    settings: Settings, asked: Asked, paths: Sequence[str], state: Path | None, progress: Progress
) -> Backtested:
    """Play event files, or the facts of a store, under other policies. Nothing is written.

    Raises:
        MonitorError: with one sentence that says what to do.
    """
    tune_collector()
    if paths:
        return _backtest_files(settings, asked, paths, progress)
    with opened_store(store_url(settings, state), create=False, read_only=True) as store, store.still():
        reference = screened_reference(settings, store)
        question = _question(reference, asked)
        lines = in_order(
            arrival
            for partition in store.partitions()
            for arrival in arrivals((fact.received, fact.raw) for fact in store.beside(partition).facts())
        )
    lines = list(dict.fromkeys(lines))  # a fact that is about no tenant is in the books of every partition
    return _played(decoded(lines), reference, asked, question, lambda done: progress(done, len(lines)), "the store")


def _backtest_files(settings: Settings, asked: Asked, paths: Sequence[str], progress: Progress) -> Backtested:
    reference = screened_reference(settings)
    question = _question(reference, asked)
    source, tally = FileSource(paths, record_bytes_max=settings.record_bytes_max), Tally()
    source.begin_all({})
    try:
        facts = facts_of(source, rules(settings), tally, lambda: progress(source.bytes_done // 2, source.bytes_total))
        played = _played(facts, reference, asked, question, lambda _: None, "these files")
        return played._replace(remarks=remarks_on(source, tally))
    finally:
        source.close()


class _Question(NamedTuple):
    """What is compared with what, and what that is called."""

    title: str
    question: Question


def _question(reference: Reference, asked: Asked) -> _Question:
    """What is asked for.

    Raises:
        BacktestProblem: there is nothing to compare.
        ReferenceProblem: the file of the policy is not as it must be.
    """
    pace = BACKTEST_PACE._replace(since=asked.since or 0, until=asked.until)
    present = reference.policies
    if asked.shadow:
        title, other = _shadows(present, asked.policy)
        return _Question(title, Question((), other, other, asked.below, pace))
    if asked.policy is None:
        return _Question("Just under the thresholds in force", Question(present, present, present, asked.below, pace))
    path = Path(asked.policy)
    added, known = with_policy(config_root(), present, path), {one.digest for one in present}
    new = [one for one in added if one.digest not in known]
    if not new:
        raise BacktestProblem(f"{path.name} says what the policy that is loaded says: there is nothing to compare.")
    title = f"{new[0].id} version {new[0].version}, from {path.name}, against the policies in force"
    return _Question(title, Question(present, added, new, asked.below, pace))


def _shadows(present: Sequence[Policy], named: str | None) -> tuple[str, tuple[Policy, ...]]:
    """The policies whose shadow rules are asked for, as if people were told, with a title."""
    if named is not None:
        policy = _loaded(present, named)
        title = f"What {policy.id} version {policy.version} would have said in its own period"
        return title, (in_its_own_period(policy),)
    found = shadows(present)
    if not found:
        raise BacktestProblem(
            "No rule of the policies is in the shadow; `shadow: true` in a policy file puts one there."
        )
    return "What the shadow rules would have said", found


def _loaded(present: Sequence[Policy], named: str) -> Policy:
    """The policy ID or ID@VERSION; without a version the latest.

    Raises:
        BacktestProblem: there is none.
    """
    found = [one for one in present if named in (one.id, f"{one.id}@{one.version}")]
    if not found:
        known = ", ".join(f"{one.id}@{one.version}" for one in present)
        raise BacktestProblem(f"There is no policy {named} among those that are loaded: name one of {known}.")
    return max(found, key=lambda one: one.version)


def _played(
    facts: Iterable[Observation],
    reference: Reference,
    asked: Asked,
    named: _Question,
    progress: Callable[[int], None],
    where: str,
) -> Backtested:
    outcome = run_backtest(facts, working_archive(), reference, named.question, lambda step: progress(step.facts))
    if outcome is None:
        days = "" if asked.since is None else " on or after the first day that you ask for"
        raise BacktestProblem(f"There is no fact in {where}{days}, so there is nothing to play.")
    return Backtested(outcome, named.title, asked, [])


class Scenarios(NamedTuple):
    """What simulated fleets with known truth show of some policies."""

    title: str
    found: Mapping[str, Detection]  # by scenario


def backtest_scenarios(
    settings: Settings, policy: str | None, progress: Callable[[str], None], names: Sequence[str] = DETECTABLE
) -> Scenarios:
    """Play scenarios in the order of arrival, under the policies in force or with one more.

    Raises:
        MonitorError: with one sentence that says what to do.
    """
    tune_collector()
    reference, title = screened_reference(settings), "The policies in force"
    if policy is not None:
        reference = replace(reference, policies=tuple(with_policy(config_root(), reference.policies, Path(policy))))
        title = f"The policies in force, with {Path(policy).name}"
    found = {}
    for name in names:
        progress(name)
        played = simulate(name)
        facts = decoded(played.events())
        found[name] = detect(facts, working_archive(), reference, DAILY, partial(getattr, played, "truth"))
    return Scenarios(title, found)
