"""Whether a source has sent more than came: its own counts against ours, sign of life by sign of life.

What is on its way, late or out of order makes the difference scatter. So a loss is a step: the last few differences all
above every one of those before them. A loss that is smaller than the usual scatter stays unseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

USUAL = 8  # signs of life that show the scatter
STANDING = 3  # above all of those: a loss


class Lag(NamedTuple):
    """What a source said at one sign of life."""

    time: int
    sent: int
    missing: int  # sent, less what had come by then


class Gap(NamedTuple):
    """Facts of a source that did not come."""

    source: str
    start: int
    end: int
    missing: int


def compared(source: str, lags: Sequence[Lag], latest: Lag) -> tuple[list[Lag], Gap | None]:
    """What to remember after one more sign of life, and the loss that it shows, if any.

    A source that counts from the start again is looked at anew; a sign of life that comes late says nothing.
    """
    if lags and latest.time <= lags[-1].time:
        return list(lags), None
    if lags and latest.sent < lags[-1].sent:
        return [latest], None
    known = [*lags, latest][-(USUAL + STANDING) :]
    before, after = known[:-STANDING], known[-STANDING:]
    if len(before) < USUAL:
        return known, None
    missing = min(lag.missing for lag in after) - max(lag.missing for lag in before)
    if missing <= 0:
        return known, None
    # From now on the lost ones are part of what is usual.
    usual = [lag._replace(missing=lag.missing + missing) for lag in before]
    return usual + after, Gap(source, before[-1].time, after[0].time, missing)
