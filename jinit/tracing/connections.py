"""Fans by true connections: how many weights meet in an output, and how many leave an input.

May import: the standard library, jax, NumPy, `jinit.fans`, `jinit.tracing.atoms`.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jax.extend.core import JaxprEqn

from jinit.fans import Fans
from jinit.tracing.atoms import shape_of

__all__ = ["Window", "conv_fans", "conv_windows", "whole_number"]


class Window(NamedTuple):
    """One spatial axis of a convolution.

    Attributes:
        inputs: positions of the input.
        outputs: positions of the output.
        taps: of the kernel.
        stride: by how much the window moves.
        spread: of the inputs, with zeros in between: a transposed convolution's stride.
        dilation: of the taps.
        low: zeros in front of the first input.
    """

    inputs: int
    outputs: int
    taps: int
    stride: int = 1
    spread: int = 1
    dilation: int = 1
    low: int = 0

    @property
    def pairs(self) -> int:
        """How many pairs of output and tap meet an input."""
        out = np.arange(self.outputs)[:, None] * self.stride - self.low
        place = out + np.arange(self.taps)[None, :] * self.dilation
        inside = (place >= 0) & (place <= (self.inputs - 1) * self.spread)
        return int(np.sum(inside & (place % self.spread == 0)))


def conv_windows(eqn: JaxprEqn) -> list[Window]:
    """The spatial axes of a convolution that a program has."""
    params, numbers = eqn.params, eqn.params["dimension_numbers"]
    into, kernel = (shape_of(atom) for atom in eqn.invars)
    onto = shape_of(eqn.outvars[0])
    columns = (
        [into[axis] for axis in numbers.lhs_spec[2:]],
        [onto[axis] for axis in numbers.out_spec[2:]],
        [kernel[axis] for axis in numbers.rhs_spec[2:]],
        params["window_strides"],
        params["lhs_dilation"],
        params["rhs_dilation"],
        [low for low, _ in params["padding"]],
    )
    return [Window(*row) for row in zip(*columns, strict=True)]


def conv_fans(
    inputs: int, outputs: int, groups: int, windows: Sequence[Window], edges: bool = False
) -> Fans:
    """Connections of a convolution.

    Args:
        inputs: channels that one output sums, those of its group.
        outputs: channels of all groups.
        groups: how many groups there are.
        windows: the spatial axes.
        edges: whether connections that padding removes are left out, on the average over
            positions; otherwise the positions far from the edges count.

    >>> conv_fans(64, 128, 1, [Window(8, 8, 3, low=1)] * 2)
    Fans(fan_in=576, fan_out=1152)
    >>> conv_fans(1, 1, 1, [Window(4, 4, 3, low=1)], edges=True)
    Fans(fan_in=2.5, fan_out=2.5)
    """
    if edges and all(w.inputs and w.outputs for w in windows):
        pairs = math.prod(window.pairs for window in windows)
        fan_in = inputs * pairs / math.prod(window.outputs for window in windows)
        fan_out = outputs * pairs / groups / math.prod(window.inputs for window in windows)
        return Fans(whole_number(fan_in), whole_number(fan_out))
    taps = math.prod(window.taps for window in windows)
    fan_in = inputs * taps / math.prod(window.spread for window in windows)
    fan_out = outputs * taps / groups / math.prod(window.stride for window in windows)
    return Fans(whole_number(fan_in), whole_number(fan_out))


def whole_number(value: float) -> float:
    """An int where the value is whole."""
    return int(value) if float(value).is_integer() else value
