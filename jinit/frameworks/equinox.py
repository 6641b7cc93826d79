"""Equinox: the one law of `eqx.nn`, and what its layers start from.

May import: `jinit.checks`, `jinit.initializer`, `jinit.schemes`, and of `jinit.frameworks`
borrowing, cells, fan_rules, kernels, layers.

Kernels are `(*taps, in, out)`; `layout="OI..."` is Equinox' own order, also of transposed
convolutions.

Reference: Equinox 0.13, `equinox/nn/_misc.py`, and the layers beside it.
"""

from collections.abc import Sequence
from typing import Any

from jinit.checks import check_non_negative
from jinit.frameworks.borrowing import borrow
from jinit.frameworks.cells import uniform_by_hidden
from jinit.frameworks.fan_rules import axes_fans
from jinit.frameworks.kernels import bias_by_kernel
from jinit.frameworks.layers import Layer, Start, connections, size
from jinit.initializer import Recipe
from jinit.schemes.bias import torch_bias
from jinit.schemes.constants import constant, ones, zeros
from jinit.schemes.distributions import normal, uniform
from jinit.schemes.variance import Axis, variance_recipe

__all__ = [
    "conv",
    "default_init",
    "embedding",
    "gru_cell",
    "layer_norm",
    "linear",
    "lstm_cell",
    "prelu",
]


@borrow("equinox")
def default_init(
    lim: float | None = None,
    *,
    dtype: Any = None,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
    layout: str | None = None,
) -> Recipe:
    """Uniform: `W ~ U[-lim, lim)`, `lim = 1 / sqrt(fan_in)` unless it is given.

    Args:
        lim: half-width of the range.
        dtype: floating dtype of the weights, unless the call gives one.
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.
        layout: the axes by letter instead; "OI..." is Equinox' order.

    Raises:
        ValueError: `lim` is negative; when drawing, the shape has fewer than two axes and no `lim`.

    >>> print(f"{default_init().std((300, 10)):.4f} {default_init(0.1).std((4,)):.4f}")
    0.0333 0.0577

    Differences: complex weights fill a disk here, with `E|W|^2 = lim^2 / 2`; of Equinox both parts
    are uniform, `E|W|^2 = 2 lim^2 / 3`.
    """
    if lim is not None:
        return uniform(bound=check_non_negative("lim", lim)).recipe
    return variance_recipe(
        1 / 3, "fan_in", "uniform", axes_fans(in_axis, out_axis, batch_axis, layout)
    )


def linear(in_features: int | None = None, *, layout: str | None = None) -> Layer:
    """`eqx.nn.Linear`: weight and bias `~ U[-c, c)`, `c = 1 / sqrt(in_features)`.

    Args:
        in_features: inputs of the layer, for the bias; without it the bias is a value for
            `jinit.Rules`, which reads the kernel beside it.
        layout: "OI" for a weight stored in Equinox' order.

    >>> from jinit.frameworks import equinox
    >>> print(f"{equinox.linear(300).bias.std((10,)):.4f}")
    0.0333
    """
    return Layer(default_init(layout=layout), _bias(size("in_features", in_features)))


def _bias(fan_in: float | None) -> Start:
    value: Start = bias_by_kernel(transposed_by="fan_in") if fan_in is None else torch_bias(fan_in)
    return value


def conv(
    in_channels: int | None = None,
    kernel_size: Sequence[int] | None = None,
    groups: int = 1,
    *,
    layout: str | None = None,
) -> Layer:
    """`eqx.nn.Conv`, `ConvTranspose`: `~ U[-c, c)`, `c = 1 / sqrt(taps * in_channels / groups)`.

    Args:
        in_channels: input channels, for the bias.
        kernel_size: taps along each axis, for the bias.
        groups: groups of the convolution.
        layout: "OI..." for a weight stored in Equinox' order.

    >>> from jinit.frameworks import equinox
    >>> print(f"{equinox.conv(12, (3, 3)).bias.std((10,)) ** -2 / 3:.0f}")
    108

    Differences: of a transposed convolution torch takes the outputs for the inputs.
    """
    ndim = 0 if kernel_size is None else len(kernel_size)
    fan_in = connections(in_channels, kernel_size, ndim, groups)
    return Layer(default_init(layout=layout), _bias(fan_in))


def embedding() -> Layer:
    """`eqx.nn.Embedding`: `W ~ N(0, 1)`."""
    return Layer(normal(1.0))


def gru_cell(hidden_size: int | None = None) -> Layer:
    """`eqx.nn.GRUCell`: every weight and bias `~ U[-c, c)`, `c = 1 / sqrt(hidden_size)`.

    Args:
        hidden_size: units of the cell. Without it the schemes are values for `jinit.Rules`, which
            read it from the cell.
    """
    hidden = size("hidden_size", hidden_size)
    each: Start = uniform_by_hidden(hidden_size=None) if hidden is None else torch_bias(hidden)
    return Layer(each, each)


def lstm_cell(hidden_size: int | None = None) -> Layer:
    """`eqx.nn.LSTMCell`: every weight and bias `~ U[-c, c)`, `c = 1 / sqrt(hidden_size)`.

    Args:
        hidden_size: units of the cell; as in `gru_cell`.
    """
    return gru_cell(hidden_size)


def layer_norm() -> Layer:
    """`eqx.nn.LayerNorm`, also the other normalizations: weight 1, bias 0."""
    return Layer(ones(), zeros())


def prelu() -> Layer:
    """`eqx.nn.PReLU`: negative slope 0.25."""
    return Layer(constant(0.25))
