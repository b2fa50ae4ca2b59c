"""The policy packs that ship: each threshold has both examples and a source, and nothing says more than it can."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitor.core.findings import number
from monitor.core.policy import Level, Policy, Rule, Scope
from monitor.reference.policies import check_policies, level_of_example, load_policies
from monitor.reference.policy_schema import FILE, schema_text
from monitor.reference.reading import read_text
from monitor.reference.root import config_root

ROOT = config_root()
PACKS = load_policies(ROOT)
BY_NAME = {f"{policy.id}@{policy.version}": policy for policy in PACKS}
RULES = [(policy, rule) for policy in PACKS for rule in policy.rules]
TOLD = {"in_force", "guidance", "internal"}
DAY_MS = 86_400_000
EVERY_DAY = range(1_672_531_200_000, 1_830_297_600_000, DAY_MS)  # 2023 to 2027
# What people would take for a verdict. A rule asks; law and people answer.
VERDICTS = re.compile(r"violat|offen[cd]er|bad actor|guilty|illegal", re.IGNORECASE)
FROM_MEMORY = {  # facts of the reference that nobody has seen in a copy or a summary of the text
    "us-eo14110@1": ("1e26 integer", "1e23 operations", "1e20 operations", "1e26 operations on a cluster"),
    "us-iaas-kyc-2024@1": ("no number of operations", "1e26 operations"),
    "us-diffusion-2025@1": ("26,900,000 TPP", "790,000,000 TPP"),
    "us-diffusion-2025@2": ("26,900,000 TPP", "790,000,000 TPP"),
    "us-bis-2025-05@1": ("eleven red flags",),
    "us-ear-744@1": ("100 PFLOP/s",),
    "us-chips-3a090@1": ("TPP is the greatest", "4A090.a and .b mirror"),
    "us-affiliates-50@1": ("90 FR 47201",),
    "us-affiliates-50@2": ("90 FR 47201",),
    "us-ca-sb53@1": ("24 hours",),
    "us-ny-raise@1": ("more than $100 million",),
    "eu-gpai-guidelines@1": ("3.333333333e24", "about 30 per cent"),
}

named = pytest.mark.parametrize("name", BY_NAME)
ruled = pytest.mark.parametrize(("policy", "rule"), RULES, ids=[f"{one.id}-{rule.id}" for one, rule in RULES])


def written(policy: Policy) -> str:
    """The file of a policy."""
    suffix = "" if policy.version == 1 else f"-{policy.version}"
    return read_text(ROOT / "policies" / f"{policy.id}{suffix}.yaml")


def test_all_packs_are_there() -> None:
    """What the README lists, no less and no more."""
    expected = set(FROM_MEMORY) | {
        "internal-ladder@1",
        "internal-screening@1",
        "us-702-7-2024@1",
        "us-bis-2026-05@1",
        "us-gp10@1",
        "eu-ai-act@1",
    }
    assert expected == set(BY_NAME)
    table = read_text(Path(__file__).resolve().parents[2] / "README.md")
    assert [] == [policy.id for policy in PACKS if f"`{policy.id}`" not in table]


def test_the_check_finds_nothing() -> None:
    """Examples hold, files are published, nothing contradicts itself."""
    assert [] == check_policies(ROOT, PACKS)


@named
def test_a_pack_lies_in_a_file_of_its_name(name: str) -> None:
    """Id and version are the file's name, so people find it."""
    assert f"id: {BY_NAME[name].id}\n" in written(BY_NAME[name])


@named
def test_what_has_no_force_tells_nobody(name: str) -> None:
    """A rule that is proposed, suspended, unenforced or rescinded looks and is silent."""
    policy = BY_NAME[name]

    assert policy.legal_force in TOLD or all(rule.shadow for rule in policy.rules)


