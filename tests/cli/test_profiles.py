"""`flopwatch profiles`: files of profiles as events that `replay` reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import HELD, fact, flopwatch, written

TEXT = "tenant,party,legal_name,hq_country,basis\nacme,p-1,Acme Ltd,GB,registry\n,p-1,,GB,registry\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two profiles: of a tenant and of its party."""
    path = tmp_path / "customers.csv"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_what_is_written_can_be_replayed(tmp_path: Path, file: Path) -> None:
    """The tenant is resolved by its profile, and the same file twice counts once."""
    told = flopwatch("profiles", file, file, "--at", "2026-02-01T00:00:00Z")
    events = written(
        tmp_path / "events.jsonl", [fact("allocation.started", "1", **HELD), *told.out.encode().splitlines()]
    )
    books = tmp_path / "books.db"
    ran = flopwatch("replay", events, "--state", books, "--json")

    assert (0, "") == (told.code, told.err)
    assert (0, "") == (ran.code, ran.err)
    assert (5, 3, 2) == tuple(ran.document["events"][name] for name in ("read", "accepted", "duplicate"))
    assert "GB" in flopwatch("explain", "acme", "--state", books).out


@pytest.mark.parametrize(
    ("content", "arguments", "sentence"),
    [
        (
            "tenant,hq_country\nt,GB\nt,Ruritania\n",
            ("--at", "2026-02-01T00:00:00Z"),
            'line 3: data.hq_country is "Rurit',
        ),
        (
            "party,owners\np,q=150%\n",
            ("--at", "2026-02-01T00:00:00Z"),
            "line 2: owners has 'q=150%'; a share is 0 to 100 %",
        ),
        ("tenant\nt\n", (), "line 2: It states no time; add a column or field `time`, or give --at TIME."),
        ("tenant\nt\n", ("--at", "today"), "'today' is no time"),
        (None, (), "cannot be read: no such file or directory."),
        (TEXT, ("--at", "2026-02-01T00:00:00Z", "--send"), "The settings name no Kafka to send to: set"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_written(
    file: Path, content: str | None, arguments: tuple[str, ...], sentence: str
) -> None:
    """A sentence with the line, and 2; a file that is right up to there writes nothing either."""
    file.unlink() if content is None else file.write_text(content, encoding="utf-8")
    ran = flopwatch("profiles", file, *arguments)

    assert (2, "") == (ran.code, ran.out)
    assert sentence in ran.err
