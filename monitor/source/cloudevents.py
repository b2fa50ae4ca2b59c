"""CloudEvents in Kafka, binary mode: attributes are headers, the body is the data. They become structured JSON here.

The Kafka protocol binding of CloudEvents 1.0 names headers `ce_` and the attribute, and `content-type` for the type of
the data. In structured mode the value is the event, and nothing is done.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

PREFIX = "ce_"


def structured(headers: Iterable[tuple[str, bytes | None]], value: bytes | None) -> bytes:
    """The event of a record as one structured CloudEvent; a record that is none stays what it is."""
    attributes = {
        name[len(PREFIX) :]: (content or b"").decode("utf-8", "surrogateescape")
        for name, content in headers
        if name.startswith(PREFIX)
    }
    body = value or b""
    if not attributes:
        return body
    # The data stay byte for byte what was sent, and come first: of a name that occurs twice the last counts, so that a
    # crafted body cannot speak for the headers.
    envelope = json.dumps(attributes, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogateescape")
    return b'{"data":' + (body or b"null") + b"," + envelope[1:]
