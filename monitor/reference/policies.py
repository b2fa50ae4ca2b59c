"""Policy files to policies: `policies/*.yaml` under the configuration folder, one dated policy a file.

A file that does not say exactly what it means is refused with one sentence that names the file, the place in it and
what to do. FLOP are decimal text ("1e23") and become exact integers; days become milliseconds at midnight UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from difflib import get_close_matches
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from monitor.core.bounds import Bounds
from monitor.core.findings import level_of
from monitor.core.policy import LEVELS, Aggregation, Example, Level, Policy, Rule, Scope
from monitor.errors import ReferenceProblem
from monitor.reference.countries import load_countries
from monitor.reference.reading import digest_of, label, milliseconds, read_document

FOLDER = "policies"
ON_LISTS = frozenset({Scope.LISTED, Scope.POSSIBLY_LISTED, Scope.AFFILIATE, Scope.POSSIBLY_AFFILIATE})
_FLOP = re.compile(r"([0-9])(?:\.([0-9]{1,9}))?e([0-9]{1,2})", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def exact_flop(text: object) -> int:
    """FLOP written as "1e23" or "2.5e22", exactly.

    Raises:
        ValueError: anything else, with the end of a sentence that begins with the place.
    """
    match = _FLOP.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f'is {_short(text)}, which is no exact FLOP; write text like "1e23" or "2.5e22"')
    whole, decimals, exponent = match[1], match[2] or "", int(match[3])
    if len(decimals) > exponent:
        raise ValueError(f"is {_short(text)}, which is no whole number of FLOP; take decimals away")
    return int(whole + decimals + "0" * (exponent - len(decimals)))


def midnight(day: object) -> int:
    """Milliseconds since 1970 at 00:00 UTC of a day, which YAML reads as a date or, in quotes, as text.

    Raises:
        ValueError: anything else, with the end of a sentence that begins with the place.
    """
    if type(day) is date:
        return milliseconds(day)
    if isinstance(day, str) and _DAY.fullmatch(day):
        try:
            return milliseconds(date.fromisoformat(day))
        except ValueError:
            pass  # such as 2010-02-30: said below
    raise ValueError(f'is {_short(day)}, which is no day; write it like "2010-01-01"')


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Flop = Annotated[int, BeforeValidator(exact_flop)]
Day = Annotated[int, BeforeValidator(midnight)]
_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)


class ExampleEntry(BaseModel):
    """One example of a rule as the file writes it."""

    model_config = _STRICT
    low: Flop
    central: Flop
    high: Flop
    level: Literal["none", "watch", "warning", "critical"]


class RuleEntry(BaseModel):
    """One rule as the file writes it. `measure` says what is counted: there is one kind."""

    model_config = _STRICT
    id: Text
    title: Text
    scope: Annotated[Scope, Field(strict=False)]
    measure: Literal["model_flop"]
    aggregation: Annotated[Aggregation, Field(strict=False)]
    threshold: Annotated[Flop, Field(ge=1)]
    window_days: Annotated[int, Field(ge=1, le=3_650)]
    level_max: Annotated[Level, Field(strict=False)]
    # A critical finding reaches the threshold with its central bound too, so less than one half has no effect.
    critical_per_mille: Annotated[int, Field(ge=500, le=949)]
    rationale: Text
    false_positives: Text
    not_established: Annotated[list[Text], Field(min_length=1)]
    examples: Annotated[list[ExampleEntry], Field(min_length=1)]
    effects: list[Literal["blocked", "licence", "end_use_review", "attention"]] = []

    @model_validator(mode="after")
    def _names_effects_where_it_looks_at_lists(self) -> RuleEntry:
        if self.scope in ON_LISTS and not self.effects:
            raise ValueError(f"has the scope {self.scope}, which looks at lists; name their `effects`")
        if self.effects and self.scope not in ON_LISTS:
            raise ValueError(f"has the scope {self.scope}, which looks at no list; leave its `effects` out")
        return self


class PolicyFile(BaseModel):
    """A policy as its file writes it (schema flopwatch.policy/1)."""

    model_config = _STRICT
    schema_: Annotated[Literal["flopwatch.policy/1"], Field(alias="schema")]
    id: Text
    version: Annotated[int, Field(ge=1, le=1_000_000)]
    title: Text
    jurisdiction: Text
    citation: Text
    legal_force: Literal[
        "in_force", "guidance", "internal", "unenforced", "suspended", "proposed", "rescinded", "research"
    ]
    duty_holder: Literal["provider", "tenant", "developer", "nobody"]
    effective_from: Day
    effective_to: Day | None = None
    owner: Text
    runbook: Text
    concern_group: Text
    rules: Annotated[list[RuleEntry], Field(min_length=1)]


class _Mapping(RootModel[dict[str, Any]]):
    """Any YAML mapping, before its keys are looked at."""


def load_policies(root: Path) -> tuple[Policy, ...]:
    """Every policy of a configuration folder, sorted by id and version.

    Raises:
        ReferenceProblem: a file cannot be read, does not follow the schema, or contradicts another file.
    """
    folder = root / FOLDER
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix in {".yaml", ".yml"})
    except OSError as problem:
        raise ReferenceProblem(
            f"The folder of policies {folder} cannot be read ({problem.strerror}); create it, or name another folder."
        ) from problem
    if not paths:
        raise ReferenceProblem(f"There is no policy in {folder}, so nothing would ever be flagged; put one there.")
    policies = sorted((_load(path) for path in paths), key=lambda policy: (policy.id, policy.version))
    for sentence in _contradictions(policies):
        raise ReferenceProblem(sentence)
    groups = load_countries(root).histories
    for policy in policies:
        if policy.concern_group not in groups:
            raise ReferenceProblem(
                f"{_name(policy)} names the country group {_short(policy.concern_group)}, which countries.yaml does "
                f"not have{_nearest(policy.concern_group, groups)}"
            )
    return tuple(policies)


def check_policies(policies: Sequence[Policy]) -> list[str]:
    """What is wrong with policies: contradictions between them, and each example that gives another level."""
    sentences = _contradictions(policies)
    for policy in policies:
        for rule in policy.rules:
            sentences.extend(f"{_name(policy)}: {sentence}" for sentence in _check_examples(rule))
    return sentences


def _load(path: Path) -> Policy:
    """The policy in one file."""
    content = read_document(path, _Mapping).root
    try:
        parsed = PolicyFile.model_validate(content)
    except ValidationError as problem:
        raise ReferenceProblem(_sentence(label(path), content, problem.errors())) from None
    return _policy(parsed)


def _policy(parsed: PolicyFile) -> Policy:
    return Policy(
        id=parsed.id,
        version=parsed.version,
        title=parsed.title,
        jurisdiction=parsed.jurisdiction,
        citation=parsed.citation,
        legal_force=parsed.legal_force,
        duty_holder=parsed.duty_holder,
        effective_from=parsed.effective_from,
        effective_to=parsed.effective_to,
        owner=parsed.owner,
        runbook=parsed.runbook,
        concern_group=parsed.concern_group,
        rules=tuple(_rule(entry) for entry in parsed.rules),
        digest=digest_of(_said(parsed)),
    )


def _said(parsed: PolicyFile) -> dict[str, Any]:
    """What a file says; what rules did not have when it was published is left out, so that its digest stays."""
    said = parsed.model_dump(mode="json", by_alias=True)
    for rule in said["rules"]:
        if not rule["effects"]:
            del rule["effects"]
    return said


def _rule(entry: RuleEntry) -> Rule:
    return Rule(
        id=entry.id,
        title=entry.title,
        scope=entry.scope,
        aggregation=entry.aggregation,
        threshold_flop=entry.threshold,
        window_days=entry.window_days,
        level_max=entry.level_max,
        critical_per_mille=entry.critical_per_mille,
        rationale=entry.rationale,
        false_positives=entry.false_positives,
        not_established=tuple(entry.not_established),
        examples=tuple(_example(example) for example in entry.examples),
        effects=frozenset(entry.effects),
    )


def _example(entry: ExampleEntry) -> Example:
    level = None if entry.level == "none" else Level(entry.level)
    return Example(entry.low, entry.central, entry.high, level)


# -- one sentence for people -----------------------------------------------------------------------------------------


def _sentence(name: str, content: object, errors: Sequence[ErrorDetails]) -> str:
    """The first thing that is wrong with a file. An unknown key comes first: it explains the missing one."""
    error = min(errors, key=lambda one: one["type"] != "extra_forbidden")
    if error["type"] not in {"extra_forbidden", "missing"}:
        return f"In the policy file {name}, {_place(error['loc'], content)} {_fault(error)}."
    *outer, key = error["loc"]
    inside = f" in {_place(outer, content)}" if outer else ""
    if error["type"] == "missing":
        return f"The policy file {name} lacks the key {_short(key)}{inside}; add it."
    return f"The policy file {name} has the unknown key {_short(key)}{inside}{_nearest(str(key), _keys(outer))}"


def _fault(error: ErrorDetails) -> str:
    """What is wrong with one value, and what to do, as the rest of a sentence."""
    context = error.get("ctx", {})
    if error["type"] == "value_error":
        return str(context["error"])
    if error["type"] in {"literal_error", "enum"}:
        return f"is {_short(error['input'])}; write {context['expected']}"
    wanted = error["msg"].replace("should", "must")
    return f"is {_short(error['input'])}, which does not do; {wanted[:1].lower()}{wanted[1:]}"


def _place(location: Iterable[int | str], content: object) -> str:
    """A place as people look for it: keys, ordinals from 1, and the id of a rule."""
    parts: list[str] = []
    value = content
    for step in location:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) else None
            name = value.get("id") if isinstance(value, dict) else None
            parts[-1] += f" #{step + 1}" + (f" ({name})" if isinstance(name, str) else "")
        else:
            value = value.get(step) if isinstance(value, dict) else None
            parts.append(step)
    return ", ".join(parts)


def _keys(outer: Sequence[int | str]) -> list[str]:
    """The keys that are known at a place."""
    if "examples" in outer:
        return list(ExampleEntry.model_fields)
    if "rules" in outer:
        return list(RuleEntry.model_fields)
    return [field.alias or key for key, field in PolicyFile.model_fields.items()]


def _nearest(word: str, known: Iterable[str]) -> str:
    """What the writer may have meant, as the end of a sentence."""
    near = get_close_matches(word, list(known), n=1)
    return f"; did you mean {_short(near[0])}?" if near else "; correct or remove it."


def _short(value: object) -> str:
    """A value for a sentence, whatever its size."""
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        return "too long a number"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _name(policy: Policy) -> str:
    return f"Policy {policy.id} version {policy.version}"


# -- contradictions and examples -------------------------------------------------------------------------------------


def _contradictions(policies: Sequence[Policy]) -> list[str]:
    """What makes policies contradict themselves or each other."""
    sentences = []
    for policy in policies:
        if policy.effective_to is not None and policy.effective_to <= policy.effective_from:
            sentences.append(f"{_name(policy)} ends before it begins; give a later day as effective_to.")
        sentences.extend(_twice(policy))
    for one, other in combinations(policies, 2):
        sentences.extend(_conflict(one, other))
    return sentences


def _twice(policy: Policy) -> list[str]:
    ids = [rule.id for rule in policy.rules]
    repeated = sorted({rule for rule in ids if ids.count(rule) > 1})
    return [f"{_name(policy)} has two rules {rule}; rename one of them." for rule in repeated]


def _conflict(one: Policy, other: Policy) -> list[str]:
    """Why two policies cannot stand side by side."""
    if one.id != other.id:
        # A flag is named by its rule, so two policies must not share a rule's name.
        shared = sorted({rule.id for rule in one.rules} & {rule.id for rule in other.rules})
        return [f"{_name(one)} and {_name(other)} both have a rule {rule}; rename one of them." for rule in shared]
    if one.version == other.version:
        return [f"{_name(one)} is there twice; give one of the files another id or a higher version."]
    if _ends_after(one, other.effective_from) and _ends_after(other, one.effective_from):
        return [
            f"{_name(one)} and version {other.version} are in force at the same time; let the earlier one end "
            "(effective_to) where the later one begins."
        ]
    return []


def _ends_after(policy: Policy, instant: int) -> bool:
    return policy.effective_to is None or policy.effective_to > instant


def _check_examples(rule: Rule) -> list[str]:
    """What a rule's examples show to be wrong, each as a sentence that follows the policy's name."""
    sentences = []
    for position, example in enumerate(rule.examples, 1):
        where = f"example {position} of the rule {rule.id}"
        if not example.low <= example.central <= example.high:
            sentences.append(f"{where} has bounds that are out of order; write low <= central <= high.")
            continue
        bounds = Bounds(example.low, example.central, example.high, example.high)
        level = level_of(rule, bounds, bounds)
        if level is not example.level:
            sentences.append(f"{where} gives {level or 'none'}, not {example.level or 'none'}; correct one of them.")
    shown = {example.level for example in rule.examples}
    reachable = (None, *LEVELS[: LEVELS.index(rule.level_max) + 1])
    sentences.extend(
        f"the rule {rule.id} has no example for {level or 'none'}; add one."
        for level in reachable
        if level not in shown
    )
    return sentences
