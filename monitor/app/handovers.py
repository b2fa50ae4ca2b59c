"""What leaves the store for somebody: evidence packs and tables, proposed, released, written and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.app.audits import audit_rows
from monitor.app.decisions import add_checkpoint, desk
from monitor.app.references import load_reference, screened_reference
from monitor.app.stores import existing, still, working_archive
from monitor.app.views import flag_times, snapshot_of, stored_flags, stored_runs, stored_tenants
from monitor.clock import SystemClock
from monitor.core.audit import Person
from monitor.core.engine import Reference
from monitor.core.exports import Export, Handover, handover, not_ready
from monitor.core.manifest import NAME as MANIFEST
from monitor.core.manifest import content_of
from monitor.core.policy import Policy
from monitor.core.sight import FIELD as SIGHT
from monitor.core.tables import Table
from monitor.errors import EvidenceProblem, ExportProblem
from monitor.metrics import program_version
from monitor.reference.lists.effects import load_effects
from monitor.reference.policies import files_of as policy_files
from monitor.reference.root import config_root
from monitor.run.casework import Desk
from monitor.run.documents import (
    audit_document,
    flag_document,
    most_serious_first,
    row_document,
    tenant_document,
    tenant_run_document,
)
from monitor.run.evidence_check import Checked as PackChecked
from monitor.run.evidence_check import check_pack
from monitor.run.evidence_pack import TENANTS_TOLD_MAX, Contents, pack
from monitor.run.table_files import ROWS_AT_MOST, every_case, table_file
from monitor.run.table_files import Known as KnownRows
from monitor.settings import Policies as OwnPolicies
from monitor.settings import Settings
from monitor.store import AuditWanted

if TYPE_CHECKING:
    from monitor.store.exports import Exports
    from monitor.store.sql import SqlStore

REFERENCE_FILES = (
    "catalogue/*",
    "lists/effects.yaml",
    "calibrations.yaml",
    "countries.yaml",
    "durations.yaml",
    "priors.yaml",
    "published.yaml",
    "training_score.yaml",
)
EVIDENCE_AUDIT_MAX = 10_000  # rows of the audit about one case


@contextmanager
def exports(settings: Settings, state: Path | None) -> Iterator[Exports]:
    """What leaves a store as a file; each step is in the next checkpoint of the audit."""
    with existing(settings, state) as store:
        yield store.exports
        add_checkpoint(settings, state, store)


def handover_of_case(case: str, template: str, recipient_kind: str, recipient: str, legal_basis: str) -> Handover:
    """The evidence pack of a case for somebody.

    Raises:
        ValueError: something is missing or not permitted; a sentence.
    """
    return handover("case", case, "pack", template, recipient_kind, recipient, legal_basis)


def propose_evidence(settings: Settings, state: Path | None, asked: Handover, by: Person) -> Export:
    """Write down that somebody wants the evidence pack of a case; where it takes nobody else, it is released with that.

    Raises:
        MonitorError: there is no such case, or the store cannot be written.
    """
    with desk(settings, state) as at:
        at.case(asked.what)
    with exports(settings, state) as known:
        return known.propose(asked, by, SystemClock().now_ms())


def proposed_export(settings: Settings, state: Path | None, kind: str, what: str, number: int) -> Export:
    """An export of a case or a table that was proposed before.

    Raises:
        ExportProblem: there is none of that number, it is of something else, was refused, or released too long ago.
    """
    with existing(settings, state) as store:
        export = store.exports.export(number)
    if (export.handover.kind, export.handover.what) != (kind, what):
        raise ExportProblem(f"Export {number} is of {export.handover.kind} {export.handover.what}.")
    wrong = not_ready(export, SystemClock().now_ms())
    if wrong is not None and export.verdict is not None:
        raise ExportProblem(wrong)
    return export


def write_evidence(settings: Settings, state: Path | None, export: Export, folder: Path, by: Person) -> int:
    """Write the pack of a released export into a folder, once the audit has it; returns how many files.

    Raises:
        MonitorError: the folder is not empty or cannot be written, or the store cannot.
    """
    now = SystemClock().now_ms()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise EvidenceProblem(f"{folder} is not empty: give a new folder.")
        files = evidence_pack(settings, state, export, by.value, now)
        with exports(settings, state) as known:
            known.hand_over(export.number, by, now, content_of(files[MANIFEST]).sha256)
        for name, content in sorted(files.items()):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as problem:
        raise EvidenceProblem(
            f"The pack cannot be written to {folder}: {(problem.strerror or 'no reason given').lower()}."
        ) from None
    return len(files)


def propose_table(settings: Settings, state: Path | None, asked: Handover, by: Person) -> Export:
    """Write down that somebody wants a table; where it takes nobody else, it is released with that."""
    with exports(settings, state) as known:
        return known.propose(asked, by, SystemClock().now_ms())


def write_table(settings: Settings, state: Path | None, export: Export, file: Path, by: Person) -> int:
    """Write the table of a released export into a file, once the audit has it; returns how many rows.

    Raises:
        MonitorError: there is such a file already, it cannot be written, or the store cannot.
    """
    now, known = SystemClock().now_ms(), known_rows(settings, state, Table(export.handover.what))
    content = table_file(export, known, by.value, now).content
    try:
        with file.open("xb") as out:
            with exports(settings, state) as recorded:
                recorded.hand_over(export.number, by, now, hashlib.sha256(content).hexdigest())
            out.write(content)
    except FileExistsError:
        raise ExportProblem(f"{file} is there already: give a new file.") from None
    except OSError as problem:
        reason = (problem.strerror or "no reason given").lower()
        raise ExportProblem(f"The table cannot be written to {file}: {reason}.") from None
    return len(known.rows)


def known_rows(settings: Settings, state: Path | None, table: Table) -> KnownRows:
    """What a store knows for a table: the documents that the commands print."""
    now = SystemClock().now_ms()
    if table is Table.TENANTS:
        known = stored_tenants(settings, state)
        return KnownRows(known.as_of, [tenant_document(one) for one in known.tenants])
    if table is Table.RUNS:
        runs = stored_runs(settings, state)
        return KnownRows(runs.as_of, [tenant_run_document(one) for one in runs.runs])
    if table is Table.FLAGS:
        flags = most_serious_first(stored_flags(settings, state))
        times = flag_times(settings, state, flags)
        return KnownRows(now, [flag_document(one, times[one.id]) for one in flags])
    if table is Table.CASES:
        with desk(settings, state) as at:
            return KnownRows(now, [row_document(one, now) for one in every_case(at.cases, now)])
    rows = audit_rows(settings, state, AuditWanted(), ROWS_AT_MOST)
    return KnownRows(now, [audit_document(*one) for one in rows])


def evidence_pack(settings: Settings, state: Path | None, export: Export, by: str, now: int) -> dict[str, bytes]:
    """The files of the evidence pack of a case, from one state of a store; nothing is written.

    Raises:
        MonitorError: there is no such case, or the store cannot be read.
    """
    with still(settings, state) as store:
        return pack_in(store, settings, export, by, now)


def pack_in(store: SqlStore, settings: Settings, export: Export, by: str, now: int) -> dict[str, bytes]:
    """The same of a store that stays as it is meanwhile."""
    known = screened_reference(settings, store)
    # What waits for two people finds nothing that people are told of: a pack is without it.
    reference = replace(known, policies=tuple(one for one in known.policies if one.tells))
    snapshot = snapshot_of(store, reference, settings)
    at, case = Desk(store.casework, reference.policies, SystemClock()), export.handover.what
    story = at.story(case)
    names = sorted({name for flag in story.flags for name in flag.tenants})
    told = ((name, snapshot.tenant(name)) for name in names[:TENANTS_TOLD_MAX])
    chains = [store.beside(partition) for partition in store.partitions()]
    contents = Contents(
        story,
        {flag.id: store.flag_history(flag.id) for flag in story.flags},
        [at.as_it_was(case, event.number) for event in story.events if SIGHT in event.body],
        snapshot.evidence(story.flags, chains, working_archive),
        {name: of_tenant for name, of_tenant in told if of_tenant is not None},
        store.audit.latest(AuditWanted(subject=case), EVIDENCE_AUDIT_MAX)[::-1],
        _reference_files(config_root(), settings.policies, reference.policies),
        settings.affiliates_rule_returns.isoformat(),
        program_version(),
    )
    return pack(contents, export, by, now)


def _reference_files(root: Path, own: OwnPolicies, policies: Iterable[Policy]) -> dict[str, bytes]:
    """The files that numbers are made with, by name, of policies those of these."""
    found = {
        path.relative_to(root).as_posix(): path
        for pattern in REFERENCE_FILES
        for path in sorted(root.glob(pattern))
        if path.is_file()
    }
    of_policies = policy_files(root, own)
    found |= {f"policies/{policy.name}.yaml": of_policies[policy.name] for policy in policies}
    return {name: path.read_bytes() for name, path in found.items()}


def verify_pack(folder: Path) -> PackChecked:
    """Check an evidence pack from its own files alone.

    Raises:
        EvidenceProblem: it is none.
    """

    def reference(root: Path, affiliates_rule_returns: date) -> Reference:
        effects = load_effects(root, affiliates_rule_returns).effects
        loaded = load_reference(root)
        return replace(loaded, lists=loaded.lists._replace(effects=effects))

    return check_pack(folder, reference, working_archive)
