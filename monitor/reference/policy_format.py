"""One policy file to one policy: the format, and what is wrong with a file in one sentence.

A file that does not say exactly what it means is refused with a sentence that names the file, the place in it and what
to do. Amounts are decimal text ("1e23") and become exact integers; days become milliseconds at midnight UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import ErrorDetails

from monitor.core.clocks import Clock, ClockFrom
from monitor.core.model import HOUR_MS
from monitor.core.policy import (
    AT_ONCE,
    LEVELS,
    OF_GROUPS,
    OF_RUNS,
    Aggregation,
    Bound,
    Condition,
    Example,
    Level,
    Measure,
    Need,
    Policy,
    Precision,
    Projected,
    Quantity,
    Rule,
    Scope,
    Source,
)
from monitor.errors import ReferenceProblem
from monitor.reference.reading import digest_of, label, milliseconds, parse_document, read_document, read_text

ON_LISTS = frozenset({Scope.LISTED, Scope.POSSIBLY_LISTED, Scope.AFFILIATE, Scope.POSSIBLY_AFFILIATE})
FLOP_TOTALS = frozenset({Measure.MODEL_FLOP, Measure.EXECUTED_FLOP})
_AMOUNT = re.compile(r"([0-9])(?:\.([0-9]{1,9}))?e([0-9]{1,2})", re.ASCII)
WIDTH = 100  # characters of a line of YAML that is written
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def exact(text: object) -> int:
    """An amount written as "1e23" or "2.5e22", exactly.

    Raises:
        ValueError: anything else, with the end of a sentence that begins with the place.
    """
    match = _AMOUNT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f'is {short(text)}, which is no exact amount; write text like "1e23" or "2.5e22"')
    whole, decimals, exponent = match[1], match[2] or "", int(match[3])
    if len(decimals) > exponent:
        raise ValueError(f"is {short(text)}, which is no whole number; take decimals away")
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
    raise ValueError(f'is {short(day)}, which is no day; write it like "2010-01-01"')


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Amount = Annotated[
    int,
    BeforeValidator(exact),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^[0-9](\.[0-9]{1,9})?e[0-9]{1,2}$",
            "description": 'A whole amount as exact text, such as "1e23" or "2.5e22".',
        }
    ),
]
Day = Annotated[
    int,
    BeforeValidator(midnight),
    WithJsonSchema({"type": "string", "format": "date", "description": 'A day in UTC, such as "2026-11-26".'}),
]
_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)


class ExampleEntry(BaseModel):
    """One example of a rule as the file writes it: an amount under some circumstances, and the level that it gives."""

    model_config = _STRICT
    low: Amount
    central: Amount
    high: Amount
    level: Literal["none", "watch", "warning", "critical"]
    geometry: bool = False
    measured: bool = False
    party: bool = False
    chance: Annotated[int, Field(ge=0, le=1_000)] = 0


class ProjectedEntry(BaseModel):
    """A chance of crossing, in per mille, within so many days."""

    model_config = _STRICT
    days: Literal[30, 90]
    per_mille: Annotated[int, Field(ge=500, le=949)]


class ConditionEntry(BaseModel):
    """What gives a level: a bound at the threshold, or a probability in per mille that it is reached."""

    model_config = _STRICT
    bound: Annotated[Bound, Field(strict=False)] | None = None
    per_mille: Annotated[int, Field(ge=500, le=949)] | None = None
    needs: Annotated[list[Annotated[Need, Field(strict=False)]], Field(min_length=1)] | None = None
    projected: ProjectedEntry | None = None

    @property
    def on(self) -> Bound | int:
        """Whichever of the two it is."""
        return self.bound or self.per_mille or 0

    @model_validator(mode="after")
    def _is_one_of_two(self) -> ConditionEntry:
        if (self.bound is None) == (self.per_mille is None):
            raise ValueError("must have either a `bound` or a probability in `per_mille`; write one of them")
        return self


class ClockEntry(BaseModel):
    """How long there is to do something."""

    model_config = _STRICT
    days: Annotated[int, Field(ge=1, le=3_650)]
    kind: Literal["calendar", "business"]
    since: Annotated[ClockFrom, Field(alias="from", strict=False)]
    what: Text


class RuleEntry(BaseModel):
    """One rule as the file writes it."""

    model_config = _STRICT
    id: Text
    title: Text
    scope: Annotated[Scope, Field(strict=False)]
    measure: Annotated[Measure, Field(strict=False)]
    aggregation: Annotated[Aggregation, Field(strict=False)]
    threshold: Annotated[Amount, Field(ge=1)]
    window_days: Annotated[int, Field(ge=1, le=3_650)] | None = None
    levels: dict[Literal["watch", "warning", "critical"], ConditionEntry]
    rationale: Text
    false_positives: Text
    not_established: Annotated[list[Text], Field(min_length=1)]
    examples: Annotated[list[ExampleEntry], Field(min_length=1)]
    effects: list[Literal["blocked", "licence", "end_use_review", "attention"]] = []
    chips: Annotated[list[Literal["3A090.a", "3A090.b", "prc_made"]], Field(min_length=1)] | None = None
    precision: Annotated[Precision, Field(strict=False)] | None = None
    network_gbit_s_over: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    falls_after_hours: Annotated[int, Field(ge=1, le=8_760)] = 168
    shadow: bool = False
    clock: ClockEntry | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> RuleEntry:
        for problem in _senseless(self):
            raise ValueError(problem)
        return self


def _senseless(rule: RuleEntry) -> Iterable[str]:
    """What of a rule cannot go together, each as the end of a sentence that begins with the rule."""
    if rule.scope in ON_LISTS and not rule.effects:
        yield f"has the scope {rule.scope}, which looks at lists; name their `effects`"
    if rule.effects and rule.scope not in ON_LISTS:
        yield f"has the scope {rule.scope}, which looks at no list; leave its `effects` out"
    if (rule.measure is Measure.OP_PER_S) != (rule.precision is not None):
        yield "must name its `precision` exactly if it measures op_per_s; write it there or leave it out"
    of_run = rule.measure in FLOP_TOTALS and rule.window_days is None and not rule.chips
    if rule.aggregation in OF_RUNS and not of_run:
        yield f"adds up a {rule.aggregation}, which has FLOP and neither window nor chips; leave those out"
    if rule.aggregation is Aggregation.CLUSTER and rule.measure not in AT_ONCE - {Measure.RESERVED_ACCELERATORS}:
        yield "adds up a cluster, which is what is held at once; measure accelerators, tpp or op_per_s"
    if rule.network_gbit_s_over is not None and rule.aggregation is not Aggregation.CLUSTER:
        yield "names the speed of a network, which only clusters have; leave `network_gbit_s_over` out"
    if rule.measure is Measure.GROWTH and rule.window_days is None:
        yield "measures growth, from one window to the next; give its `window_days`"
    if rule.measure is Measure.RESERVED_ACCELERATORS and rule.chips:
        yield "measures reservations, which are not told apart by chips; leave `chips` out"
    yield from _senseless_levels(rule)


def _senseless_levels(rule: RuleEntry) -> Iterable[str]:
    conditions = [(level, rule.levels[level]) for level in _NAMES_OF_LEVELS if level in rule.levels]
    if not conditions:
        yield "has no level, so it would never say anything; give it `levels`"
    for level, condition in conditions:
        if condition.on is Bound.HIGH and level != "watch":
            yield f"gives {level} on the high bound, which open time alone can reach; use central, or a probability"
        if condition.projected and (rule.measure not in FLOP_TOTALS or rule.aggregation in OF_GROUPS):
            yield f"projects {level}, which only the FLOP of a tenant, a run or a chain can be; leave `projected` out"
        if rule.aggregation in OF_GROUPS and set(condition.needs or ()) - {Need.PARTY}:
            yield "needs what only a tenant or a run has; of a group there is only a reason in the `party`"
    ranks = [_rank(condition.on) for _, condition in conditions]
    if ranks != sorted(ranks):
        yield "gives a higher level for less than a lower one; put its `levels` in order"


def _rank(on: Bound | int) -> int:
    """How much a condition asks for: the high bound is reached first, then the central one, then probabilities."""
    return on if isinstance(on, int) else {Bound.HIGH: 0, Bound.CENTRAL: 1, Bound.LOW: 950}[on]


_NAMES_OF_LEVELS = tuple(str(level) for level in LEVELS)


class SourceEntry(BaseModel):
    """Where a number comes from, and whether that was seen in a copy or a summary, or is from memory."""

    model_config = _STRICT
    number: Text
    where: Text
    seen: bool


class PolicyFile(BaseModel):
    """A policy as its file writes it (schema flopwatch.policy/1)."""

    model_config = _STRICT
    schema_: Annotated[Literal["flopwatch.policy/1"], Field(alias="schema")]
    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")]
    version: Annotated[int, Field(ge=1, le=1_000_000)]
    title: Text
    jurisdiction: Text
    citation: Text
    sources: Annotated[list[SourceEntry], Field(min_length=1)]
    status: Text
    legal_force: Literal[
        "in_force", "guidance", "internal", "unenforced", "suspended", "proposed", "rescinded", "research"
    ]
    duty_holder: Literal["provider", "tenant", "developer", "nobody"]
    subject: Text
    published: Day
    retroactive: Text | None = None
    effective_from: Day
    effective_to: Day | None = None
    supersedes: Annotated[int, Field(ge=1)] | None = None
    owner: Text
    runbook: Text
    concern_group: Text
    home_group: Text | None = None
    expected_flags_a_week: Annotated[int, Field(ge=0)]
    rules: list[RuleEntry]


class _Mapping(RootModel[dict[str, Any]]):
    """Any YAML mapping, before its keys are looked at."""


def read_policy(path: Path) -> Policy:
    """The policy in one file.

    Raises:
        ReferenceProblem: the file cannot be read or does not follow the schema.
    """
    return _read(read_text(path), label(path))


@lru_cache
def _read(text: str, where: str) -> Policy:
    """The policy that a file says. What the console reads again and again at its start takes its time once."""
    content = parse_document(text, where, _Mapping).root
    try:
        parsed = PolicyFile.model_validate(content)
    except ValidationError as problem:
        raise ReferenceProblem(_sentence(where, content, problem.errors())) from None
    return _policy(parsed)


def written(path: Path) -> str:
    """What a policy file says, as YAML in the order of the file and without its comments.

    Raises:
        ReferenceProblem: the file cannot be read.
    """
    content = read_document(path, _Mapping).root
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=WIDTH, default_flow_style=False)


def _policy(parsed: PolicyFile) -> Policy:
    return Policy(
        id=parsed.id,
        version=parsed.version,
        title=parsed.title,
        jurisdiction=parsed.jurisdiction,
        citation=parsed.citation,
        sources=tuple(Source(one.number, one.where, one.seen) for one in parsed.sources),
        status=parsed.status,
        legal_force=parsed.legal_force,
        duty_holder=parsed.duty_holder,
        subject=parsed.subject,
        published=parsed.published,
        retroactive=parsed.retroactive or "",
        effective_from=parsed.effective_from,
        effective_to=parsed.effective_to,
        supersedes=parsed.supersedes,
        superseded_at=None,
        owner=parsed.owner,
        runbook=parsed.runbook,
        concern_group=parsed.concern_group,
        home_group=parsed.home_group or "",
        expected_flags_a_week=parsed.expected_flags_a_week,
        rules=tuple(_rule(entry) for entry in parsed.rules),
        digest=digest_of(parsed.model_dump(mode="json", by_alias=True, exclude_unset=True)),
    )


def _rule(entry: RuleEntry) -> Rule:
    clock = entry.clock
    return Rule(
        id=entry.id,
        title=entry.title,
        scope=entry.scope,
        quantity=Quantity(entry.measure, frozenset(entry.chips or ()), entry.precision),
        aggregation=entry.aggregation,
        threshold=entry.threshold,
        window_days=entry.window_days,
        levels={level: _condition(entry.levels[level.value]) for level in LEVELS if level.value in entry.levels},
        rationale=entry.rationale,
        false_positives=entry.false_positives,
        not_established=tuple(entry.not_established),
        examples=tuple(_example(example) for example in entry.examples),
        effects=frozenset(entry.effects),
        network_gbit_s_over=entry.network_gbit_s_over,
        falls_after_ms=entry.falls_after_hours * HOUR_MS,
        shadow=entry.shadow,
        clock=None if clock is None else Clock(clock.days, clock.kind, clock.since, clock.what),
    )


def _condition(entry: ConditionEntry) -> Condition:
    projected = None if entry.projected is None else Projected(entry.projected.days, entry.projected.per_mille)
    return Condition(entry.on, frozenset(entry.needs or ()), projected)


def _example(entry: ExampleEntry) -> Example:
    level = None if entry.level == "none" else Level(entry.level)
    said: Mapping[Need, bool] = {
        Need.GEOMETRY: entry.geometry,
        Need.MEASURED: entry.measured,
        Need.PARTY: entry.party,
    }
    meets = frozenset(need for need, met in said.items() if met)
    return Example(entry.low, entry.central, entry.high, level, meets, entry.chance)


# -- one sentence for people -----------------------------------------------------------------------------------------


def _sentence(name: str, content: object, errors: Sequence[ErrorDetails]) -> str:
    """The first thing that is wrong with a file. An unknown key comes first: it explains the missing one."""
    error = min(errors, key=lambda one: one["type"] != "extra_forbidden")
    if error["type"] not in {"extra_forbidden", "missing"}:
        return f"In the policy file {name}, {_place(error['loc'], content)} {_fault(error)}."
    *outer, key = error["loc"]
    inside = f" in {_place(outer, content)}" if outer else ""
    if error["type"] == "missing":
        return f"The policy file {name} lacks the key {short(key)}{inside}; add it."
    return f"The policy file {name} has the unknown key {short(key)}{inside}{nearest(str(key), _keys(outer))}"


def _fault(error: ErrorDetails) -> str:
    """What is wrong with one value, and what to do, as the rest of a sentence."""
    context = error.get("ctx", {})
    if error["type"] == "value_error":
        return str(context["error"])
    if error["type"] in {"literal_error", "enum"}:
        return f"is {short(error['input'])}; write {context['expected']}"
    wanted = error["msg"].replace("should", "must")
    return f"is {short(error['input'])}, which does not do; {wanted[:1].lower()}{wanted[1:]}"


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
    entries: Mapping[str, type[BaseModel]] = {
        "examples": ExampleEntry,
        "projected": ProjectedEntry,
        "levels": ConditionEntry,
        "clock": ClockEntry,
        "rules": RuleEntry,
        "sources": SourceEntry,
    }
    entry = next((entries[key] for key in entries if key in outer), PolicyFile)
    return [field.alias or key for key, field in entry.model_fields.items()]


def nearest(word: str, known: Iterable[str]) -> str:
    """What the writer may have meant, as the end of a sentence."""
    near = get_close_matches(word, list(known), n=1)
    return f"; did you mean {short(near[0])}?" if near else "; correct or remove it."


def short(value: object) -> str:
    """A value for a sentence, whatever its size."""
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        return "too long a number"
    return text if len(text) <= 60 else f"{text[:57]}..."
