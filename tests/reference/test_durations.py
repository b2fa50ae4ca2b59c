"""The durations that ship, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.core.projection import Scale
from monitor.errors import ReferenceProblem
from monitor.reference.durations import load_durations
from monitor.reference.root import config_root


def test_the_published_durations_are_read() -> None:
    """Three scales, from the smallest; the figures are those of the reference estimate."""
    durations = load_durations(config_root())

    assert (
        Scale(10**22, 106, (2, 14, 30, 60, 130)),
        Scale(10**23, 73, (3, 19, 40, 84, 145)),
        Scale(10**24, 25, (4, 30, 84, 100, 178)),
    ) == durations.scales
    assert durations.digest.startswith("sha256:")
    assert "Epoch" in durations.source


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("days: [2, 14,", "days: [20, 14,", "days must rise"),
        ("days: [2, 14,", "days: [14, 14,", "days must rise"),
        ("days: [2, 14,", "days: [14,", "scales.0.days: "),
        ("days: [2, 14,", "days: [0, 14,", "scales.0.days.0: "),
        ("days: [2, 14,", "days: [2.5, 14,", "scales.0.days.0: "),
        ('over_flop: "1e22"', "over_flop: 1.0e+22", "scales.0.over_flop: "),
        ('over_flop: "1e22"', 'over_flop: "10^22"', "scales.0.over_flop: "),
        ('over_flop: "1e22"', 'over_flop: "1e23"', "from the smallest over_flop to the largest"),
        ("runs: 106", "runs: 0", "scales.0.runs: "),
        ("version:", "versoin:", "version: "),
    ],
)
def test_a_damaged_file_is_refused_with_a_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    """What cannot be durations is named by file and field."""
    text = (config_root() / "durations.yaml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "durations.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(ReferenceProblem) as problem:
        load_durations(tmp_path)

    assert sentence in str(problem.value)
    assert "durations.yaml" in str(problem.value)
