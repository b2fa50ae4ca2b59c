"""Policies of the operator's own that count once two people have approved them, wherever the books are read."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.command import HELD, Ran, fact, flopwatch, written
from tests.reference.test_policies import SMALL

OWN = SMALL.replace('"1e25"', '"1e18"').replace('high: "9.999e24"', 'high: "9.999e17"').replace(
    'low: "1e24", central: "2e24"', 'low: "1e17", central: "2e17"'
).replace('high: "1e25"', 'high: "1e18"')  # fmt: skip
REASON = ("--reason", "The line is where the contract has it.")


class Place:
    """Settings with a policy of one's own, and a store of one tenant that it would flag."""

    def __init__(self, folder: Path, approval: str) -> None:
        self.folder, self.state, self.config = folder, folder / "books.db", folder / "monitor.yaml"
        self.file = folder / "own" / "policies" / "small.yaml"
        self.file.parent.mkdir(parents=True)
        self.file.write_text(OWN, "utf-8")
        policies = {"folder": str(folder / "own"), "approval": approval}
        settings = {"store_url": f"sqlite:///{self.state}", "policies": policies}
        self.config.write_text(yaml.safe_dump(settings), "utf-8")
        self.facts = [
            fact("allocation.started", "begin", **HELD),
            fact("allocation.stopped", "end", "2026-03-03T00:00:00Z"),
        ]

    def run(self, *arguments: object) -> Ran:
        return flopwatch(*arguments, "--config", self.config)

    def policies(self, *arguments: object) -> Ran:
        return flopwatch("policies", "--config", self.config, *arguments)

    def replay(self, *options: object) -> Any:
        """Take in the facts; the document of the replay."""
        ran = self.run("replay", written(self.folder / "events.jsonl", self.facts), "--json", *options)
        assert 0 == ran.code, ran.err
        return ran.document

    def told(self) -> set[str]:
        """The rules that people are told of by the store."""
        (tenant,) = self.replay("--state", self.state)["tenants"]
        return {flag["rule"] for flag in tenant["flags"]}

    def consent(self) -> str:
        listed = self.policies("--json").document["policies"]
        return next(str(one["consent"]) for one in listed if one["policy"] == "small")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """People must approve; nobody has."""
    place = Place(tmp_path, "console")
    assert set() == place.told()
    return place


def agreed(place: Place) -> None:
    assert 0 == place.policies("propose", "small@1", *REASON, "--by", "ana").code
    assert 0 == place.policies("approve", "small@1", "--by", "bo").code


def test_files_decide_unless_the_settings_say_otherwise(tmp_path: Path) -> None:
    """As ever: what lies in the folder counts, `check` says so, and nobody approves anything."""
    place = Place(tmp_path, "files")

    assert {"small.any"} == place.told()
    assert "file" == place.consent()
    assert "count as they are there: whoever may write there decides." in place.run("check").out
    ran = place.policies("propose", "small@1", *REASON, "--by", "ana")
    assert (2, True) == (ran.code, "small@1 takes no approval" in ran.err)


def test_a_policy_waits_for_two_people(place: Place) -> None:
    """The second one lets it count: in the store, in a replay of it, in `verify`, in `explain`; a replay in memory has
    nobody who approved.
    """
    assert "waiting" == place.consent()
    assert "nobody yet" in place.policies().out
    assert "until then nobody is told of what they find" in place.run("check").out
    place.policies("publish")
    assert [] == place.run("check", "--json").document["problems"]
    agreed(place)

    assert "given" == place.consent()
    assert "By the word of two people." in place.policies("show", "small@1").out
    assert {"small.any"} == place.told()
    assert "small.any" in place.run("explain", "acme").out
    assert 0 == place.run("verify").code
    assert [] == place.replay()["tenants"][0]["flags"]


def test_withdrawing_takes_two_people_as_well(place: Place) -> None:
    """It hides what a rule finds: the proposal alone changes nothing."""
    agreed(place)
    assert {"small.any"} == place.told()
    place.policies("withdraw", "small@1", *REASON, "--by", "bo")
    assert {"small.any"} == place.told()

    assert "small@1 no longer counts.\n" == place.policies("approve", "small@1", "--by", "ana").out
    assert set() == place.told()
    assert 0 == place.run("verify").code
    assert 0 == place.run("audit", "verify").code
    acts = [row["act"] for row in place.run("audit", "list", "--json").document]
    assert ["policy.withdrawn", "proposal.made", "policy.approved", "proposal.made"] == acts


