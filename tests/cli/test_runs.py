"""Probable runs through the command line: the list, one run explained, its picture, and what cannot be done."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.cli import show
from tests.cli.command import fact, flopwatch, written

H100 = "H100 SXM 80GB"
NUMBERS = ("low", "central", "high", "ceiling")


def held(tenant: str, name: str, count: float, start: str, end: str | None, **more: object) -> Iterator[dict[str, Any]]:
    """An allocation from its start to its end, if it has one; instants are days and hours of March 2026."""
    whose = {"tenant": tenant, "allocation": name}
    place = {"accelerator": H100, "count": count, "region": "eu-1", "fabric": "f-1"}
    yield fact("allocation.started", f"{tenant}-{name}", instant(start), **whose, **place, **more)
    if end is not None:
        yield fact("allocation.stopped", f"{tenant}-{name}-end", instant(end), **whose)


def instant(day: str) -> str:
    return f"2026-03-{day[:2]}T{day[3:] or '00'}:00:00Z"


def nodes(
    tenant: str, names: Iterable[str], count: int, start: str, end: str | None, **more: object
) -> list[dict[str, Any]]:
    """Several allocations alike."""
    return [one for name in names for one in held(tenant, name, count, start, end, **more)]


FACTS = [
    # Acme trains for six days, with a restart after three hours; then another job of its own runs besides.
    *nodes("acme", "abcdefgh", 8, "01", "04", job="llm", purpose="pretraining", nodes=["n1"]),
    *nodes("acme", "ijklmnop", 8, "04 03", "07", job="llm", purpose="pretraining", nodes=["n1"]),
    *nodes("acme", "qr", 8, "05", "06", job="eval", purpose="inference"),
    # Basalt holds two nodes under a job still, Cobalt never 16 accelerators.
    *nodes("basalt", "ab", 8, "02", None, job="tune"),
    *nodes("cobalt", "a", 4, "02", "03"),
]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of these facts."""
    folder = tmp_path_factory.mktemp("runs")
    state = folder / "books.db"
    assert 0 == flopwatch("replay", written(folder / "events.jsonl", FACTS), "--state", state).code
    return state


def listed(state: Path, *arguments: object) -> list[dict[str, Any]]:
    """The runs as JSON."""
    ran = flopwatch("runs", *arguments, "--state", state, "--json")
    assert (0, "") == (ran.code, ran.err)
    runs: list[dict[str, Any]] = ran.document
    return runs


@pytest.fixture(scope="module")
def trained(state: Path) -> dict[str, Any]:
    """The run of two segments."""
    return listed(state)[0]


def test_runs_are_listed_largest_first(state: Path) -> None:
    """A line for each run of every tenant, by central estimate, with how much it looks like training."""
    ran = flopwatch("runs", "--state", state)
    runs = listed(state)

    lines = ran.out.splitlines()
    assert 0 == ran.code
    assert "As of 2026-03-07T00:00:00Z, 3 runs:" == lines[0]
    assert ["acme", "basalt", "acme"] == [one["tenant"] for one in runs]
    assert [one["run"] for one in runs] == [line.split()[0] for line in lines[2:5]]
    assert [one["training"] for one in runs] == [line.split()[-2] for line in lines[2:5]]
    assert ["2", "1", "1"] == [line.split()[-1] for line in lines[2:5]]
    assert "`flopwatch explain RUN`" in lines[-1]
    central = [one["flop"]["central"] for one in runs]
    assert sorted(central, reverse=True) == central


def test_a_run_is_a_document(trained: dict[str, Any]) -> None:
    """What the list says of a run in JSON: when, how much, the range of what may belong to it, and why."""
    assert ("acme", "2026-03-01T00:00:00Z", "2026-03-07T00:00:00Z") == tuple(
        trained[name] for name in ("tenant", "start", "end")
    )
    assert (64, 16, 64 * 141 * 3_600 * 10**6) == tuple(
        trained[name] for name in ("accelerators_peak", "allocations", "accelerator_us")
    )
    assert ("likely", 2) == (trained["training"], len(trained["segments"]))
    assert trained["run"] == trained["segments"][0]
    assert {"the gap is short for what came before": 1} == trained["links"]
    assert "The tenant calls it training." in trained["reasons"]
    for name in NUMBERS:
        assert trained["flop"][name] == trained["flop_with_weak_links"][name] < trained["flop_with_concurrent"][name]


def test_a_list_is_cut_by_number_and_by_compute(state: Path) -> None:
    """--limit shows the largest and says that there are more; --above leaves out what surely did not reach it."""
    runs = listed(state)
    least = runs[1]["flop"]["high"]

    text = flopwatch("runs", "--limit", 1, "--state", state).out
    assert text.startswith("As of 2026-03-07T00:00:00Z, 3 runs (the first 1; --limit shows more):\n")
    assert (runs[0]["run"], 4) == (text.splitlines()[2].split()[0], len(text.splitlines()))
    assert runs[:2] == listed(state, "--limit", 2)
    assert runs[:2] == listed(state, "--above", least * 0.999)
    assert runs[:1] == listed(state, "--above", least * 1.001)
    assert "As of 2026-03-07T00:00:00Z, 0 runs:\n" == flopwatch("runs", "--above", "1e40", "--state", state).out


