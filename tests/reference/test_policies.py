"""Policy files: what ships holds its own examples, and what is wrong in a file is said in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.policy import OF_GROUPS, OF_RUNS, Bound, Condition, Level, Need, Policy, Projected, Rule, Scope
from monitor.errors import ReferenceProblem
from monitor.reference.policies import check_policies, level_of_example, load_policies, publish, with_policy
from monitor.reference.policy_format import exact, midnight
from monitor.reference.root import config_root

DAY_2010, DAY_2026 = 1_262_304_000_000, 1_767_225_600_000
SHIPPED = load_policies(config_root())
RULES = [rule for policy in SHIPPED for rule in policy.rules]
COUNTRIES = (config_root() / "countries.yaml").read_text("utf-8")

SMALL = """\
schema: flopwatch.policy/1
id: small
version: 1
title: A small policy
jurisdiction: operator
citation: none
sources: [{number: "1e25", where: here, seen: true}]
status: It stands.
legal_force: internal
duty_holder: provider
subject: Everybody.
published: "2010-01-01"
effective_from: "2010-01-01"
owner: somebody
concern_group: HQ_OF_CONCERN
expected_flags_a_week: 0
runbook: Look.
rules:
  - id: small.any
    title: A rule
    scope: any
    measure: model_flop
    aggregation: tenant
    threshold: "1e25"
    window_days: 365
    levels:
      watch: {bound: high}
    rationale: Because.
    false_positives: Some.
    not_established: [End use]
    examples:
      - {low: "1e24", central: "2e24", high: "9.999e24", level: none}
      - {low: "1e24", central: "2e24", high: "1e25", level: watch}
