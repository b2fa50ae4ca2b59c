"""Ways by which people are told, built from settings, and tried."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from monitor.alert import Sink
from monitor.clock import Clock, SystemClock
from monitor.core.notices import trial_message
from monitor.errors import MonitorError, SettingsProblem
from monitor.settings import NoticeSink, Settings


class Tried(NamedTuple):
    """What became of a test message."""

    sink: str
    message: str
    problem: str  # "": its receiver has confirmed it


def try_sinks(settings: Settings, name: str | None) -> list[Tried]:
    """Send a message that says that it is a test to every sink, or to one.

    Raises:
        SettingsProblem: the settings name no sink, or not that one.
    """
    chosen = [one for one in settings.notices.sinks if name in (None, one.name)]
    if not chosen:
        which = "no sink" if name is None else f"no sink {name}"
        raise SettingsProblem(f"The settings name {which}: add it to `notices.sinks`.")
    clock, tried = SystemClock(), []
    for one in chosen:
        sink, message = sink_of(one, settings, clock), trial_message(one.name, clock.now_ms())
        try:
            problem = sink.send(message).problem
        except MonitorError as refused:
            problem = str(refused)
        finally:
            sink.close()
        tried.append(Tried(one.name, message.id, problem))
    return tried


def check_sinks(settings: Settings) -> Iterator[str]:
    """What is wrong with the files of the sinks; nothing is sent."""
    for one in settings.notices.sinks:
        try:
            sink_of(one, settings, SystemClock()).check()
        except MonitorError as problem:
            yield f"The sink {one.name}: {problem}"


def sink_of(sink: NoticeSink, settings: Settings, clock: Clock) -> Sink:
    """What takes notices, as the settings name it."""
    # Only here, as the clients above.
    if sink.kind == "webhook":
        from monitor.alert.webhook import Webhook

        return Webhook(sink, clock)
    if sink.kind == "email":
        from monitor.alert.email import Email

        return Email(sink)
    if sink.kind == "alertmanager":
        from monitor.alert.alertmanager import Alertmanager

        return Alertmanager(sink, clock)
    from monitor.alert.topic import Topic
    from monitor.source.kafka import connection

    return Topic(sink, lambda: connection(settings.kafka))
