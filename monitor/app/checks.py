"""Questions that need no store: settings and reference files, foreign samples, one allocation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from monitor.app.references import load_reference, shelf_of
from monitor.app.sinks import check_sinks
from monitor.clock import SystemClock
from monitor.core.clocks import instant
from monitor.errors import SettingsProblem, SourceProblem
from monitor.intake.dialect import Options
from monitor.intake.samples import Sampled, Taken, sampled
from monitor.reference.catalogue import check_catalogue
from monitor.reference.lists.effects import load_effects
from monitor.reference.policies import check_policies
from monitor.reference.reading import milliseconds
from monitor.reference.root import config_root
from monitor.run.single import Estimate, Single
from monitor.run.single import estimate as estimate_single
from monitor.run.translating import options_of
from monitor.settings import Intake, Settings, load_settings
from monitor.source.content import DAMAGE, opened
from monitor.source.files import CHUNK_BYTES, MARK


class Checked(NamedTuple):
    """What a check found, as sentences."""

    problems: list[str]
    remarks: list[str]  # what the operator is asked, and is no contradiction


def check(config: Path | None, root: Path | None) -> Checked:
    """Everything that contradicts itself in settings and reference files, and what the operator should decide."""
    settings, now = load_settings(config), SystemClock().now_ms()
    folder = config_root() if root is None else root
    problems = check_catalogue(folder)
    if not problems:
        problems.extend(check_policies(folder, load_reference(folder, settings.policies).policies, settings.policies))
        sources = load_effects(folder, settings.affiliates_rule_returns)
        standings = shelf_of(settings, sources).look(now)
        problems.extend(standing.problem for standing in standings if standing.problem)
    problems.extend(check_sinks(settings))
    return Checked(problems, list(unanswered(settings, now)))


def samples(file: Path, dialect: str) -> Iterator[Sampled]:
    """What each record of a file of foreign records would become, as of now for those that tell no time.

    Raises:
        SourceProblem: it cannot be read.
    """
    options = Options("samples", received=instant(SystemClock().now_ms()))
    return sampled(_content(file), Taken(dialect, options, Intake().record_bytes_max))


def samples_of(config: Path | None, file: Path, name: str) -> Iterator[Sampled]:
    """The same as a translator takes records of a topic, or of a set of files, of the settings.

    Raises:
        SettingsProblem: no topic and no set of files has this name.
        SourceProblem: the file cannot be read.
    """
    intake = load_settings(config).intake
    foreign = intake.entries.get(name)
    if foreign is None:
        known = ", ".join(sorted(intake.entries)) or "none"
        raise SettingsProblem(f"`intake` has no topic and no files of the name {name}; those that it has: {known}.")
    of_files = name in intake.files  # when a line of a file is read says nothing of when it was written
    options = options_of(foreign)._replace(received=None if of_files else instant(SystemClock().now_ms()))
    content = _content(file)
    if of_files:
        content = content.removeprefix(MARK)
    return sampled(content, Taken(foreign.dialect, options, intake.record_bytes_max, lines=of_files))


def _content(file: Path) -> bytes:
    """All of a file, unpacked if it is packed."""
    try:
        raw, read = opened(str(file))
        with raw:
            return b"".join(iter(lambda: read(CHUNK_BYTES), b""))
    except DAMAGE as wrong:
        why = f"it is damaged or cut off, {wrong}"
    except OSError as wrong:
        why = wrong.strerror or "no reason given"
    raise SourceProblem(f"{file} cannot be read: {why.lower()}.")


def unanswered(settings: Settings, now: int) -> Iterator[str]:
    """What only the operator can know and has not said, and by whose word policies count."""
    folder = settings.policies.folder
    if folder is not None and settings.policies.approval == "console":
        yield (
            f"The policies of {folder} count once two people have approved them (policies.approval: console): until "
            "then nobody is told of what they find. `flopwatch policies` says which do."
        )
    elif folder is not None:
        yield f"The policies of {folder} count as they are there: whoever may write there decides."
    returns = settings.affiliates_rule_returns
    if settings.bis_affiliates_suspended_until is None and now >= milliseconds(returns):
        yield (
            f"Nobody set bis_affiliates_suspended_until: the affiliates rule counts as holding again since {returns}. "
            "Look up whether its suspension was extended, and write into the settings the first day on which the rule "
            "holds again, also if it is this one."
        )


def estimate(single: Single) -> Estimate:
    """What one allocation that nobody holds would be counted as. EstimateProblem: the catalogue has no rate of it."""
    return estimate_single(load_reference(config_root()).estimator, single)
