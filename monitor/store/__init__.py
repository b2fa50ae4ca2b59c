"""Where the books live: one schema, one commit protocol."""

from monitor.store.commit import (
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
    "Commit",
    "DeadLetter",
    "JournalEntry",
    "JournalRow",
    "Loaded",
    "Position",
    "StoredFact",
    "StoredPosition",
]
