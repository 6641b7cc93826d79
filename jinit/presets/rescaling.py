"""One model's start carried over to another's: leaves paired, laws rescaled, rules by path.

May import: the standard library, numpy, `jinit.initializer`, and of `jinit.model` planning, rows,
ruleset, selectors, values; of `jinit.presets` names, pieces.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from jinit.initializer import Initializer
from jinit.model.leaf import Leaf
from jinit.model.planning import Plan
from jinit.model.rows import Row
from jinit.model.ruleset import Rule, RuleError, Rules
from jinit.model.selectors import Selector, as_selector
from jinit.model.values import Keep
from jinit.presets.names import modules, weights
from jinit.presets.pieces import times

__all__ = ["exact_rules", "pair_rows", "rescaled", "select_paths", "together"]

T = TypeVar("T")

_SPECIAL = re.compile(r"[*?\[{]")
_NUMBER = re.compile(r"\d+")


def pair_rows(narrow: Plan, wide: Plan, *, depth_too: bool = False) -> list[tuple[Row, Row]]:
    """Each row of `wide`, with that of the same leaf in the base model.

    Args:
        narrow: plan of the base model.
        wide: plan of the model in question.
        depth_too: whether blocks that the base model lacks go by those that it has.

    Raises:
        ValueError: a leaf of one model is none of the other; such leaves are listed.
    """
    theirs = {row.path: row for row in narrow}
    pairs = [(row, theirs.get(row.path) or _alike(row, narrow, depth_too)) for row in wide]
    found = {other.path for _, other in pairs if other is not None}
    missing = [row.path for row, other in pairs if other is None]
    idle = [row.path for row in narrow if row.path not in found]
    if missing or idle:
        lists = [(missing, "the base model lacks"), (idle, "only the base model has")]
        parts = [f"{what} {', '.join(map(repr, some[:5]))}" for some, what in lists if some]
        raise ValueError(f"the two models have different leaves: {'; '.join(parts)}")
    return [(row, other) for row, other in pairs if other is not None]


def _alike(row: Row, plan: Plan, depth_too: bool) -> Row | None:
    """The row of `plan` whose path differs in one number alone, that of the block."""
    if not depth_too or not row.leaf.in_block:
        return None
    parts = row.leaf.parts
    for other in plan:
        theirs = other.leaf.parts
        if len(theirs) == len(parts):
            differing = [(a, b) for a, b in zip(parts, theirs, strict=True) if a != b]
            if len(differing) == 1 and _same_but_numbers(*differing[0]):
                return other
    return None


def _same_but_numbers(one: str, other: str) -> bool:
    return _NUMBER.sub("#", one) == _NUMBER.sub("#", other)


def together(function: Callable[[Leaf, Leaf], T], pairs: Sequence[tuple[Row, Row]]) -> list[T]:
    """`function` of every pair of leaves; what goes wrong is collected, and raised as one error."""
    results, problems = [], []
    for row, other in pairs:
        try:
            results.append(function(row.leaf, other.leaf))
        except ValueError as error:
            problems.append(str(error))
    if problems:
        rest = f"\nand {len(problems) - 8} more" if len(problems) > 8 else ""
        raise ValueError("\n".join(problems[:8]) + rest)
    return results


def select_paths(
    plan: Plan, preset: str, option: str, patterns: Any, *, vectors: bool = False
) -> set[str]:
    """The paths of the weights (under `vectors`, of all leaves) that `patterns` select.

    Raises:
        RuleError: they select none.
    """
    if patterns is None:
        return set()
    selector = modules(patterns) if vectors else weights(patterns)
    paths = {row.path for row in plan if selector(row.leaf)}
    if not paths:
        some = ", ".join(repr(row.path) for row in list(plan)[:5])
        raise RuleError(
            f"`{option}` (={patterns!r}) of jinit.presets.{preset} hits no leaf; paths are such as "
            f"{some}"
        )
    return paths


def rescaled(row: Row, base: Row, factor: float) -> Initializer | Keep:
    """What `row` gives its leaf, scaled to `factor` times the std that `base` gives the base's.

    Raises:
        ValueError: a standard deviation is unknown, and not both laws are the same.
    """
    if isinstance(row.scheme, Keep):
        return row.scheme
    if row.std is None or base.std is None:
        if factor == 1.0:
            return row.scheme
        raise ValueError(f"the std that {row.scheme!r} gives {row.leaf} is not known")
    wanted, have = np.unique(base.std) * factor, np.unique(row.std)
    if len(wanted) != 1 or len(have) != 1:
        raise ValueError(
            f"{row.leaf} has another std in each layer ({row.scheme!r}); give rules that do not "
            "scale with depth"
        )
    if not have[0] or np.isclose(wanted[0], have[0], rtol=1e-9, atol=0.0):
        return row.scheme
    return times(row.scheme, float(wanted[0] / have[0]))


def exact_rules(plan: Plan, values: Sequence[Initializer | Keep], source: str) -> Rules:
    """Rules that give the leaves of `plan` these values, in order, leaves alike sharing a rule."""
    groups: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(plan):
        groups[_in_any_block(row.leaf.parts)].append(place)
    rules: list[Any] = []
    for pattern, places in groups.items():
        same = all(values[place] == values[places[0]] for place in places)
        if same and len(places) > 1 and _hits_only(pattern, plan, places):
            rules.append(_rule(as_selector(pattern), values[places[0]], source))
        else:
            rules += [_rule(_exactly(plan[p].path), values[p], source) for p in places]
    return Rules(rules)


def _in_any_block(parts: Sequence[str]) -> str:
    """A glob of a leaf's path, for any number in the outermost numbered name."""
    for place, part in enumerate(parts[:-1]):
        if _NUMBER.search(part):
            return "/".join([*parts[:place], _NUMBER.sub("*", part), *parts[place + 1 :]])
    return "/".join(parts)


def _hits_only(pattern: str, plan: Plan, places: Sequence[int]) -> bool:
    if any(_SPECIAL.search(plan[place].path) for place in places):
        return False
    selector = as_selector(pattern)
    return [p for p, row in enumerate(plan) if selector(row.leaf)] == list(places)


def _rule(selector: Selector, value: Any, source: str) -> Rule:
    return Rule(selector, value, False, f"jinit.presets.{source}")


def _exactly(path: str) -> Selector:
    return as_selector(re.compile(f"^{re.escape(path)}$") if _SPECIAL.search(path) else path)
