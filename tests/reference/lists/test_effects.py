"""What being on each list means, and when."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from monitor.errors import ReferenceProblem
from monitor.reference.lists.effects import load_effects, plain_label
from monitor.reference.reading import milliseconds
from monitor.reference.root import config_root
from tests.reference.lists.samples import SOURCES

TEXT = (config_root() / "lists" / "effects.yaml").read_text(encoding="utf-8")


def owned(source: str, day: str, suspension_end: str = "2026-11-10") -> str | None:
    effects = load_effects(config_root(), date.fromisoformat(suspension_end)).effects
    effect = effects.of_owned(source, milliseconds(date.fromisoformat(day)))
    return None if effect is None else effect.owner


def test_all_sources_of_the_us_list_have_an_effect() -> None:
    """Thirteen, ours, and the two for what no label places."""
    us = ["el", "meu", "uvl", "dpl", "isn", "dtc", "sdn", "ssi", "fse", "plc", "cap", "mbs", "cmic"]

    assert {*(f"us.{key}" for key in us), "own", "linked", "other"} == SOURCES.effects.of_source.keys()
    assert ("blocked", "end_use_review", "attention") == tuple(
        SOURCES.effects.of(source).direct for source in ("us.sdn", "us.el", "us.uvl")
    )
    assert "(from memory, as of " in SOURCES.effects.of("us.sdn").citation


@pytest.mark.parametrize("label", ["SDN", "us_ofac_sdn", "specially designated nationals (SDN) – Treasury Department"])
def test_labels_stand_for_sources(label: str) -> None:
    """Whatever a file calls a list, case and signs aside."""
    assert "us.sdn" == SOURCES.labels[plain_label(label)]


@pytest.mark.parametrize(
    ("day", "suspension_end", "expected"),
    [
        ("2025-09-28", "2026-11-10", "attention"),
        ("2025-09-29", "2026-11-10", "end_use_review"),
        ("2025-11-09", "2026-11-10", "end_use_review"),
        ("2025-11-10", "2026-11-10", "attention"),
        ("2026-11-09", "2026-11-10", "attention"),
        ("2026-11-10", "2026-11-10", "end_use_review"),
        ("2026-11-10", "2027-11-10", "attention"),
        ("2027-11-10", "2027-11-10", "end_use_review"),
    ],
)
def test_the_affiliates_rule_holds_but_while_it_is_suspended(day: str, suspension_end: str, expected: str) -> None:
    """From 2025-09-29, suspended from 2025-11-10 until the day that the operator sets."""
    assert expected == owned("us.el", day, suspension_end)
    assert expected == owned("us.meu", day, suspension_end)


def test_some_lists_say_nothing_of_what_is_owned() -> None:
    """The unverified list and the list of securities have no owner effect; OFAC's rule holds whatever BIS suspends."""
    assert [None, None, "blocked"] == [owned(source, "2026-01-01") for source in ("us.uvl", "us.cmic", "us.sdn")]
    assert owned("us.sdn", "2014-08-12") is None


def test_the_digest_tells_dates_apart() -> None:
    """Another end of the suspension is another set of effects."""
    one, other = (load_effects(config_root(), date(year, 11, 10)).effects for year in (2026, 2027))

    assert one.digest != other.digest


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("direct: blocked", "direct: forbidden", "sources.us.sdn.direct: "),
        ("  linked:\n", "  linkd:\n", "sources must have linked"),
        ('labels: ["EL", ', 'labels: ["SDN", ', "SDN stands for both us.sdn and us.el"),
        ("since: 2025-09-29, until: 2025-11-10", "since: 2025-09-28, until: 2025-11-10", "us.el overlap"),
        ("until: suspension_end", "until: 2027-01-01", "us.el overlap"),
        ("since: 2014-08-13", "since: sometime", "sources.us.sdn.owner.0.since"),
    ],
)
def test_a_damaged_file_is_refused_with_a_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    """What cannot be effects is named by file and place."""
    assert old in TEXT
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "effects.yaml").write_text(TEXT.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(ReferenceProblem) as problem:
        load_effects(tmp_path, date(2026, 11, 10))

    assert sentence in str(problem.value)
    assert str(problem.value).startswith("lists/effects.yaml")
