"""The page of an evidence pack, to be read and printed: what its `case.json` says, for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from monitor.core.exports import PROPOSED_RULES, Template
from monitor.draw.axes import flop
from monitor.draw.page import Section, page

MARK = "PROPOSED RULE \N{EN DASH} NOT IN FORCE \N{EN DASH} INTERNAL"
UNKNOWN = "not known to this monitor"
HOUR_US = 3_600_000_000
ROWS_MAX = 500  # of a table; `case.json` has all

# What a report would have asked for (89 FR 5698, proposed 15 CFR 7.308), and the field of a profile that may say it.
OF_PERSON = (
    ("Name", ("legal_name", "aliases")),
    ("Address", ("addresses",)),
    ("Country of headquarters", ("hq_country",)),
    ("Country of incorporation", ("incorporation_country",)),
    ("Means and source of payment", ("payment_class", "payer")),
    ("E-mail and telephone", ("contact_domain",)),
    ("IP addresses, with times", ()),
    ("Reseller", ("reseller_of",)),
    ("Business purpose, as stated", ("declared_use",)),
)


def page_of(case: Mapping[str, Any]) -> str:
    """The whole page."""
    export = case["export"]
    template = Template(export["template"])
    sections = [*_sections(case)] if template is Template.GENERAL else [*_proposed(case), *_sections(case)]
    mark = MARK if template in PROPOSED_RULES else ""
    return page(f"Case {case['case']}: {case['subject']}", _sentences(case), "", sections, mark)


def _sentences(case: Mapping[str, Any]) -> Iterable[str]:
    export = case["export"]
    made = f"Made by {export['made_by']} at {export['made_at']} with flopwatch {case['flopwatch']}."
    yield f"As of {case['as_of']}. {made}"
    released = f", released by {export['released_by']} as counsel" if export["released_by"] else ""
    yield f"For {export['recipient']} ({export['recipient_kind']}), on this basis: {export['legal_basis']}{released}."
    yield (
        "A flag is a question and says of nobody that a rule was broken. Compute is estimated: the middle, and the "
        "range in which it lies with a probability of 90 per cent."
    )
    yield from case["remarks"]


def _sections(case: Mapping[str, Any]) -> Iterable[Section]:
    yield Section(
        "Why it was flagged",
        "Each rule that holds or held. What people were told last, and what its facts give as of now.",
        ("flag", "rule", "state", "told", "now", "threshold"),
        [_flag_row(flag) for flag in case["flags"][:ROWS_MAX]],
    )
    yield Section(
        "In words",
        "What was found, and what is not established by it.",
        ("flag", "found", "not established"),
        [
            (flag["flag"], " ".join(flag["reasons"]), " ".join(flag["not_established"]) or "-")
            for flag in case["flags"][:ROWS_MAX]
        ],
    )
    yield Section(
        "Whom it is about",
        "Compute since the beginning of the facts, and what is known of who it is, on lists too.",
        ("tenant", "FLOP", "accelerator-hours", "what is known"),
        [_tenant_row(tenant) for tenant in case["tenants"][:ROWS_MAX]],
    )
    yield Section(
        "Training runs",
        "Stretches of use that belong together. How likely each is training is a score, no probability.",
        ("tenant", "run", "from", "to", "accelerators", "FLOP", "training"),
        [row for tenant in case["tenants"] for row in _run_rows(tenant)][:ROWS_MAX],
    )
    yield Section(
        "What happened to the case",
        "Every act, by whom.",
        ("event", "at", "by", "act", "said"),
        [
            (str(one["event"]), one["at"], one["by"], one["act"], _said(one["said"]))
            for one in case["events"][:ROWS_MAX]
        ],
    )
    yield Section(
        "As it was",
        "What whoever acted saw then. `as_it_was` in case.json has all of it.",
        ("event", "at", "by", "act", "flag", "level", "measured"),
        [row for one in case["as_it_was"] for row in _sight_rows(one)][:ROWS_MAX],
    )
    yield Section(
        "What this rests on",
        "Digests of what the numbers are made with, whose files are in the folder `reference`. Facts: facts.ndjson. "
        "`flopwatch evidence verify` checks every file and computes the numbers again.",
        ("what", "SHA-256"),
        [(name, str(value)) for name, value in _flat(case["reference"])],
    )


def _flag_row(flag: Mapping[str, Any]) -> Sequence[str]:
    told, now = flag["told"], flag["now"]
    return (
        flag["flag"],
        f"{flag['policy']} {flag['rule']} ({_words(flag['legal_force'])})",
        f"{flag['level']}, {flag['state']}, since {flag['raised_at']}",
        _range(told["amount"]),
        "does not stand" if now is None else f"{now['level']}: {_range(now['amount'])}",
        f"{flop(told['threshold'])} {_words(told['measure'])}",
    )


def _tenant_row(tenant: Mapping[str, Any]) -> Sequence[str]:
    known = [
        sentence
        for name in ("who", "headquarters", "matches", "contradictions", "blind")
        for sentence in tenant.get(name, ())
    ]
    hours = sum(row[-1] for row in tenant["usage"]) / HOUR_US
    total = _range(tenant["flop"]) if "flop" in tenant else "see case.json"
    return tenant["tenant"], total, f"{hours:,.1f}", "; ".join(known) or "-"


def _run_rows(tenant: Mapping[str, Any]) -> Iterable[Sequence[str]]:
    for run in tenant.get("runs", ()):
        yield (
            tenant["tenant"], run["run"], run["start"], run["end"], f"{run['accelerators_peak']:,}",
            _range(run["flop"]), run["training"],
        )  # fmt: skip


def _sight_rows(one: Mapping[str, Any]) -> Iterable[Sequence[str]]:
    for flag in one["saw"]["flags"]:
        low, central, high, _ = flag["finding"]["amount"]
        measured = _range({"low": low, "central": central, "high": high})
        yield str(one["event"]), one["at"], one["by"], one["act"], flag["id"], flag["level"], measured


def _range(bounds: Mapping[str, int]) -> str:
    return f"{flop(bounds['central'])} ({flop(bounds['low'])} to {flop(bounds['high'])})"


def _words(name: str) -> str:
    return name.replace("_", " ").replace("flop", "FLOP")


def _said(said: Mapping[str, Any]) -> str:
    return "; ".join(f"{name} {value}" for name, value in said.items() if value not in (None, "", [], {})) or "-"


def _flat(reference: Mapping[str, Any]) -> Iterable[tuple[str, object]]:
    for name, value in reference.items():
        if isinstance(value, dict):
            yield from ((f"{name} {one}", digest) for one, digest in value.items())
        else:
            yield name, value


# -- the template of the rule that was proposed ------------------------------------------------------------------------


def _proposed(case: Mapping[str, Any]) -> Iterable[Section]:
    for tenant in case["tenants"]:
        yield Section(
            f"Report of the proposed rule: {tenant['tenant']}",
            "In the form of the report that 89 FR 5698 (29 January 2024) would have asked for. The rule was never in "
            "force; this obliges nobody and is no report to anybody.",
            ("asked for", "what is known", "on which basis"),
            [*_person_rows(tenant), *_owner_rows(tenant), *_training_rows(tenant)],
        )


def _person_rows(tenant: Mapping[str, Any]) -> Iterable[Sequence[str]]:
    profile = tenant.get("profile", {})
    for asked, fields in OF_PERSON:
        known = [profile[field] for field in fields if field in profile]
        values = "; ".join(_text(one["value"]) for one in known)
        yield asked, values or UNKNOWN, "; ".join(f"{one['basis']}, from {one['source']}" for one in known) or "-"


def _owner_rows(tenant: Mapping[str, Any]) -> Iterable[Sequence[str]]:
    known = "; ".join([*tenant.get("who", ()), *tenant.get("headquarters", ()), *tenant.get("economic_interest", ())])
    yield "Party and beneficial owners", known or UNKNOWN, "each as it says"


def _training_rows(tenant: Mapping[str, Any]) -> Iterable[Sequence[str]]:
    estimated = "estimated from allocations and telemetry"
    runs = tenant.get("runs", ())
    yield "Estimated total operations", _range(tenant["flop"]) if "flop" in tenant else UNKNOWN, estimated
    for run in runs[:5]:
        yield f"Training run {run['run']}", f"{run['start']} to {run['end']}: {_range(run['flop'])}", estimated
    yield "Anticipated end", UNKNOWN, "-"
    hardware = ", ".join(sorted({one["hardware"] for one in tenant.get("hardware", ())}))
    yield "Primary accelerators", hardware or UNKNOWN, "as allocations name them"
    yield "Cybersecurity practices, protection of weights", UNKNOWN, "-"


def _text(value: object) -> str:
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    return str(value)
