"""Backtests through the command line: what would differ, shadow rules, who is just under, and what cannot be done."""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from monitor.app import backtests, references
from monitor.reference.root import config_root
from tests.cli.command import fact, flopwatch, operators_alone, written

H100 = "H100 SXM 80GB"
HOSTILE = 'x<script>alert("1")</script>&\u202e'
LADDER = config_root() / "policies" / "internal-ladder.yaml"


def held(tenant: str, count: int, start: str, end: str) -> list[dict[str, Any]]:
    whose = {"tenant": tenant, "allocation": "a"}
    return [
        fact("allocation.started", f"{tenant} a", start, accelerator=H100, count=count, **whose),
        fact("allocation.stopped", f"{tenant} b", end, **whose),
    ]


FACTS = [
    fact(
        "tenant.profiled",
        "p",
        "2026-03-01T00:00:00Z",
        tenant="acme",
        hq_country="CN",
        basis={"hq_country": "documented"},
    ),
    *held("acme", 512, "2026-03-01T01:00:00Z", "2026-03-03T01:00:00Z"),
    *held(HOSTILE, 8, "2026-03-01T01:00:00Z", "2026-03-04T01:00:00Z"),
    *held("cobalt", 2, "2026-03-02T01:00:00Z", "2026-03-04T02:00:00Z"),
]
FACTS.sort(key=lambda one: str(one["time"]))
EDITED = {"version: 1": "version: 2"}


