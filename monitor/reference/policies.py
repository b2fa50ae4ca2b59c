"""Policy files to policies: `policies/*.yaml` under the configuration folder, one dated policy a file.

A file that was published is never edited: `published.yaml` beside the folder keeps the digest of each, and one that
says something else than its digest is refused. Of one policy several versions may be there; a later one may supersede
an earlier one from its own first day on, whatever that one said of its end. The operator's own policies lie in a folder
of theirs that looks the same: `policies/*.yaml`, and `published.yaml` beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from monitor.core.bounds import Bounds
from monitor.core.findings import Amount, level_of
from monitor.core.policy import LEVELS, Consent, Example, Level, Policy, Rule, Scope, superseding
from monitor.errors import ReferenceProblem
from monitor.reference.countries import load_countries
from monitor.reference.policy_format import nearest, read_policy, short, written
from monitor.reference.reading import read_document
from monitor.settings import Policies as OwnPolicies

FOLDER = "policies"
PUBLISHED = "published.yaml"


class PublishedFile(BaseModel):
    """The digests of the policies that were published, by `id@version`."""

    model_config = ConfigDict(extra="forbid", strict=True)
    policies: dict[str, str] = {}


SHIPPED_ALONE = OwnPolicies()


def load_policies(root: Path, own: OwnPolicies = SHIPPED_ALONE) -> tuple[Policy, ...]:
    """Every policy of a configuration folder, and the operator's own, sorted by id and version.

    Own ones that need the word of two people wait for it: see `monitor.core.policy.consented`.

    Raises:
        ReferenceProblem: a file cannot be read, does not follow the schema, contradicts another file, or is not what
            was published.
    """
    policies = sorted([*_read(root), *_own(own)], key=_order)
    listed = _published(root) if own.folder is None else {**_published(own.folder), **_published(root)}
    for sentence in (*_contradictions(policies), *_unlike_published(listed, policies), *_groups(root, policies)):
        raise ReferenceProblem(sentence)
    return superseding(policies)


def _own(own: OwnPolicies) -> list[Policy]:
    if own.folder is None:
        return []
    consent = Consent.WAITING if own.approval == "console" else Consent.FILE
    return [replace(one, consent=consent) for one in _read(own.folder)]


def with_policy(root: Path, policies: Iterable[Policy], path: Path) -> tuple[Policy, ...]:
    """Policies with that of a file among them, in the place of all versions of its id.

    Raises:
        ReferenceProblem: the file cannot be read, does not follow the schema, or contradicts another policy.
    """
    added = read_policy(path)
    others = [replace(one, superseded_at=None) for one in policies if one.id != added.id]
    together = sorted([*others, replace(added, supersedes=None)], key=_order)
    for sentence in (*_contradictions(together), *_groups(root, together)):
        raise ReferenceProblem(sentence)
    return superseding(together)


def texts_of(root: Path, own: OwnPolicies = SHIPPED_ALONE) -> dict[str, str]:
    """What each policy file says, as YAML without its comments, by the name of the policy: for comparing versions.

    Raises:
        ReferenceProblem: a file cannot be read, or does not follow the schema.
    """
    return {name: written(path) for name, path in files_of(root, own).items()}


def files_of(root: Path, own: OwnPolicies = SHIPPED_ALONE) -> dict[str, Path]:
    """The file of each policy, by the name of the policy.

    Raises:
        ReferenceProblem: a file cannot be read, or does not follow the schema.
    """
    folders = [root] if own.folder is None else [root, own.folder]
    return {read_policy(path).name: path for folder in folders for path in _paths(folder)}


def check_policies(root: Path, policies: Sequence[Policy], own: OwnPolicies = SHIPPED_ALONE) -> list[str]:
    """What is wrong with policies: contradictions, examples that give another level, files that were not published."""
    sentences = _contradictions(policies)
    listed = _published(root) if own.folder is None else {**_published(own.folder), **_published(root)}
    for policy in policies:
        if policy.name not in listed:
            sentences.append(
                f"{_name(policy)} is not in {PUBLISHED}, so nobody would notice an edit; "
                "`flopwatch policies publish` puts it there."
            )
        for rule in policy.rules:
            sentences.extend(f"{_name(policy)}: {sentence}" for sentence in _check_examples(rule))
    return sentences


def publish(root: Path, own: OwnPolicies = SHIPPED_ALONE) -> list[str]:
    """Put the digests of all policies that were not published yet into the list beside them; returns their names.

    Raises:
        ReferenceProblem: a file is not as it must be, or is not what was published.
    """
    load_policies(root, own)
    added = _publish(root)
    return added if own.folder is None else sorted([*added, *_publish(own.folder)])


def _publish(root: Path) -> list[str]:
    listed = _published(root)
    added = [policy for policy in _read(root) if policy.name not in listed]
    if not added:
        return []
    listed |= {policy.name: policy.digest for policy in added}
    lines = [f'  "{key}": {listed[key]}\n' for key in sorted(listed)]
    head = "# The policies that were published, by their digests: none of these files is edited any more.\npolicies:\n"
    (root / PUBLISHED).write_text(head + "".join(lines), "utf-8")
    return [policy.name for policy in added]


def _paths(root: Path) -> list[Path]:
    folder = root / FOLDER
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix in {".yaml", ".yml"})
    except OSError as problem:
        raise ReferenceProblem(
            f"The folder of policies {folder} cannot be read ({problem.strerror}); create it, or name another folder."
        ) from problem
    if not paths:
        raise ReferenceProblem(f"There is no policy in {folder}, so nothing would ever be flagged; put one there.")
    return paths


def _read(root: Path) -> list[Policy]:
    return sorted(map(read_policy, _paths(root)), key=_order)


def _order(policy: Policy) -> tuple[str, int]:
    return policy.id, policy.version


def _groups(root: Path, policies: Iterable[Policy]) -> list[str]:
    """Country groups that policies name and that there are not."""
    groups = load_countries(root).histories
    return [
        f"{_name(policy)} names the country group {short(name)}, which countries.yaml does not have"
        f"{nearest(name, groups)}"
        for policy in policies
        for name in (policy.concern_group, policy.home_group)
        if name and name not in groups
    ]


def _published(root: Path) -> dict[str, str]:
    path = root / PUBLISHED
    return read_document(path, PublishedFile).policies if path.exists() else {}


def _unlike_published(listed: Mapping[str, str], policies: Iterable[Policy]) -> list[str]:
    """Policies that were published and say something else now."""
    return [
        f"{_name(policy)} was published and has been edited since; put the file back as it was, and write what changes "
        f"as version {policy.version + 1} with its own dates."
        for policy in policies
        if listed.get(policy.name, policy.digest) != policy.digest
    ]


def _name(policy: Policy) -> str:
    return f"Policy {policy.id} version {policy.version}"


# -- contradictions and examples -------------------------------------------------------------------------------------


def _contradictions(policies: Sequence[Policy]) -> list[str]:
    """What makes policies contradict themselves or each other."""
    policies, sentences = superseding(replace(one, consent=Consent.FILE) for one in policies), []
    known = {(policy.id, policy.version) for policy in policies}
    for policy in policies:
        if policy.effective_to is not None and policy.effective_to <= policy.effective_from:
            sentences.append(f"{_name(policy)} ends before it begins; give a later day as effective_to.")
        if policy.effective_from < policy.published and not policy.retroactive:
            sentences.append(
                f"{_name(policy)} takes effect on {_day(policy.effective_from)}, before it was published on "
                f"{_day(policy.published)}; give a later day, or say in `retroactive` why it looks back."
            )
        if policy.effective_from >= policy.published and policy.retroactive:
            sentences.append(f"{_name(policy)} does not look back before it was published; leave `retroactive` out.")
        if policy.supersedes is not None and (policy.id, policy.supersedes) not in known:
            sentences.append(
                f"{_name(policy)} supersedes version {policy.supersedes}, which is not there; name one that is."
            )
        if policy.supersedes is not None and policy.supersedes >= policy.version:
            sentences.append(f"{_name(policy)} supersedes a version that is no earlier one; name an earlier one.")
        if not policy.home_group and any(rule.scope is Scope.FOREIGN for rule in policy.rules):
            sentences.append(f"{_name(policy)} looks at foreign tenants; name the `home_group` that they are not of.")
        sentences.extend(_twice(policy))
    for one, other in combinations(policies, 2):
        sentences.extend(_conflict(one, other))
    return sentences


def _day(instant: int) -> str:
    return datetime.fromtimestamp(instant // 1_000, UTC).date().isoformat()


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
            "(effective_to) where the later one begins, or let the later one say that it supersedes it."
        ]
    return []


def _ends_after(policy: Policy, instant: int) -> bool:
    return policy.ends is None or policy.ends > instant


def _check_examples(rule: Rule) -> list[str]:
    """What a rule's examples show to be wrong, each as a sentence that follows the policy's name."""
    sentences = []
    for position, example in enumerate(rule.examples, 1):
        where = f"example {position} of the rule {rule.id}"
        if not example.low <= example.central <= example.high:
            sentences.append(f"{where} has bounds that are out of order; write low <= central <= high.")
            continue
        level = level_of_example(rule, example)
        if level is not example.level:
            sentences.append(f"{where} gives {level or 'none'}, not {example.level or 'none'}; correct one of them.")
    shown = {example.level for example in rule.examples}
    reachable = (None, *(level for level in LEVELS if level in rule.levels))
    sentences.extend(
        f"the rule {rule.id} has no example for {level or 'none'}; add one."
        for level in reachable
        if level not in shown
    )
    if not _shows_the_edge(rule):
        sentences.append(
            f"the rule {rule.id} has no example whose {rule.loosest} bound is just under its threshold, or none that "
            "is just at it; add them."
        )
    return sentences


def level_of_example(rule: Rule, example: Example) -> Level | None:
    """The level that a rule gives an example."""
    bounds = Bounds(example.low, example.central, example.high, example.high)
    chances = {one.projected.days: example.chance for one in rule.levels.values() if one.projected}
    return level_of(rule, Amount(bounds, bounds, example.meets, chances))


def _shows_the_edge(rule: Rule) -> bool:
    """Whether examples lie at a threshold, and at most a thousandth, or 1, under it."""
    shown = [getattr(example, rule.loosest) for example in rule.examples]
    near = max(1, rule.threshold // 1_000)
    return rule.threshold in shown and any(0 < rule.threshold - amount <= near for amount in shown)
