"""Scrapes of the DCGM exporter: what accelerators did while a pod held them. No scrape holds anything.

Read is the text of Prometheus, or OpenMetrics, which ends with `# EOF`: lines of `DCGM_FI_...` series; whatever else
stands between them is passed over, as exporters and people put headings there. A sample is of the pod that its labels
name: with `pod_uid` (the exporter's option `--kubernetes-enable-pod-uid`) it belongs to the pod's allocation; with an
outer allocation named by the operator to that one, `{node}` being the exporter's `Hostname`, which is its own pod's
unless it is told NODE_NAME. Prometheus keeps labels that its own hide as `exported_...`; an exporter that keeps to its
old names says `pod_name`. Samples of one pod at one time become one event: the mean over its accelerators, slices by
their part of a chip.

The time of a sample is its own, in milliseconds, as federation writes it, or in the seconds of OpenMetrics, else that
of its receipt; without either it is refused. What the exporter shows is a mean over the interval in which it collects,
which is taken to be the 30 s that it collects in unless told otherwise. A value that cannot be, such as the sentinels
of absent sensors, is unknown; what is not known of all accelerators of a pod is left out. The power of a chip says
nothing of one slice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from monitor.intake.dialect import TELEMETRY, Event, Options, Translated, event, instant, outer
from monitor.intake.kubernetes import RESERVING, part_of_a_chip
from monitor.intake.refusal import Ignored, Refusal, shown

WINDOW_SECONDS = 30
START = "DCGM_FI_"
LATEST_MS = 5_000_000_000_000  # since 1970: beyond the year 2100


class Metric(NamedTuple):
    """The field of an event that a series becomes, the value of its 1, and between what it lies."""

    field: str
    unit: float
    low: float
    high: float


METRICS = {
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": Metric("tensor_active", 1, 0, 1),
    "DCGM_FI_PROF_SM_ACTIVE": Metric("sm_active", 1, 0, 1),
    "DCGM_FI_PROF_DRAM_ACTIVE": Metric("dram_active", 1, 0, 1),
    "DCGM_FI_DEV_GPU_UTIL": Metric("gpu_util", 100, 0, 1),
    "DCGM_FI_DEV_SM_CLOCK": Metric("sm_clock_mhz", 1, 0.001, 5_000),
    "DCGM_FI_DEV_POWER_USAGE": Metric("power_watts", 1, 0.001, 100_000),
}
OF_THE_WHOLE_CHIP = "power_watts"
NAMES = {"namespace": "pod_namespace", "pod": "pod_name", "pod_uid": "pod_uid"}  # of labels, and those of old

_KNOWN = re.compile(rb"^(?:# (?:HELP|TYPE) )?DCGM_FI_", re.MULTILINE)
_LABEL = re.compile(r'[ \t,]*([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"', re.ASCII)
_SECONDS = re.compile(r"(\d{1,10})(?:\.(\d{1,9}))?", re.ASCII)
_ESCAPED = re.compile(r"\\(.)")


class Whose(NamedTuple):
    """What the samples of one event have in common."""

    namespace: str | None
    pod: str | None
    uid: str | None
    host: str | None
    time: str | None  # milliseconds since 1970, if the series says so


class Device(NamedTuple):
    """An accelerator, or a slice of one."""

    chip: str
    slice: str | None
    profile: str | None


Samples = dict[Device, dict[str, float]]  # field -> value
Places = dict[tuple[str, str | None], dict[str, float] | None]  # labels and time -> where values go; None: nowhere


def recognises_text(raw: bytes) -> bool:
    """Whether a text is of this dialect: a line of it is a series of DCGM, or about one."""
    return _KNOWN.search(raw[:65_536]) is not None


def translate(raw: bytes, options: Options) -> Iterator[Translated]:
    """What becomes of the samples of each pod, or of each node, in a scrape."""
    if not recognises_text(raw):
        line = raw[:200].partition(b"\n")[0].decode("utf-8", "replace")
        yield Translated("scrape", Refusal("envelope", f"The text begins {shown(line)}; expected series of DCGM."))
        return
    found: dict[Whose, Samples] = {}
    places: Places = {}
    in_seconds = raw[-100:].rstrip().endswith(b"# EOF")
    for line in raw.decode("utf-8", "replace").split("\n"):
        if line.startswith(START):
            _read(_of_prometheus(line) if in_seconds else line, options, found, places)
    if not found:
        yield Translated("scrape", Ignored("a scrape without a series that is read"))
    for whose, samples in found.items():
        name = whose.pod or whose.host
        yield Translated(f"samples of {shown(name, quote=False)}", _outcome(whose, samples, options))


def _of_prometheus(line: str) -> str:
    """A series of OpenMetrics as Prometheus writes it: without an exemplar, its time in milliseconds."""
    series = line.partition(" # {")[0]
    before, _, time = series.rstrip().rpartition(" ")
    alone = before.rstrip().endswith("}")  # a value without a time
    found = None if alone else _SECONDS.fullmatch(time)
    return series if found is None else f"{before} {found[1]}{(found[2] or '')[:3]:0<3}"


def _read(line: str, options: Options, found: dict[Whose, Samples], places: Places) -> None:
    """Put the value of a series to those that belong with it: all series of a chip have the same labels and time."""
    name, _, rest = line.partition("{")
    metric = METRICS.get(name)
    if metric is None:
        return
    labels, closed, behind = rest.rpartition("}")  # what follows labels has none
    told = behind.split()
    if not closed or not 1 <= len(told) <= 2:
        return
    place = labels, told[1] if len(told) == 2 else None
    if place not in places:
        places[place] = _place(*place, options, found)
    values, value = places[place], _value(told[0], metric)
    if values is not None and value is not None:
        values[metric.field] = value


def _place(text: str, time: str | None, options: Options, found: dict[Whose, Samples]) -> dict[str, float] | None:
    """Where values with these labels go; None: they are no labels."""
    labels, position = {}, 0
    while (label := _LABEL.match(text, position)) is not None:
        labels[label[1]] = _ESCAPED.sub(r"\1", label[2]) if "\\" in label[2] else label[2]
        position = label.end()
    if text[position:].strip(" \t,"):
        return None
    host = labels.get("Hostname") or labels.get("hostname") or None
    namespace, pod, uid = (
        labels.get(f"exported_{name}") or labels.get(old) or labels.get(name) or None for name, old in NAMES.items()
    )
    if options.within is not None:  # all that it holds, whichever pod uses it
        pod = uid = None
        namespace = None if options.tenant else namespace
    chip = labels.get("UUID") or labels.get("gpu") or ""
    device = Device(chip, labels.get("GPU_I_ID") or None, labels.get("GPU_I_PROFILE") or None)
    return found.setdefault(Whose(namespace, pod, uid, host, time), {}).setdefault(device, {})


def _value(told: str, metric: Metric) -> float | None:
    try:
        value = float(told) / metric.unit
    except ValueError:
        return None
    return value if metric.low <= value <= metric.high else None  # NaN is not


def _outcome(whose: Whose, samples: Samples, options: Options) -> tuple[Event, ...] | Ignored | Refusal:
    tenant = options.tenant or whose.namespace
    allocation = outer(options, whose.host)
    if allocation is None:
        if whose.pod is None:
            return Ignored("an accelerator that no pod uses")
        if whose.namespace in RESERVING:
            return Ignored("a pod that keeps an accelerator for others")
        if whose.uid is None or whose.namespace is None:
            return Ignored("a pod without pod_uid: let the exporter name it, or name an outer allocation")
        allocation = f"pod/{whose.namespace}/{whose.uid}"
    if tenant is None:
        return Ignored("an accelerator that no tenant uses")
    time = _time(whose.time, options)
    if isinstance(time, Refusal):
        return time
    fields = _means(samples)
    if len(fields) == 1:
        return Ignored("samples without a value that can be")
    made = event(
        TELEMETRY,
        (options.source, f"{whose.host or ''}/{allocation}/{time}"),
        time,
        tenant,
        allocation=allocation,
        window_seconds=WINDOW_SECONDS,
        observer="provider",
        **fields,
    )
    return made if isinstance(made, Refusal) else (made,)


def _time(told: str | None, options: Options) -> str | Refusal:
    if told is None:
        if options.received is None:
            return Refusal("time", "The samples have no time, and when they were scraped is not known.")
        return instant(options.received)
    if told.isascii() and told.isdigit() and len(told) <= 13 and int(told) < LATEST_MS:
        seconds, milliseconds = divmod(int(told), 1_000)
        return instant(f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z")
    return Refusal("time", f"The time of a sample is {shown(told)}; expected milliseconds since 1970.")


def _means(samples: Samples) -> Mapping[str, float]:
    """How many accelerators are covered, and the mean of each field that is known of all of them."""
    cut = {device.chip for device in samples if device.slice is not None}
    parts = {
        device: part_of_a_chip(device.profile) or 0
        for device in samples
        if device.slice is not None or device.chip not in cut  # else its slices tell the same again
    }
    covered = sum(parts.values())
    means: dict[str, float] = {"accelerators_covered": round(covered, 3)}
    if not covered:
        return means
    for metric in METRICS.values():
        known = [metric.field in samples[device] for device in parts]
        if all(known) and not (cut and metric.field == OF_THE_WHOLE_CHIP):
            total = sum(part * samples[device][metric.field] for device, part in parts.items())
            means[metric.field] = round(total / covered, 6)
    return means
