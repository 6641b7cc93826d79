"""What the layers of `torch.nn` start from.

May import: `jinit.checks`, `jinit.schemes`, and of `jinit.frameworks`
cells, kernels, layers, torch.scaled.

A layer's function takes what its bias depends on, under torch's names, and returns the schemes.
Without these sizes the weight is complete, since its shape tells, and the bias is a value for
`jinit.Rules`, which reads the kernel beside it. Kernels are in JAX's order, `(*taps, in, out)`;
`layout="OI..."` is torch's.

>>> from jinit.frameworks import torch
>>> print(f"{torch.linear(784).bias.std((10,)):.4f} {torch.linear().weight.std((784, 10)):.4f}")
0.0206 0.0206
>>> torch.linear().bias
bias_by_kernel()
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from jinit.checks import check_integer
from jinit.frameworks.cells import uniform_by_hidden
from jinit.frameworks.kernels import attention_in_uniform, bias_by_kernel
from jinit.frameworks.layers import Layer, Start, connections, size
from jinit.frameworks.torch.scaled import kaiming_uniform_, xavier_normal_, xavier_uniform_
from jinit.initializer import Initializer
from jinit.schemes.bias import torch_bias
from jinit.schemes.combinators import zero_rows
from jinit.schemes.constants import constant, ones, zeros
from jinit.schemes.distributions import normal
from jinit.schemes.glorot import glorot_uniform
from jinit.schemes.he import he_uniform

__all__ = [
    "Attention",
    "Recurrent",
    "batch_norm",
    "bilinear",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "embedding",
    "gru",
    "layer_norm",
    "linear",
    "lstm",
    "multihead_attention",
    "prelu",
    "rnn",
]

_SLOPE = math.sqrt(5)  # of kaiming_uniform_: gain sqrt(1/3), so that the bound is 1 / sqrt(fan)
_Taps = int | Sequence[int] | None


class Recurrent(NamedTuple):
    """The start of a recurrent layer; torch's names of its parameters, without their numbers."""

    weight_ih: Start
    weight_hh: Start
    bias_ih: Start
    bias_hh: Start


class Attention(NamedTuple):
    """The start of an attention layer.

    Attributes:
        in_proj_weight: query, key and value as one kernel `(embed_dim, 3 * embed_dim)`, as torch
            stores them; None where their inputs differ in size.
        query: the same of the query alone.
        key: of the key alone.
        value: of the value alone.
        in_proj_bias: of these three.
        out_proj_weight: of the output projection.
        out_proj_bias: of the output projection.
        bias_k: `(1, 1, embed_dim)`, appended to the keys.
        bias_v: the same, appended to the values.
    """

    in_proj_weight: Initializer | None
    query: Start
    key: Start
    value: Start
    in_proj_bias: Initializer
    out_proj_weight: Initializer
    out_proj_bias: Initializer
    bias_k: Initializer
    bias_v: Initializer


def linear(in_features: int | None = None, *, layout: str | None = None) -> Layer:
    """`torch.nn.Linear`: weight and bias `~ U[-c, c)`, `c = 1 / sqrt(in_features)`.

    The weight's law is written `kaiming_uniform_(a=sqrt(5))` in torch; its standard deviation is
    1 / sqrt(3 in_features), and no activation's gain.

    Args:
        in_features: inputs of the layer, for the bias.
        layout: "OI" for a weight stored in torch's order.

    >>> from jinit.frameworks import torch
    >>> start = torch.linear(300)
    >>> print(f"{start.weight.std((300, 1000)):.4f} {start.bias.std((1000,)):.4f}")
    0.0333 0.0333

    Reference: torch 2.13, `torch/nn/modules/linear.py`.

    Differences: `flax.linen.Dense` has sqrt(3) times the weights' spread, and no bias at start.
    """
    return Layer(kaiming_uniform_(a=_SLOPE, layout=layout), _bias(size("in_features", in_features)))


def _bias(fan_in: float | None) -> Start:
    value: Start = bias_by_kernel() if fan_in is None else torch_bias(fan_in)
    return value


def _conv(channels: int | None, taps: _Taps, groups: int, layout: str | None, ndim: int) -> Layer:
    weight = kaiming_uniform_(a=_SLOPE, layout=layout)
    return Layer(weight, _bias(connections(channels, taps, ndim, groups)))


def conv1d(
    in_channels: int | None = None,
    kernel_size: _Taps = None,
    groups: int = 1,
    *,
    layout: str | None = None,
) -> Layer:
    """`torch.nn.Conv1d`: weight and bias `~ U[-c, c)`, `c = 1 / sqrt(taps * in / groups)`.

    Args:
        in_channels: input channels, for the bias.
        kernel_size: taps, for the bias.
        groups: groups of the convolution.
        layout: "OIW" for a weight stored in torch's order.
    """
    return _conv(in_channels, kernel_size, groups, layout, 1)


