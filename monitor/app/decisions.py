"""What people decide, written into the journal and the audit of a store."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.app.references import policies_of, screened_reference
from monitor.app.stores import Progress, existing, known_partitions, still
from monitor.app.views import letter_of, snapshot_of, stored_hits
from monitor.clock import SystemClock
from monitor.core.audit import OPERATOR, Person, checkpoint_line
from monitor.core.cases import GRAVE, Case
from monitor.core.clearances import AUTHORS, REOPEN
from monitor.core.clocks import AUTHORS as KNOWLEDGE_AUTHORS
from monitor.core.clocks import UNSEEN, knowledge_decision, moves_later, viewed_decision
from monitor.core.engine import TenantMatch
from monitor.core.flags import Act, Change, Flag, act, closing
from monitor.core.suppression import Standing as FlagStanding
from monitor.errors import FlagProblem, HitProblem, MonitorError, SettingsProblem
from monitor.log import build_log
from monitor.reference.policies import load_policies
from monitor.reference.root import config_root
from monitor.run.casework import Desk
from monitor.run.letters import REPLAY, check_replayable, check_waiting, rules
from monitor.run.proposals import Panel
from monitor.run.repartition import Repartitioned, repartition
from monitor.settings import Settings
from monitor.store import DECISION, DISMISSED, NO_LETTERS, JournalEntry

if TYPE_CHECKING:
    from monitor.store.sql import SqlStore


def close_flag(settings: Settings, state: Path | None, name: str, reason: str) -> Flag:
    """Close a flag: the decision goes into the journal, the flag and its history, in one transaction.

    Raises:
        MonitorError: there is no such flag, or it is closed already.
    """
    with existing(settings, state) as store:
        flag, now = _flag(store, name), SystemClock().now_ms()
        try:
            change = act(flag, Act.CLOSED, now, reason)
        except ValueError as refused:
            raise FlagProblem(f"{name}: {refused}") from None
        case = store.casework.home_of(name)
        if flag.level in GRAVE or (case is not None and case.live and case.two_people):
            where = "its case" if case is None else case.id
            raise FlagProblem(f"To close {name} takes two people: decide {where} with `flopwatch cases decide`.")
        _decide(settings, state, store, closing(flag, reason), now, [change])
        return change.flag


@contextmanager
def desk(settings: Settings, state: Path | None) -> Iterator[Desk]:
    """Where people work on the cases of a store."""
    with existing(settings, state) as store:
        yield Desk(store.casework, policies_of(settings, store), SystemClock())


def suppress_rule(
    settings: Settings, state: Path | None, name: str, person: str, rule: str, until: int, reason: str
) -> Case:
    """Propose that people are not told of a rule on a case for a while, as the rule and the party stand now.

    Raises:
        CaseProblem: there is no such case, no flag of the rule stands on it, or it is not possible now.
    """

    def standing(flags: Sequence[Flag]) -> FlagStanding:
        with still(settings, state) as store:
            return snapshot_of(store, screened_reference(settings, store), settings).standing(flags)

    with desk(settings, state) as at:
        return at.suppress(name, person, rule, until, reason, standing)


@contextmanager
def panel(settings: Settings, state: Path | None) -> Iterator[Panel]:
    """Where two people decide of policies and hits; what they did is in the next checkpoint of the audit."""
    with existing(settings, state) as store:
        yield Panel(store, load_policies(config_root(), settings.policies), SystemClock())
        add_checkpoint(settings, state, store)


def accept_position(settings: Settings, state: Path | None, topic: str, partition: int | None, reason: str) -> None:
    """Record that a person wants to go past the stops of a topic, or of one of its partitions."""
    body = {"accept": topic, "reason": reason} | ({} if partition is None else {"partition": partition})
    with existing(settings, state) as store:
        _decide(settings, state, store, body, SystemClock().now_ms())


def repartition_books(settings: Settings, state: Path | None, partitions: int, progress: Progress) -> Repartitioned:
    """Make the books of a store those of another number of partitions of the tenant topic.

    Raises:
        SettingsProblem: there is nothing to be done, or tenants are not where the settings' partitioner sends them.
    """
    with existing(settings, state) as store:
        known = known_partitions(store)
        if known is None:
            raise SettingsProblem(
                "These books were not read from Kafka: there are no partitions to move tenants between."
            )
        if known == partitions:
            raise SettingsProblem(f"The books are kept for {known} partitions already.")
        now = SystemClock().now_ms()
        done = repartition(store, known, partitions, settings.kafka, settings.lateness_ms, now, progress, operator())
        add_checkpoint(settings, state, store)
        return done


def replay_letters(settings: Settings, state: Path | None, numbers: Sequence[int], reason: str) -> None:
    """Ask whoever keeps the books to take these dead letters in now.

    Raises:
        LetterProblem: one of them does not wait, or still cannot be taken in; nothing is asked.
    """
    with existing(settings, state) as store:
        check_replayable((letter_of(store, number) for number in numbers), rules(settings))
        _decide(settings, state, store, {REPLAY: sorted(numbers), "reason": reason}, SystemClock().now_ms())


def dismiss_letters(settings: Settings, state: Path | None, numbers: Sequence[int], reason: str) -> None:
    """Record that nobody needs to look at these dead letters any more; they stay in the store.

    Raises:
        LetterProblem: one of them does not wait; nothing is changed.
    """
    with existing(settings, state) as store:
        for number in numbers:
            check_waiting(letter_of(store, number))
        body = {"dismiss_dead_letters": sorted(numbers), "reason": reason}
        _decide(settings, state, store, body, SystemClock().now_ms(), letters=dict.fromkeys(numbers, DISMISSED))


def view_flag(settings: Settings, state: Path | None, name: str, by: str) -> Flag:
    """Record that a person looked at a flag now.

    Raises:
        FlagProblem: there is no such flag, or nobody is named.
    """
    (person,) = _people([by])
    with existing(settings, state) as store:
        flag, now = _flag(store, name), SystemClock().now_ms()
        _decide(settings, state, store, viewed_decision(name, person, now), now)
        return flag


def know_flag(settings: Settings, state: Path | None, name: str, at: int, authors: Sequence[str], reason: str) -> Flag:
    """Record from when on what a flag says was known; the earliest counts, unless two people say so together.

    Raises:
        FlagProblem: there is no such flag, nobody is named, it lies in the future, or one person alone would move it to
            a later time.
    """
    people = _people(authors)
    with existing(settings, state) as store:
        flag, now = _flag(store, name), SystemClock().now_ms()
        if at > now:
            raise FlagProblem("Nobody knows now what they will know later: give a time that has passed with --at.")
        if len(people) < KNOWLEDGE_AUTHORS and moves_later(store.seen().get(name, UNSEEN), at):
            raise FlagProblem(
                f"{name}: it was known earlier than that, as the journal says; moving it to a later time takes two "
                "people: name each of them with --by."
            )
        _decide(settings, state, store, knowledge_decision(name, people, at, reason), now)
        Desk(store.casework, policies_of(settings, store), SystemClock()).known(flag, people[0])
        return flag


def _people(names: Sequence[str]) -> list[str]:
    people = sorted({name.strip() for name in names} - {""})
    if not people:
        raise FlagProblem("Somebody says so: name the person with --by.")
    return people


def _flag(store: SqlStore, name: str) -> Flag:
    for flag in store.flags():
        if flag.id == name:
            return flag
    raise FlagProblem(f"There is no flag {name}; `flopwatch flags` lists them.")


def clear_hit(
    settings: Settings, state: Path | None, name: str, authors: Sequence[str], reason: str, until: int
) -> TenantMatch:
    """Record that a hit was found to be somebody else, until an instant or until a record changes.

    One person proposes it, for another one to approve; two decide it.

    Raises:
        HitProblem: there is no such hit, or more than two people are named.
        ProposalProblem: it is not possible: see `Panel.propose_clearance`.
    """
    people = sorted({" ".join(author.split()) for author in authors} - {""})
    if not 1 <= len(people) <= AUTHORS or len(authors) != len(people):
        raise HitProblem("A hit is cleared by two people: name each of them with --by, or one of them to propose it.")
    known = stored_hits(settings, state)
    found = _named(known.hits, name)
    with panel(settings, state) as at:
        at.propose_clearance(found, known.as_of, until, reason, people, operator())
    return found


def reopen_hit(settings: Settings, state: Path | None, name: str, reason: str) -> TenantMatch:
    """Take a clearance back.

    Raises:
        HitProblem: there is no such hit, or nobody has cleared it.
    """
    found = _named(stored_hits(settings, state).hits, name)
    if found.match.clearance is None:
        raise HitProblem(f"{name} is open.")
    subject, source, entry = found.match.place
    body = {REOPEN: {"subject": subject, "source": source, "entry": entry}, "reason": reason}
    with existing(settings, state) as store:
        _decide(settings, state, store, body, SystemClock().now_ms())
    return found


def _named(hits: Iterable[TenantMatch], name: str) -> TenantMatch:
    for found in hits:
        if found.match.id == name:
            return found
    raise HitProblem(f"There is no hit {name}; `flopwatch hits` lists them.")


def operator() -> Person:
    """Who runs this process, as the operating system has it."""
    number = os.getuid()
    try:
        return Person(OPERATOR, pwd.getpwuid(number).pw_name)
    except KeyError:  # in a container, whose users may have no names
        return Person(OPERATOR, f"uid {number}")


def _decide(
    settings: Settings,
    state: Path | None,
    store: SqlStore,
    body: Mapping[str, object],
    now: int,
    changes: Sequence[Change] = (),
    letters: Mapping[int, str] = NO_LETTERS,
) -> None:
    """Write what a person decides at the command line, with its row of the audit; then a checkpoint of that."""
    store.decide(JournalEntry(DECISION, body), changes, now, letters, by=operator())
    add_checkpoint(settings, state, store)


def add_checkpoint(settings: Settings, state: Path | None, store: SqlStore) -> None:
    """Add a checkpoint to the file of the settings, which is of their store and of no other; the daemon serves topics.

    What was decided stands whether that works or not.
    """
    path, clock = settings.audit.checkpoint_file, SystemClock()
    if path is None or state is not None:
        return
    from monitor.alert.checkpoints import CheckpointFile

    try:
        CheckpointFile(path).put(checkpoint_line(store.audit.head(clock.now_ms())))
    except MonitorError as problem:
        build_log(settings.log_level, clock).warning("checkpoint not written", problem=str(problem))
