"""Where the books live: one schema, one commit protocol."""

from monitor.store.commit import (
    ACTIVATION,
    DECISION,
    DISMISSED,
    REPLAYED,
    STOP,
    TICK,
    WAITING,
    BlindRow,
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
    "ACTIVATION",
    "DECISION",
    "DISMISSED",
    "REPLAYED",
    "STOP",
    "TICK",
    "WAITING",
    "BlindRow",
    "Commit",
    "DeadLetter",
    "JournalEntry",
    "JournalRow",
    "Loaded",
    "Position",
    "StoredFact",
    "StoredPosition",
]
