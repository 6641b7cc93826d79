"""Laws that frameworks give a layer by default, where a scheme alone cannot tell them.

May import: `jinit.fans`, `jinit.initializer`, `jinit.schemes`, and of `jinit.model` leaf, values.
"""

import math

from jinit.fans import Fans, compute_fans
from jinit.initializer import Initializer
from jinit.model.leaf import Leaf
from jinit.model.values import per_leaf
from jinit.schemes.bias import torch_bias
from jinit.schemes.constants import zeros
from jinit.schemes.distributions import truncated_normal
from jinit.schemes.glorot import glorot_uniform
from jinit.schemes.lecun import lecun_normal

__all__ = [
    "attention_in_uniform",
    "bias_by_kernel",
    "convolution_bias",
    "cut_normal_by_fan",
    "cut_normal_by_features",
    "lecun_by_shape",
    "shape_fans",
]


def shape_fans(leaf: Leaf) -> Fans:
    """Fans as frameworks read them of a kernel's shape: strides and groups of outputs unseen.

    A convolution of stride 2 has, in fact, a quarter of the fan_out that it has here.
    """
    if leaf.axes is None:
        return leaf.fans
    return compute_fans(leaf.shape, **leaf.axes._asdict())


@per_leaf
def bias_by_kernel(leaf: Leaf, *, transposed_by: str = "fan_out") -> Initializer:
    """`U[-c, c)`, `c = 1 / sqrt(fan)` of the kernel beside it; 0 where there is none.

    `transposed_by` names the fan that counts for transposed convolutions.
    """
    kernel = next((one for one in leaf.siblings.values() if len(one.shape) > len(leaf.shape)), None)
    if kernel is None:
        return torch_bias(0)
    if kernel.role != "conv_transpose":
        return torch_bias(kernel.fans.fan_in)
    by_output = transposed_by == "fan_out"
    return torch_bias(kernel.fans.fan_out if by_output else shape_fans(kernel).fan_in)


@per_leaf
def convolution_bias(leaf: Leaf) -> Initializer:
    """Torch's law of a convolution's bias, and 0 for the bias of any other layer."""
    by_conv = any(_is_convolution(one) for one in leaf.siblings.values())
    return bias_by_kernel(leaf) if by_conv else zeros()


def _is_convolution(leaf: Leaf) -> bool:
    """Whether a kernel is one, or may be, where no layer tells."""
    may_be = leaf.role == "unknown" and len(leaf.shape) - len(leaf.stack) > 2
    return may_be or leaf.role in ("conv", "depthwise")


@per_leaf
def cut_normal_by_fan(leaf: Leaf, *, cut: float = 2.0) -> Initializer:
    """`N(0, 1 / fan_in)` cut at `cut` standard deviations and not widened again."""
    fan_in = shape_fans(leaf).fan_in
    return truncated_normal(1 / math.sqrt(fan_in) if fan_in else 0.0, lower=-cut, upper=cut)


@per_leaf
def cut_normal_by_features(leaf: Leaf, *, cut: float = 2.0) -> Initializer:
    """`N(0, 1 / features)` cut at `cut` standard deviations and not widened, of an embedding."""
    features = leaf.shape[-1]
    return truncated_normal(1 / math.sqrt(features) if features else 0.0, lower=-cut, upper=cut)


@per_leaf
def lecun_by_shape(leaf: Leaf) -> Initializer:
    """LeCun's normal law by the fans that a kernel's shape shows, strides unseen."""
    return lecun_normal(fans=shape_fans(leaf))


@per_leaf
def attention_in_uniform(leaf: Leaf) -> Initializer:
    """Glorot's uniform law of query, key and value as one matrix, for one of the three."""
    fans = leaf.fans
    return glorot_uniform(fans=(fans.fan_in, 3 * fans.fan_out))