def conv2d(
    in_channels: int | None = None,
    kernel_size: _Taps = None,
    groups: int = 1,
    *,
    layout: str | None = None,
) -> Layer:
    """`torch.nn.Conv2d`: weight and bias `~ U[-c, c)`, `c = 1 / sqrt(taps * in / groups)`.

    Args:
        in_channels: input channels, for the bias.
        kernel_size: taps along each axis, or one number for both, for the bias.
        groups: groups of the convolution.
        layout: "OIHW" for a weight stored in torch's order.

    >>> from jinit.frameworks import torch
    >>> start = torch.conv2d(64, 3, groups=4)
    >>> print(f"{start.weight.std((3, 3, 16, 128)):.4f} {start.bias.std((128,)):.4f}")
    0.0481 0.0481

    Reference: torch 2.13, `torch/nn/modules/conv.py`.
    """
    return _conv(in_channels, kernel_size, groups, layout, 2)


def conv3d(
    in_channels: int | None = None,
    kernel_size: _Taps = None,
    groups: int = 1,
    *,
    layout: str | None = None,
) -> Layer:
    """`torch.nn.Conv3d`: weight and bias `~ U[-c, c)`, `c = 1 / sqrt(taps * in / groups)`.

    Args:
        in_channels: input channels, for the bias.
        kernel_size: taps along each axis, or one number for all, for the bias.
        groups: groups of the convolution.
        layout: "OIDHW" for a weight stored in torch's order.
    """
    return _conv(in_channels, kernel_size, groups, layout, 3)


def _transposed(
    channels: int | None, taps: _Taps, groups: int, layout: str | None, ndim: int
) -> Layer:
    # Stored as (in, out / groups, *taps), torch's weight holds one group's outputs already.
    own = groups if layout is None else 1
    weight = he_uniform(negative_slope=_SLOPE, mode="fan_out", groups=own, layout=layout)
    return Layer(weight, _bias(connections(channels, taps, ndim, groups)))


def conv_transpose1d(
    out_channels: int | None = None,
    kernel_size: _Taps = None,
    groups: int = 1,
    *,
    layout: str | None = None,
) -> Layer:
    """`torch.nn.ConvTranspose1d`: `~ U[-c, c)`, `c = 1 / sqrt(taps * out / groups)`.

    Torch takes the second axis of its weight, here the outputs, for the inputs.

    Args:
        out_channels: output channels, for the bias.
        kernel_size: taps, for the bias.
        groups: groups of the convolution.
        layout: "IOW" for a weight stored in torch's order.
    """
    return _transposed(out_channels, kernel_size, groups, layout, 1)


def conv_transpose2d(
    out_channels: int | None = None,
    kernel_size: _Taps = None,
    groups: int = 1,
    *,
    layout: str | None = None,
) -> Layer:
    """`torch.nn.ConvTranspose2d`: `~ U[-c, c)`, `c = 1 / sqrt(taps * out / groups)`.

    Torch takes the second axis of its weight, here the outputs, for the inputs.

    Args:
        out_channels: output channels, for the bias.
        kernel_size: taps along each axis, or one number for both, for the bias.
        groups: groups of the convolution.
        layout: "IOHW" for a weight stored in torch's order.

    >>> from jinit.frameworks import torch
    >>> print(f"{torch.conv_transpose2d().weight.std((3, 3, 4, 8)) ** -2 / 3:.0f}")
    72
    """
    return _transposed(out_channels, kernel_size, groups, layout, 2)


def conv_transpose3d(
    out_channels: int | None = None,
    kernel_size: _Taps = None,
    groups: int = 1,
    *,
    layout: str | None = None,
) -> Layer:
    """`torch.nn.ConvTranspose3d`: `~ U[-c, c)`, `c = 1 / sqrt(taps * out / groups)`.

    Torch takes the second axis of its weight, here the outputs, for the inputs.

    Args:
        out_channels: output channels, for the bias.
        kernel_size: taps along each axis, or one number for all, for the bias.
        groups: groups of the convolution.
        layout: "IODHW" for a weight stored in torch's order.
    """
    return _transposed(out_channels, kernel_size, groups, layout, 3)


def bilinear(in1_features: int | None = None) -> Layer:
    """`torch.nn.Bilinear`: weight and bias `~ U[-c, c)`, `c = 1 / sqrt(in1_features)`.

    Args:
        in1_features: size of the first input. Without it the weight reads it from the first axis
            of a kernel `(in1, in2, out)`, and there is no bias to give.
    """
    inputs = size("in1_features", in1_features)
    if inputs is None:
        return Layer(kaiming_uniform_(a=_SLOPE, in_axis=-3, out_axis=-1, batch_axis=-2))
    return Layer(torch_bias(inputs), torch_bias(inputs))


