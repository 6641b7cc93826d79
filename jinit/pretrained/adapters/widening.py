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
from jinit.pretrained.adapters.adapter import Adapter, Array, check_rank

__all__ = ["widen", "widened_units"]


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


def widen(
    *, outputs: Any = None, inputs: Any = None, out_axis: int = -1, in_axis: int = -2
) -> Adapter:
    """Widen a layer: units copied where they are made, `W'[..., j] = W[..., g(j)]`, shared after.

    The layer that makes the units takes `outputs=units`, its bias and norm too; every layer that
    takes them in takes `inputs=units`, `W'[j] = W[g(j)] / |{k: g(k) = g(j)}|`. The model then
    computes what it did; equal units stay equal until something (dropout, noise) tells them apart.

    Args:
        outputs: g of the layer's own units, from `widened_units`: for each the old one it copies.
        inputs: g of the layer before.
        out_axis: the axis of its units.
        in_axis: the axis of what it takes in.

    >>> import jax, numpy as np, jinit
    >>> from jinit.pretrained import widen
    >>> old = {"up": {"kernel": np.array([[1.0, 2.0]])},
    ...        "down": {"kernel": np.array([[3.0], [4.0]])}}
    >>> new = {"up": {"kernel": jax.ShapeDtypeStruct((1, 3), "float32")},
    ...        "down": {"kernel": jax.ShapeDtypeStruct((3, 1), "float32")}}
    >>> adapt = {"up/*": widen(outputs=[0, 1, 1]), "down/kernel": widen(inputs=[0, 1, 1])}
    >>> wide, _ = jinit.load(new, old, on_mismatch=adapt)
    >>> print(wide["up"]["kernel"], wide["down"]["kernel"].ravel())
    [[1. 2. 2.]] [3. 2. 2.]

    Reference: Chen, Goodfellow and Shlens 2016 (arXiv:1511.05641), equation 2. Their deeper net, a
    layer more that is the identity, is a rule: `{"new/kernel": jinit.identity()}`.
    """
    sides = [(units, axis) for units, axis in ((inputs, in_axis), (outputs, out_axis))]
    if inputs is None and outputs is None:
        raise ValueError("give `outputs`, the units that the layer makes, `inputs`, or both")
    made = [None if units is None else _Side(_checked(units), axis) for units, axis in sides]
    return _Widen(made[0], made[1])


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
class _Side:
    """Units along one axis of a kernel."""

    units: Array
    axis: int

    @property
    def old(self) -> int:
        """How many there were."""
        return int(self.units.max()) + 1

    def along(self, ndim: int) -> int:
        """The axis, counted from 0."""
        return self.axis % ndim

    def __str__(self) -> str:
        return f"{self.old} to {len(self.units)}"


@dataclass(frozen=True, eq=False)
class _Widen(Adapter):
    inputs: _Side | None
    outputs: _Side | None

    @property
    def _sides(self) -> list[_Side]:
        return [side for side in (self.inputs, self.outputs) if side is not None]

    def check(self, shape: tuple[int, ...], leaf: Leaf) -> None:
        check_rank(shape, leaf)
        wide = list(shape)
        for side in self._sides:
            if not -len(shape) <= side.axis < len(shape):
                raise ValueError(f"axis {side.axis} is none of the {len(shape)} axes of {leaf}")
            axis = side.along(len(shape))
            if shape[axis] != side.old:
                raise ValueError(f"{side} units are widened, and axis {axis} has {shape[axis]}")
            wide[axis] = len(side.units)
        if tuple(wide) != leaf.shape:
            raise ValueError(f"the tensor {list(shape)} widened is {wide}, not {list(leaf.shape)}")

    def __call__(self, value: Array, leaf: Leaf, key: Any) -> Any:
        for side in self._sides:
            value = np.take(value, side.units, axis=side.along(value.ndim))
        if self.inputs is None:
            return value
        axis = self.inputs.along(value.ndim)
        copies = np.bincount(self.inputs.units)[self.inputs.units]
        lengths = [-1 if at == axis else 1 for at in range(value.ndim)]
        return value.astype(np.float64) / copies.reshape(lengths)

    def __repr__(self) -> str:
        sides = (("outputs", self.outputs), ("inputs", self.inputs))
        told = ", ".join(f"{name} {side}" for name, side in sides if side is not None)
        return f"widen({told})"