"""


def folder(root: Path, *files: str) -> Path:
    """A configuration folder with these policy files."""
    (root / "policies").mkdir()
    (root / "countries.yaml").write_text(COUNTRIES, "utf-8")
    for number, text in enumerate(files, 1):
        (root / "policies" / f"{number}.yaml").write_text(text, "utf-8")
    return root


def problem(root: Path) -> str:
    """The sentence with which a folder is refused."""
    with pytest.raises(ReferenceProblem) as caught:
        load_policies(root)
    return str(caught.value)


# -- what ships ----------------------------------------------------------------------------------------------------


def test_the_internal_ladder_is_what_its_operators_agreed_on() -> None:
    """The ladder: rungs on tenants, linked tenants and runs, and how far each goes for whom."""
    (ladder,) = [policy for policy in SHIPPED if policy.id == "internal-ladder"]
    watch = {Level.WATCH: Condition(Bound.HIGH)}
    first = watch | {Level.WARNING: Condition(Bound.CENTRAL)}
    called = {Level.CRITICAL: Condition(800)}
    likely = Condition(Bound.CENTRAL, frozenset({Need.GEOMETRY, Need.MEASURED}), Projected(90, 500))
    first_run = watch | {Level.WARNING: likely}
    anybody = first_run | {Level.CRITICAL: Condition(800, frozenset({Need.PARTY}))}
    expected = {
        "ladder.1e23.of_concern": first,
        "ladder.1e23.unresolved": first,
        "ladder.3e23.of_concern": called,
        "ladder.1e24.of_concern": first | called,
        "ladder.3e23.unresolved": called,
        "ladder.1e24.unresolved": first | called,
        "ladder.1e25.any": watch,
        "ladder.1e26.any": watch,
        "ladder.1e23.of_concern.group": first,
        "ladder.1e23.unresolved.group": first,
        "ladder.3e23.of_concern.group": called,
        "ladder.3e23.unresolved.group": called,
        "ladder.1e24.of_concern.group": first | called,
        "ladder.1e25.any.group": watch,
        "ladder.1e23.of_concern.run": first_run,
        "ladder.1e23.unresolved.run": first_run,
        "ladder.1e24.of_concern.run": first_run | called,
        "ladder.1e24.unresolved.run": first_run | called,
        "ladder.1e25.of_concern.run": first_run | called,
        "ladder.1e25.unresolved.run": first_run | called,
        "ladder.1e25.any.run": anybody,
        "ladder.1e26.any.run": anybody,
    }

    assert expected == {rule.id: dict(rule.levels) for rule in ladder.rules}
    for rule in ladder.rules:
        _, rung, scope, *of = rule.id.split(".")
        assert (int(rung[0]) * 10 ** int(rung[2:]), scope) == (rule.threshold, rule.scope.value)
        assert (of == ["group"], of == ["run"]) == (
            rule.aggregation in OF_GROUPS,
            rule.aggregation in OF_RUNS,
        )
        assert (None if of == ["run"] else 365) == rule.window_days
    assert ("internal", "provider", DAY_2010, None, "HQ_OF_CONCERN") == (
        ladder.legal_force,
        ladder.duty_holder,
        ladder.effective_from,
        ladder.effective_to,
        ladder.concern_group,
    )


def test_screening_looks_at_everybody_on_a_list() -> None:
    """Each effect of a list has its rules: for whoever is likely on one, may be, or is owned by half; at any use.

    Who likely is, or is owned by half, meets the ladder's lowest rung and all its levels, too.
    """
    (screening,) = [policy for policy in SHIPPED if policy.id == "internal-screening"]
    of_scope = {
        scope: [rule for rule in screening.rules if rule.scope is scope and rule.any_use]
        for scope in (Scope.LISTED, Scope.POSSIBLY_LISTED, Scope.AFFILIATE, Scope.POSSIBLY_AFFILIATE)
    }

    for rules in of_scope.values():
        assert ["attention", "blocked", "end_use_review", "licence"] == sorted(
            effect for rule in rules for effect in rule.effects
        )
    further = {rule.id: rule for rule in screening.rules if rule.effects and not rule.any_use}
    assert {"screening.1e23": Scope.LISTED, "owners.1e23": Scope.AFFILIATE} == {
        name: rule.scope for name, rule in further.items()
    }
    assert {10**23} == {rule.threshold for rule in further.values()}
    assert all(set(Level) == rule.levels.keys() for rule in further.values())
    assert {Scope.CONTRADICTED, Scope.STRUCTURED} == {rule.scope for rule in screening.rules if not rule.effects}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_examples_of_a_rule_hold(rule: Rule) -> None:
    """Each example that ships gives the level that it states."""
    levels = [level_of_example(rule, example) for example in rule.examples]

    assert [example.level for example in rule.examples] == levels


# -- reading -------------------------------------------------------------------------------------------------------


def test_policies_are_sorted_by_id_and_version(tmp_path: Path) -> None:
    """The order does not depend on the names of the files."""
    second = SMALL.replace("version: 1\n", "version: 2\n").replace('"2010-01-01"', '"2026-01-01"')
    first = SMALL.replace("effective_from", 'effective_to: "2026-01-01"\neffective_from')
    other = SMALL.replace("id: small", "id: another")
    policies = load_policies(folder(tmp_path, second, first, other))

    assert [("another", 1), ("small", 1), ("small", 2)] == [(policy.id, policy.version) for policy in policies]
    assert [(DAY_2010, None), (DAY_2010, DAY_2026), (DAY_2026, None)] == [
        (policy.effective_from, policy.effective_to) for policy in policies
    ]


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("version: 1", "version:   1  # a comment", True),
        ('effective_from: "2010-01-01"', "effective_from: 2010-01-01", True),
        ('threshold: "1e25"', "threshold: 1e25", True),
        ("title: A rule", "title: Another rule", False),
        ("window_days: 365", "window_days: 364", False),
        ('threshold: "1e25"', 'threshold: "2e25"', False),
    ],
)
def test_the_digest_is_of_what_a_file_says(tmp_path: Path, old: str, new: str, same: bool) -> None:
    """The digest changes with the content, not with how it is written down."""
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    (one,) = load_policies(folder(tmp_path / "one", SMALL))
    (other,) = load_policies(folder(tmp_path / "other", SMALL.replace(old, new)))

    assert same == (one.digest == other.digest)


@given(st.integers(0, 9), st.text("0123456789", max_size=9), st.integers(9, 40))
def test_amounts_are_exact(whole: int, decimals: str, exponent: int) -> None:
    """Text with an exponent is the integer that it names, to the last digit."""
    text = f"{whole}.{decimals}e{exponent}" if decimals else f"{whole}e{exponent}"

    assert int(f"{whole}{decimals}") * 10**exponent == exact(text) * 10 ** len(decimals)


@pytest.mark.parametrize(
    "text",
    ["1e23+1", "1e23 ", "2**80", "1E23", "+1e23", "-1e23", "1e-3", "1e+23", "12e22", "1.e23", ".5e23", "1e230", "1e",
     "100", "", "nan", "inf", "١e23", "1_0e22", "1.25e1", 1.0e23, 10**23, None, True, ["1e23"]],
)  # fmt: skip
def test_what_is_no_exact_amount_is_refused(text: object) -> None:
    """Expressions, floats, signs, other digits and numbers that are not whole are refused."""
    with pytest.raises(ValueError, match="which is no "):
        exact(text)


@pytest.mark.parametrize("day", ["2010-02-30", "2010-13-01", "20100101", "2010-W01-1", "2010-1-1", "", 2010, None])
def test_what_is_no_day_is_refused(day: object) -> None:
    """Only a day of the calendar, written in full, is a day."""
    with pytest.raises(ValueError, match='which is no day; write it like "2010-01-01"'):
        midnight(day)


# -- what is wrong in a file ---------------------------------------------------------------------------------------

EXAMPLE = '{low: "1e24", central: "2e24", high: "9.999e24", level: none}'


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("owner:", "ownr:", "The policy file policies/1.yaml has the unknown key 'ownr'; did you mean 'owner'?"),
        (
            "    window_days",
            "    windw_days",
            "The policy file policies/1.yaml has the unknown key 'windw_days' in rules #1 (small.any); "
            "did you mean 'window_days'?",
        ),
        (
            EXAMPLE,
            EXAMPLE.replace("low", "lo"),
            "The policy file policies/1.yaml has the unknown key 'lo' in rules #1 (small.any), examples #1; "
            "did you mean 'low'?",
        ),
        (
            "owner:",
            "colour: red\nowner:",
            "The policy file policies/1.yaml has the unknown key 'colour'; correct or remove it.",
        ),
        ("owner: somebody\n", "", "The policy file policies/1.yaml lacks the key 'owner'; add it."),
        (
            "    scope: any\n",
            "",
            "The policy file policies/1.yaml lacks the key 'scope' in rules #1 (small.any); add it.",
        ),
        (
            "scope: any",
            "scope: everybody",
            "In the policy file policies/1.yaml, rules #1 (small.any), scope is 'everybody'; "
            "write 'any', 'foreign', 'of_concern', 'unresolved', 'listed', 'possibly_listed', 'affiliate', "
            "'possibly_affiliate', 'contradicted' or 'structured'.",
        ),
        (
            "scope: any",
            "scope: listed",
            "In the policy file policies/1.yaml, rules #1 (small.any) has the scope listed, which looks at lists; "
            "name their `effects`.",
        ),
        (
            "scope: any",
            "scope: any\n    effects: [blocked]",
            "In the policy file policies/1.yaml, rules #1 (small.any) has the scope any, which looks at no list; "
            "leave its `effects` out.",
        ),
        (
            "level: none",
            "level: null",
            "In the policy file policies/1.yaml, rules #1 (small.any), examples #1, level is None; "
            "write 'none', 'watch', 'warning' or 'critical'.",
        ),
        (
            "legal_force: internal",
            "legal_force: law",
            "In the policy file policies/1.yaml, legal_force is 'law'; write 'in_force', 'guidance', 'internal', "
            "'unenforced', 'suspended', 'proposed', 'rescinded' or 'research'.",
        ),
        (
            "duty_holder: provider",
            "duty_holder: us",
            "In the policy file policies/1.yaml, duty_holder is 'us'; "
            "write 'provider', 'tenant', 'developer' or 'nobody'.",
        ),
        (
            "flopwatch.policy/1",
            "flopwatch.policy/2",
            "In the policy file policies/1.yaml, schema is 'flopwatch.policy/2'; write 'flopwatch.policy/1'.",
        ),
        (
            "measure: model_flop",
            "measure: gpu_hours",
            "In the policy file policies/1.yaml, rules #1 (small.any), measure is 'gpu_hours'; write 'model_flop', "
            "'executed_flop', 'growth', 'accelerator_hours', 'accelerators', 'reserved_accelerators', 'tpp' or "
            "'op_per_s'.",
        ),
        (
            'threshold: "1e25"',
            'threshold: "1e25+1"',
            "In the policy file policies/1.yaml, rules #1 (small.any), threshold is '1e25+1', "
            'which is no exact amount; write text like "1e23" or "2.5e22".',
        ),
        (
            'threshold: "1e25"',
            "threshold: 1.0e+25",
            "In the policy file policies/1.yaml, rules #1 (small.any), threshold is 1e+25, which is no exact amount; "
            'write text like "1e23" or "2.5e22".',
        ),
        (
            'threshold: "1e25"',
            'threshold: "1.25e1"',
            "In the policy file policies/1.yaml, rules #1 (small.any), threshold is '1.25e1', "
            "which is no whole number; take decimals away.",
        ),
        (
            'threshold: "1e25"',
            'threshold: "0e0"',
            "In the policy file policies/1.yaml, rules #1 (small.any), threshold is '0e0', which does not do; "
            "input must be greater than or equal to 1.",
        ),
        (
            "window_days: 365",
            "window_days: a year",
            "In the policy file policies/1.yaml, rules #1 (small.any), window_days is 'a year', which does not do; "
            "input must be a valid integer.",
        ),
        (
            "watch: {bound: high}",
            "watch: {per_mille: 80}",
            "In the policy file policies/1.yaml, rules #1 (small.any), levels, watch, per_mille is 80, which does not "
            "do; input must be greater than or equal to 500.",
        ),
        (
            "watch: {bound: high}",
            "watch: {bound: high, per_mille: 800}",
            "In the policy file policies/1.yaml, rules #1 (small.any), levels, watch must have either a `bound` or a "
            "probability in `per_mille`; write one of them.",
        ),
        (
            "watch: {bound: high}",
            "watch: {bound: high, needs: [party, luck]}",
            "In the policy file policies/1.yaml, rules #1 (small.any), levels, watch, needs #2 is 'luck'; write "
            "'geometry', 'measured' or 'party'.",
        ),
        (
            "watch: {bound: high}",
            "watch: {bound: high, projected: {day: 90, per_mille: 500}}",
            "The policy file policies/1.yaml has the unknown key 'day' in rules #1 (small.any), levels, watch, "
            "projected; did you mean 'days'?",
        ),
        (
            'effective_from: "2010-01-01"',
            'effective_from: "first of May"',
            "In the policy file policies/1.yaml, effective_from is 'first of May', which is no day; "
            'write it like "2010-01-01".',
        ),
        (
            "owner: somebody",
            'owner: " "',
            "In the policy file policies/1.yaml, owner is ' ', which does not do; "
            "string must have at least 1 character.",
        ),
        (
            "owner: somebody",
            f"owner: [{'x' * 100}]",
            f"In the policy file policies/1.yaml, owner is ['{'x' * 55}..., which does not do; "
            "input must be a valid string.",
        ),
        (
            "not_established: [End use]",
            "not_established: []",
            "In the policy file policies/1.yaml, rules #1 (small.any), not_established is [], which does not do; "
            "list must have at least 1 item after validation, not 0.",
        ),
        (
            "effective_from:",
            'effective_to: "2009-12-31"\neffective_from:',
            "Policy small version 1 ends before it begins; give a later day as effective_to.",
        ),
        (
            "HQ_OF_CONCERN",
            "HQ_OF_CONCRN",
            "Policy small version 1 names the country group 'HQ_OF_CONCRN', which countries.yaml does not have; "
            "did you mean 'HQ_OF_CONCERN'?",
        ),
    ],
)
def test_each_mistake_in_a_file_has_its_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    """A mistake is answered by one sentence that names file, place and what to do."""
    assert SMALL.count(old)

    assert sentence == problem(folder(tmp_path, SMALL.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "not None"),
        ("- a list", "not ['a list']"),
        ("id: [", "is no valid YAML"),
        ("id: one\nid: two", "'id'"),
        ("schema: [", "is no valid YAML"),
        (SMALL[: SMALL.index("rules:")] + "rules: none", "rules is 'none'"),
        (SMALL[: SMALL.index("rules:")] + "rules: [7]", "rules #1 is 7"),
        (SMALL.replace("A small policy", r'"\ud800"'), "invalid Unicode character"),
    ],
)
def test_a_file_of_another_shape_is_refused_by_name(tmp_path: Path, text: str, part: str) -> None:
    """Whatever a file holds, the sentence names it and what was found in it."""
    sentence = problem(folder(tmp_path, text))

    assert ("policies/1.yaml" in sentence, part in sentence) == (True, True), sentence


def test_a_rule_in_which_everything_is_wrong_is_still_one_sentence(tmp_path: Path) -> None:
    """Of several mistakes the first is told; an unknown key goes before the key that it should have been."""
    text = SMALL.replace("version: 1", "version: one").replace("threshold:", "treshold:")

    assert (
        "The policy file policies/1.yaml has the unknown key 'treshold' in rules #1 (small.any); "
        "did you mean 'threshold'?"
    ) == problem(folder(tmp_path, text))


def test_a_number_of_thousands_of_digits_is_refused(tmp_path: Path) -> None:
    """A number that cannot even be printed is named as such."""
    text = SMALL.replace("version: 1", f"version: 0x{'f' * 5_000}")

    assert "version is too long a number" in problem(folder(tmp_path, text))


def test_a_folder_without_policies_is_refused(tmp_path: Path) -> None:
    """No folder, or an empty one, is a mistake: nothing would ever be flagged."""
    assert f"{tmp_path / 'policies'} cannot be read" in problem(tmp_path)

    assert f"There is no policy in {tmp_path / 'policies'}" in problem(folder(tmp_path))


# -- contradictions ------------------------------------------------------------------------------------------------


UNGUARDED = "is not in published.yaml, so nobody would notice an edit"
WITH_WARNING = {Level.WATCH: Condition(Bound.HIGH), Level.WARNING: Condition(Bound.CENTRAL)}


def as_it_is(policy: Policy) -> list[Policy]:
    return [policy]


def the_same_version_twice(policy: Policy) -> list[Policy]:
    return [policy, policy]


def two_versions_at_once(policy: Policy) -> list[Policy]:
    return [policy, replace(policy, version=2, effective_from=DAY_2026)]


def two_versions_at_once_the_later_first(policy: Policy) -> list[Policy]:
    return [replace(policy, effective_from=DAY_2026), replace(policy, version=2, effective_to=DAY_2026 + 1)]


def one_version_after_the_other(policy: Policy) -> list[Policy]:
    return [replace(policy, effective_to=DAY_2026), replace(policy, version=2, effective_from=DAY_2026)]


def no_time_at_all(policy: Policy) -> list[Policy]:
    return [replace(policy, effective_to=policy.effective_from)]


def a_rule_of_two_policies(policy: Policy) -> list[Policy]:
    return [policy, replace(policy, id="another")]


def a_rule_twice(policy: Policy) -> list[Policy]:
    return [replace(policy, rules=policy.rules * 2)]


def another_threshold(policy: Policy) -> list[Policy]:
    return [replace(policy, rules=(replace(policy.rules[0], threshold=10**24),))]


def bounds_out_of_order(policy: Policy) -> list[Policy]:
    first, second = policy.rules[0].examples
    return [replace(policy, rules=(replace(policy.rules[0], examples=(replace(first, low=10**25), first, second)),))]


def a_level_without_example(policy: Policy) -> list[Policy]:
    return [replace(policy, rules=(replace(policy.rules[0], levels=WITH_WARNING),))]


def a_later_one_supersedes(policy: Policy) -> list[Policy]:
    return [policy, replace(policy, version=2, supersedes=1, effective_from=DAY_2026)]


def one_supersedes_the_other_in_turn(policy: Policy) -> list[Policy]:
    second = replace(policy, version=2, supersedes=1, effective_from=DAY_2026)
    return [policy, second, replace(policy, version=3, supersedes=2, effective_from=DAY_2026 + 1)]


def superseded_before_it_begins(policy: Policy) -> list[Policy]:
    return [replace(policy, effective_from=DAY_2026), replace(policy, version=2, supersedes=1)]


def two_supersede_one(policy: Policy) -> list[Policy]:
    second = replace(policy, version=2, supersedes=1, effective_from=DAY_2026)
    return [policy, second, replace(second, version=3)]


def nobody_is_superseded(policy: Policy) -> list[Policy]:
    return [replace(policy, version=3, supersedes=2)]


def a_later_one_is_superseded(policy: Policy) -> list[Policy]:
    return [replace(policy, supersedes=2), replace(policy, version=2, effective_from=DAY_2026)]


def it_looks_back(policy: Policy) -> list[Policy]:
    return [replace(policy, published=DAY_2026)]


def it_looks_back_for_a_reason(policy: Policy) -> list[Policy]:
    return [replace(policy, published=DAY_2026, retroactive="To see.")]


def it_does_not_look_back(policy: Policy) -> list[Policy]:
    return [replace(policy, retroactive="To see.")]


def foreign_to_nowhere(policy: Policy) -> list[Policy]:
    return [replace(policy, rules=(replace(policy.rules[0], scope=Scope.FOREIGN),))]


@pytest.mark.parametrize(
    ("change", "sentences"),
    [
        (as_it_is, []),
        (one_version_after_the_other, []),
        (a_later_one_supersedes, []),
        (one_supersedes_the_other_in_turn, []),
        (superseded_before_it_begins, []),
        (it_looks_back_for_a_reason, []),
        (
            two_supersede_one,
            [
                "Policy small version 2 and version 3 are in force at the same time; "
                "let the earlier one end (effective_to) where the later one begins, or let the later one say that it "
                "supersedes it."
            ],
        ),
        (
            nobody_is_superseded,
            ["Policy small version 3 supersedes version 2, which is not there; name one that is."],
        ),
        (
            a_later_one_is_superseded,
            ["Policy small version 1 supersedes a version that is no earlier one; name an earlier one."],
        ),
        (
            it_looks_back,
            [
                "Policy small version 1 takes effect on 2010-01-01, before it was published on 2026-01-01; "
                "give a later day, or say in `retroactive` why it looks back."
            ],
        ),
        (
            it_does_not_look_back,
            ["Policy small version 1 does not look back before it was published; leave `retroactive` out."],
        ),
        (
            foreign_to_nowhere,
            ["Policy small version 1 looks at foreign tenants; name the `home_group` that they are not of."],
        ),
        (
            the_same_version_twice,
            ["Policy small version 1 is there twice; give one of the files another id or a higher version."],
        ),
        (
            two_versions_at_once,
            [
                "Policy small version 1 and version 2 are in force at the same time; "
                "let the earlier one end (effective_to) where the later one begins, or let the later one say that it "
                "supersedes it."
            ],
        ),
        (
            two_versions_at_once_the_later_first,
            [
                "Policy small version 1 and version 2 are in force at the same time; "
                "let the earlier one end (effective_to) where the later one begins, or let the later one say that it "
                "supersedes it."
            ],
        ),
        (no_time_at_all, ["Policy small version 1 ends before it begins; give a later day as effective_to."]),
        (
            a_rule_of_two_policies,
            ["Policy small version 1 and Policy another version 1 both have a rule small.any; rename one of them."],
        ),
        (a_rule_twice, ["Policy small version 1 has two rules small.any; rename one of them."]),
        (
            another_threshold,
            [
                "Policy small version 1: example 1 of the rule small.any gives watch, not none; correct one of them.",
                "Policy small version 1: the rule small.any has no example whose high bound is just under its "
                "threshold, or none that is just at it; add them.",
            ],
        ),
        (
            bounds_out_of_order,
            [
                "Policy small version 1: example 1 of the rule small.any has bounds that are out of order; "
                "write low <= central <= high."
            ],
        ),
        (
            a_level_without_example,
            ["Policy small version 1: the rule small.any has no example for warning; add one."],
        ),
    ],
)
def test_what_contradicts_itself_is_said(
    tmp_path: Path, change: Callable[[Policy], list[Policy]], sentences: list[str]
) -> None:
    """The check names every contradiction and every example that gives another level, each in a sentence."""
    (small,) = load_policies(folder(tmp_path, SMALL))

    assert sentences == [one for one in check_policies(tmp_path, change(small)) if UNGUARDED not in one]


def test_contradicting_files_are_refused(tmp_path: Path) -> None:
    """Two versions of a policy that are in force at once are not loaded at all."""
    assert "at the same time" in problem(folder(tmp_path, SMALL, SMALL.replace("version: 1", "version: 2")))


# -- what cannot go together ---------------------------------------------------------------------------------------

RUN, CLUSTER, GROUP = (f"aggregation: {one}" for one in ("run", "cluster", "group"))
LEVEL = "watch: {bound: high}"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"measure: model_flop": "measure: op_per_s"}, "must name its `precision` exactly if it measures op_per_s"),
        ({"scope: any": "scope: any\n    precision: fastest"}, "must name its `precision` exactly if it measures"),
        ({"aggregation: tenant": RUN}, "adds up a run, which has FLOP and neither window nor chips"),
        (
            {"aggregation: tenant": RUN, "    window_days: 365\n": "", "measure: model_flop": "measure: tpp"},
            "adds up a run, which has FLOP and neither window nor chips",
        ),
        (
            {
                "aggregation: tenant": RUN,
                "    window_days: 365\n": "",
                "scope: any": "scope: any\n    chips: [prc_made]",
            },
            "adds up a run, which has FLOP and neither window nor chips",
        ),
        ({"aggregation: tenant": CLUSTER}, "adds up a cluster, which is what is held at once"),
        (
            {"aggregation: tenant": CLUSTER, "measure: model_flop": "measure: reserved_accelerators"},
            "adds up a cluster, which is what is held at once",
        ),
        (
            {"scope: any": "scope: any\n    network_gbit_s_over: 100"},
            "names the speed of a network, which only clusters have",
        ),
        (
            {"measure: model_flop": "measure: growth", "    window_days: 365\n": ""},
            "measures growth, from one window to the next; give its `window_days`",
        ),
        (
            {"measure: model_flop": "measure: reserved_accelerators\n    chips: [prc_made]"},
            "measures reservations, which are not told apart by chips",
        ),
        ({f"\n      {LEVEL}": " {}"}, "has no level, so it would never say anything"),
        ({LEVEL: "warning: {bound: high}"}, "gives warning on the high bound, which open time alone can reach"),
        (
            {LEVEL: "watch: {bound: high, projected: {days: 30, per_mille: 500}}", "aggregation: tenant": GROUP},
            "projects watch, which only the FLOP of a tenant, a run or a chain can be",
        ),
        (
            {
                LEVEL: "watch: {bound: high, projected: {days: 30, per_mille: 500}}",
                "measure: model_flop": "measure: tpp",
            },
            "projects watch, which only the FLOP of a tenant, a run or a chain can be",
        ),
        (
            {LEVEL: "watch: {bound: high, needs: [geometry]}", "aggregation: tenant": GROUP},
            "needs what only a tenant or a run has; of a group there is only a reason in the `party`",
        ),
        (
            {LEVEL: "watch: {per_mille: 800}\n      warning: {bound: central}"},
            "gives a higher level for less than a lower one; put its `levels` in order",
        ),
    ],
)
def test_what_cannot_go_together_is_refused(tmp_path: Path, changes: dict[str, str], sentence: str) -> None:
    """A rule that nothing could ever measure is answered by a sentence, not by silence."""
    text = SMALL
    for old, new in changes.items():
        assert text.count(old), old
        text = text.replace(old, new, 1)

    assert problem(folder(tmp_path, text)).startswith(
        f"In the policy file policies/1.yaml, rules #1 (small.any) {sentence}"
    )


def test_every_part_of_a_rule_is_read(tmp_path: Path) -> None:
    """Clock, shadow, precision, network, chips, hours until a level falls: each where the core looks for it."""
    text = (
        SMALL.replace("measure: model_flop", "measure: op_per_s\n    precision: fastest\n    network_gbit_s_over: 100")
        .replace("aggregation: tenant", "aggregation: cluster\n    chips: [prc_made]\n    falls_after_hours: 5")
        .replace("    title: A rule", "    title: A rule\n    shadow: true\n    clock: CLOCK")
        .replace("CLOCK", "{days: 15, kind: calendar, from: knowledge, what: report}")
    )
    (policy,) = load_policies(folder(tmp_path, text))
    (rule,) = policy.rules

    assert rule.clock is not None
    assert (15, "calendar", "knowledge", "report") == (
        rule.clock.days,
        rule.clock.kind,
        rule.clock.since.value,
        rule.clock.what,
    )
    assert rule.shadow
    assert (5 * 3_600_000, 100, "fastest", {"prc_made"}) == (
        rule.falls_after_ms,
        rule.network_gbit_s_over,
        rule.quantity.precision,
        rule.quantity.chips,
    )
    assert [("1e25", "here", True)] == list(policy.sources)


# -- published and superseded ----------------------------------------------------------------------------------------


def test_a_version_ends_where_a_later_one_supersedes_it(tmp_path: Path) -> None:
    """Whatever it says itself of its end, also if it would begin only later."""
    later = SMALL.replace("version: 1\n", "version: 2\nsupersedes: 1\n").replace(
        'effective_from: "2010-01-01"', 'effective_from: "2026-01-01"'
    )
    first, second = load_policies(folder(tmp_path, SMALL, later))

    assert (DAY_2026, None) == (first.ends, second.ends)
    assert (True, False) == (first.in_force(DAY_2026 - 1), first.in_force(DAY_2026))
    assert (False, True) == (second.in_force(DAY_2026 - 1), second.in_force(DAY_2026))


def test_what_was_published_is_refused_once_it_is_edited(tmp_path: Path) -> None:
    """Its digest guards it; how it is written down does not matter; a new version is another one."""
    root = folder(tmp_path, SMALL)
    assert ["Policy small version 1 " + UNGUARDED] == [
        one.partition(";")[0] for one in check_policies(root, load_policies(root))
    ]

    assert ["small@1"] == publish(root)
    assert [] == publish(root)
    assert [] == check_policies(root, load_policies(root))
    path = root / "policies" / "1.yaml"
    path.write_text(SMALL + "# A comment.\n", "utf-8")
    load_policies(root)
    path.write_text(SMALL.replace("Look.", "Look away."), "utf-8")
    assert (
        "Policy small version 1 was published and has been edited since; put the file back as it was, and write what "
        "changes as version 2 with its own dates."
    ) == problem(root)


def test_another_policy_stands_in_the_place_of_all_its_versions(tmp_path: Path) -> None:
    """For a backtest: what a file says instead of what holds, beside everything else."""
    root = folder(tmp_path, SMALL, SMALL.replace("small", "other"))
    path = tmp_path / "candidate.yaml"
    path.write_text(SMALL.replace("version: 1\n", "version: 7\nsupersedes: 6\n"), "utf-8")

    assert [("other", 1), ("small", 7)] == [
        (one.id, one.version) for one in with_policy(root, load_policies(root), path)
    ]
    path.write_text(SMALL.replace("id: small\n", "id: third\n"), "utf-8")
    with pytest.raises(ReferenceProblem, match=r"both have a rule small\.any"):
        with_policy(root, load_policies(root), path)
