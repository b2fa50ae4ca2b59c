"""Checkpoints of the audit to a second place, where the store's owner should not be able to change them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kafka import errors as kafka_errors

from monitor.alert.producer import PatientProducer
from monitor.errors import CheckpointProblem


class CheckpointFile:
    """A file that is only added to; on the disk once `put` returns."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, line: str) -> None:
        """Add a line.

        Raises:
            CheckpointProblem: it may not be there.
        """
        try:
            with self._path.open("a+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # or what another one is writing looks torn
                file.write(_end_of_torn(file) + line.encode("ascii") + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as problem:
            reason = (problem.strerror or "no reason given").lower()
            raise CheckpointProblem(
                f"A checkpoint of the audit cannot be added to {self._path} ({reason}): mend it, or change "
                "`audit.checkpoint_file`."
            ) from None

    def close(self) -> None:
        """Nothing is open."""


def _end_of_torn(file: Any) -> bytes:
    """What ends a last line that was not written to its end."""
    if file.seek(0, os.SEEK_END) == 0:
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"


class CheckpointTopic:
    """A topic of Kafka, a record a checkpoint. They have no key: a topic that forgets by key refuses them."""

    def __init__(self, topic: str, seconds: float, connection: Callable[[], Mapping[str, Any]]) -> None:
        """`seconds`: how long a broker may take; `connection` gives what a client connects with, as it is then."""
        self._topic = topic
        self._producer = PatientProducer(seconds, connection)

    def put(self, line: str) -> None:
        """Send a line, and wait until it has arrived.

        Raises:
            CheckpointProblem: it may not have.
            SettingsProblem: a file with a secret or a certificate cannot be used.
        """
        try:
            self._producer.send(self._topic, [(line.encode("ascii"), None)])
        except kafka_errors.KafkaError as problem:
            raise CheckpointProblem(
                f"A checkpoint of the audit does not reach the topic {self._topic} ({problem}): create it, or grant "
                "Write on it, or mend the settings in `kafka`."
            ) from None

    def close(self) -> None:
        """Let go of the connections."""
        self._producer.close()
