#!/usr/bin/env python3
"""The job in Faust: a table in memory with its changelog, a commit each second. Prints its figures as JSON."""

from __future__ import annotations

import json
import os
import resource
import sys
import time

import faust
from events import follow, validate

BOOTSTRAP, TOPIC, GROUP, EVENTS = sys.argv[1:5]
app = faust.App(
    GROUP,
    broker=f"kafka://{BOOTSTRAP}",
    store="memory://",
    topic_partitions=1,
    topic_replication_factor=1,
    broker_commit_interval=1.0,
    consumer_auto_offset_reset="earliest",
    value_serializer="raw",
    web_enabled=False,
)
events = app.topic(TOPIC, key_type=bytes, value_type=bytes, value_serializer="raw", key_serializer="raw")
held = app.Table("held", partitions=1)


@app.agent(events)
async def books(stream: faust.Stream) -> None:
    """Validate each event and keep the accelerator time of its allocation."""
    count, first, cpu = 0, 0.0, 0.0
    async for value in stream:
        if not count:
            first, cpu = time.perf_counter(), _cpu()
        event = validate(value)
        if event.data.allocation is not None:
            key = f"{event.data.tenant}/{event.data.allocation}"
            held[key] = follow(held.get(key), event)
        count += 1
        if count == int(EVENTS):
            await app.producer.flush()
            await app.consumer.commit()
            figures = json.dumps({"seconds": time.perf_counter() - first, "cpu": _cpu() - cpu})
            print(figures, file=sys.__stdout__, flush=True)  # Faust makes log lines of what goes to sys.stdout
            os._exit(0)  # a worker that stops by itself waits for its own agents


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    faust.Worker(app, loglevel="warning").execute_from_commandline()
