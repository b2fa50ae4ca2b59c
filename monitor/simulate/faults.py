"""What a transport does to events that are sent at least once: repeats, and an order of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random


def with_faults(lines: Iterable[bytes], seed: int, duplicate: float, shuffle_window: int) -> Iterator[bytes]:
    """The same lines, a share `duplicate` (0 to 1) of them twice, in another order; none is lost.

    At most `shuffle_window` lines (1 or more) are held back at any time; each leaves it by chance.
    """
    rng = Random(f"faults/{seed}")
    window: list[bytes] = []
    for one in lines:
        window.append(one)
        if rng.random() < duplicate:
            window.append(one)
        while len(window) >= shuffle_window:
            yield _taken(window, rng)
    while window:
        yield _taken(window, rng)


def _taken(window: list[bytes], rng: Random) -> bytes:
    place = rng.randrange(len(window))
    window[place], window[-1] = window[-1], window[place]
    return window.pop()
