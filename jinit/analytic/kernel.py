"""An array as a linear map: sums of its weights over what the inputs have in common.

May import: the standard library, NumPy.

With x_i the inputs of an output and W_if the weights, the component of x that varies along the
axes S gives `v_S * sum over i in S of (sum over the other i of W_if)^2`: what x shares along an
axis adds up before it is squared. Two outputs share `sum_i W_if W_ig` of it, on the average.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Kernel", "Sums"]


class Sums(NamedTuple):
    """Sums over the weights of an output: of squares, and of products of two outputs.

    Attributes:
        squares: of each output, (batch, outputs).
        products: of two different outputs, on the average.
    """

    squares: Any
    products: float


@dataclass(frozen=True)
class Kernel:
    """A linear map.

    Attributes:
        array: of axes (batch, *contracted, outputs), the contracted ones as the input has them.
        names: by contracted axis, the input's names of it.
        share: what part of the connections there is, on the average over positions.
        groups: how many groups of outputs there are that share no input.
    """

    array: Any
    names: tuple[frozenset[int], ...]
    share: float = 1.0
    groups: int = 1

    def sums(self, varying: frozenset[int]) -> Sums:
        """The sums for what varies along these axes."""
        rest = tuple(1 + k for k, names in enumerate(self.names) if not names & varying)
        met = self.array.sum(axis=rest, keepdims=True)
        contracted = tuple(range(1, met.ndim - 1))
        squares = np.square(met).sum(axis=contracted) * self.share
        outputs = squares.shape[-1]
        if outputs == 1:
            return Sums(squares, float(squares.mean()))
        if self.groups > 1 and self.names[0] & varying:
            return Sums(squares, 0.0)
        whole = np.square(met.sum(axis=-1)).sum() * self.share
        pairs = squares.shape[0] * outputs * (outputs - 1)
        return Sums(squares, float((whole - squares.sum()) / pairs))

    def means(self) -> tuple[float, float]:
        """Over outputs, the mean of the sum of all weights, and its variance."""
        met = self.array.sum(axis=tuple(range(1, self.array.ndim - 1)))
        mean = float(met.mean()) * self.share
        return mean, float(np.square(met).mean()) * self.share - mean**2
