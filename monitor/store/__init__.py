"""Where the books live: one schema, one commit protocol."""

from monitor.store.commit import (
    DECISION,
    STOP,
    TICK,
    Commit,
    DeadLetter,
    JournalEntry,
    JournalRow,
    Loaded,
    Position,
    StoredFact,
    StoredPosition,
)

__all__ = [
    "DECISION",
    "STOP",
    "TICK",
    "Commit",
    "DeadLetter",
    "JournalEntry",
    "JournalRow",
    "Loaded",
    "Position",
    "StoredFact",
    "StoredPosition",
]
