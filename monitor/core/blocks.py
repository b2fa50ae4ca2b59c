"""Sets of things in time, cut into blocks that nothing outside of them touches: a change is a matter of few of them.

Whatever is added and taken away in whatever order, the blocks are those of what is there.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item", bound=tuple[Any, ...])  # begins with its start (milliseconds) and a name, together unique
Made = TypeVar("Made")


class Block(Generic[Item, Made]):
    """Items in order, at least one, and what was made of them."""

    __slots__ = ("items", "made")

    def __init__(self, items: list[Item]) -> None:
        self.items = items
        self.made: Sequence[Made] = ()


class BlockChange(NamedTuple, Generic[Item, Made]):
    """Blocks that are no more, and those that are instead."""

    gone: list[Block[Item, Made]]
    come: list[Block[Item, Made]]


class Blocks(Generic[Key, Item, Made]):
    """Sets of items by key, each in blocks.

    `reach(key, item, so_far)` is the latest start of what still belongs to a block with this item; `so_far` is that
    without it, None if it is the first.
    """

    def __init__(self, reach: Callable[[Key, Item, int | None], int]) -> None:
        self._reach = reach
        self._blocks: dict[Key, list[Block[Item, Made]]] = {}

    def update(self, gone: Iterable[tuple[Key, Item]], come: Iterable[tuple[Key, Item]]) -> BlockChange[Item, Made]:
        """Take items away, which are there, and then add others."""
        moved: dict[Key, tuple[list[Item], list[Item]]] = {}
        for key, item in gone:
            moved.setdefault(key, ([], []))[0].append(item)
        for key, item in come:
            moved.setdefault(key, ([], []))[1].append(item)
        change: BlockChange[Item, Made] = BlockChange([], [])
        for key, (less, more) in moved.items():
            self._replace(key, less, more, change)
        return change

    def _replace(self, key: Key, gone: list[Item], come: list[Item], change: BlockChange[Item, Made]) -> None:
        """Cut anew from the first block that is touched to the first one after the last that stays as it is."""
        blocks, items, first, last = self._blocks.setdefault(key, []), come, 0, 0
        if blocks:
            less = {item[:2] for item in gone}
            touched = [*less, *(item[:2] for item in come)]
            first = max(bisect_right(blocks, min(touched), key=_head) - 1, 0)
            last = bisect_right(blocks, max(touched), key=_head)
            items = [item for block in blocks[first:last] for item in block.items if item[:2] not in less] + come
        items.sort()
        cut: list[list[Item]] = []
        reach = self._cut(key, items, cut, None)
        while reach is not None and last < len(blocks) and blocks[last].items[0][0] <= reach:
            reach = self._cut(key, blocks[last].items, cut, reach)
            last += 1
        old = blocks[first:last]
        blocks[first:last] = self._made(old, cut, change)
        if not blocks:
            del self._blocks[key]

    def _cut(self, key: Key, items: Iterable[Item], cut: list[list[Item]], reach: int | None) -> int | None:
        """Go on with the last block; returns how far that reaches now."""
        for item in items:
            if reach is not None and item[0] <= reach:
                cut[-1].append(item)
                reach = self._reach(key, item, reach)
            else:
                cut.append([item])
                reach = self._reach(key, item, None)
        return reach

    @staticmethod
    def _made(
        old: list[Block[Item, Made]], cut: list[list[Item]], change: BlockChange[Item, Made]
    ) -> list[Block[Item, Made]]:
        """The blocks of a cut; those that were there before stay."""
        if not old:
            new: list[Block[Item, Made]] = [Block(items) for items in cut]
            change.come.extend(new)
            return new
        known = {block.items[0][:2]: block for block in old}
        made = []
        for items in cut:
            block = known.get(items[0][:2])
            if block is not None and block.items == items:
                del known[items[0][:2]]
            else:
                block = Block(items)
                change.come.append(block)
            made.append(block)
        change.gone.extend(known.values())
        return made


def _head(block: Block[Item, Made]) -> tuple[Any, ...]:
    return block.items[0][:2]
