#!/usr/bin/env python3
"""Real telemetry of work whose FLOP are known, and how close the estimate comes.

    bench/telemetry.py record FOLDER [--seconds 30] [--window 5] [--accelerator NAME]
    bench/telemetry.py compare FOLDER

`record` runs workloads on the first GPU: matrix products of several sizes and formats, a training loop with
checkpoints, decode-like and memory-bound loops, FP64, and nothing at all. Each is an allocation of a tenant of its own
in FOLDER/events.jsonl, canonical events with one `telemetry.sampled` a window; what each executed, counted from the
shapes of its matrices, stands in FOLDER/truth.jsonl. `compare` needs no GPU. `flopwatch replay` reads the events too.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from math import exp, log
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from monitor.core.book import Book
from monitor.core.bounds import Bounds
from monitor.core.engine import hearing
from monitor.core.estimate import SCALE, Estimator, HourUsage, totals
from monitor.core.ledger import NOT_MEASURED
from monitor.core.model import CERTAIN, HOUR_MS, OPEN, PRESUMED, Kind
from monitor.intake.decode import decode_facts
from monitor.reference.catalogue import load_catalogue
from monitor.reference.priors import load_priors
from monitor.reference.root import config_root
from monitor.run.apply import take_in
from monitor.simulate.wire import line
from monitor.store.memory import MemoryArchive

NEEDS = (
    "Recording needs an NVIDIA GPU of the Hopper generation or newer, its driver, nvidia-ml-py and PyTorch with "
    "CUDA: {}."
)
EVENTS, TRUTH = "events.jsonl", "truth.jsonl"
ALLOCATION, SOURCE = "gpu-0", "bench/telemetry"
BATCH_SECONDS = 0.2  # between two looks at the clock
FP8_CAPABILITY = (8, 9)


class Missing(Exception):
    """This machine cannot record; the message says what it lacks."""


# -- what was recorded against what is estimated ---------------------------------------------------------------------


class Truth(NamedTuple):
    """What one workload executed; the tenant of its events is its name."""

    workload: str
    format: str
    seconds: float
    executed_flop: int  # of matrix products, recomputation included
    model_flop: int


class Compared(NamedTuple):
    """The truth of a workload and the estimate from its events."""

    truth: Truth
    executed: Bounds | None  # None: nothing could be measured
    model: Bounds

    @property
    def error(self) -> float | None:
        """The factor between the central estimate of executed FLOP and the truth; None where either is nothing."""
        if self.executed is None or not self.executed.central or not self.truth.executed_flop:
            return None
        return exp(abs(log(self.executed.central / self.truth.executed_flop)))

    @property
    def is_inside(self) -> bool:
        """Whether the model FLOP are between low and high."""
        return self.model.low <= self.truth.model_flop <= self.model.high


def compare(events: Sequence[bytes], truths: Iterable[Truth], estimator: Estimator) -> list[Compared]:
    """The estimate for each workload from the events of all of them, in the order of the truths."""
    book, archive = Book(HOUR_MS, 1_000), MemoryArchive()
    facts = decode_facts(events)
    take_in(book, archive, facts, [None] * len(facts))
    archive.commit(book.drain())
    now = max(fact.time for fact in facts)
    return [_compared(book, truth, estimator, now) for truth in truths]


def _compared(book: Book, truth: Truth, estimator: Estimator, now: int) -> Compared:
    tenant, heard = book.tenants[truth.workload], hearing(book, now)
    by_shape = totals(tenant, now, heard)
    ((shape, by_class),) = by_shape.items()
    hardware = estimator.catalogue.resolve(shape.hardware, shape.unit, now)
    certain, presumed, open_time = (by_class.get(name, 0) for name in (CERTAIN, PRESUMED, OPEN))
    usage = HourUsage(certain, presumed, open_time, tenant.ledger.measured_totals.get(shape, NOT_MEASURED))
    executed = estimator.executed(hardware, usage)
    return Compared(
        truth,
        None if executed is None else executed.divided(SCALE),
        estimator.total(tenant, by_shape, now, heard),
    )


def table(compared: Iterable[Compared]) -> Iterator[str]:
    """The lines of a table for people."""
    yield "| workload | format | seconds | executed | estimate | low to high | factor | model FLOP inside |"
    yield "|---|---|---|---|---|---|---|---|"
    for one in compared:
        truth, bounds = one.truth, one.executed
        central = "not measured" if bounds is None else f"{bounds.central:.3g}"
        between = "" if bounds is None else f"{bounds.low:.3g} to {bounds.high:.3g}"
        factor = "" if one.error is None else f"{one.error:.3f}"
        yield (
            f"| {truth.workload} | {truth.format} | {truth.seconds:.0f} | {truth.executed_flop:.3g} | {central} "
            f"| {between} | {factor} | {'yes' if one.is_inside else 'no'} |"
        )


def read(folder: Path) -> tuple[list[bytes], list[Truth]]:
    """The events and truths of a recording."""
    truths = [Truth(**json.loads(text)) for text in (folder / TRUTH).read_text(encoding="utf-8").splitlines()]
    return (folder / EVENTS).read_bytes().splitlines(keepends=True), truths


# -- workloads -------------------------------------------------------------------------------------------------------


class Workload(NamedTuple):
    """Something to repeat, and what one repetition executes."""

    name: str
    format: str
    step: Callable[[], object]
    executed: int
    model: int


def workloads(torch: Any) -> Iterator[Workload]:
    """All workloads, made one after the other, so that each has the memory to itself."""
    for name, size in (("bfloat16", 2048), ("bfloat16", 8192), ("float16", 8192), ("float32", 8192)):
        yield _product(torch, name, size)
    if torch.cuda.get_device_capability() >= FP8_CAPABILITY:
        yield _product_fp8(torch, 8192)
    yield _product(torch, "float64", 4096)
    yield _training(torch, layers=8, width=4096, tokens=8192)
    yield _decode(torch, 16384)
    yield _memory_bound(torch, 1 << 28)
    yield Workload("idle", "none", lambda: time.sleep(BATCH_SECONDS), 0, 0)


def _product(torch: Any, name: str, size: int) -> Workload:
    one, other = (torch.randn(size, size, device="cuda", dtype=getattr(torch, name)) for _ in range(2))
    return Workload(f"product-{name}-{size}", name, lambda: one @ other, 2 * size**3, 2 * size**3)


def _product_fp8(torch: Any, size: int) -> Workload:
    one, other = (torch.randn(size, size, device="cuda").to(torch.float8_e4m3fn) for _ in range(2))
    scale = torch.ones((), device="cuda")

    def step() -> object:
        return torch._scaled_mm(one, other.t(), scale_a=scale, scale_b=scale, out_dtype=torch.bfloat16)

    return Workload(f"product-fp8-{size}", "fp8", step, 2 * size**3, 2 * size**3)


def _training(torch: Any, layers: int, width: int, tokens: int) -> Workload:
    """Layers whose activations are computed twice: 8 x parameters x tokens are executed, 6 of them model FLOP."""
    again = import_module("torch.utils.checkpoint").checkpoint
    blocks = [
        torch.nn.Sequential(torch.nn.Linear(width, width), torch.nn.GELU()).cuda().bfloat16() for _ in range(layers)
    ]
    optimiser = torch.optim.SGD([weight for block in blocks for weight in block.parameters()], lr=1e-6)
    batch = torch.randn(tokens, width, device="cuda", dtype=torch.bfloat16, requires_grad=True)

    def step() -> None:
        state = batch
        for block in blocks:
            state = again(block, state, use_reentrant=False)
        state.float().square().mean().backward()
        optimiser.step()
        optimiser.zero_grad()
        batch.grad = None

    once = 2 * layers * width**2 * tokens
    return Workload("training-recomputed", "bfloat16", step, 4 * once, 3 * once)


def _decode(torch: Any, size: int) -> Workload:
    weight = torch.randn(size, size, device="cuda", dtype=torch.bfloat16)
    token = torch.randn(size, 1, device="cuda", dtype=torch.bfloat16)
    return Workload("decode", "bfloat16", lambda: weight @ token, 2 * size**2, 2 * size**2)


def _memory_bound(torch: Any, size: int) -> Workload:
    values = torch.randn(size, device="cuda", dtype=torch.bfloat16)
    return Workload("memory-bound", "bfloat16", lambda: values.add_(1), 0, 0)


# -- the meter -------------------------------------------------------------------------------------------------------


class Meter:
    """The counters of one GPU over a window: tensor activity (GPM), SM clock, energy."""

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        self._device = nvml.nvmlDeviceGetHandleByIndex(0)
        if not nvml.nvmlGpmQueryDeviceSupport(self._device).isSupportedDevice:
            raise Missing("this GPU has no GPM counters")
        self._samples = [nvml.nvmlGpmSampleAlloc() for _ in range(2)]
        self._clocks: list[int] = []
        self._energy_mj = 0

    @property
    def name(self) -> str:
        """The GPU as NVML calls it."""
        return str(self._nvml.nvmlDeviceGetName(self._device))

    def begin(self) -> None:
        """A window begins."""
        self._clocks = []
        self._nvml.nvmlGpmSampleGet(self._device, self._samples[0])
        self._energy_mj = self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._device)

    def look(self) -> None:
        """In between, while work is going on: the clock."""
        self._clocks.append(self._nvml.nvmlDeviceGetClockInfo(self._device, self._nvml.NVML_CLOCK_SM))

    def end(self) -> dict[str, object]:
        """A window ends: the fields of its sample that could be read."""
        nvml = self._nvml
        nvml.nvmlGpmSampleGet(self._device, self._samples[1])
        wanted = nvml.c_nvmlGpmMetricsGet_t()
        wanted.version, wanted.numMetrics = nvml.NVML_GPM_METRICS_GET_VERSION, 1
        wanted.sample1, wanted.sample2 = self._samples
        wanted.metrics[0].metricId = nvml.NVML_GPM_METRIC_ANY_TENSOR_UTIL
        metric = nvml.nvmlGpmMetricsGet(wanted).metrics[0]
        used_mj = nvml.nvmlDeviceGetTotalEnergyConsumption(self._device) - self._energy_mj
        fields: dict[str, object] = {"energy_joules": used_mj / 1_000}
        if metric.nvmlReturn == nvml.NVML_SUCCESS:
            fields["tensor_active"] = round(metric.value / 100, 6)
        if self._clocks:
            fields["sm_clock_mhz"] = round(sum(self._clocks) / len(self._clocks), 3)
        return fields


def modules() -> tuple[Any, Any]:
    """PyTorch and NVML, ready to use. Missing: says which of them is not."""
    try:
        torch, nvml = import_module("torch"), import_module("pynvml")
    except ImportError as problem:
        raise Missing(f"{problem.name or problem} cannot be imported") from problem
    if not torch.cuda.is_available():
        raise Missing("PyTorch finds no GPU")
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as problem:
        raise Missing(f"NVML says '{problem}'") from problem
    return torch, nvml


# -- recording -------------------------------------------------------------------------------------------------------


def record(works: Iterable[Workload], wait: Callable[[], object], meter: Meter, options: argparse.Namespace) -> None:
    """Run every workload and write what was seen and what is true; `wait` returns when the GPU has done its work."""
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    accelerator = options.accelerator or meter.name
    with (folder / EVENTS).open("wb") as events, (folder / TRUTH).open("w", encoding="utf-8") as truths:
        for workload in works:
            print(f"{workload.name} ...", flush=True)
            recording, truth = _recorded(wait, meter, workload, accelerator, options)
            events.writelines(recording)
            truths.write(json.dumps(truth._asdict()) + "\n")


def _recorded(
    wait: Callable[[], object], meter: Meter, workload: Workload, accelerator: str, options: argparse.Namespace
) -> tuple[list[bytes], Truth]:
    data: dict[str, object] = {"tenant": workload.name, "allocation": ALLOCATION}
    for _ in range(3):  # kernels are chosen and loaded on first use
        workload.step()
    wait()
    first = begun = _now_ms()
    held = {**data, "accelerator": accelerator, "count": 1}
    events = [line(Kind.STARTED, f"{workload.name}-start", SOURCE, begun, ALLOCATION, held)]
    steps = 0
    while begun - first < options.seconds * 1_000:
        meter.begin()
        done = _worked(wait, meter, workload, begun + round(options.window * 1_000))
        fields = meter.end()
        ended = _now_ms()
        steps += done
        window = {"window_seconds": (ended - begun) / 1_000, "observer": "provider", "accelerators_covered": 1}
        id = f"{workload.name}-{len(events)}"
        events.append(line(Kind.TELEMETRY, id, SOURCE, ended, ALLOCATION, {**data, **window, **fields}))
        begun = ended
    events.append(line(Kind.STOPPED, f"{workload.name}-stop", SOURCE, begun, ALLOCATION, data))
    seconds = (begun - first) / 1_000
    return events, Truth(workload.name, workload.format, seconds, steps * workload.executed, steps * workload.model)


def _worked(wait: Callable[[], object], meter: Meter, workload: Workload, until_ms: int) -> int:
    """Repeat until an instant; how often. All of it is done when this returns."""
    steps, batch = 0, 1
    while _now_ms() < until_ms:
        started = time.monotonic()
        for _ in range(batch):
            workload.step()
        meter.look()
        wait()
        steps += batch
        if time.monotonic() - started < BATCH_SECONDS / 2:
            batch *= 2
    return steps


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def main() -> int:
    """Record or compare; 2 if this machine cannot record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("record", "compare"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each workload")
    parser.add_argument("--window", type=float, default=5.0, help="seconds of a window")
    parser.add_argument("--accelerator", help="what the events call the GPU, where NVML's name is not in the catalogue")
    options = parser.parse_args()
    if options.what == "record":
        try:
            torch, nvml = modules()
            with suppress(KeyboardInterrupt):
                record(workloads(torch), torch.cuda.synchronize, Meter(nvml), options)
        except Missing as missing:
            print(NEEDS.format(missing), file=sys.stderr)
            return 2
    root = config_root()
    events, truths = read(options.folder)
    print("\n".join(table(compare(events, truths, Estimator(load_catalogue(root), load_priors(root))))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
