"""The scenarios of who is who, from their events to findings and stories: what is to be found is, and nothing else."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from monitor.app.references import load_reference
from monitor.core.engine import Answer, GroupAnswer, answer
from monitor.reference.root import config_root
from monitor.simulate.scenarios import simulate
from tests.cli.command import flopwatch
from tests.core.table import Taken

SHELLS = tuple(f"shell-{number}" for number in range(1, 7))
UNDECLARED = "many undeclared accounts as one"


@cache
def answered(scenario: str) -> Answer:
    """What a replay of a scenario answers."""
    taken = Taken()
    taken.take(simulate(scenario).events())
    return answer(taken.book, load_reference(config_root()), taken.book.clock, taken.archive)


def rules(of: GroupAnswer) -> dict[str, str]:
    return {finding.rule: finding.level for finding in of.findings}


def rules_of(scenario: str, tenant: str) -> dict[str, str]:
    (found,) = (one for one in answered(scenario).tenants if one.tenant == tenant)
    return {finding.rule: finding.level for finding in found.findings}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A store of a scenario, each made once."""
    folder = tmp_path_factory.mktemp("who")

    @cache
    def made(scenario: str) -> Path:
        state, path = folder / f"{scenario}.db", folder / f"{scenario}.jsonl"
        path.write_bytes(b"".join(simulate(scenario).events()))
        assert 0 == flopwatch("replay", path, "--state", state).code
        return state

    return made


@pytest.mark.parametrize(
    ("scenario", "name", "kinds"),
    [
        ("who-owner", "p-lanxiu-holding", {"owner"}),
        ("who-payer", "tenants linked with shell-1", {"payer"}),
        ("who-reseller", "tenants linked with shell-1", {"image", "reseller"}),
    ],
)
def test_shells_are_one(scenario: str, name: str, kinds: set[str]) -> None:
    """Six shells, each below 1e23 FLOP centrally, are a group that is above it, with a sign of structuring."""
    (group,) = (one for one in answered(scenario).groups if one.unresolved is None)

    assert (name, SHELLS, kinds) == (group.group, group.tenants, {str(one.kind) for one in group.evidence})
    assert [UNDECLARED] == [str(one.kind) for one in group.signals]
    assert "warning" == rules(group)["ladder.1e23.unresolved.group"]
    assert "warning" == rules(group)["structuring.group"]
    assert (scenario == "who-owner") == ("ladder.1e23.of_concern.group" in rules(group))
    alone = [one.flop.central for one in answered(scenario).tenants if one.tenant in SHELLS]
    assert max(alone) < 10**23 <= sum(alone) == group.flop.central


def test_customers_of_an_honest_reseller_stand_for_themselves() -> None:
    """Beside the shells, its twenty attested customers are in no group, and the shells are its book as well."""
    found = answered("who-reseller").groups

    assert ["customers of p-harbourbell", "tenants linked with shell-1"] == [one.group for one in found]
    assert all(one.tenants == SHELLS for one in found)
    assert "20 others are attested and stand for themselves" in str(found[0].unresolved)


def test_attested_customers_are_nobody() -> None:
    """Forty attested customers of one reseller, on the image that it offers: no group and no finding at all."""
    found = answered("who-attested")

    assert () == found.groups
    assert [] == [finding for one in found.tenants for finding in one.findings]


def test_the_same_unattested_are_one_unresolved_party() -> None:
    """One party of forty tenants, of which it is said why, and it is flagged; nobody says that it is structured."""
    (book,) = answered("who-unattested").groups

    assert ("customers of p-harbourbell", 40, ()) == (book.group, len(book.tenants), book.signals)
    assert {"ladder.1e23.unresolved.group": "warning", "ladder.3e23.unresolved.group": "critical"} == rules(book)
    reason = "40 customers that buy through p-harbourbell are not attested: they are one unresolved party."
    assert reason == book.unresolved
    assert reason in book.findings[0].reasons


@pytest.mark.parametrize(("scenario", "tenants"), [("who-accounts", 400), ("who-university", 60)])
def test_a_declared_organisation_is_ordinary(scenario: str, tenants: int) -> None:
    """Its accounts are added up because it says so; there is no sign, and no rule but that on any large amount."""
    (group,) = answered(scenario).groups

    assert (tenants, (), None) == (len(group.tenants), group.signals, group.unresolved)
    assert group.group.startswith("organisation p-")
    assert rules(group).keys() <= {"ladder.1e25.any.group"}
    assert [] == [finding for one in answered(scenario).tenants for finding in one.findings]


def test_a_blank_profile_is_flagged() -> None:
    """Who says nothing of itself is unresolved, and above 1e24 FLOP all rungs hold, of its total and its run."""
    rungs = {"ladder.1e23.unresolved": "warning", "ladder.1e24.unresolved": "warning"}
    of_runs = {f"{rule}.run": level for rule, level in rungs.items()}
    further = {"ladder.3e23.unresolved": "critical", "bis.2025-05.growth": "watch"}
    assert {**rungs, **of_runs, **further} == rules_of("who-blank", "blank")
    assert () == answered("who-blank").groups