def edited(folder: Path, edits: dict[str, str], source: Path = LADDER) -> Path:
    """A policy file with some texts in the place of others."""
    text = source.read_text("utf-8")
    for before, after in edits.items():
        assert before in text
        text = text.replace(before, after)
    path = folder / "tried.yaml"
    path.write_text(text, "utf-8")
    return path


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped configuration with the two policies of the operator alone."""
    return operators_alone(tmp_path_factory.mktemp("configuration"))


@pytest.fixture(autouse=True)
def configured(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (backtests, references):
        monkeypatch.setattr(module, "config_root", lambda: config)


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("events") / "events.jsonl", FACTS)


@pytest.fixture
def cheap(tmp_path: Path) -> Path:
    """The ladder at a ten-thousandth of its lowest figure."""
    return edited(tmp_path, {**EDITED, 'threshold: "1e23"': 'threshold: "1e19"', '"1e23"': '"1e19"'})


def test_lower_thresholds_flag_more_and_sooner(events: Path, cheap: Path) -> None:
    """Whoever a lower figure catches is newly flagged, with its first day, numbers and reasons."""
    ran = flopwatch("backtest", "--policy", cheap, events, "--json")
    assert ran.code == 0, ran.err
    found = ran.document
    new = {(one["rule"], one["who"]) for one in found["newly_flagged"]}
    assert ("ladder.1e23.of_concern", "acme") in new
    assert ("ladder.1e23.unresolved", HOSTILE) in new
    assert found["no_longer_flagged"] == []
    assert found["flags"]["other"] - found["flags"]["present"] == len(found["newly_flagged"])
    first = next(one for one in found["newly_flagged"] if one["who"] == "acme")
    assert first["before"] == {}
    assert first["first_told"] == "2026-03-02T00:00:00Z"
    assert first["after"]["watch"] == "2026-03-02T00:00:00Z"
    assert first["amount"]["low"] <= first["amount"]["central"] <= first["amount"]["high"]
    assert first["reasons"]


def test_what_is_said_is_the_same_twice(events: Path, cheap: Path) -> None:
    """Two backtests of the same print the same bytes."""
    ran = [flopwatch("backtest", "--policy", cheap, events, "--below", 3, "--json").out for _ in range(2)]
    assert ran[0] == ran[1]


def test_higher_thresholds_flag_less(events: Path, cheap: Path, config: Path) -> None:
    """Higher figures let some go and lower the level of others."""
    kept = LADDER.read_text("utf-8")
    present = config / "policies" / LADDER.name
    present.write_text(cheap.read_text("utf-8").replace("version: 2", "version: 1"), "utf-8")
    dear = cheap.with_name("dear.yaml")
    dear.write_text(cheap.read_text("utf-8").replace('threshold: "1e19"', 'threshold: "4e20"'), "utf-8")
    try:
        ran = flopwatch("backtest", "--policy", dear, events)
    finally:
        present.write_text(kept, "utf-8")
    assert ran.code == 0, ran.err
    assert "No longer flagged" in ran.out
    assert "before: " in ran.out
    assert "Changed level" in ran.out


def test_the_store_stays_as_it_is(events: Path, cheap: Path, tmp_path: Path) -> None:
    """A backtest of a store changes no byte of it, leaves no file, and says what files say."""
    state = tmp_path / "books.db"
    assert flopwatch("replay", events, "--state", state).code == 0
    before = hashlib.sha256(state.read_bytes()).hexdigest()
    of_store = flopwatch("backtest", "--policy", cheap, "--state", state, "--json")
    assert of_store.code == 0, of_store.err
    assert hashlib.sha256(state.read_bytes()).hexdigest() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["books.db", "tried.yaml"]
    of_files = flopwatch("backtest", "--policy", cheap, events, "--json").document
    assert of_store.document == of_files


def test_a_page_that_needs_nothing_and_believes_nobody(events: Path, cheap: Path, tmp_path: Path) -> None:
    """The page is well formed, escapes hostile names, and loads nothing."""
    page = tmp_path / "report.html"
    ran = flopwatch("backtest", "--policy", cheap, events, "--below", 5, "--html", page)
    assert ran.code == 0, ran.err
    text = page.read_text("utf-8")
    tree = ET.fromstring(text.removeprefix("<!DOCTYPE html>"))
    names = {element.tag.rpartition("}")[2] for element in tree.iter()}
    assert "script" not in names
    assert {"h1", "h2", "table", "svg"} <= names
    assert "&lt;script&gt;" in text
    assert "\u202e" not in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    assert "Just under the line" in text
    assert text.index("flags") < text.index("<table>")  # plain counts come first


def test_who_is_just_under_is_shown_with_the_share(events: Path) -> None:
    """Of each rule the nearest without a flag is shown with the share of its high bound."""
    ran = flopwatch("backtest", "--below", 1, events, "--json")
    assert ran.code == 0, ran.err
    under = ran.document["under"]
    rules = [one["rule"] for one in under]
    assert len(rules) == len(set(rules))
    nearest = next(one for one in under if one["rule"] == "ladder.1e23.of_concern")
    assert nearest["who"] == "acme"
    assert nearest["per_mille"] == nearest["amount"]["high"] * 1_000 // nearest["threshold"] < 1_000
    text = flopwatch("backtest", "--below", 1, events).out
    assert "The policies in force raised" in text
    assert f"{nearest['per_mille'] / 10:.1f} per cent" in text


def customer(*tenants: tuple[str, int]) -> list[dict[str, Any]]:
    """Tenants, and how many accelerators each held for two days, that one account pays for."""
    profiles = [
        fact("tenant.profiled", f"{name} p", "2026-03-01T00:00:00Z", tenant=name, payer="account-7")
        for name, _ in tenants
    ]
    return profiles + [
        one for name, count in tenants for one in held(name, count, "2026-03-01T01:00:00Z", "2026-03-03T01:00:00Z")
    ]


def test_a_group_just_under_is_shown_with_the_share(tmp_path: Path) -> None:
    """Two tenants that are one customer come near a threshold together: the group is shown, with whom it is of."""
    rule = "ladder.1e23.unresolved.group"
    events = written(tmp_path / "events.jsonl", customer(("amber", 450), ("basil", 550)))
    ran = flopwatch("backtest", "--below", 1, events, "--json")
    assert ran.code == 0, ran.err
    (group,) = (one for one in ran.document["under"] if one["rule"] == rule)
    assert group["tenants"] == ["amber", "basil"]
    assert 900 <= group["per_mille"] == group["amount"]["high"] * 1_000 // group["threshold"] < 1_000
    tenants = [one for one in ran.document["under"] if one["who"] in ("amber", "basil")]
    assert max(one["per_mille"] for one in tenants if one["threshold"] == group["threshold"]) < 600
    (row,) = (one for one in flopwatch("backtest", "--below", 1, events).out.splitlines() if one.startswith(rule))
    assert f"group {group['who']} (2 tenants)" in row
    assert f"{group['per_mille'] / 10:.1f} per cent" in row


def test_a_group_with_a_flag_is_not_just_under(tmp_path: Path) -> None:
    """What is over the threshold has a flag, and is not listed."""
    events = written(tmp_path / "events.jsonl", customer(("amber", 600), ("basil", 600)))
    ran = flopwatch("backtest", "--below", 1, events, "--json")
    assert ran.document["flags"]["other"] > 0
    assert "ladder.1e23.unresolved.group" not in {one["rule"] for one in ran.document["under"]}


def test_nobody_is_just_under_a_shadow_rule(events: Path, config: Path) -> None:
    """Where nobody would be told, nobody is without a flag: shadow rules are looked at with --shadow alone."""
    present = config / "policies" / LADDER.name
    kept = present.read_text("utf-8")
    present.write_text(kept.replace("    rationale:", "    shadow: true\n    rationale:", 1), "utf-8")
    try:
        plain, shadow = (flopwatch("backtest", *asked, "--below", 1, events, "--json") for asked in ((), ("--shadow",)))
    finally:
        present.write_text(kept, "utf-8")
    first = "ladder.1e23.of_concern"
    assert first not in {one["rule"] for one in plain.document["under"]}
    assert {first} == {one["rule"] for one in shadow.document["under"]}


def withdrawn(config: Path) -> list[Path]:
    """A policy that begins on the fourth and is superseded on the second, before it began."""
    text = LADDER.read_text("utf-8").replace('threshold: "1e23"', 'threshold: "1e19"').replace('"1e23"', '"1e19"')
    for before, after in (("ladder.", "gone."), ("id: internal-ladder", "id: gone"), ('"2010-01-01"', '"2026-03-03"')):
        text = text.replace(before, after)
    text = text.replace('published: "2026-11-26"', 'published: "2026-02-01"')
    text = "\n".join(one for one in text.splitlines() if not one.startswith("retroactive:")) + "\n"
    later = text.replace("version: 1", "version: 2\nsupersedes: 1").replace('"2026-03-03"', '"2026-03-01"')
    later = later.replace('threshold: "1e19"', 'threshold: "9e25"')
    paths = [config / "policies" / "gone.yaml", config / "policies" / "gone-2.yaml"]
    for path, content in zip(paths, (text, later), strict=True):
        path.write_text(content, "utf-8")
    return paths


def test_a_rule_that_was_withdrawn_before_it_began(events: Path, config: Path) -> None:
    """It flags nobody, and its shadow report says what it would have said from its own day on."""
    paths = withdrawn(config)
    try:
        replayed = flopwatch("replay", events, "--json")
        shadow = flopwatch("backtest", "--shadow", "--policy", "gone@1", events, "--json")
        text = flopwatch("backtest", "--shadow", "--policy", "gone@1", events)
    finally:
        for path in paths:
            path.unlink()
    assert replayed.code == 0, replayed.err
    flags = [flag["rule"] for tenant in replayed.document["tenants"] for flag in tenant["flags"]]
    assert not [rule for rule in flags if rule.startswith("gone.1e23")]
    assert shadow.code == 0, shadow.err
    would = [one for one in shadow.document["newly_flagged"] if one["rule"].startswith("gone.1e23")]
    assert {one["who"] for one in would} >= {"acme"}
    assert min(one["first_told"] for one in would) == "2026-03-03T00:00:00Z"  # no day before its own
    assert "gone version 1 would have said in its own period" in text.out
    assert "Had people been told" in text.out
    assert "Would have been flagged" in text.out


def test_what_shadow_rules_would_have_said(events: Path, cheap: Path, config: Path) -> None:
    """Rules in the shadow alone are in the shadow report."""
    present = config / "policies" / LADDER.name
    kept = present.read_text("utf-8")
    text = cheap.read_text("utf-8").replace("version: 2", "version: 1")
    present.write_text(text.replace("    rationale:", "    shadow: true\n    rationale:", 1), "utf-8")
    try:
        ran = flopwatch("backtest", "--shadow", events, "--json")
    finally:
        present.write_text(kept, "utf-8")
    assert ran.code == 0, ran.err
    assert {one["rule"] for one in ran.document["newly_flagged"]} == {"ladder.1e23.of_concern"}
    assert ran.document["flags"]["present"] == 0


def test_days_that_are_asked_for(events: Path, cheap: Path) -> None:
    """A backtest looks at the days asked for, and no others."""
    ran = flopwatch("backtest", "--policy", cheap, events, "--from", "2026-03-03", "--to", "2026-03-03", "--json")
    assert (ran.document["from"], ran.document["to"]) == ("2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z")
    assert {one["first_told"] for one in ran.document["newly_flagged"]} <= {ran.document["from"], ran.document["to"]}


def test_late_facts_are_told_of(cheap: Path, tmp_path: Path) -> None:
    """Late facts are counted, and flags that rest on them say so."""
    late = written(
        tmp_path / "late.jsonl", [*FACTS, *held("acme2", 512, "2026-03-01T02:00:00Z", "2026-03-02T05:00:00Z")]
    )
    ran = flopwatch("backtest", "--policy", cheap, late)
    assert "2 of them late" in ran.out
    assert "Facts about it came late" in ran.out


def test_records_that_are_no_events_are_counted(cheap: Path, tmp_path: Path) -> None:
    """Unreadable records are told of and stop nothing."""
    ran = flopwatch("backtest", "--policy", cheap, written(tmp_path / "e.jsonl", [b"rubbish", *FACTS]))
    assert ran.code == 0
    assert "1 record could not be read" in ran.err


WRONG = {
    "nothing asked": ((), "Name a policy file with --policy, or ask with --shadow, --below N or --scenarios."),
    "the same": (("--policy", LADDER), "says what the policy that is loaded says: there is nothing to compare."),
    "no such file": (("--policy", "missing.yaml"), "missing.yaml"),
    "no such policy": (
        ("--shadow", "--policy", "nobody"),
        "There is no policy nobody among those that are loaded: name one of",
    ),
    "no shadow rule": (("--shadow",), "No rule of the policies is in the shadow"),
    "days in the wrong order": (
        ("--below", 1, "--from", "2026-03-03", "--to", "2026-03-01"),
        "--to is a day before --from; give a later one.",
    ),
    "two histories": (("--below", 1, "--state", "x.db"), "Give event files or a store with --state, not both."),
    "after everything": (
        ("--below", 1, "--from", "2026-05-01"),
        "There is no fact in these files on or after the first day that you ask for",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_done_is_said(name: str, events: Path) -> None:
    """Each wrong question has its sentence and leaves with 2."""
    arguments, sentence = WRONG[name]
    ran = flopwatch("backtest", *arguments, events)
    assert ran.code == 2
    assert sentence in ran.err
    assert ran.out == ""


def test_a_file_that_does_not_load_is_refused(events: Path, tmp_path: Path) -> None:
    """A broken policy file is refused by name."""
    ran = flopwatch("backtest", "--policy", edited(tmp_path, {'threshold: "1e23"': "threshold: 1e23 * 2"}), events)
    assert ran.code == 2
    assert "tried.yaml" in ran.err


def test_an_empty_history_has_nothing_to_play(tmp_path: Path, cheap: Path) -> None:
    """No fact in files or store is said, not an empty report."""
    empty = written(tmp_path / "none.jsonl", [])
    assert (
        "There is no fact in these files, so there is nothing to play."
        in flopwatch("backtest", "--policy", cheap, empty).err
    )
    state = tmp_path / "books.db"
    flopwatch("replay", empty, "--state", state)
    ran = flopwatch("backtest", "--policy", cheap, "--state", state)
    assert (ran.code, "There is no fact in the store, so there is nothing to play." in ran.err) == (2, True)


def test_a_page_that_cannot_be_written(events: Path, tmp_path: Path) -> None:
    """A page that cannot be written is a sentence."""
    ran = flopwatch("backtest", "--below", 1, events, "--html", tmp_path / "no" / "where.html")
    assert ran.code == 2
    assert "cannot be written: no such file or directory; name another file." in ran.err
