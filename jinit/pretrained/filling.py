"""The values of a model's leaves: read, adapted, split, drawn or kept, one after the other.

May import: the standard library, numpy, of `jinit.model` paths, planning, and of
`jinit.pretrained` decisions, leaves, placing, recipes, resolving, sources.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jinit.model.paths import leaf_key
from jinit.model.planning import Plan
from jinit.pretrained.decisions import Decision
from jinit.pretrained.leaves import Model
from jinit.pretrained.placing import place, read_onto
from jinit.pretrained.recipes import Recipe, read
from jinit.pretrained.resolving import Resolution, Split
from jinit.pretrained.sources import Source

__all__ = ["fill"]


def fill(
    model: Model, resolution: Resolution, source: Source, plan: Plan | None, key: Any
) -> dict[str, Any]:
    """The value of every leaf, by path; of statistics those that are loaded.

    Args:
        model: the target.
        resolution: what becomes of its leaves.
        source: the tensors.
        plan: of the leaves that are drawn by rules.
        key: the model's key, where something is drawn.

    Raises:
        ValueError: values do not fit their leaf's dtype, or an adapter makes another shape; or
            leaves that are one array are several in the checkpoint.
    """
    values: dict[str, Any] = {}
    splits = {split.kernel: split for split in resolution.splits}
    factors = {path for split in resolution.splits for path in (split.a, split.b)}
    for decision in resolution.of("loaded", "adapted"):
        if decision.path in splits:
            values |= _split(splits[decision.path], decision, model, source, key)
        elif decision.path not in factors:
            _check_tied(decision, resolution.ties.get(decision.path, ()), source)
            values[decision.path] = _value(decision, source, key)
    if plan is not None:
        drawn = plan.draw(plan.leaf_keys(key))
        values |= {row.path: value for row, value in zip(plan.rows, drawn, strict=True)}
    for decision in resolution.of("kept"):
        if decision.wanted.value is not None:
            values[decision.path] = _own(decision)
    for decision in resolution.decisions.values():
        if decision.shared_with in values:
            values[decision.path] = values[decision.shared_with]
    return values


def _value(decision: Decision, source: Source, key: Any) -> Any:
    """What a tensor, or several, make of a leaf."""
    assert decision.recipe is not None
    leaf = decision.wanted.leaf
    if decision.adapter is None:
        return read_onto(decision.recipe, source, leaf)
    own = None if key is None else leaf_key(key, leaf.parts)
    try:
        made = decision.adapter(read(decision.recipe, source), leaf, own)
    except Exception as error:
        error.add_note(f"while {decision.adapter} adapted {decision.recipe} to {leaf}")
        raise
    return place(made, leaf)


def _split(
    split: Split, decision: Decision, model: Model, source: Source, key: Any
) -> dict[str, Any]:
    """A kernel and its factors."""
    assert decision.recipe is not None
    kernel, a, b = (model.by_path[path].leaf for path in (split.kernel, split.a, split.b))
    own = None if key is None else leaf_key(key, a.parts)
    whole = read(decision.recipe, source)
    if decision.adapter is not None:
        whole = np.asarray(decision.adapter(whole, kernel, own))
    made = split.law.split(whole, a.shape[-1], (a.dtype, b.dtype), own)
    pairs = zip((kernel, a, b), made, strict=True)
    return {leaf.path: place(value, leaf) for leaf, value in pairs}


def _check_tied(decision: Decision, others: Sequence[Recipe], source: Source) -> None:
    """Raise if leaves that are one array in the model are several in the checkpoint."""
    for other in others:
        assert decision.recipe is not None
        if not np.array_equal(read(decision.recipe, source), read(other, source)):
            raise ValueError(
                f"{decision.wanted.leaf} is one array with others in the model, and in the "
                f"checkpoint {decision.recipe} and {other} differ; leave one of them aside in "
                "`match`, or untie the model"
            )


def _own(decision: Decision) -> Any:
    """The value that the target has."""
    leaf, value = decision.wanted.leaf, decision.wanted.value
    sharding = getattr(value, "sharding", None)
    stays = leaf.sharding is None or sharding == leaf.sharding
    return value if value.dtype == leaf.dtype and stays else place(value, leaf)
