"""Which versions may take the place of the last good one, and what differs."""

from __future__ import annotations

from monitor.core.lists import ListedName, ListedParty, ListVersion, NameKind
from monitor.reference.lists.files import ListFile
from monitor.reference.lists.versions import Accepted, Changes, Refused, accept, changes


def party(source: str, id: str, name: str = "X") -> ListedParty:
    names = (ListedName(name, NameKind.PRIMARY),)
    return ListedParty(source, id, names, "entity", frozenset(), (), (), ())


def version(digest: str, **counts: int) -> ListFile:
    """A version with so many entries of each source."""
    parties = tuple(party(source, str(number)) for source, count in counts.items() for number in range(count))
    return ListFile(ListVersion("us", digest, None, len(parties)), "us-csl-csv", parties, (), None)


def refusal(before: ListFile | None, new: ListFile) -> str:
    judged = accept(before, new)
    assert isinstance(judged, Refused)
    return judged.sentence


def test_the_first_version_counts() -> None:
    """There is nothing to compare it with."""
    judged = accept(None, version("a", x=2))

    assert isinstance(judged, Accepted)
    assert Changes((("x", "0"), ("x", "1")), (), ()) == judged.changes


def test_a_list_without_entries_never_counts() -> None:
    """Neither as the first version nor after another."""
    assert "holds no entry at all" in refusal(None, version("a"))
    assert "holds no entry at all" in refusal(version("a", x=1), version("b"))


def test_a_fifth_may_go_and_no_more() -> None:
    """80 of 100 are a version, 79 are not."""
    before = version("a", x=100)

    assert isinstance(accept(before, version("b", x=80)), Accepted)
    assert "has lost more than 20 per cent: 79 entries in all where there were 100" in refusal(
        before, version("b", x=79)
    )


def test_one_source_may_not_vanish_among_many() -> None:
    """What goes from a single source list counts, however large the rest is or has become."""
    sentence = refusal(version("a", x=1_000, y=10), version("b", x=2_000))

    assert ": 0 of y where there were 10. " in sentence
    assert "flopwatch lists accept us --reason TEXT" in sentence


def test_the_same_bytes_are_the_same_version() -> None:
    """Other effects may place the entries of a file elsewhere: nothing has gone from it."""
    assert isinstance(accept(version("a", x=10), version("a", y=10)), Accepted)


def test_differences_are_told_by_source_and_id() -> None:
    """Added, removed, and what is not what it was."""
    old = [party("x", "1"), party("x", "2"), party("y", "1")]
    new = [party("x", "1"), party("x", "2", "Y"), party("x", "3")]

    assert Changes((("x", "3"),), (("y", "1"),), (("x", "2"),)) == changes(old, new)
