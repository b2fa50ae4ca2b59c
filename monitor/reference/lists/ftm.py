"""What both files of OpenSanctions have in common: the kinds of things in them, and days."""

from __future__ import annotations

from datetime import date

from monitor.reference.reading import milliseconds

SCHEMAS = {
    "Company": "entity",
    "Organization": "entity",
    "PublicBody": "entity",
    "LegalEntity": "unknown",
    "Person": "person",
    "Vessel": "vessel",
    "Airplane": "aircraft",
}


def day_ms(text: str) -> int | None:
    """The start of the day that a time begins with, milliseconds since 1970; None where it is none."""
    try:
        return milliseconds(date.fromisoformat(text.strip()[:10]))
    except ValueError:
        return None
