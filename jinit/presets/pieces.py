"""What presets are put together from: rules that must hit, and the usual law of every vector.

May import: `jinit.initializer`, `jinit.schemes`, and of `jinit.model` leaf, ruleset, selectors,
values; of `jinit.presets` names.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from jinit.initializer import Initializer
from jinit.model.leaf import Leaf
from jinit.model.ruleset import Rule, Rules
from jinit.model.selectors import by_role
from jinit.model.values import Keep, as_value
from jinit.presets.names import any_of, weights
from jinit.schemes.combinators import scaled
from jinit.schemes.constants import ones, zeros

__all__ = [
    "NORM_SCALES",
    "SHIFTS",
    "each",
    "needed",
    "ones_and_zeros",
    "preset",
    "resolve",
    "times",
]

NORM_SCALES = by_role("norm_scale")
SHIFTS = by_role("bias", "norm_bias")


def preset(name: str, rules: Iterable[Any]) -> Rules:
    """The rules of a preset: optional, but for those that `needed` made."""
    return Rules(rules, optional=True, source=f"jinit.presets.{name}")


def needed(
    name: str, option: str, patterns: Any, value: Any, *, vectors: bool = False
) -> list[Any]:
    """The rule for leaves that a model must have, lest a preset misses them in silence.

    Args:
        name: the preset's.
        option: the preset's option that says which leaves these are; messages name it.
        patterns: what the option was given; None if the model has no such leaves.
        value: what they get.
        vectors: whether biases and the like are meant too.
    """
    if patterns is None:
        return []
    selector = any_of(patterns) if vectors else weights(patterns)
    return [Rule(selector, as_value(value), False, f"jinit.presets.{name}({option}=...)")]


def each(name: str, option: str, selectors: Any, value: Any) -> list[Any]:
    """One rule for each of several selectors, all of which must hit."""
    several = isinstance(selectors, Sequence) and not isinstance(selectors, str)
    listed = selectors if several else [selectors]
    return [rule for one in listed for rule in needed(name, option, one, value)]


def ones_and_zeros() -> list[tuple[Any, Any]]:
    """Scales of norms 1, their shifts and all biases 0."""
    return [(NORM_SCALES, ones), (SHIFTS, zeros)]


def resolve(value: Any, leaf: Leaf) -> Initializer | Keep:
    """The scheme that a rule's value, given rules included, means for `leaf`."""
    if isinstance(value, Rules):
        found = [rule.value for rule in value if rule.selector(leaf)]
        value = found[0] if found else value.default
        if value is None:
            raise ValueError(f"no rule of those given hits {leaf}; add one, or a default")
    while not isinstance(value, (Initializer, Keep)):
        value = as_value(value(leaf))
    return value


def times(init: Initializer, factor: Any) -> Initializer:
    """`init`, its weights multiplied by a number or, in a stack, by one for each layer."""
    if np.ndim(factor) == 0 and factor == 1:
        return init
    options = init.options
    plain = init.scheme.__name__ in ("normal", "truncated_normal") and options["mean"] == 0.0
    if plain and options.get("bounds") is None and not np.iterable(options["stddev"]):
        return init.replace(stddev=options["stddev"] * factor)
    return scaled(init, factor)
