"""Kernels for another number of input channels: colours to grey, three bands to twelve.

May import: the standard library, numpy, `jinit.checks`, of `jinit.model` leaf, and of
`jinit.pretrained.adapters` adapter.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from jinit.checks import check_choice
from jinit.model.leaf import Leaf
from jinit.pretrained.adapters.adapter import Adapter, Array, axis_that_differs

__all__ = ["fit_channels"]


def fit_channels(method: str = "mean", *, axis: int = -2) -> Adapter:
    """Fit a kernel to other input channels, `sum_c W` kept: a grey image means what it meant.

    For the first convolution of a model that sees grey images, or more bands than three.

    Args:
        method: "mean" gives every new channel the mean of the old ones; "repeat" takes the old
            ones in turn. Both are scaled by old / new channels; after "repeat" the sum is kept
            where new is a multiple of old.
        axis: the axis of input channels, in the leaf's layout.

    >>> import jax, numpy as np, jinit
    >>> from jinit.pretrained import fit_channels
    >>> old = {"stem": {"kernel": np.ones((7, 7, 3, 64), np.float32)}}
    >>> new = {"stem": {"kernel": jax.ShapeDtypeStruct((7, 7, 1, 64), "float32")}}
    >>> grey, _ = jinit.load(new, old, on_mismatch={"stem/kernel": fit_channels()})
    >>> print(grey["stem"]["kernel"][0, 0, 0, 0])
    3.0

    Reference: Carreira and Zisserman 2017 (arXiv:1705.07750), section 2.4, of the same over time:
    repeated, and divided by how often.
    """
    check_choice("method", method, ("mean", "repeat"))
    return _Channels(method, axis)


@dataclass(frozen=True)
class _Channels(Adapter):
    method: str
    axis: int

    def check(self, shape: tuple[int, ...], leaf: Leaf) -> None:
        axis_that_differs(shape, leaf, self.axis)

    def __call__(self, value: Array, leaf: Leaf, key: Any) -> Any:
        axis = axis_that_differs(value.shape, leaf, self.axis)
        old, new = value.shape[axis], leaf.shape[axis]
        exact = value.astype(np.float64) * (old / new)
        if self.method == "mean":
            return np.repeat(exact.mean(axis=axis, keepdims=True), new, axis=axis)
        return np.take(exact, np.arange(new) % old, axis=axis)

    def __repr__(self) -> str:
        return f"fit_channels({self.method!r})"
