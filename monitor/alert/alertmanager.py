"""Flags as alerts of an Alertmanager (API v2): one alert a flag, said again while it stands, or it would expire.

Labels come from closed sets, and from what names a flag: no tenant is named, neither there nor in the annotations. An
alert ends when a person has closed its flag; one whose finding no longer stands goes on until then, and says so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from monitor.alert import Receipt
from monitor.alert.posting import Target, post
from monitor.alert.reach import secret, tls
from monitor.clock import Clock
from monitor.core.clocks import instant
from monitor.core.model import SECOND_MS
from monitor.core.notices import NOTHING_ESTABLISHED, TRIAL, Kind, Message, Notice, force_words
from monitor.core.policy import Level
from monitor.errors import NoticeProblem
from monitor.settings import AlertmanagerSink
from monitor.store import Standing

PATH = "/api/v2/alerts"
STANDS_MS = 300 * SECOND_MS  # what is not said again for so long ends
ALERTS_AT_ONCE = 500
SEVERITY = {Level.WATCH: "info", Level.WARNING: "warning", Level.CRITICAL: "critical"}


class Alertmanager:
    """An Alertmanager."""

    forgets = True

    def __init__(self, settings: AlertmanagerSink, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        url = settings.url.rstrip("/") + PATH
        self._target = Target(url, settings.ca_file, settings.allow_private, settings.timeout_seconds)

    def check(self) -> None:
        """Look at the files of the settings; nothing is sent.

        Raises:
            SettingsProblem: one of them cannot be used.
        """
        tls(self._settings.ca_file)
        if self._settings.token_file is not None:
            secret(self._settings.token_file)

    def send(self, message: Message) -> Receipt:
        """Say what a message says."""
        latest = {one.flag: one for one in message.notices}
        name = "FlopwatchTest" if message.purpose == TRIAL else "FlopwatchFlag"
        ends = self._clock.now_ms() + STANDS_MS
        return self._post([alert_of(one, name, ends) for one in latest.values()])

    def keep(self, standing: Sequence[Standing], now: int) -> None:
        """Say again what stands, and what has been closed.

        Raises:
            NoticeProblem: it does not take it.
        """
        for start in range(0, len(standing), ALERTS_AT_ONCE):
            receipt = self._post(
                [
                    alert_of(one.notice, "FlopwatchFlag", now + STANDS_MS if one.closed_at is None else one.closed_at)
                    for one in standing[start : start + ALERTS_AT_ONCE]
                ]
            )
            if not receipt.arrived:
                raise NoticeProblem(receipt.problem)

    def _post(self, alerts: Sequence[dict[str, Any]]) -> Receipt:
        headers = {"Content-Type": "application/json", "User-Agent": "flopwatch"}
        if self._settings.token_file is not None:
            headers["Authorization"] = f"Bearer {secret(self._settings.token_file)}"
        return post(self._target, json.dumps(alerts).encode(), headers)

    def close(self) -> None:
        """There is a connection for each message, which ends with it."""


def alert_of(notice: Notice, name: str, ends: int) -> dict[str, Any]:
    """A flag as an alert that ends at an instant unless it is said again."""
    about = "a group of tenants" if notice.members else "a tenant"
    stands = "its finding no longer stands" if notice.kind is Kind.WITHDRAWN else "its finding stands"
    return {
        "labels": {
            "alertname": name,
            "flag": notice.flag,
            "rule": notice.rule,
            "policy": notice.policy,
            "level": notice.level.value,
            "severity": SEVERITY[notice.level],
            "urgency": notice.urgency.value,
            "legal_force": notice.legal_force,
            "family": "tenant",
        },
        "annotations": {
            "summary": f"A flag of level {notice.level} is open for {about}: {stands}.",
            "description": f"Legal force: {force_words(notice.legal_force)}. Duty holder: {notice.duty_holder}. Not "
            f"established: {'; '.join(notice.not_established) or NOTHING_ESTABLISHED}. `flopwatch explain "
            f"{notice.flag}` says who it is about and what it rests on.",
            "clock": notice.clock,
            "as_of": instant(notice.at),
            "notice": notice.id,
            "kind": notice.kind.value,
        },
        "startsAt": instant(min(notice.made_at, ends)),
        "endsAt": instant(ends),
    }
