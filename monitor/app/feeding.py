"""Profiles of customers, from a provider's own tables to the topics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from monitor.errors import ProfileProblem, SettingsProblem
from monitor.intake.profiles import ProfileEvent, profile_events
from monitor.settings import Settings


def profiles(files: Sequence[Path], at: int | None, source: str) -> list[ProfileEvent]:
    """The profiles of files as canonical events; `at`: milliseconds since 1970, for those that state no time.

    Raises:
        ProfileProblem: a file cannot be read, or something in it is not as it must be.
    """
    events = []
    for file in files:
        try:
            content = file.read_bytes()
        except OSError as wrong:
            raise ProfileProblem(f"{file} cannot be read: {(wrong.strerror or 'no reason given').lower()}.") from None
        events.extend(profile_events(content, str(file), at, source))
    return events


def send_profiles(settings: Settings, events: Sequence[ProfileEvent]) -> int:
    """Send profiles to the topics of the settings; the number of them.

    Raises:
        MonitorError: the settings name no Kafka, or it does not take all of them.
    """
    if not settings.kafka.bootstrap_servers:
        raise SettingsProblem("The settings name no Kafka to send to: set `kafka.bootstrap_servers`.")
    # Only here: the client takes a third of a second to read.
    from monitor.source import Outgoing
    from monitor.source.kafka_sending import send

    return send(settings.kafka, [Outgoing(one.of_tenant, one.key, one.line.rstrip(b"\n")) for one in events])
