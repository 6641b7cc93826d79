"""Matchings: which tensors each leaf of a model is made of, by equal names or by the user's rules.

May import: the standard library, and of `jinit.pretrained` adapters.adapter, leaves, operations,
recipes, sources, templates.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from jinit.pretrained.adapters.adapter import Adapter
from jinit.pretrained.leaves import Wanted
from jinit.pretrained.recipes import Recipe, Tensor, tensors_of
from jinit.pretrained.sources import TensorSpec

__all__ = ["EqualNames", "Matched", "Matching", "nearest"]


@dataclass
class Matched:
    """What a matching found.

    Attributes:
        recipes: by the leaf's path, what it is made of.
        adapters: by the leaf's path, what the matching itself asks to be done with that.
        ignored: names of tensors that are left aside on purpose.
        problems: what is wrong with the matching, each a line.
        hints: by the leaf's path, what may help where its tensor does not fit.
    """

    recipes: dict[str, Recipe] = field(default_factory=dict)
    adapters: dict[str, Adapter] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    hints: dict[str, str] = field(default_factory=dict)

    def used(self) -> set[str]:
        """Names of the tensors that leaves are made of."""
        return {t.name for recipe in self.recipes.values() for t in tensors_of(recipe)}


class Matching(Protocol):
    """A way to find what leaves are made of."""

    def match(self, wanted: Sequence[Wanted], specs: Mapping[str, TensorSpec]) -> Matched:
        """What each leaf is made of; leaves that nothing is found for are left out."""


def nearest(name: str, names: Iterable[str]) -> str:
    """The names most like one that is not there, for messages."""
    known = list(names)
    near = difflib.get_close_matches(name, known[:20_000], n=3, cutoff=0.3) or known[:3]
    return f"; the nearest are {', '.join(map(repr, near))}" if near else ""


@dataclass(frozen=True)
class EqualNames:
    """Leaves are made of the tensors that bear their names, joined by "/" or "."."""

    def match(self, wanted: Sequence[Wanted], specs: Mapping[str, TensorSpec]) -> Matched:
        """What each leaf is made of."""
        found = Matched()
        for one in wanted:
            for name in _names(one):
                if name in specs:
                    found.recipes[one.path] = Tensor(name)
                    break
        return found


def _names(one: Wanted) -> list[str]:
    """What a leaf may be called: by its path, below its collection, with dots."""
    parts = one.leaf.parts
    paths: list[Any] = [parts, ("params", *parts)] if one.is_parameter else [parts]
    return [joint.join(path) for path in paths for joint in "/."]
