"""Weight selection: a small model begins as evenly spaced units of a large one.

May import: the standard library, numpy, `jinit.checks`, of `jinit.model` leaf, and of
`jinit.pretrained.adapters` adapter.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from jinit.checks import check_choice
from jinit.model.leaf import Leaf
from jinit.pretrained.adapters.adapter import Adapter, Array, check_rank

__all__ = ["select_units"]


def select_units(*, layers: str = "first") -> Adapter:
    """Take evenly spaced units of a larger model: of t units s, `i * (t / s)` where s divides t.

    For a small model of the family of a large one that is trained. Layers of equal names
    correspond; those that the small model lacks are left: `on_unexpected={"...": "ignore"}`.

    Args:
        layers: of layers stacked in one leaf, the "first", as the paper does, or "even" ones.

    Raises:
        ValueError: the tensor is the smaller one along some axis.

    >>> import jax, numpy as np, jinit
    >>> from jinit.pretrained import select_units
    >>> large = {"fc": {"bias": np.arange(12, dtype=np.float32)}}
    >>> small = {"fc": {"bias": jax.ShapeDtypeStruct((4,), "float32")}}
    >>> print(jinit.load(small, large, on_mismatch={"**": select_units()})[0]["fc"]["bias"])
    [0. 3. 6. 9.]

    Reference: Xu et al. 2024 (arXiv:2311.18823), section 3: uniform element selection. Where s does
    not divide t, units are `round(linspace(0, t - 1, s))`, as in its code.
    """
    check_choice("layers", layers, ("even", "first"))
    return _Selection(layers)


@dataclass(frozen=True)
class _Selection(Adapter):
    layers: str

    def check(self, shape: tuple[int, ...], leaf: Leaf) -> None:
        check_rank(shape, leaf)
        for axis, (old, new) in enumerate(zip(shape, leaf.shape, strict=True)):
            if old < new:
                raise ValueError(
                    f"the tensor {list(shape)} has fewer units along axis {axis} than {leaf}; "
                    "selection makes models smaller"
                )

    def __call__(self, value: Array, leaf: Leaf, key: Any) -> Any:
        for axis, new in enumerate(leaf.shape):
            first = axis in leaf.stack and self.layers == "first"
            chosen = np.arange(new) if first else _evenly(value.shape[axis], new)
            value = np.take(value, chosen, axis=axis)
        return value

    def __repr__(self) -> str:
        return "select_units()" if self.layers == "first" else "select_units(layers='even')"


def _evenly(old: int, new: int) -> Array:
    """Which units are taken."""
    if new and old % new == 0:
        return np.arange(new) * (old // new)
    return np.round(np.linspace(0, old - 1, new)).astype(int)
