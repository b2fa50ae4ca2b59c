"""What is kept, and how: retention, erasure, migration, backup and restore."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from monitor.app.decisions import add_checkpoint, operator
from monitor.app.references import load_reference
from monitor.app.stores import Progress, existing, store_url
from monitor.app.views import snapshot_of
from monitor.clock import SystemClock
from monitor.core.retention import Kind, Stock
from monitor.core.retention import needed as needed_of
from monitor.core.retention import until as retained_until
from monitor.reference.root import config_root
from monitor.run.retention import Erased, Keeping, by_name, quiet, refuse_needed
from monitor.settings import Settings
from monitor.store import Backup

if TYPE_CHECKING:
    from monitor.store.retention import Value as PersonalValue
    from monitor.store.sql import SqlStore


class _Looked(NamedTuple):
    """What people still look at, of one state of the store, and since when nothing is heard of others."""

    needed: dict[str, str]
    quiet_since: dict[str, int]


def _looked_at(settings: Settings, store: SqlStore) -> _Looked:
    with store.still():
        snapshot = snapshot_of(store, load_reference(config_root()), settings)
        needed = needed_of(store.casework.unfinished(), store.flags(), snapshot.tied)
        return _Looked(needed, snapshot.quiet_since(store.retaining.latest()))


def retention(settings: Settings, state: Path | None) -> list[Keeping]:
    """How much of each kind is kept, how much of it may go by its period, and what stays all the same."""
    with existing(settings, state) as store:
        return _kept(settings, store, None, list(Kind))


def _kept(settings: Settings, store: SqlStore, before: int | None, kinds: Sequence[Kind]) -> list[Keeping]:
    now, found = SystemClock().now_ms(), []
    for kind in kinds:
        days = settings.retention.days[kind]
        until = retained_until(days, now, before)
        if until is None:
            stock = Stock(0, 0)
        elif kind is Kind.PERSONAL:
            may_go, stays = _quiet_values(settings, store, until)
            stock = Stock(sum(map(len, may_go.values())), stays)
        else:
            stock = store.retaining.stock(kind, until)
        found.append(Keeping(kind, days, until, stock))
    return found


def _quiet_values(settings: Settings, store: SqlStore, until: int) -> tuple[Mapping[str, Sequence[PersonalValue]], int]:
    looked = _looked_at(settings, store)
    return quiet(store.retaining.values(), until, looked.quiet_since, looked.needed)


def apply_retention(
    settings: Settings, state: Path | None, before: int, kinds: Sequence[Kind], dry: bool, progress: Progress
) -> list[Keeping]:
    """Remove what may go of these kinds from before an instant; what was removed stands where stocks say `may_go`.

    Raises:
        StoreProblem: the store cannot be written; what was removed before is gone, the rest is as it was.
    """
    with existing(settings, state) as store:
        planned = _kept(settings, store, before, kinds)
        if dry:
            return planned
        total, done = sum(one.stock.may_go for one in planned), 0
        applied = []
        for one in planned:
            removed = 0
            for part in _removed(settings, store, one):
                removed, done = removed + part, done + part
                progress(done, total)
            applied.append(one._replace(stock=one.stock._replace(may_go=removed)))
        add_checkpoint(settings, state, store)
        return applied


def _removed(settings: Settings, store: SqlStore, kept: Keeping) -> Iterator[int]:
    """Remove what may go of a kind, in parts."""
    if kept.until is None:
        return
    at, by = SystemClock().now_ms(), operator()
    if kept.kind is not Kind.PERSONAL:
        yield from store.retaining.remove(kept.kind, kept.until, at, by)
        return
    may_go, _ = _quiet_values(settings, store, kept.until)
    for whom, values in may_go.items():
        yield store.retaining.forget(values, at, by, whom, {"before": kept.until})


def erase_personal(
    settings: Settings, state: Path | None, text: str | None, whom: str | None, reason: str, person: str
) -> Erased:
    """Erase a text wherever it is a personal value of a customer, or all such values of somebody.

    Raises:
        RetentionProblem: nothing of that is known, or somebody still looks at it.
    """
    by, at = by_name(person), SystemClock().now_ms()
    with existing(settings, state) as store:
        values = refuse_needed(
            store.retaining.values(text, whom), _looked_at(settings, store).needed, whom or "that text"
        )
        quoted = store.retaining.quoting({one.text for one in values})
        known = store.retaining.forget(values, at, by, whom or "text", {"reason": reason})
        add_checkpoint(settings, state, store)
    return Erased(tuple(sorted({one.whom for one in values})), known, quoted)


def migrate_store(settings: Settings, state: Path | None) -> tuple[str | None, str]:
    """Bring a store up to date: the migrations that its tables stood at (None: there were none) and stand at."""
    from monitor.store.database import migrate

    return migrate(store_url(settings, state))


def back_up(settings: Settings, state: Path | None, out: Path, progress: Progress) -> Backup:
    """Copy a store into a new file while it is in use."""
    from monitor.store.backup import back_up

    return back_up(store_url(settings, state), out, progress)


def restore(settings: Settings, state: Path | None, file: Path, person: str, reason: str) -> Backup:
    """Make a new store of a backup, whose audit says so: who did it, of which file, and where the chain stood.

    Raises:
        StoreProblem: there is a store already, or the file is no backup of such a store.
    """
    from monitor.store.backup import restore

    found, clock = restore(store_url(settings, state), file), SystemClock()
    with existing(settings, state) as store:
        head = store.audit.head(clock.now_ms())
        told = {"sha256": found.sha256, "rows": head.rows, "head": head.head, "reason": reason}
        store.audit.add(clock.now_ms(), by_name(person), "store.restored", "", told)
    return found
