"""A bar for work that takes a while."""

from __future__ import annotations

import sys
from typing import Any

import click


class ProgressBar:
    """A progress bar on a terminal, nothing elsewhere."""

    def __init__(self, label: str, quiet: bool) -> None:
        self._label = label
        self._shown = not quiet and sys.stderr.isatty()
        self._bar: Any = None

    def __enter__(self) -> ProgressBar:
        return self

    def __call__(self, done: int, total: int | None) -> None:
        """So much is done, of so much if that is known."""
        if not self._shown or not total:
            return
        if self._bar is None:
            self._bar = click.progressbar(length=total, label=self._label, file=sys.stderr)
        self._bar.update(done - self._bar.pos)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.render_finish()
