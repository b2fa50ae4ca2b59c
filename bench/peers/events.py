"""What the jobs of other frameworks do with each event: the same checks, the same exact arithmetic.

Runs in their environments: nothing of flopwatch is imported here.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
RFC_3339 = "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.][0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})$"


def instant_ms(text: str) -> int:
    """Milliseconds since 1970."""
    return (datetime.fromisoformat(text) - EPOCH) // MILLISECOND


Name = Annotated[str, Field(strict=True, min_length=1, max_length=1_024)]
Instant = Annotated[str, Field(strict=True, pattern=RFC_3339), AfterValidator(instant_ms)]
Count = Annotated[float, Field(strict=True, ge=0, le=10_000_000, allow_inf_nan=False)]


class Data(BaseModel):
    """What an event says; profiles of tenants name no allocation."""

    tenant: Name
    allocation: Name | None = None
    accelerator: Name | None = None
    instance_type: Name | None = None
    count: Count | None = None
    instances: Count | None = None
    region: Name | None = None
    fabric: Name | None = None


class Event(BaseModel):
    """The envelope."""

    specversion: Literal["1.0"]
    id: Name
    source: Name
    type: Name
    time: Instant
    data: Data


Held = list[int]  # thousandths held, milliseconds since when, thousandths times milliseconds so far

validate = Event.model_validate_json


def follow(held: Held | None, event: Event) -> Held:
    """The exact accelerator time of one allocation after an event."""
    count, since, used = held or [0, event.time, 0]
    used += count * max(0, event.time - since)
    data = event.data
    if event.type.endswith(".stopped.v1"):
        count = 0
    else:
        named = data.count if data.count is not None else data.instances
        if named is not None:
            count = round(named * 1_000)
    return [count, max(since, event.time), used]
