"""The rules that put runs together: what each makes of lines of events, by tenant."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.holdings import Reported, naive_runs
from monitor.app import replays
from monitor.core.engine import Answer
from monitor.core.likelihood import Training
from monitor.core.runs import Run
from monitor.settings import load_settings

RunsOf = Callable[[Sequence[bytes]], Mapping[str, Sequence[Reported]]]


class OwnRun(NamedTuple):
    """A run as flopwatch reports it, with what its two wider ranges hold."""

    run: str
    start: int
    end: int
    allocations: tuple[str, ...]
    accelerator_us: int
    training: str
    with_weak: tuple[str, ...]
    with_concurrent: tuple[str, ...]


def answered(lines: Sequence[bytes]) -> Answer:
    """What a replay of these events answers at the last of them."""
    with tempfile.TemporaryDirectory(prefix="flopwatch-bench-") as folder:
        path = Path(folder) / "events.jsonl"
        path.write_bytes(b"".join(lines))
        return replays.replay(load_settings(None), [str(path)], None, None, None, lambda done, total: None).answer


def own_runs(lines: Sequence[bytes]) -> dict[str, list[OwnRun]]:
    """The runs of a replay."""
    return {tenant.tenant: widened(tenant.runs) for tenant in answered(lines).tenants}


def widened(found: Sequence[tuple[Run, Training]]) -> list[OwnRun]:
    """Each run with the allocations of its chain, and of all runs held at some time in which its chain was."""
    by_id = {run.id: run for run, _ in found}
    told = []
    for run, training in found:
        chain = [by_id[name] for name in run.chain]
        start, end = min(one.start for one in chain), max(one.end for one in chain)
        beside = [one for one, _ in found if one.start < end and one.end > start]
        told.append(
            OwnRun(
                run.id,
                run.start,
                run.end,
                run.allocations,
                run.accelerator_us,
                str(training.band),
                allocations_of(chain),
                allocations_of(beside),
            )
        )
    return told


def allocations_of(some: Sequence[Run]) -> tuple[str, ...]:
    """The allocations of several runs, each once."""
    return tuple(dict.fromkeys(name for run in some for name in run.allocations))


RULES: Mapping[str, RunsOf] = {"naive": naive_runs, "flopwatch": own_runs}