def test_the_same_person_cannot_approve(place: Place) -> None:
    """The table refuses it, however the name is written, and whoever writes the table."""
    place.policies("propose", "small@1", *REASON, "--by", "Ärla")
    for same in ("Ärla", "ärla", " ÄRLA "):
        ran = place.policies("approve", "small@1", "--by", same)
        assert (2, True) == (ran.code, "the store refuses the same" in ran.err), same

    with closing(sqlite3.connect(place.state)) as database, pytest.raises(sqlite3.IntegrityError, match="other_person"):
        database.execute("UPDATE proposals SET answered_by = proposed_by, verdict = 'approved'")
    assert "waiting" == place.consent()


def test_an_edited_file_waits_again(place: Place) -> None:
    """An approval is of a digest; a proposal of what the file was, too."""
    agreed(place)
    place.file.write_text(OWN.replace("Look.", "Look twice."), "utf-8")
    assert "waiting" == place.consent()
    assert set() == place.told()

    place.policies("propose", "small@1", *REASON, "--by", "ana")
    place.file.write_text(OWN.replace("Look.", "Look thrice."), "utf-8")
    ran = place.policies("approve", "small@1", "--by", "bo")
    assert (2, True) == (ran.code, "says something else by now" in ran.err)
    assert 0 == place.policies("refuse", "small@1", *REASON, "--by", "bo").code
    ran = place.policies("approve", "small@1", "--by", "bo")
    assert (2, True) == (ran.code, "Nothing that was proposed of small@1 waits for an answer." in ran.err)


def test_what_waits_supersedes_nothing(place: Place) -> None:
    """A second version of the file leaves the first in force until it is approved; then there is one again."""
    agreed(place)
    later = OWN.replace("version: 1", "version: 2\nsupersedes: 1").replace("small.any", "small.later")
    (place.file.parent / "later.yaml").write_text(later, "utf-8")
    assert {"small.any"} == place.told()

    place.policies("propose", "small@2", *REASON, "--by", "ana")
    place.policies("approve", "small@2", "--by", "bo")
    assert {"small.later"} == place.told()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("propose", "none@1", *REASON, "--by", "ana"), "There is no policy none@1 here"),
        (("propose", "small@1", "--reason", " ", "--by", "ana"), "for a reason"),
        (("propose", "small@1", *REASON, "--by", " "), "Somebody does this: name the person with --by."),
        (("withdraw", "small@1", *REASON, "--by", "ana"), "is not approved, so there is nothing to withdraw."),
        (("approve", "small@1", "--by", "ana"), "Nothing that was proposed of small@1 waits for an answer."),
        (("propose", "internal-ladder@1", *REASON, "--by", "ana"), "internal-ladder@1 takes no approval"),
    ],
)
def test_what_cannot_be_proposed_is_refused(place: Place, arguments: tuple[str, ...], sentence: str) -> None:
    """A sentence and 2."""
    ran = place.policies(*arguments)

    assert (2, "") == (ran.code, ran.out)
    assert sentence in ran.err


def test_the_same_is_proposed_once(place: Place) -> None:
    """Whoever comes second is told; what its author takes back can be proposed again."""
    place.policies("propose", "small@1", *REASON, "--by", "ana")
    ran = place.policies("propose", "small@1", *REASON, "--by", "bo")
    assert (2, True) == (ran.code, "is proposed already" in ran.err)

    assert 0 == place.policies("refuse", "small@1", *REASON, "--by", "ana").code
    assert 0 == place.policies("propose", "small@1", *REASON, "--by", "bo").code
    with closing(sqlite3.connect(place.state)) as database:
        verdicts = [row[0] for row in database.execute("SELECT verdict FROM proposals ORDER BY number")]
    assert ["withdrawn", None] == verdicts


def test_no_name_stands_beside_the_erasable_table(place: Place) -> None:
    """Proposals, the journal and the audit have hashes in the place of the two."""
    agreed(place)
    with closing(sqlite3.connect(place.state)) as database:
        told = {
            table: json.dumps(database.execute(f"SELECT * FROM {table}").fetchall(), default=str)
            for table in ("proposals", "journal", "audit")
        }

    assert [] == [table for table, rows in told.items() if '"ana"' in rows or '\\"ana\\"' in rows]
