"""Blocks: which repeated part of a model a leaf is in, counted from its path.

May import: the standard library.

Depth rules need the number of a block and how many there are. Both are in the paths: `h_3/mlp/...`,
`layers/3/...`, `stage_2/block_0/...`.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

__all__ = ["Block", "number_blocks"]

Parts: TypeAlias = tuple[str, ...]
Numbered: TypeAlias = tuple[str, int]

_NUMBERED = re.compile(r"(.*?)[._-]?(\d+)")


class Block(NamedTuple):
    """A leaf's block: number `number` (from 0) of `depth` alike."""

    number: int
    depth: int


def number_blocks(paths: Iterable[Parts]) -> dict[Parts, Block]:
    """The block of every path that is in one.

    Blocks are the outermost numbered modules of a path. Where such a module holds nothing but
    numbered modules, as a stage of a ResNet does, those are the blocks, counted through.

    >>> blocks = number_blocks([("h_0", "w"), ("h_2", "w"), ("h_10", "w"), ("head", "w")])
    >>> blocks["h_10", "w"], ("head", "w") in blocks
    (Block(number=2, depth=3), False)
    """
    paths = list(paths)
    children = _children(paths)
    places = {parts: _place(parts, children) for parts in paths}
    families: dict[Parts, set[tuple[int, ...]]] = defaultdict(set)
    for place in places.values():
        if place is not None:
            families[place[0]].add(place[1])
    ranks = {
        family: {number: rank for rank, number in enumerate(sorted(numbers))}
        for family, numbers in families.items()
    }
    return {
        parts: Block(ranks[place[0]][place[1]], len(ranks[place[0]]))
        for parts, place in places.items()
        if place is not None
    }


def _children(paths: Iterable[Parts]) -> dict[Parts, set[str]]:
    children: dict[Parts, set[str]] = defaultdict(set)
    for parts in paths:
        for length in range(len(parts)):
            children[parts[:length]].add(parts[length])
    return children


def _place(parts: Parts, children: dict[Parts, set[str]]) -> tuple[Parts, tuple[int, ...]] | None:
    """The family of a path's block (its names with the numbers left out) and its numbers in it."""
    family, numbers = [], []
    for length, part in enumerate(parts[:-1]):
        numbered = _split(part)
        if numbered is None:
            family.append(part)
            continue
        family.append(f"{numbered[0]}#")
        numbers.append(numbered[1])
        inner = {_split(child) for child in children[parts[: length + 1]]}
        if None in inner or len({stem for stem, _ in filter(None, inner)}) != 1:
            break
        if length + 2 == len(parts):  # what is numbered in there are leaves
            break
    return (tuple(family), tuple(numbers)) if numbers else None


def _split(name: str) -> Numbered | None:
    found = _NUMBERED.fullmatch(name)
    return (found[1], int(found[2])) if found else None