def test_an_owner_changed_a_week_before_a_threshold() -> None:
    """The sale is a finding of its own, with the days, the owners, another explanation and what would settle it."""
    (sold,) = (one for one in answered("who-sold").tenants if one.tenant == "sold")
    (finding,) = (one for one in sold.findings if one.rule == "structuring.tenant")

    assert "warning" == finding.level
    reason = finding.reasons[1]
    assert (
        "The owner of sold changed from p-brumes-pixels to p-lanxiu-holding (registry, from company register)" in reason
    )
    assert "days before its total reached 1e+24 FLOP." in reason
    assert "It may also be that: A company is sold while a long project of its own goes on." in reason
    assert "What would settle it: The date of the contract" in reason


def test_launches_alone_are_a_weak_link(stores: Any) -> None:
    """Two tenants that share nothing but moments are in no group; the story of each names the other alone."""
    state = stores("who-launches")
    assert () == answered("who-launches").groups

    told = {
        name: flopwatch("explain", name, "--state", state, "--json").document for name in ("twin-1", "twin-2", "alone")
    }

    assert {"twin-1": [["twin-2"]], "twin-2": [["twin-1"]], "alone": []} == {
        name: [link["tenants"] for link in story["links"]] for name, story in told.items()
    }
    (link,) = told["twin-1"]["links"]
    assert ("weak", 400, []) == (link["strength"], link["weight"], told["twin-1"]["groups"])
    assert "twin-1 and twin-2 launched within 60 seconds of each other at " in link["evidence"][0]
    assert "Both follow one outside event" in link["innocent"]
    text = flopwatch("explain", "twin-2", "--state", state).out
    assert "\nLinked with other tenants:\n  weak (0.40): twin-1\n" in text
    assert "What would settle it: The logs of whatever started the launches.\n" in text


def test_the_story_of_a_shell(stores: Any) -> None:
    """Who it is, who is above it and how, where from, the group and its total, and each thing once."""
    text = flopwatch("explain", "shell-2", "--state", stores("who-owner")).out

    for line in (
        "party p-lanxiu-holding is 兰岫控股集团, Lanxiu Holding Group (registry, from /onboarding)",
        "  ultimate parent p-lanxiu-holding: CN (registry), from /onboarding",
        "  p-cobalt-reef holds 65 per cent of p-madar-nada and controls it (registry, from company register)",
        "In the group p-lanxiu-holding with shell-1, shell-3, shell-4, shell-5, shell-6: together 2.58e23",
        "  strong (1.00): shell-1, shell-3, shell-4, shell-5, shell-6\n",
        "It may also be that: Companies of one owner may work without each other",
        "What would settle it: The owner's statement of what each company does, and who signs its orders.",
        "No lists are configured: nobody is screened.",
    ):
        assert line in text
    assert 2 == text.count("have one ultimate parent, p-lanxiu-holding")  # of the group, and of the links
    assert 1 == text.count("6 of them are not attested")


def test_stores_with_groups_verify(stores: Any) -> None:
    """The groups, and the flags on them, follow from the facts."""
    for scenario in ("who-owner", "who-launches"):
        ran = flopwatch("verify", "--state", stores(scenario), "--json")

        assert (0, []) == (ran.code, ran.document["problems"])


def test_whoever_stays_just_under_a_trigger_is_told_about(tmp_path: Path) -> None:
    """Twenty allocations of 31 accelerators where the form begins at 32; without the trigger nothing is said."""
    lines = []
    for number in range(20):
        for hour, kind in ((number, "started"), (number + 1, "stopped")):
            data = {"tenant": "amber", "allocation": f"a{number}", "accelerator": "H100 SXM5 80GB", "count": 31}
            lines.append(
                {
                    "specversion": "1.0",
                    "id": f"{number}/{kind}",
                    "source": "/control-plane",
                    "type": f"io.flopwatch.allocation.{kind}.v1",
                    "time": f"2026-01-{1 + hour // 24:02}T{hour % 24:02}:00:00Z",
                    "data": data if kind == "started" else {key: data[key] for key in ("tenant", "allocation")},
                }
            )
    events, state, settings = tmp_path / "events.jsonl", tmp_path / "books.db", tmp_path / "settings.yaml"
    events.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    settings.write_text("triggers: [{name: the form for large customers, accelerators: 32}]", "utf-8")
    assert 0 == flopwatch("replay", events, "--state", state).code

    said = flopwatch("explain", "amber", "--state", state, "--config", settings).out

    assert "20 allocations of amber are less than a tenth under the form for large customers" in said
    assert "a tenth under" not in flopwatch("explain", "amber", "--state", state).out
