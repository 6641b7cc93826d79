"""Net2Net: wider layers that compute what the narrow ones did.

May import: the standard library, jax, numpy, `jinit.checks`, `jinit.core.inputs`, of `jinit.model`
leaf, and of `jinit.pretrained.adapters` adapter.
"""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jinit.checks import check_integer
from jinit.core.inputs import check_key
from jinit.model.leaf import Leaf
from jinit.pretrained.adapters.adapter import Adapter, Array, axis_that_differs

__all__ = ["widen_inputs", "widen_outputs", "widened_units"]


def widened_units(key: Any, old: int, new: int) -> Array:
    """Which of `old` units each of `new` ones copies: itself, then ones drawn evenly.

    Args:
        key: a PRNG key.
        old: units of the layer in the checkpoint.
        new: units of the layer in the model; at least as many.

    Raises:
        ValueError: `new` is less than `old`.

    >>> import jax
    >>> from jinit.pretrained import widened_units
    >>> widened_units(jax.random.key(0), 4, 6)[:4]
    array([0, 1, 2, 3])

    Reference: Chen, Goodfellow and Shlens 2016 (arXiv:1511.05641), equation 1.
    """
    check_key(key)
    check_integer("old", old)
    if check_integer("new", new) < old:
        raise ValueError(f"`new` (={new}) must be at least `old` (={old}); layers only widen")
    drawn = np.asarray(jax.random.randint(key, (new - old,), 0, old))
    return np.concatenate([np.arange(old), drawn])


def widen_outputs(units: Any, *, axis: int = -1) -> Adapter:
    """Copy units: `W'[..., j] = W[..., g(j)]`, for the layer that makes them, bias and norm too.

    With `widen_inputs` of the same units in every layer that takes them in, the model computes what
    it did; equal units stay equal until something (dropout, noise) tells them apart.

    Args:
        units: g, from `widened_units`: for each new unit the old one that it copies.
        axis: the axis of units.

    >>> import jax, numpy as np, jinit
    >>> from jinit.pretrained import widen_inputs, widen_outputs
    >>> old = {"up": {"kernel": np.array([[1.0, 2.0]])},
    ...        "down": {"kernel": np.array([[3.0], [4.0]])}}
    >>> new = {"up": {"kernel": jax.ShapeDtypeStruct((1, 3), "float32")},
    ...        "down": {"kernel": jax.ShapeDtypeStruct((3, 1), "float32")}}
    >>> adapt = {"up/*": widen_outputs([0, 1, 1]), "down/kernel": widen_inputs([0, 1, 1])}
    >>> wide, _ = jinit.load(new, old, on_mismatch=adapt)
    >>> print(wide["up"]["kernel"], wide["down"]["kernel"].ravel())
    [[1. 2. 2.]] [3. 2. 2.]

    Reference: Chen, Goodfellow and Shlens 2016 (arXiv:1511.05641), equation 2. Their deeper net, a
    layer more that is the identity, is a rule: `{"new/kernel": jinit.identity()}`.
    """
    return _Widen(_checked(units), axis, shared=False)


def widen_inputs(units: Any, *, axis: int = -2) -> Adapter:
    """Share weights among copies: `W'[j] = W[g(j)] / |{k: g(k) = g(j)}|`, in the layer after.

    Args:
        units: g, from `widened_units`, as for `widen_outputs` of the layer before.
        axis: the axis of what the layer takes in.

    >>> from jinit.pretrained import widen_inputs
    >>> widen_inputs([0, 1, 1])
    widen_inputs(2 to 3 units)

    Reference: Chen, Goodfellow and Shlens 2016 (arXiv:1511.05641), equation 2.
    """
    return _Widen(_checked(units), axis, shared=True)


def _checked(units: Any) -> Array:
    """The units as indices, of which none is left out."""
    index = np.asarray(units)
    whole = index.ndim == 1 and index.size > 0 and index.dtype.kind in "iu"
    if not whole or index.min() < 0 or len(np.unique(index)) != index.max() + 1:
        raise ValueError(
            f"`units` (={units!r}) must be the old unit that each new one copies, every old one "
            "among them; make them with jinit.pretrained.widened_units"
        )
    return index


@dataclass(frozen=True, eq=False)
class _Widen(Adapter):
    units: Array
    axis: int
    shared: bool

    def check(self, shape: tuple[int, ...], leaf: Leaf) -> None:
        axis = self._at(shape, leaf)
        old = int(self.units.max()) + 1
        if (shape[axis], leaf.shape[axis]) != (old, len(self.units)):
            raise ValueError(
                f"`units` widen {old} to {len(self.units)}, and along axis {axis} the tensor has "
                f"{shape[axis]}, {leaf} {leaf.shape[axis]}"
            )

    def __call__(self, value: Array, leaf: Leaf, key: Any) -> Any:
        axis = self._at(value.shape, leaf)
        wide = np.take(value, self.units, axis=axis)
        if not self.shared:
            return wide
        copies = np.bincount(self.units)[self.units]
        along = [-1 if at == axis else 1 for at in range(value.ndim)]
        return wide.astype(np.float64) / copies.reshape(along)

    def _at(self, shape: tuple[int, ...], leaf: Leaf) -> int:
        return axis_that_differs(shape, leaf, self.axis)

    def __repr__(self) -> str:
        name = "widen_inputs" if self.shared else "widen_outputs"
        return f"{name}({int(self.units.max()) + 1} to {len(self.units)} units)"