def test_runs_of_one_tenant(state: Path) -> None:
    """A tenant's name leaves only its runs; a tenant without one has an empty list, and that is no mistake."""
    runs = listed(state)

    assert [runs[0], runs[2]] == listed(state, "acme")
    assert [runs[1]] == listed(state, "basalt")
    assert [] == listed(state, "cobalt")
    assert (
        "As of 2026-03-07T00:00:00Z, 0 runs:\n"
        "All that this tenant held: over 90 days and 540: 8.24e19 (4.21e19 to 1.82e20) FLOP.\n"
    ) == flopwatch("runs", "cobalt", "--state", state).out


def test_any_segment_leads_to_its_run(state: Path, trained: dict[str, Any]) -> None:
    """The id of each segment, the first as well as later ones, is a name of the run that holds it now."""
    for segment in trained["segments"]:
        assert [trained] == listed(state, segment)
        assert trained == flopwatch("explain", segment, "--state", state, "--json").document
        assert flopwatch("explain", segment, "--state", state).out.startswith(f"Run {trained['run']} of tenant acme ")


def test_a_run_is_explained(state: Path, trained: dict[str, Any]) -> None:
    """Its numbers with what may belong to it, why it looks like training, and its segments with what joins them."""
    ran = flopwatch("explain", trained["run"], "--state", state)

    lines = ran.out.splitlines()
    flop = {name: show.flop(trained["flop"][name]) for name in NUMBERS}
    assert (0, "") == (ran.code, ran.err)
    assert f"Run {trained['run']} of tenant acme as of 2026-03-07T00:00:00Z" == lines[0]
    assert "at most 64 accelerators, 16 allocations in 2 segments." in lines[1]
    assert all(text in lines[2] for text in flop.values())
    assert lines[3].startswith("  with 0 more over weak links: ")
    assert lines[4].startswith("  with all 2 chains of the same time: ")
    assert f"Training: likely (score {trained['score']:g}, no probability)" in lines
    assert trained["reasons"] == [line.strip() for line in lines[lines.index("") + 2 : lines.index("Segments:") - 1]]
    first, link, second = lines[lines.index("Segments:") + 1 :]
    assert "    3.0 h later: the gap is short for what came before, same job and nodes" == link
    assert first.startswith(f"  {trained['segments'][0]}: 2026-03-01T00:00:00Z to 2026-03-04T00:00:00Z, 64 hopper, 8 ")
    assert second.startswith(f"  {trained['segments'][1]}: 2026-03-04T03:00:00Z to 2026-03-07T00:00:00Z, 64 hopper, 8 ")


def test_a_run_of_very_many_segments_is_explained_in_short(tmp_path: Path) -> None:
    """A month of restarts: the first forty segments are listed, and how many more there are."""
    facts = [
        one
        for n in range(50)
        for day, hour in [(f"{1 + n // 2:02}", n % 2 * 11)]
        for one in nodes("acme", (f"a{n}", f"b{n}"), 8, f"{day} {hour:02}", f"{day} {hour + 9:02}", job="j")
    ]
    state = tmp_path / "books.db"
    assert 0 == flopwatch("replay", written(tmp_path / "events.jsonl", facts), "--state", state).code
    (run,) = listed(state)

    text = flopwatch("explain", run["run"], "--state", state).out

    assert 50 == len(run["segments"])
    assert text.endswith("  and 10 more\n")
    assert [run["segments"][39]] == [one for one in run["segments"][39:] if one in text]


def test_a_tenant_is_explained_with_its_runs(state: Path) -> None:
    """The story of a tenant lists its probable runs, largest first; a tenant without one is told why."""
    runs = listed(state, "acme")
    text = flopwatch("explain", "acme", "--state", state).out
    story = flopwatch("explain", "acme", "--state", state, "--json").document

    assert "\nProbable runs: 2\n" in text
    for one in runs:
        assert (
            f"  {one['run']}: {one['start']} to {one['end']}, at most {one['accelerators_peak']} accelerators" in text
        )
        assert f"FLOP; training: {one['training']}\n" in text
    assert [one["run"] for one in runs] == [one["run"] for one in story["runs"]]
    assert [list(one["flop"].values()) for one in runs] == [list(one["flop"].values()) for one in story["runs"]]
    assert "\nNo run: it never held 16 accelerators together.\n" in flopwatch("explain", "cobalt", "--state", state).out


