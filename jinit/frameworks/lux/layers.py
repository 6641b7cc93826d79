"""What the layers of Lux start from.

May import: `jinit.checks`, `jinit.schemes`, and of `jinit.frameworks`
kernels, layers, lux.initializers.
"""

import math
from collections.abc import Sequence

from jinit.checks import check_integer, check_number
from jinit.frameworks.kernels import bias_by_kernel
from jinit.frameworks.layers import Layer, Start, connections, size
from jinit.frameworks.lux.initializers import kaiming_uniform, rand32
from jinit.schemes.bias import torch_bias
from jinit.schemes.constants import ones, zeros
from jinit.schemes.distributions import normal

__all__ = ["calculate_gain", "conv", "dense", "embedding", "layer_norm", "recurrent"]

_GAINS = {"identity": 1.0, "relu": 2.0, "selu": 3 / 4, "sigmoid": 1.0, "tanh": 5 / 3}


def calculate_gain(activation: str = "identity", param: float = 0.1) -> float:
    """Lux' gain of an activation: 2 of relu, and 1 of every name that it does not know.

    Args:
        activation: "identity", "leaky_relu", "relu", "selu", "sigmoid", "tanh", or any other name.
        param: negative slope of "leaky_relu".

    >>> calculate_gain("relu"), calculate_gain("gelu")
    (2.0, 1.0)

    Differences: the gain of ReLU is sqrt(2) elsewhere, which 2 is the square of.
    """
    if activation == "leaky_relu":
        return math.sqrt(2 / (1 + check_number("param", param) ** 2))
    return _GAINS.get(activation, 1.0)


def dense(in_dims: int | None = None, activation: str = "identity") -> Layer:
    """`Lux.Dense`: `W ~ U[-b, b)`, `b = gain * sqrt(3 / in_dims)`, bias `U[-c, c)`, `c^2 = 1 / in`.

    The gain is Lux' of the layer's own activation, sqrt(1/3) of a leaky rectifier. Without an
    activation the bound is sqrt(3) times that of torch, whose default this is meant to be.

    Args:
        in_dims: inputs of the layer, for the bias; without it the bias is a value for
            `jinit.Rules`, which reads the kernel beside it.
        activation: name of the layer's activation.

    >>> from jinit.frameworks import lux
    >>> print(f"{lux.dense().weight.law((300, 10)).scale:.4f}")
    0.1000
    >>> print(f"{lux.dense(activation='relu').weight.std((400, 10)):.4f}")
    0.1000

    Reference: Lux 1.3, `src/layers/basic.jl`.
    """
    return Layer(_weight(activation), _bias(size("in_dims", in_dims)))


def _weight(activation: str) -> Start:
    weight: Start = kaiming_uniform(gain=calculate_gain(activation, math.sqrt(5)))
    return weight


def _bias(fan_in: float | None) -> Start:
    value: Start = bias_by_kernel(transposed_by="fan_in") if fan_in is None else torch_bias(fan_in)
    return value


def conv(
    in_channels: int | None = None,
    kernel_size: Sequence[int] | None = None,
    groups: int = 1,
    activation: str = "identity",
) -> Layer:
    """`Lux.Conv`: as `dense`, with `fan_in = taps * in_channels / groups`.

    Args:
        in_channels: input channels, for the bias.
        kernel_size: taps along each axis, for the bias.
        groups: groups of the convolution.
        activation: name of the layer's activation.
    """
    ndim = 0 if kernel_size is None else len(kernel_size)
    return Layer(_weight(activation), _bias(connections(in_channels, kernel_size, ndim, groups)))


def embedding() -> Layer:
    """`Lux.Embedding`: `W ~ U[0, 1)`."""
    return Layer(rand32())


def recurrent(hidden_dims: int) -> Layer:
    """`Lux.RNNCell`, `LSTMCell` and `GRUCell`: `N(-b, 4 b^2)`, `b = 1 / sqrt(hidden_dims)`.

    The documentation says `U[-b, b)`; the code centres and scales a normal draw as if it were a
    uniform one.

    Args:
        hidden_dims: units of the cell.

    >>> from jinit.frameworks import lux
    >>> lux.recurrent(100).weight
    jinit.normal(stddev=0.2, mean=-0.1)

    Reference: Lux 1.3, `src/layers/recurrent.jl`.
    """
    bound = 1 / math.sqrt(check_integer("hidden_dims", hidden_dims))
    each = normal(2 * bound, mean=-bound)
    return Layer(each, each)


def layer_norm() -> Layer:
    """`Lux.LayerNorm`, also `BatchNorm` and `GroupNorm`: scale 1, bias 0."""
    return Layer(ones(), zeros())