def embedding(padding_idx: int | None = None) -> Layer:
    """`torch.nn.Embedding`: `W ~ N(0, 1)`, and 0 in the row `padding_idx`.

    Args:
        padding_idx: the row that stands for padding; None if there is none.

    >>> from jinit.frameworks import torch
    >>> torch.embedding(0).weight
    jinit.zero_rows(init=jinit.normal(stddev=1.0), rows=0)

    Differences: `flax.linen.Embed` has `N(0, 1 / features)`.
    """
    if padding_idx is None:
        return Layer(normal(1.0))
    return Layer(zero_rows(normal(1.0), check_integer("padding_idx", padding_idx, least=0)))


def rnn(hidden_size: int | None = None) -> Recurrent:
    """`torch.nn.RNN`: every weight and bias `~ U[-c, c)`, `c = 1 / sqrt(hidden_size)`.

    Args:
        hidden_size: units of the layer. Without it the schemes are values for `jinit.Rules`,
            which read it from the cell.

    >>> from jinit.frameworks import torch
    >>> print(f"{torch.rnn(48).weight_ih.std((20, 48)):.4f}")
    0.0833
    """
    hidden = size("hidden_size", hidden_size)
    each: Start = uniform_by_hidden(hidden_size=None) if hidden is None else torch_bias(hidden)
    return Recurrent(each, each, each, each)


def lstm(hidden_size: int | None = None) -> Recurrent:
    """`torch.nn.LSTM`: every weight and bias `~ U[-c, c)`, `c = 1 / sqrt(hidden_size)`.

    Torch adds its two biases; a cell with one has less of a bias than torch's, by sqrt(2).

    Args:
        hidden_size: units of the layer; as in `rnn`.
    """
    return rnn(hidden_size)


def gru(hidden_size: int | None = None) -> Recurrent:
    """`torch.nn.GRU`: every weight and bias `~ U[-c, c)`, `c = 1 / sqrt(hidden_size)`.

    Args:
        hidden_size: units of the layer; as in `rnn`.
    """
    return rnn(hidden_size)


def multihead_attention(
    embed_dim: int | None = None, kdim: int | None = None, vdim: int | None = None
) -> Attention:
    """`torch.nn.MultiheadAttention`: `U[-b, b)`, `b = sqrt(6 / (4 embed_dim))`, biases 0.

    Query, key and value are one matrix to torch, whose Xavier bound is therefore smaller than
    that of three, by sqrt(2). Where `kdim` or `vdim` differ from `embed_dim` they are three.

    Args:
        embed_dim: width of the model. Without it query, key and value apart are values for
            `jinit.Rules`, which read it from the kernel.
        kdim: width of the keys' input, if another.
        vdim: width of the values' input, if another.

    >>> from jinit.frameworks import torch
    >>> start = torch.multihead_attention(128)
    >>> print(f"{start.query.std((128, 128)):.4f} {start.in_proj_weight.std((128, 384)):.4f}")
    0.0625 0.0625

    Reference: torch 2.13, `torch/nn/modules/activation.py`.
    """
    width = size("embed_dim", embed_dim)
    apart = any(size(name, dim) not in (None, width) for name, dim in _dims(kdim, vdim))
    part: Any = xavier_uniform_() if apart else attention_in_uniform()
    if width is not None and not apart:
        part = glorot_uniform(fans=(width, 3 * width))
    # (1, 1, embed_dim) to torch's rule: one input, one output and embed_dim taps.
    appended = xavier_normal_(layout="OI...")
    whole = None if apart else xavier_uniform_()
    none = zeros()
    return Attention(
        whole, part, part, part, none, kaiming_uniform_(a=_SLOPE), none, appended, appended
    )


def _dims(kdim: int | None, vdim: int | None) -> tuple[tuple[str, int | None], ...]:
    return ("kdim", kdim), ("vdim", vdim)


def layer_norm() -> Layer:
    """`torch.nn.LayerNorm`, also `GroupNorm` and `RMSNorm`: weight 1, bias 0."""
    return Layer(ones(), zeros())


def batch_norm() -> Layer:
    """`torch.nn.BatchNorm1d` to `3d`: weight 1, bias 0; running mean 0, running variance 1."""
    return Layer(ones(), zeros())


def prelu() -> Layer:
    """`torch.nn.PReLU`: weight 0.25."""
    return Layer(constant(0.25))
