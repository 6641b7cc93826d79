"""The way back: a model's leaves as the tensors of a checkpoint.

May import: the standard library, jax, numpy, and of `jinit.pretrained` leaves, matching, patterns,
recipes, report, sources, torch_matching.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jinit.pretrained.leaves import Model, describe_model
from jinit.pretrained.matching import Matched
from jinit.pretrained.operations import Array
from jinit.pretrained.patterns import as_matching
from jinit.pretrained.recipes import shape_of, write
from jinit.pretrained.sources import Source, TensorSpec, open_source
from jinit.pretrained.torch_matching import torch_to_flax

__all__ = ["export", "flax_to_torch"]


def export(
    model: Any,
    like: Any,
    *,
    match: Any = None,
    params: Any = None,
    stacked: Mapping[Any, Any] | None = None,
    layouts: Mapping[Any, str] | None = None,
) -> dict[str, Array]:
    """A model's weights as the tensors they were loaded from: what `jinit.load` does, undone.

    Args:
        model: a model, as `jinit.load` takes it: with values (parameters, variables, an NNX or
            Equinox module), or without them, as `jinit.with_inputs` makes it.
        like: the names, shapes and dtypes that are wanted: a checkpoint, or a mapping of arrays
            or of `jax.ShapeDtypeStruct`.
        match: as for `jinit.load`. Adapters are not undone.
        params: the values, as `jinit.load` returned them, where `model` has none.
        stacked: by selector, how many leading axes hold layers stacked by hand.
        layouts: by selector, the axes of kernels that only you know, such as "HWIO".

    Returns:
        The tensors by name, in the order of `like`. Those that `match` leaves aside, such as
        `num_batches_tracked`, are as in `like`, where it has values. Of biases that were added
        the first is the sum and the others are zero.

    Raises:
        ValueError: a leaf has no value, or goes nowhere; a tensor of `like` is made of no leaf;
            shapes differ. All are listed.

    >>> import numpy as np
    >>> from jinit.pretrained import export, transpose
    >>> params = {"fc": {"kernel": np.array([[1.0, 2.0]])}}
    >>> like, match = {"fc.weight": np.zeros((2, 1))}, {"fc.weight": ("fc/kernel", transpose())}
    >>> export(params, like, match=match)
    {'fc.weight': array([[1.],
           [2.]])}
    """
    taken = describe_model(model, stacked=stacked, layouts=layouts)
    values = _values(taken if params is None else describe_model(params))
    specs, source = _specs(like)
    matched = as_matching(match).match(taken.wanted, specs)
    problems = [*matched.problems, *_problems(taken, values, matched, specs)]
    if problems:
        raise ValueError("the model cannot be exported so:\n" + "\n".join(problems[:20]))
    used = matched.used()
    tensors = {name: np.zeros(s.shape, s.dtype) for name, s in specs.items() if name in used}
    for path, recipe in matched.recipes.items():
        write(recipe, np.asarray(values[path]), tensors)
    aside = [name for name in matched.ignored if source is not None]
    tensors |= {name: np.asarray(source.read(name)) for name in aside if source is not None}
    return {name: tensors[name] for name in specs if name in tensors}


def flax_to_torch(
    model: Any, like: Any, pairs: Any = None, *, untransposed: Sequence[str] = (), **options: Any
) -> dict[str, Array]:
    """A model's weights as a PyTorch state dict: `export` by `torch_to_flax(pairs)`.

    Args:
        model: a model with values, or one without, and `params`.
        like: a state dict or a checkpoint with the names and shapes that are wanted.
        pairs: as for `torch_to_flax`.
        untransposed: as for `torch_to_flax`.
        **options: as for `export`.

    Returns:
        NumPy arrays by name; `{name: torch.tensor(value) for ...}` is what torch loads.

    >>> import jax, numpy as np
    >>> from jinit.pretrained import flax_to_torch
    >>> params = {"fc": {"kernel": np.ones((4, 2), np.float32)}}
    >>> like = {"fc.weight": jax.ShapeDtypeStruct((2, 4), "float32")}
    >>> flax_to_torch(params, like)["fc.weight"].shape
    (2, 4)
    """
    match = torch_to_flax(pairs, untransposed=untransposed)
    return export(model, like, match=match, **options)


def _specs(like: Any) -> tuple[Mapping[str, TensorSpec], Source | None]:
    """What tensors are wanted, and their values where there are some."""
    flat = isinstance(like, Mapping) and not isinstance(like, Source)
    if flat and any(isinstance(value, jax.ShapeDtypeStruct) for value in like.values()):
        return {
            name: TensorSpec(tuple(value.shape), np.dtype(value.dtype))
            for name, value in like.items()
        }, None
    source = open_source(like)
    return source, source


def _values(model: Model) -> dict[str, Any]:
    """The values that a model has, by path."""
    return {one.path: one.value for one in model.wanted if one.value is not None}


def _problems(
    model: Model,
    values: Mapping[str, Any],
    matched: Matched,
    specs: Mapping[str, TensorSpec],
) -> list[str]:
    problems = []
    for one in model.wanted:
        recipe = matched.recipes.get(one.path)
        if one.path not in values:
            problems.append(f"{one.leaf} has no value")
        elif recipe is None:
            problems.append(f"{one.leaf} goes to no tensor")
        else:
            try:
                made = shape_of(recipe, specs)
            except ValueError as error:
                problems.append(f"{one.leaf}: {error}")
                continue
            if made != one.leaf.shape:
                problems.append(f"{one.leaf}, and {recipe} makes {list(made)}")
    left = set(specs) - matched.used() - set(matched.ignored)
    problems += [f"{name} {specs[name]} is made of no leaf" for name in specs if name in left]
    return problems