@ruled
def test_a_threshold_has_an_example_just_under_it_and_one_at_it(policy: Policy, rule: Rule) -> None:
    """At most a thousandth under there is less than at it: the edge is where the law puts it."""
    near = max(1, rule.threshold // 1_000)
    bounds = {example: getattr(example, rule.loosest) for example in rule.examples}
    under = [example for example, amount in bounds.items() if 0 < rule.threshold - amount <= near]
    at = [example for example, amount in bounds.items() if amount == rule.threshold]

    assert under
    assert all(level_of_example(rule, example) is None for example in under if not example.chance)
    assert any(level_of_example(rule, example) is not None for example in at), policy.id


@ruled
def test_a_threshold_has_a_source(policy: Policy, rule: Rule) -> None:
    """A number of a rule stands in a source of its file, as people would look for it; one of any use says so."""
    forms = {number(rule.threshold, 9), f"{rule.threshold:,}", f"{rule.threshold / 1e18:g}e18"}
    if rule.threshold == 1:
        forms = {"any ", "1 FLOP"}
    said = " ".join(source.number for source in policy.sources)

    assert any(form in said for form in forms), forms


@pytest.mark.parametrize("name", FROM_MEMORY)
def test_what_is_from_memory_is_marked(name: str) -> None:
    """A number that nobody has seen in a copy or a summary is to be verified, and the file says so."""
    for beginning in FROM_MEMORY[name]:
        marks = [source.seen for source in BY_NAME[name].sources if source.number.startswith(beginning)]
        assert marks, beginning
        assert not any(marks), beginning


@named
def test_no_pack_passes_a_verdict(name: str) -> None:
    """Amounts show no breach of law, so no file speaks of one."""
    assert [] == VERDICTS.findall(written(BY_NAME[name]))


@ruled
def test_a_rule_says_what_it_does_not_establish(policy: Policy, rule: Rule) -> None:
    """Rationale, innocent explanations and what compute cannot show stand in each rule."""
    assert rule.rationale
    assert rule.false_positives
    assert rule.not_established, policy.id


@ruled
def test_an_amount_alone_is_no_more_than_watch(policy: Policy, rule: Rule) -> None:
    """Where a rule looks at anybody, a total raises watch at most; more needs a run or a measurement, then a party."""
    if rule.scope is not Scope.ANY or rule.shadow:
        return
    assert rule.levels.keys() <= {Level.WATCH} or rule.levels[Level.WARNING].needs, policy.id
    critical = rule.levels.get(Level.CRITICAL)
    assert critical is None or critical.needs


@named
def test_a_duty_of_developers_makes_no_more_than_watch(name: str) -> None:
    """A provider only looks where the duty is the developer's."""
    policy = BY_NAME[name]
    if policy.duty_holder == "developer":
        assert all(rule.shadow or rule.levels.keys() == {Level.WATCH} for rule in policy.rules)


def test_the_withdrawn_rule_was_never_in_force() -> None:
    """Superseded two days before its first day: no instant is under version 1, and version 2 is silent."""
    withdrawn, after = BY_NAME["us-diffusion-2025@1"], BY_NAME["us-diffusion-2025@2"]

    assert withdrawn.effective_from - after.effective_from == 2 * DAY_MS
    assert not any(withdrawn.in_force(day) for day in EVERY_DAY)
    assert after.in_force(withdrawn.effective_from)
    assert [rule.id for rule in withdrawn.rules] == [rule.id for rule in after.rules]
    assert not any(rule.shadow for rule in withdrawn.rules)
    assert all(rule.shadow for rule in after.rules)


def test_the_affiliates_rule_follows_its_suspension() -> None:
    """In force until 2025-11-10, a shadow from then on: never both, never neither."""
    before, suspended = BY_NAME["us-affiliates-50@1"], BY_NAME["us-affiliates-50@2"]

    for day in EVERY_DAY:
        assert before.in_force(day) + suspended.in_force(day) == (day >= before.effective_from)
    assert "in_force" == before.legal_force
    assert "suspended" == suspended.legal_force


def test_raise_waits_for_2027() -> None:
    """The RAISE Act holds from its own day on."""
    policy = BY_NAME["us-ny-raise@1"]
    first = 1_798_761_600_000  # 2027-01-01

    assert (False, True) == (policy.in_force(first - 1), policy.in_force(first))


def test_the_clock_of_the_proposal() -> None:
    """Fifteen calendar days from knowledge; nothing else that ships has a clock of law."""
    clocks = {policy.id: rule.clock for policy, rule in RULES if rule.clock is not None}

    assert {"us-iaas-kyc-2024"} == set(clocks)
    clock = clocks["us-iaas-kyc-2024"]
    assert clock is not None
    assert (15, "calendar", "knowledge") == (clock.days, clock.kind, clock.since.value)


@pytest.mark.parametrize(
    ("rule_id", "threshold"),
    [
        ("eo14110.run", 10**26),
        ("eo14110.biology", 10**23),
        ("eo14110.cluster.16bit", 10**20),
        ("702-7.cluster.fastest", 10**20),
        ("diffusion.4e091", 10**26),
        ("diffusion.small", 26_900_000),
        ("diffusion.country", 790_000_000),
        ("ear.744.23.supercomputer", 1_480_000_000_000_000_000),
        ("chips.3a090.of_concern", 100_000),
        ("sb53.run", 10**26),
        ("raise.run", 10**26),
        ("eu-ai-act.systemic.run", 10**25),
        ("eu-gpai.model", 10**23),
        ("eu-gpai.modifier.systemic", 3_333_333_333_000_000_000_000_000),
    ],
)
def test_thresholds_are_those_of_the_texts(rule_id: str, threshold: int) -> None:
    """Written here a second time: whoever moves a number of law has to move it twice."""
    assert [threshold] == [rule.threshold for _, rule in RULES if rule.id == rule_id][:1]


def test_networks_of_clusters() -> None:
    """Over 100 Gbit/s in the order, over 300 in the proposal."""
    assert {100, 300} == {rule.network_gbit_s_over for _, rule in RULES if "cluster." in rule.id}


def test_the_schema_that_ships_is_the_one_that_is_read() -> None:
    """config/policy.schema.json is what `flopwatch policies schema` prints."""
    assert schema_text() == read_text(ROOT / FILE)
