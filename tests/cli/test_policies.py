"""`flopwatch policies`, and what `flopwatch check` asks the operator."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pytest

from monitor.app import checks
from monitor.clock import SystemClock
from monitor.core.policy import standing
from monitor.reference.policies import load_policies
from monitor.reference.reading import milliseconds
from monitor.reference.root import config_root
from monitor.settings import Settings
from tests.cli.command import flopwatch

POLICIES = {f"{one.id}@{one.version}": one for one in load_policies(config_root())}


def test_every_policy_is_a_line() -> None:
    """Id, version, legal force, dates, whether it applies, rules and digest."""
    ran = flopwatch("policies")

    assert 0 == ran.code
    head, *lines = ran.out.splitlines()
    assert ["policy", "legal", "force", "from", "until", "now", "rules", "shadow", "by", "digest"] == head.split()
    assert list(POLICIES) == [line.split()[0] for line in lines]
    (withdrawn,) = [line for line in lines if line.startswith("us-diffusion-2025@1")]
    assert "never applied" in withdrawn
    digest = POLICIES["us-diffusion-2025@1"].digest.removeprefix("sha256:")
    assert withdrawn.endswith(digest[:12])


@pytest.mark.parametrize(
    ("name", "day", "expected"),
    [
        ("us-diffusion-2025@1", date(2025, 5, 14), "never applied"),
        ("us-diffusion-2025@1", date(2025, 5, 16), "never applied"),
        ("us-affiliates-50@1", date(2025, 9, 28), "not yet"),
        ("us-affiliates-50@1", date(2025, 9, 29), "applies"),
        ("us-affiliates-50@1", date(2025, 11, 10), "superseded"),
        ("us-eo14110@1", date(2025, 1, 19), "applies"),
        ("us-eo14110@1", date(2025, 1, 20), "ended"),
        ("us-ny-raise@1", date(2026, 12, 31), "not yet"),
        ("us-ny-raise@1", date(2027, 1, 1), "applies"),
    ],
)
def test_how_a_policy_stands_on_a_day(name: str, day: date, expected: str) -> None:
    """By its own dates and by who supersedes it."""
    assert expected == standing(POLICIES[name], milliseconds(day))


def test_the_list_as_a_document() -> None:
    """The same for programs, with the rules and whether they are shadows."""
    listed = {f"{one['policy']}@{one['version']}": one for one in flopwatch("policies", "--json").document["policies"]}

    assert list(POLICIES) == list(listed)
    one = listed["us-diffusion-2025@2"]
    assert ("unenforced", "2025-05-13", None, 1) == (
        one["legal_force"],
        one["effective_from"],
        one["ends"],
        one["supersedes"],
    )
    assert all(rule["shadow"] for rule in one["rules"])
    assert POLICIES["us-diffusion-2025@2"].digest == one["digest"]


def test_one_policy_with_what_it_rests_on() -> None:
    """Status, sources and what was seen of them, each rule with its conditions and what it does not establish."""
    ran = flopwatch("policies", "show", "us-iaas-kyc-2024")
    said = " ".join(ran.out.split())

    assert 0 == ran.code
    assert "legal force: proposed; duty of: provider" in said
    assert "Status: Proposed on 2024-01-29" in said
    assert "(seen)" in said
    assert "(from memory, to be verified)" in said
    assert "iaas-kyc.run (shadow: nobody is told)" in said
    assert "model_flop of a run, scope foreign: 1e26 FLOP" in said
    assert "warning central bound, or 500 per mille within 90 days; and geometry or measured" in said
    assert "critical probability of 800 per mille; and party" in said
    assert "Not established: That the model has capabilities" in said


def test_chips_windows_and_networks_are_shown() -> None:
    """What narrows a measure stands beside it."""
    chips = " ".join(flopwatch("policies", "show", "us-chips-3a090").out.split())
    clusters = " ".join(flopwatch("policies", "show", "us-702-7-2024").out.split())

    assert "scope of_concern: 100,000 accelerator-hours on chips of 3A090.a, 3A090.b in 365 days" in chips
    assert "1e20 op/s in 365 days, network over 300 Gbit/s" in clusters


def test_a_policy_is_shown_by_its_version_or_as_it_applies() -> None:
    """Without a version: the one that applies now, or else the latest."""
    assert 1 == flopwatch("policies", "show", "us-diffusion-2025@1", "--json").document["version"]
    assert 2 == flopwatch("policies", "show", "us-diffusion-2025", "--json").document["version"]
    ended = flopwatch("policies", "show", "us-eo14110", "--json").document
    assert ("ended", "2025-01-20") == (ended["now"], ended["ends"])
    assert [True] * 6 == [rule["shadow"] for rule in ended["rules"]]
    assert {"number", "where", "seen"} == set(ended["sources"][0])


@pytest.mark.parametrize("name", ["nothing", "us-eo14110@7", "us-eo14110@"])
def test_a_policy_that_is_not_there(name: str) -> None:
    """One sentence, exit 2."""
    ran = flopwatch("policies", "show", name)

    assert (2, "") == (ran.code, ran.out)
    assert f"There is no policy '{name}'; `flopwatch policies` lists those that there are." in ran.err


def test_the_schema_is_printed() -> None:
    """For editors, as the file has it."""
    ran = flopwatch("policies", "schema")

    assert (config_root() / "policy.schema.json").read_text("utf-8") == ran.out
    assert "https://json-schema.org/draft/2020-12/schema" == json.loads(ran.out)["$schema"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the configuration folder with one policy that is not published."""
    folder = tmp_path / "config"
    shutil.copytree(config_root(), folder)
    (folder / "published.yaml").unlink()
    for path in (folder / "policies").iterdir():
        if path.name != "us-gp10.yaml":
            path.unlink()
    return folder


