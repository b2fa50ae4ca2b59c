"""Dead letters once more: a person asks that some be tried again, whatever kept them out being mended.

The request is a decision in the journal, which every books' owner reads. A letter is a fact of the one tenant whose
books take it in, or a control fact, which all books take in and those of partition 0 answer for. Facts that are known
already change nothing, so that a letter can be tried again at any time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple, Protocol

from monitor.core.model import Observation, Record
from monitor.errors import LetterProblem
from monitor.intake.decode import Decoded, Rules, decode
from monitor.settings import Settings
from monitor.store import WAITING, DeadLetter, JournalRow

REPLAY = "replay_dead_letters"  # in the body of a decision


class Letters(Protocol):
    """What is needed of a store here."""

    def dead_letter(self, number: int) -> DeadLetter | None:
        """The dead letter with this number, if there is one."""
        ...


class Again(NamedTuple):
    """A letter that can be taken in now."""

    number: int
    fact: Observation
    received: int | None


def rules(settings: Settings) -> Rules:
    """What a record must look like."""
    return Rules(record_bytes_max=settings.record_bytes_max, sources=settings.allowed_sources)


def asked_again(store: Letters, rows: Iterable[JournalRow]) -> list[DeadLetter]:
    """The letters that decisions ask to try again.

    Raises:
        StoreProblem: they cannot be read.
    """
    numbers = sorted({number for row in rows for number in _numbers(row.entry.body.get(REPLAY))})
    return [letter for number in numbers if (letter := store.dead_letter(number)) is not None]


def _numbers(named: object) -> Collection[int]:
    return named if isinstance(named, list) else ()


def read_again(letters: Iterable[DeadLetter], rules: Rules) -> list[Again]:
    """Those of the letters that are facts by now."""
    return [
        Again(letter.number, fact, letter.at) for letter in letters for fact in _decoded(letter, rules).observations
    ]


def _decoded(letter: DeadLetter, rules: Rules) -> Decoded:
    place = (letter.topic, letter.partition, letter.offset, letter.offset + 1)
    return decode([Record(*place, letter.body, letter.at, letter.key)], rules)


def check_replayable(letters: Iterable[DeadLetter], rules: Rules) -> None:
    """Refuse to ask for what would come back at once.

    Raises:
        LetterProblem: one of them waits no more, or still is no fact.
    """
    for letter in letters:
        check_waiting(letter)
        decoded = _decoded(letter, rules)
        if decoded.rejected:
            raise LetterProblem(f"Dead letter {letter.number} still cannot be taken in: {decoded.rejected[0].sentence}")
        if not decoded.observations:
            raise LetterProblem(f"Dead letter {letter.number} is of a type that is not read here.")


def check_waiting(letter: DeadLetter) -> None:
    """Refuse to settle a letter twice.

    Raises:
        LetterProblem: it waits no more.
    """
    if letter.state != WAITING:
        raise LetterProblem(f"Dead letter {letter.number} waits no more: it is {letter.state}.")
