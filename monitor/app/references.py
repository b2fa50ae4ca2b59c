"""The reference: catalogue, countries, priors, policies and screening lists, as settings and files say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from monitor.app.stores import opened_store, store_url
from monitor.clock import SystemClock
from monitor.core.engine import Reference
from monitor.core.estimate import Estimator
from monitor.core.lists import Lists
from monitor.core.policy import Policy
from monitor.errors import SettingsProblem
from monitor.reference.calibrations import load_calibrations
from monitor.reference.catalogue import load_catalogue
from monitor.reference.countries import load_countries
from monitor.reference.durations import load_durations
from monitor.reference.lists.effects import Sources, load_effects
from monitor.reference.lists.shelf import ListShelf, Standing
from monitor.reference.policies import SHIPPED_ALONE, load_policies, publish
from monitor.reference.policy_schema import schema_text
from monitor.reference.priors import load_priors
from monitor.reference.root import config_root
from monitor.reference.training_score import load_weights
from monitor.run.decisions import as_decided
from monitor.run.listing import ScreeningLists
from monitor.run.proposals import Panel
from monitor.settings import Policies as OwnPolicies
from monitor.settings import Settings
from monitor.store import DECISION

if TYPE_CHECKING:
    from monitor.store.sql import SqlStore


def load_reference(root: Path, own: OwnPolicies = SHIPPED_ALONE) -> Reference:
    """Catalogue, priors, calibrations, country groups, policies and weights of a configuration folder.

    `own`: the operator's policies; where those need the word of two people, they wait for it.

    Raises:
        ReferenceProblem: a file is missing or contradicts itself, with the file, the place and what to do.
    """
    catalogue, priors = load_catalogue(root), load_priors(root)
    generations = frozenset(named.chip.generation for named in catalogue.names.values())
    estimator = Estimator(catalogue, priors, load_calibrations(root, priors, generations))
    policies = load_policies(root, own)
    return Reference(estimator, load_countries(root), policies, load_weights(root), load_durations(root))


class KnownPolicies(NamedTuple):
    """All policies as they count, and the time that it is."""

    policies: tuple[Policy, ...]
    now: int  # milliseconds


def policies(settings: Settings, state: Path | None, root: Path | None) -> KnownPolicies:
    """All policies of a configuration folder (None: the packaged one) and of the settings.

    The store is asked only where two people must have approved some of them.

    Raises:
        MonitorError: a file contradicts another one, or the store cannot be read.
    """
    loaded = load_policies(config_root() if root is None else root, settings.policies)
    if not all(one.tells for one in loaded):
        with opened_store(store_url(settings, state), create=False, read_only=True) as store:
            loaded = Panel(store, loaded, SystemClock()).policies()
    return KnownPolicies(loaded, SystemClock().now_ms())


def policies_of(settings: Settings, store: SqlStore) -> tuple[Policy, ...]:
    """The policies as they count in a store."""
    return Panel(store, load_policies(config_root(), settings.policies), SystemClock()).policies()


def publish_policies(settings: Settings, root: Path | None) -> list[str]:
    """Guard the policies that were not published yet against edits; returns their names."""
    return publish(config_root() if root is None else root, settings.policies)


def policy_schema() -> str:
    """The JSON schema of policy files, as text."""
    return schema_text()


def screening_lists(settings: Settings) -> ScreeningLists:
    """The lists as they are now; nothing is written.

    Raises:
        MonitorError: the effects cannot be read, or nobody said where last good lists are.
    """
    sources, now = load_effects(config_root(), settings.affiliates_rule_returns), SystemClock().now_ms()
    return ScreeningLists(sources.effects, shelf_of(settings, sources).look(now), now)


def take_lists(settings: Settings) -> ScreeningLists:
    """The same, and new versions that are good count from now on, also after their files are damaged.

    Raises:
        MonitorError: the effects cannot be read, or last good lists cannot be kept.
    """
    sources, now = load_effects(config_root(), settings.affiliates_rule_returns), SystemClock().now_ms()
    return ScreeningLists(sources.effects, shelf_of(settings, sources).take(now), now)


def screened_reference(settings: Settings, store: SqlStore | None = None) -> Reference:
    """The reference files, the lists of the settings as they are now, and the hits that a store says are cleared.

    Raises:
        MonitorError: a file contradicts itself, or nobody said where last good lists are.
    """
    reference = load_reference(config_root(), settings.policies)
    return screened_by(reference, screening_lists(settings), store)


def screened_by(reference: Reference, known: ScreeningLists, store: SqlStore | None) -> Reference:
    """The reference with the lists that count, and with what was cleared in a store."""
    if known.standings:
        reference = replace(reference, lists=lists_that_count(known))
    return reference if store is None else as_decided(reference, store.journal(0, (DECISION,)))


def lists_that_count(known: ScreeningLists, before: Lists | None = None) -> Lists:
    """The lists to be asked; `before` has answers that stand where nothing that changed touches them."""
    # Only here: the distances of words take a while to read, and most commands ask no list.
    from monitor.screening.remembered import Remembering
    from monitor.screening.screen import Screen

    kept = [standing.kept.list for standing in known.standings if standing.kept is not None]
    screen, versions = Screen([(one.version, one.parties) for one in kept]), tuple(one.version for one in kept)
    if before is None or not isinstance(before.screener, Remembering):
        return Lists(Remembering(screen), known.effects, versions)
    return Lists(before.screener.renewed(screen), known.effects, versions)


def accept_list(settings: Settings, name: str, reason: str) -> Standing:
    """Let the file of a list count although too much has gone from it.

    Raises:
        ListProblem: there is no such list, its file cannot be read, or nothing holds it back.
    """
    sources = load_effects(config_root(), settings.affiliates_rule_returns)
    return shelf_of(settings, sources).accept(name, reason, SystemClock().now_ms())


def shelf_of(settings: Settings, sources: Sources) -> ListShelf:
    """Where the versions of the lists of settings lie."""
    return ListShelf(settings.lists, _lists_folder(settings), sources)


def _lists_folder(settings: Settings) -> Path:
    """Where last good versions of lists are kept.

    Raises:
        SettingsProblem: the store is no file that the folder could lie beside.
    """
    if settings.lists_state is not None:
        return settings.lists_state
    beside = settings.store_url.removeprefix("sqlite:///")
    if beside == settings.store_url and settings.lists:
        raise SettingsProblem(
            "The settings name `lists` and the store is no file: set `lists_state` to a folder in which the last good "
            "versions are kept."
        )
    return Path(f"{beside}.lists")
