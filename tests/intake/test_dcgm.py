"""Scrapes of the DCGM exporter: whose samples they are, what they say, and that nonsense in them is unknown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.model import Record, Sample
from monitor.intake.dcgm import recognises_text, translate
from monitor.intake.decode import Rules, decode
from monitor.intake.dialect import TELEMETRY, Options, line
from monitor.intake.refusal import Refusal
from tests.intake.foreign import REAL, book_of, check_anything, events, outcomes, sample, strangers, used

OPTIONS = Options("/dcgm")
RECEIVED = Options("/dcgm", received="2026-03-01T12:01:00Z")
BY_NODE = Options("/dcgm", "acme", "node/{node}", received="2026-03-01T12:01:00Z")
POD = "pod/team-a/7d1f0000-0000-4000-8000-000000000001"
SLICES = "pod/team-a/7d1f0000-0000-4000-8000-000000000004"
NO_UID = "ignored: a pod without pod_uid: let the exporter name it, or name an outer allocation"
IDLE = "ignored: an accelerator that no pod uses"


def told(raw: bytes, options: Options) -> list[str]:
    """What became of the samples of each pod or node."""
    return [one.removeprefix("io.flopwatch.telemetry.") for one in outcomes(translate, raw, options)]


BUILT = [
    ("built-pod.prom", OPTIONS, [f"sampled {POD}", IDLE]),
    ("built-pod.prom", BY_NODE, ["sampled node/gpu-7"]),
    ("built-slices-federated.prom", OPTIONS, [f"sampled {SLICES}"]),
]


@pytest.mark.parametrize(("name", "options", "expected"), BUILT)
def test_a_built_scrape_becomes_this(name: str, options: Options, expected: list[str]) -> None:
    """Samples of one pod are one event; with an outer allocation named, all are of that one."""
    raw = sample(f"dcgm/{name}")

    assert recognises_text(raw)
    assert expected == told(raw, options)


KEEPS = "ignored: a pod that keeps an accelerator for others"
REAL_OUTCOMES = [
    ("a100-idle-mig-disabled.prom", [IDLE], ["sampled node/nvidia-dcgm-exporter-drqwq"]),
    ("a100-mig-1g-active.prom", [IDLE], ["sampled node/nvidia-dcgm-exporter-km55s"]),
    ("readme-example-1.prom", [IDLE], ["ignored: an accelerator that no pod uses"]),
    ("readme-example-2.prom", [IDLE], ["ignored: an accelerator that no pod uses"]),
    ("t4-one-workload.prom", [KEEPS, IDLE], ["sampled node/nvidia-dcgm-exporter-s228n"]),
]


@pytest.mark.parametrize(("name", "by_pod", "by_node"), REAL_OUTCOMES)
def test_a_real_scrape_becomes_this(name: str, by_pod: list[str], by_node: list[str]) -> None:
    """Stray headings, shell lines and sentinels do no harm; of nodes there is a sample wherever a host is named."""
    file = REAL / "dcgm_exporter" / name
    if not file.exists():
        pytest.skip("shared/data/events is not beside the checkout")

    assert recognises_text(file.read_bytes())
    assert by_pod == told(file.read_bytes(), RECEIVED)
    assert by_node == told(file.read_bytes(), BY_NODE)


def test_samples_of_a_pod_are_their_mean() -> None:
    """Over both accelerators; what is absent, NaN or a sentinel of one of them is left out."""
    (sampled,) = events(translate, sample("dcgm/built-pod.prom"), OPTIONS)

    assert {
        "specversion": "1.0",
        "id": f"gpu-7/{POD}/2026-03-01T12:01:00.000Z",
        "source": "/dcgm",
        "type": TELEMETRY,
        "time": "2026-03-01T12:01:00.000Z",
        "data": {
            "tenant": "team-a",
            "allocation": POD,
            "window_seconds": 30,
            "observer": "provider",
            "accelerators_covered": 2,
            "tensor_active": 0.375,
            "gpu_util": 0.95,
            "sm_clock_mhz": 1750,
            "power_watts": 610.5,
        },
    } == sampled


def test_slices_count_by_their_part_of_a_chip() -> None:
    """Three sevenths at a half and one at a tenth are four at four tenths; the chip's power is not theirs."""
    (sampled,) = events(translate, sample("dcgm/built-slices-federated.prom"), OPTIONS)

    data = sampled["data"]
    assert (0.571, 0.4, 1410) == (data["accelerators_covered"], data["tensor_active"], data["sm_clock_mhz"])
    assert "power_watts" not in data


def test_a_chip_is_not_counted_beside_its_slices() -> None:
    """Some series are of the whole chip though it is cut: its slices tell what they did."""
    raw = sample("dcgm/built-slices-federated.prom")
    whole = raw.replace(b'GPU_I_PROFILE="1g.5gb",GPU_I_ID="9",', b"")

    (sampled,) = events(translate, whole, OPTIONS)

    assert (0.429, 0.5) == (sampled["data"]["accelerators_covered"], sampled["data"]["tensor_active"])


def test_the_books_measure_what_was_sampled() -> None:
    """A sample is the provider's and of 30 s; it holds nothing by itself."""
    sampled = events(translate, sample("dcgm/built-pod.prom"), OPTIONS)

    (fact,) = decode([Record("t", 0, 0, 1, line(sampled[0]), None)], Rules()).observations

    assert Sample(30_000, True, 2_000, 375_000, 1_750_000, (), 610_500) == fact.body
    assert {} == used(book_of(sampled))


