#!/usr/bin/env python3
"""The job in Quix Streams: keyed state with a changelog, a commit each second. Prints its figures as JSON."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time

from events import Event, follow, validate
from quixstreams import Application, State


def main() -> None:
    """Read `events` records of a topic, and stop once they are committed."""
    bootstrap, topic_name, group, events = sys.argv[1:5]
    marks: dict[str, float] = {}

    def checked(value: bytes) -> Event:
        if not marks:
            marks["first"], marks["cpu"] = time.perf_counter(), _cpu()
        return validate(value)

    def booked(event: Event, state: State) -> None:
        allocation = event.data.allocation
        if allocation is not None:
            state.set(allocation, follow(state.get(allocation), event))

    with tempfile.TemporaryDirectory(prefix="flopwatch-quix-") as folder:
        app = Application(
            broker_address=bootstrap,
            consumer_group=group,
            auto_offset_reset="earliest",
            commit_interval=1.0,
            state_dir=folder,
            use_changelog_topics=True,
            loglevel="WARNING",
        )
        commit = app._processing_context.commit_checkpoint

        def committed(*words: object, **options: object) -> None:
            commit(*words, **options)
            if not options.get("revoking"):  # closing commits once more, with nothing new
                marks["last"], marks["cpu_last"] = time.perf_counter(), _cpu()

        app._processing_context.commit_checkpoint = committed
        frame = app.dataframe(app.topic(topic_name, key_deserializer="str", value_deserializer="bytes"))
        frame.apply(checked).update(booked, stateful=True)
        app.run(count=int(events))
    print(json.dumps({"seconds": marks["last"] - marks["first"], "cpu": marks["cpu_last"] - marks["cpu"]}))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
