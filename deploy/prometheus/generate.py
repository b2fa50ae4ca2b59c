"""Write the table of metrics into README.md beside this file: `python deploy/prometheus/generate.py`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from monitor.metrics import BY_NAME, Described

FILE = Path(__file__).parent / "README.md"
RULE = "|---|---|---|---|\n"  # below the head of the table


def row(metric: Described) -> str:
    """A metric as a line of the table."""
    shown = "gauge" if metric.type == "state" else metric.type
    labels = ", ".join(f"`{label}`" for label in metric.labels) or "-"
    return f"| `{metric.name}` | {shown} | {labels} | {metric.help} |\n"


def text(metrics: Iterable[Described] = tuple(BY_NAME.values())) -> str:
    """The whole page with the table as it should be."""
    head, rest = FILE.read_text(encoding="utf-8").split(RULE, 1)
    _, below = rest.split("\n\n", 1)
    return f"{head}{RULE}{''.join(map(row, metrics))}\n{below}"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