def test_a_tenant_with_weak_links_and_many_runs(tmp_path: Path) -> None:
    """Runs that only a name joins after days are told apart, with the range over weak links; the story shows five."""
    facts = [
        one
        for n in range(6)
        for one in nodes("acme", (f"a{n}", f"b{n}"), 8, f"{1 + 4 * n:02}", f"{1 + 4 * n:02} 09", job="j")
    ]
    state = tmp_path / "books.db"
    assert 0 == flopwatch("replay", written(tmp_path / "events.jsonl", facts), "--state", state).code

    text = flopwatch("explain", "acme", "--state", state).out
    run = listed(state)[0]

    assert 6 == len(listed(state))
    assert "  and 1 more: flopwatch runs acme\n" in text
    assert 5 == text.count("FLOP, with weak links ")
    assert 6 * run["flop"]["low"] == run["flop_with_weak_links"]["low"]
    assert "  with 5 more over weak links: " in flopwatch("explain", run["run"], "--state", state).out


def test_replay_and_the_store_know_the_same_runs(state: Path, tmp_path: Path) -> None:
    """In memory, into a store and read from it later: the same runs, also of what is held still."""
    known = listed(state)
    events = written(tmp_path / "events.jsonl", reversed(FACTS))
    documents = [
        flopwatch("replay", events, "--json").document,
        flopwatch("replay", events, "--state", state, "--json").document,
    ]

    for document in documents:
        replayed = [{"tenant": tenant["tenant"], **run} for tenant in document["tenants"] for run in tenant["runs"]]
        assert sorted(known, key=lambda one: one["run"]) == sorted(replayed, key=lambda one: one["run"])
    earlier = flopwatch("replay", events, "--as-of", "2026-03-03T00:00:00Z", "--json").document["tenants"]
    assert {"acme": 1, "basalt": 1, "cobalt": 0} == {one["tenant"]: len(one["runs"]) for one in earlier}


# -- pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["tenant", "run", "segment"])
def test_a_run_is_drawn(state: Path, tmp_path: Path, trained: dict[str, Any], by: str) -> None:
    """The largest run of a tenant, or the run with a segment: an SVG with its name and every allocation of it."""
    name = {"tenant": "acme", "run": trained["run"], "segment": trained["segments"][1]}[by]
    picture = tmp_path / "run.svg"

    ran = flopwatch("runs", name, "--plot", picture, "--state", state)

    text = picture.read_text(encoding="utf-8")
    assert (0, f"Run {trained['run']} is drawn in {picture}.\n") == (ran.code, ran.err)
    assert "As of " in ran.out
    assert "{http://www.w3.org/2000/svg}svg" == ET.fromstring(text).tag
    assert f"Run {trained['run']} of acme" in text


def test_a_picture_beside_json(state: Path, tmp_path: Path) -> None:
    """With --json standard output is one document, and the picture is written all the same."""
    ran = flopwatch("runs", "acme", "--plot", tmp_path / "run.svg", "--json", "--state", state)

    assert 2 == len(ran.document)
    assert (tmp_path / "run.svg").stat().st_size > 1_000


# -- what cannot be done ---------------------------------------------------------------------------------------------

UNKNOWN = "is no tenant and no run in this store. `flopwatch tenants` and `flopwatch runs` list what there is."
REFUSED = {
    "unknown tenant": (("runs", "nobody"), f"'nobody' {UNKNOWN}"),
    "unknown run": (("runs", "0123456789abcdef"), f"'0123456789abcdef' {UNKNOWN}"),
    "a name that would touch the terminal": (("runs", "\x1b[31m"), f"'\\u001b[31m' {UNKNOWN}"),
    "unknown run to explain": (
        ("explain", "0123456789abcdef"),
        "'0123456789abcdef' is no tenant, run, flag or event id in this store.",
    ),
    "nobody to draw": (("runs", "--plot", "run.svg"), "Say whose run to draw: flopwatch runs TENANT --plot FILE.svg"),
    "an unknown one to draw": (("runs", "nobody", "--plot", "run.svg"), f"'nobody' {UNKNOWN}"),
    "a tenant without run to draw": (
        ("runs", "cobalt", "--plot", "run.svg"),
        "This tenant has no run to draw: it never held 16 accelerators together.",
    ),
    "a picture into a missing folder": (
        ("runs", "acme", "--plot", "no/run.svg"),
        "The picture cannot be written to no/run.svg: no such file or directory.",
    ),
    "a picture into a folder": (("runs", "acme", "--plot", "."), "'.' is a directory"),
    "no number": (("runs", "--above", "much"), "'much' is not a valid float"),
    "none": (("runs", "--limit", 0), "0 is not in the range x>=1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_is_said(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """A sentence, exit 2, nothing on standard output and no file."""
    monkeypatch.chdir(tmp_path)
    words, said = REFUSED[case]

    ran = flopwatch(*words, "--state", state)

    assert (2, "") == (ran.code, ran.out)
    assert said in ran.err
    assert [] == list(tmp_path.iterdir())


def test_runs_of_no_store(tmp_path: Path) -> None:
    """Without a store there is nothing to list, and none is made."""
    ran = flopwatch("runs", "--state", tmp_path / "no.db")

    assert (2, True) == (ran.code, "There is no store at" in ran.err)
    assert [] == list(tmp_path.iterdir())
