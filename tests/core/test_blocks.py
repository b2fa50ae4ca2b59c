"""Blocks of things in time: what a change joins, and what it leaves as it is."""

from __future__ import annotations

from monitor.core.blocks import Blocks

Item = tuple[int, str, int]  # start, name, end


def _reach(_key: str, item: Item, so_far: int | None) -> int:
    return item[2] if so_far is None else max(so_far, item[2])


def test_a_longer_item_joins_the_block_after_it() -> None:
    """Which was untouched itself; the one behind that stays."""
    blocks: Blocks[str, Item, None] = Blocks(_reach)
    first, later, last = (0, "a", 5), (10, "b", 12), (20, "c", 25)
    change = blocks.update([], [("k", item) for item in (first, later, last)])
    assert [[first], [later], [last]] == [block.items for block in change.come]

    longer = (0, "a", 11)
    change = blocks.update([("k", first)], [("k", longer)])

    assert [[first], [later]] == [block.items for block in change.gone]
    assert [[longer, later]] == [block.items for block in change.come]
