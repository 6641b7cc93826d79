"""A matching by the user's rules: patterns on tensors' names, and the paths that they go to.

May import: the standard library, and of `jinit.pretrained` adapters.adapter, leaves, matching,
operations, recipes, sources, templates.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinit.pretrained.adapters.adapter import Adapter
from jinit.pretrained.leaves import Wanted
from jinit.pretrained.matching import EqualNames, Matched, Matching, nearest
from jinit.pretrained.operations import Flip, Operation, Part, Reshape, Transpose
from jinit.pretrained.recipes import Joined, Tensor
from jinit.pretrained.sources import TensorSpec
from jinit.pretrained.templates import Pattern, compile_pattern, fill, natural

__all__ = ["Patterns", "as_matching"]

_STEPS = (Transpose, Reshape, Flip, Part)


@dataclass(frozen=True)
class Goal:
    """Where a tensor goes: a template of a path, and what is done on the way."""

    template: str
    operations: tuple[Operation, ...] = ()
    adapter: Adapter | None = None


@dataclass(frozen=True)
class Entry:
    """One rule: tensors whose name fits `pattern` go to `goals`; none of them leaves them aside."""

    pattern: Pattern
    goals: tuple[Goal, ...]
    written: str


def as_matching(match: Any) -> Matching:
    """What `match` means: equal names, a matching, or patterns and where they go.

    Args:
        match: None; what `torch_to_flax` returns; or a mapping or pairs, in the order in which they
            are tried, of a pattern on names (see `jinit.pretrained.templates`) or a compiled
            regular expression to a template of paths, to `(template, transform, ...)`, to a list of
            these, or to None, which leaves the tensor aside.

    Raises:
        TypeError: `match` or something in it is none of these.
    """
    if match is None:
        return EqualNames()
    if hasattr(match, "match") and not isinstance(match, Mapping):
        made: Matching = match
        return made
    if isinstance(match, str) or not isinstance(match, Iterable):
        raise TypeError(
            f"`match` must be pairs (pattern, template), jinit.pretrained.torch_to_flax(...) or "
            f"None, got {match!r}"
        )
    pairs = match.items() if isinstance(match, Mapping) else match
    return Patterns(tuple(_entry(pair) for pair in pairs))


def _entry(pair: Any) -> Entry:
    try:
        pattern, goals = pair
    except (TypeError, ValueError):
        raise TypeError(f"an entry of `match` is (pattern, template), got {pair!r}") from None
    if isinstance(pattern, str):
        compiled, written = compile_pattern(pattern), repr(pattern)
    elif isinstance(pattern, re.Pattern):
        compiled, written = pattern, repr(pattern)
    else:
        raise TypeError(f"a pattern is a string or a compiled regular expression, got {pattern!r}")
    several = goals if isinstance(goals, list) else [] if goals is None else [goals]
    return Entry(compiled, tuple(map(_goal, several)), written)


def _goal(goal: Any) -> Goal:
    template, *steps = goal if isinstance(goal, tuple) else (goal,)
    if not isinstance(template, str):
        raise TypeError(f"a template is a path such as 'h_{{1}}/fc/kernel', got {template!r}")
    adapters = [step for step in steps if isinstance(step, Adapter)]
    operations = tuple(step for step in steps if isinstance(step, _STEPS))
    if len(adapters) + len(operations) < len(steps) or adapters not in ([], steps[-1:]):
        raise TypeError(
            f"{template!r}: what follows a template is transpose, reshape, flip or part of "
            f"jinit.pretrained, and last at most one adapter, got {steps!r}"
        )
    return Goal(template, operations, adapters[0] if adapters else None)


@dataclass(frozen=True)
class Patterns:
    """Each tensor follows the first entry whose pattern its whole name fits."""

    entries: tuple[Entry, ...]

    def match(self, wanted: Sequence[Wanted], specs: Mapping[str, TensorSpec]) -> Matched:
        """What each leaf is made of."""
        found = Matched()
        by_path = {one.path: one for one in wanted}
        made: dict[str, list[Tensor]] = {}
        used: set[Entry] = set()
        for name in specs:
            entry, hit = self._first(name)
            if entry is None or hit is None:
                continue
            used.add(entry)
            if not entry.goals:
                found.ignored.append(name)
            for goal in entry.goals:
                self._send(name, specs[name], goal, hit, by_path, made, found)
        for entry in self.entries:
            if entry not in used:
                found.problems.append(_idle(entry, specs))
        for path, tensors in made.items():
            _settle(by_path[path], tensors, specs, found)
        return found

    def _first(self, name: str) -> tuple[Entry | None, re.Match[str] | None]:
        for entry in self.entries:
            hit = entry.pattern.fullmatch(name)
            if hit:
                return entry, hit
        return None, None

    def _send(
        self,
        name: str,
        spec: TensorSpec,
        goal: Goal,
        hit: re.Match[str],
        by_path: Mapping[str, Wanted],
        made: dict[str, list[Tensor]],
        found: Matched,
    ) -> None:
        path = fill(goal.template, hit)
        paths = _unstacked(path, by_path) if "*" in path else [path]
        if not paths or paths[0] not in by_path:
            found.problems.append(
                f"{name} is sent to {path!r}, which is no leaf{nearest(path, by_path)}"
            )
            return
        if "*" in path and (not spec.shape or spec.shape[0] != len(paths)):
            found.problems.append(
                f"{name} {spec} is sent to {path!r}, which are {len(paths)} leaves; its first "
                "axis must count them"
            )
            return
        for number, one in enumerate(paths):
            cut: tuple[Operation, ...] = ()
            if "*" in path:
                cut = (Part(number, len(paths)), Reshape(spec.shape[1:]))
            made.setdefault(one, []).append(Tensor(name, (*cut, *goal.operations)))
            if goal.adapter is not None:
                found.adapters[one] = goal.adapter


def _unstacked(path: str, by_path: Mapping[str, Wanted]) -> list[str]:
    """The leaves that a path with holes left stands for, in the order of their numbers."""
    pattern = compile_pattern(path)
    return sorted((one for one in by_path if pattern.fullmatch(one)), key=natural)


def _idle(entry: Entry, specs: Mapping[str, TensorSpec]) -> str:
    return f"the pattern {entry.written} in `match` fits no tensor{nearest(entry.written, specs)}"


def _is_layer(one: Wanted, tensor: Tensor, specs: Mapping[str, TensorSpec]) -> bool:
    """Whether a tensor is the only layer of a stack, and not the stack."""
    (axis,) = one.leaf.stack
    return one.leaf.shape[axis] == 1 and len(specs[tensor.name].shape) < len(one.leaf.shape)


def _settle(
    one: Wanted, tensors: Sequence[Tensor], specs: Mapping[str, TensorSpec], found: Matched
) -> None:
    """One tensor for a leaf, or several for a stacked one."""
    stack = one.leaf.stack
    if len(stack) == 1 and (len(tensors) > 1 or _is_layer(one, tensors[0], specs)):
        parts = tuple(sorted(tensors, key=lambda tensor: natural(tensor.name)))
        found.recipes[one.path] = Joined(parts, "stack", stack[0])
    elif len(tensors) > 1:
        names = ", ".join(tensor.name for tensor in tensors)
        found.problems.append(
            f"{one.leaf} would be made of several tensors, {names}; give each a path of its own, "
            f"or say that layers are stacked in it: stacked={{{one.path!r}: 1}}"
        )
    else:
        found.recipes[one.path] = tensors[0]
