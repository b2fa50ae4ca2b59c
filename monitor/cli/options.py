"""Options that several commands share."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Where event times lie; anything else is a slip, and the hours of what is still held up to the year 9999 fit nowhere.
EARLIEST, END = datetime(2010, 1, 1, tzinfo=UTC), datetime(2101, 1, 1, tzinfo=UTC)

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="FLOPWATCH_CONFIG",
    help="Settings file; without one the defaults of the package hold.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def _instant(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value.strip().upper().replace("Z", "+00:00"))
    except ValueError:
        raise click.BadParameter(f"'{value}' is no time; write it like 2026-01-31T00:00:00Z.") from None
    if at.tzinfo is None:
        raise click.BadParameter(f"'{value}' has no zone; add Z for UTC, or an offset like +02:00.")
    if not EARLIEST <= at < END:
        raise click.BadParameter(f"'{value}' is outside the years 2010 to 2100, in which the times of events lie.")
    return (at - EPOCH) // (datetime.resolution * 1_000)


as_of_option = click.option(
    "--as-of", callback=_instant, metavar="TIME", help="The instant to answer for (default: the latest event time)."
)
at_option = click.option(
    "--at", callback=_instant, metavar="TIME", help="From when on it is known, where a file states no time itself."
)
known_at_option = click.option(
    "--at", callback=_instant, metavar="TIME", required=True, help="From when on it was known."
)
before_option = click.option(
    "--before", callback=_instant, metavar="TIME", required=True, help="Only what is from before then."
)
since_option = click.option("--since", callback=_instant, metavar="TIME", help="Only what was done from then on.")
state_option = click.option(
    "--state",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The store's file (default: the store of the settings).",
)
