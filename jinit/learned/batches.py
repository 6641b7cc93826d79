"""Batches, one for each step: from an iterable or a function of the step, and halves of two mixed.

May import: the standard library, jax, and of `jinit.model.targets` arrays, naming.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from jinit.model.targets.arrays import is_array
from jinit.model.targets.naming import key_names

__all__ = ["Batches", "mix_batches", "take_batches"]

Batches: TypeAlias = "Iterable[Any] | Callable[[int], Any]"


def take_batches(batches: Batches, count: int) -> Iterator[Any]:
    """The first `count` batches.

    Args:
        batches: an iterable, begun anew where it ends; an iterator, which cannot be; or a function
            of the step.
        count: how many are needed.

    Raises:
        TypeError: `batches` is none of these.
        ValueError: an iterator ends too early, or there is no batch at all.
    """
    if callable(batches):
        return map(batches, range(count))
    if isinstance(batches, (tuple, Mapping, str)) or is_array(batches):
        raise TypeError(
            f"`batches` is a {type(batches).__name__}, which looks like one batch; pass a list, "
            "an iterator of batches or a function of the step, such as lambda step: batch"
        )
    if not isinstance(batches, Iterable):
        raise TypeError(
            f"`batches` (a {type(batches).__name__}) must be an iterable of batches, or a "
            "function of the step"
        )
    return _taken(batches, count)


def _taken(batches: Iterable[Any], count: int) -> Iterator[Any]:
    taken = 0
    while taken < count:
        before = taken
        for batch in itertools.islice(batches, count - taken):
            taken += 1
            yield batch
        if taken < count and (taken == before or iter(batches) is batches):
            raise ValueError(
                f"`batches` ended after {taken} of the {count} batches that these steps need; "
                "pass a list or a loader that can begin anew, a function of the step, or take "
                "fewer `steps`"
            )


def mix_batches(batch: Any, following: Any, overlap: float) -> Any:
    """A batch that has its first samples from `batch`, as many as `overlap` says, then others.

    Args:
        batch: a tree of arrays, samples along their first axes; scalars are taken from here.
        following: another batch, of the same shapes.
        overlap: the share of samples that are those of `batch`; 0 and 1 mix nothing.

    Raises:
        ValueError: the batches differ in shape, or the arrays of one in their first axes.
    """
    if overlap in (0, 1):
        return batch if overlap else following
    shapes, others = (_shapes(one) for one in (batch, following))
    if shapes != others:
        raise ValueError(
            f"two batches differ, and cannot be mixed: {_listed(shapes)} and {_listed(others)}; "
            "leave out the last, incomplete batch, or set `overlap` to 0"
        )
    if len({shape[0] for shape in shapes.values() if shape}) > 1:
        raise ValueError(
            f"the arrays of a batch have different numbers of samples: {_listed(shapes)}; their "
            "first axes must agree, or else set `overlap` to 0 or 1"
        )
    return jax.tree.map(lambda a, b: _mixed(a, b, overlap), batch, following)


def _mixed(a: Any, b: Any, overlap: float) -> Any:
    if not jnp.shape(a):
        return a
    kept = round(overlap * len(a))
    return jnp.concatenate([a[:kept], b[kept:]])


def _shapes(batch: Any) -> dict[str, tuple[int, ...]]:
    pairs, _ = jax.tree_util.tree_flatten_with_path(batch)
    return {"/".join(key_names(path)): tuple(jnp.shape(leaf)) for path, leaf in pairs}


def _listed(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{path or 'array'} {list(shape)}" for path, shape in shapes.items())