SERIES = 'DCGM_FI_PROF_PIPE_TENSOR_ACTIVE{UUID="G",namespace="a",pod="p",pod_uid="u"} 0.5'
TIMES = [
    ("1772366460000", "2026-03-01T12:01:00.000Z"),
    ("", "2026-03-01T12:01:00Z"),
    ("1772366460", None),  # seconds, of 1970
    ("1772366460.5", None),
    ("-1", None),
    ("9" * 30, None),
]


@pytest.mark.parametrize(("time", "expected"), TIMES)
def test_a_sample_has_its_own_time_or_that_of_its_receipt(time: str, expected: str | None) -> None:
    """In milliseconds since 1970; what is no such time is refused, not replaced."""
    (translated,) = translate(f"{SERIES} {time}\n".encode(), RECEIVED)

    outcome = translated.outcome
    assert expected == (None if isinstance(outcome, Refusal) else outcome[0]["time"])


OPEN = [
    ("0.5 1772366460", 0.5, "2026-03-01T12:01:00.000Z"),
    ("0.5 1772366460.5", 0.5, "2026-03-01T12:01:00.500Z"),
    ("0.5 1772366460.1234567", 0.5, "2026-03-01T12:01:00.123Z"),
    ('0.5 1772366460.0 # {trace_id="a}"} 0.25 1772366461.0', 0.5, "2026-03-01T12:01:00.000Z"),
    (" 1", 1, "2026-03-01T12:01:00Z"),
]


@pytest.mark.parametrize(("behind", "value", "time"), OPEN)
def test_times_of_open_metrics_are_in_seconds(behind: str, value: float, time: str) -> None:
    """Its texts say at their end what they are; an exemplar is of another sample; a value alone is no time."""
    raw = f"{SERIES.removesuffix('0.5')}{behind}\n# EOF\n".encode()

    (sampled,) = events(translate, raw, RECEIVED)

    assert (value, time) == (sampled["data"]["tensor_active"], sampled["time"])


def test_a_pod_may_go_by_the_labels_of_old() -> None:
    """They are the series' own: `pod` beside them is the exporter's, that Prometheus adds."""
    old = SERIES.replace('namespace="a",pod="p"', 'pod_namespace="a",pod_name="p",namespace="gpu-operator",pod="dcgm"')

    assert told(SERIES.encode(), RECEIVED) == told(old.encode(), RECEIVED) == ["sampled pod/a/u"]


def test_without_any_time_a_sample_is_refused() -> None:
    """Nobody can say what the accelerators were doing when."""
    assert ["refused: time"] == told(SERIES.encode(), OPTIONS)


UNREAD = [
    "DCGM_FI_DEV_FB_USED{} 1",
    "DCGM_FI_DEV_SM_CLOCK{",
    "DCGM_FI_DEV_SM_CLOCK{} ",
    "# HELP DCGM_FI_DEV_SM_CLOCK x",
]


@pytest.mark.parametrize("series", UNREAD)
def test_a_scrape_of_which_nothing_is_read_is_ignored(series: str) -> None:
    """Other series, broken ones, headings alone."""
    assert ["ignored: a scrape without a series that is read"] == told(series.encode(), RECEIVED)


VALUES = ["NaN", "-1", "1.5", "+Inf", "9223372036854775794", "140737488355328.0", "x", ""]


@pytest.mark.parametrize("value", VALUES)
def test_a_value_that_cannot_be_is_unknown(value: str) -> None:
    """Never zero: a pod of which nothing else is known gives no event."""
    raw = SERIES.replace("0.5", value).encode()

    assert [] == events(translate, raw, RECEIVED)


def test_labels_may_hold_anything() -> None:
    """Quotes, braces, commas and backslashes in a label end neither it nor the series."""
    raw = SERIES.replace('pod="p"', r'pod="a\"b},{\\,c="').encode()

    ((sampled,),) = [one.outcome for one in translate(raw, RECEIVED)]

    assert 0.5 == sampled["data"]["tensor_active"]


PIECES = st.sampled_from([
    "DCGM_FI_DEV_SM_CLOCK", "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "{", "}", 'UUID="G"', 'namespace="a"', 'pod="p"', ",",
    'pod_uid="u"', 'Hostname="h"', 'GPU_I_PROFILE="9g"', 'GPU_I_ID="1"', '"', "\\", " ", "\n", "1", "NaN", "1e999",
    "\0", "1772366460000", "x" * 1_100, "# HELP ",
])  # fmt: skip
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=30).map("".join)
LABELS = st.lists(PIECES, max_size=6).map(",".join)


@given(
    raw=TEXTS.map(lambda text: ("DCGM_FI_\n" + text).encode("utf-8", "replace"))
    | LABELS.map(lambda labels: SERIES.replace("{", "{" + labels + ",").encode())
    | st.binary(),
    options=st.sampled_from([RECEIVED, BY_NODE, OPTIONS]),
)
def test_whatever_comes_is_an_event_or_has_a_reason(raw: bytes, options: Options) -> None:
    """No scrape raises anything, and every event that leaves is one of the contract."""
    check_anything(translate, raw, options)


def test_nobody_elses_documents_are_taken_for_a_scrape() -> None:
    """Whatever their texts hold."""
    others: list[tuple[str, Any]] = strangers("dcgm", "dcgm_exporter")

    assert [] == [file for file, document in others if recognises_text(json.dumps(document).encode())]
