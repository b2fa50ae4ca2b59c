"""Values of JSON of which nothing is known: taken as text where they are text, and else left out."""

from __future__ import annotations

import json
from typing import Any

from monitor.reference.lists.entries import Reading


def parsed(text: str, reading: Reading, line: int | None = None) -> Any:
    """JSON; `line`: where it stands, None: from the first line on.

    Raises:
        ListProblem: it is none.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as wrong:
        raise reading.refusal(
            line or wrong.lineno, f"is no valid JSON ({wrong.msg.lower()}): cut off or damaged; fetch the file again."
        ) from None
    except (RecursionError, ValueError):  # lists in lists in lists; a number of thousands of digits
        raise reading.refusal(line, "is JSON that no list would hold; look at what was fetched.") from None


def text_in(fields: Any, name: str) -> str:
    """A text or a whole number of an object, as text; "" where there is none."""
    value = fields.get(name) if isinstance(fields, dict) else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**30 else ""
    return value if isinstance(value, str) else ""


def texts_in(fields: Any, name: str) -> list[str]:
    """The texts of a list in an object; a text alone counts as a list of one."""
    value = fields.get(name) if isinstance(fields, dict) else None
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, str)]


def objects_in(fields: Any, name: str) -> list[dict[str, Any]]:
    """The objects of a list in an object."""
    value = fields.get(name) if isinstance(fields, dict) else None
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
