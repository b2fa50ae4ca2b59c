"""The recorder of real telemetry: what it compares, and what it says on a machine that cannot record.

Every recording in this file is SYNTHETIC: made up here, measured nowhere.
"""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from time import sleep

import pytest

from bench.telemetry import EVENTS, TRUTH, Compared, Truth, Workload, compare, read, record, table
from monitor.core.bounds import Bounds
from monitor.core.estimate import Estimator
from monitor.core.model import Kind
from monitor.reference.catalogue import load_catalogue
from monitor.reference.priors import load_priors
from monitor.reference.root import config_root
from monitor.simulate.wire import line

ROOT = Path(__file__).resolve().parents[2]
START = 1_772_323_200_000
H100 = "H100 SXM5 80GB"
PEAK = 989_400_000_000_000
ESTIMATOR = Estimator(load_catalogue(config_root()), load_priors(config_root()))


def synthetic(workload: str, **fields: object) -> list[bytes]:
    """The events of a workload that nobody ran: six windows of ten seconds that all say the same."""
    data: dict[str, object] = {"tenant": workload, "allocation": "gpu-0"}
    window = {"window_seconds": 10, "observer": "provider", "accelerators_covered": 1, **fields}
    held = {**data, "accelerator": H100, "count": 1}
    return [
        line(Kind.STARTED, f"{workload}-start", "synthetic", START, "gpu-0", held),
        *(
            line(Kind.TELEMETRY, f"{workload}-{n}", "synthetic", START + n * 10_000, "gpu-0", {**data, **window})
            for n in range(1, 7)
        ),
        line(Kind.STOPPED, f"{workload}-stop", "synthetic", START + 60_000, "gpu-0", data),
    ]


def truth(workload: str, share: float, recomputed: float = 1.0, format: str = "bfloat16") -> Truth:
    """What such a workload would have executed at a share of the dense 16-bit peak."""
    executed = round(60 * PEAK * share)
    return Truth(workload, format, 60.0, executed, round(executed / recomputed))


def test_a_synthetic_recording_is_compared() -> None:
    """A product at 70 per cent and a loop that computes a third again come out as they were; idle is nothing."""
    events = [
        *synthetic("product", tensor_active=0.7, sm_clock_mhz=1830, energy_joules=6_500),
        *synthetic("training", tensor_active=0.8, sm_clock_mhz=915),
        *synthetic("idle", tensor_active=0.0, sm_clock_mhz=345),
    ]
    truths = [truth("product", 0.7), truth("training", 0.4, 4 / 3), truth("idle", 0.0, format="none")]

    product, training, idle = compare(events, truths, ESTIMATOR)

    assert [1.0, 1.0, None] == [pytest.approx(product.error), pytest.approx(training.error), idle.error]
    assert [True, True, True] == [product.is_inside, training.is_inside, idle.is_inside]
    assert idle.executed is not None
    assert 0 == idle.executed.central


def test_fp8_is_inside_and_its_factor_is_seen() -> None:
    """A synthetic FP8 product executes twice what its activity says: the factor is 2, and high holds it."""
    events = synthetic("product-fp8", tensor_active=0.35, sm_clock_mhz=1830)
    (found,) = compare(events, [truth("product-fp8", 0.7, format="fp8")], ESTIMATOR)

    assert 2.0 == pytest.approx(found.error)
    assert found.is_inside


def test_what_could_not_be_measured_keeps_the_prior() -> None:
    """Without tensor activity there is no executed estimate, and the table says so."""
    (found,) = compare(synthetic("product", sm_clock_mhz=1830), [truth("product", 0.3)], ESTIMATOR)

    assert (None, None, True) == (found.executed, found.error, found.is_inside)
    assert "| not measured |" in list(table([found]))[-1]


def test_a_truth_outside_is_said() -> None:
    """The table has a row a workload, with the factor and whether the truth is in the range."""
    outside = Compared(truth("product", 0.9), Bounds(1, 2, 3, 4), Bounds(1, 2, 3, 4))

    row = list(table([outside]))[-1]

    assert row.startswith("| product | bfloat16 | 60 | ")
    assert row.endswith("| no |")


class SyntheticMeter:
    """A meter of a GPU that does not exist: half busy at half its clock, always."""

    name = H100

    def __init__(self) -> None:
        self.looks = 0

    def begin(self) -> None:
        self.looks = 0

    def look(self) -> None:
        self.looks += 1

    def end(self) -> dict[str, object]:
        assert self.looks
        return {"tensor_active": 0.5, "sm_clock_mhz": 915, "energy_joules": 5}


def test_a_recording_holds_windows_and_their_truth(tmp_path: Path) -> None:
    """What is recorded, here of a GPU that does not exist, is canonical events and the work done in their windows."""
    done: list[int] = []
    work = Workload("made-up", "bfloat16", lambda: done.append(1), 40, 30)
    options = Namespace(folder=tmp_path / "new", seconds=0.05, window=0.02, accelerator=None)

    record([work], lambda: sleep(0.005), SyntheticMeter(), options)  # type: ignore[arg-type]
    events, (true,) = read(tmp_path / "new")
    (found,) = compare(events, [true], ESTIMATOR)

    warm = 3
    assert (40 * (len(done) - warm), 30 * (len(done) - warm)) == (true.executed_flop, true.model_flop)
    assert len(events) >= 4
    assert found.executed is not None
    assert round(true.seconds * PEAK / 4) == pytest.approx(found.executed.central, rel=1e-6)


def script(*arguments: object, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the script in a process of its own; `path` holds modules that go before all others."""
    environment = {"PYTHONPATH": "" if path is None else str(path), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(ROOT / "bench" / "telemetry.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT)


def test_a_recording_is_compared_without_a_gpu(tmp_path: Path) -> None:
    """`compare` reads the two files of a recording, here a synthetic one, and prints the table."""
    (tmp_path / EVENTS).write_bytes(b"".join(synthetic("product", tensor_active=0.7, sm_clock_mhz=1830)))
    (tmp_path / TRUTH).write_text(json.dumps(truth("product", 0.7)._asdict()) + "\n", encoding="utf-8")

    told = script("compare", tmp_path)

    assert (0, "") == (told.returncode, told.stderr)
    assert list(table(compare(*read(tmp_path), ESTIMATOR))) == told.stdout.splitlines()


@pytest.mark.parametrize(
    ("torch", "why"),
    [
        ("raise ModuleNotFoundError(name='torch')", "torch cannot be imported"),
        ("class cuda:\n    is_available = staticmethod(lambda: False)", "PyTorch finds no GPU"),
        ("class cuda:\n    is_available = staticmethod(lambda: True)", "NVML says 'no driver'"),
    ],
)
def test_a_machine_that_cannot_record_says_what_it_lacks(torch: str, why: str, tmp_path: Path) -> None:
    """Without PyTorch, a GPU or a driver it says in one sentence what it needs, exits with 2 and writes nothing."""
    (tmp_path / "torch.py").write_text(torch, encoding="utf-8")
    nvml = "class NVMLError(Exception): ...\n\n\ndef nvmlInit():\n    raise NVMLError('no driver')\n"
    (tmp_path / "pynvml.py").write_text(nvml, encoding="utf-8")

    told = script("record", tmp_path / "recording", path=tmp_path)

    assert (2, "") == (told.returncode, told.stdout)
    assert (
        "Recording needs an NVIDIA GPU of the Hopper generation or newer, its driver, nvidia-ml-py and PyTorch with "
        f"CUDA: {why}.\n"
    ) == told.stderr
    assert not (tmp_path / "recording").exists()