def test_what_is_published_is_not_edited(root: Path) -> None:
    """Published once, then guarded: the same file is read, another one refused in a sentence."""
    before = flopwatch("check", "--reference", root, "--json").document["problems"]
    assert ["Policy us-gp10 version 1 is not in published.yaml"] == [one.partition(",")[0] for one in before]

    assert "Published: us-gp10@1.\n" == flopwatch("policies", "--reference", root, "publish").out
    assert "Every policy was published already.\n" == flopwatch("policies", "--reference", root, "publish").out
    assert [] == flopwatch("check", "--reference", root, "--json").document["problems"]

    path = root / "policies" / "us-gp10.yaml"
    path.write_text(path.read_text("utf-8").replace("owner: Trade compliance", "owner: Nobody"), "utf-8")
    ran = flopwatch("policies", "--reference", root)
    assert (2, "") == (ran.code, ran.out)
    assert "was published and has been edited since" in ran.err


AFFILIATES = "Nobody set bis_affiliates_suspended_until: the affiliates rule counts as holding again since 2026-11-10."


@pytest.mark.parametrize(
    ("settings", "day", "asked"),
    [
        pytest.param(Settings(), date(2026, 11, 9), False, id="the suspension runs"),
        pytest.param(Settings(), date(2026, 11, 10), True, id="nobody said that it ended"),
        pytest.param(
            Settings(bis_affiliates_suspended_until=date(2026, 11, 10)), date(2026, 12, 1), False, id="the operator did"
        ),
        pytest.param(
            Settings(bis_affiliates_suspended_until=date(2027, 11, 10)), date(2026, 12, 1), False, id="extended"
        ),
    ],
)
def test_the_operator_is_asked_when_the_suspension_ends(settings: Settings, day: date, asked: bool) -> None:
    """Only the operator can look up whether the suspension was extended."""
    remarks = list(checks.unanswered(settings, milliseconds(day)))

    assert asked == any(remark.startswith(AFFILIATES) for remark in remarks)


def test_what_is_asked_is_no_problem(tmp_path: Path) -> None:
    """`flopwatch check` is sound with a question open, and shows it; set, it asks no more."""
    config = tmp_path / "monitor.yaml"
    config.write_text("bis_affiliates_suspended_until: 2026-11-10\n", "utf-8")

    asked = list(checks.unanswered(Settings(), SystemClock().now_ms()))
    ran = flopwatch("check")
    assert 0 == ran.code
    assert asked == ran.out.splitlines()[1:]
    assert asked == flopwatch("check", "--json").document["remarks"]
    assert AFFILIATES not in flopwatch("check", "--config", config).out
