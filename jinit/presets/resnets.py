"""ResNets: He's law by outputs, and residual branches that may start at zero.

May import: `jinit.checks`, `jinit.initializer`, `jinit.schemes`, and of `jinit.model` leaf,
ruleset, selectors, values; of `jinit.frameworks` kernels; of `jinit.presets` names, pieces.
"""

from typing import Any

from jinit.checks import check_choice
from jinit.frameworks.kernels import bias_by_kernel, shape_fans
from jinit.initializer import Initializer
from jinit.model.leaf import Leaf
from jinit.model.ruleset import Rules
from jinit.model.selectors import by_role
from jinit.model.values import per_leaf
from jinit.presets.names import WEIGHTS, any_of
from jinit.presets.pieces import NORM_SCALES, needed, ones_and_zeros, preset
from jinit.schemes.constants import zeros
from jinit.schemes.he import he_normal, he_uniform

__all__ = ["he_by_outputs", "refuse_third_norm", "resnet"]

_NORM = "*{Block,block,ottleneck,layer,stage}*"
_LAST = {
    "basic": (f"**/{_NORM}/**/{{bn2,norm2,gn2,BatchNorm_1,GroupNorm_1}}/*",),
    "bottleneck": (f"**/{_NORM}/**/{{bn3,norm3,gn3,BatchNorm_2,GroupNorm_2}}/*",),
}


def resnet(
    *,
    zero_init_residual: bool = False,
    block: str = "bottleneck",
    last_norm: Any = None,
) -> Rules:
    """ResNet: convolutions `N(0, 2 / (taps * outputs))`, norms 1, and torch's linear head.

    | leaf | law |
    |---|---|
    | convolutions | `N(0, 2 / (taps * outputs))`, not cut |
    | scale of the last norm of every block, under `zero_init_residual` | 0 |
    | other scales of norms | 1 |
    | dense layers (the head), their biases too | `U[-c, c)`, `c = 1 / sqrt(fan_in)` |
    | biases of convolutions, shifts of norms | 0; torch's law in torchvision, which has none |

    With `zero_init_residual` each block starts as the identity, which lets large batches train.

    Args:
        zero_init_residual: whether the last norm of each block starts at 0.
        block: "basic", of two convolutions, or "bottleneck", of three: which norm is the last.
        last_norm: patterns of the last norms' scales, in place of those that `block` means: in a
            numbered `bn3`, `norm3` or `BatchNorm_2` (basic: `bn2`, `norm2`, `BatchNorm_1`) of a
            module that is called a block, bottleneck, layer or stage. They must be there.

    Returns:
        The rules.

    Raises:
        ValueError: `block` is unknown; when planning, blocks said to be basic have a third norm.

    >>> import jax, jinit
    >>> shapes = {"layer1_0": {f"bn{i}": {"scale": jax.ShapeDtypeStruct((64,), "float32"),
    ...                                   "bias": jax.ShapeDtypeStruct((64,), "float32")}
    ...                        for i in (1, 2, 3)}}
    >>> plan = jinit.plan(shapes, jinit.presets.resnet(zero_init_residual=True))
    >>> [plan[f"layer1_0/bn{i}/scale"].scheme for i in (1, 2, 3)]
    [jinit.ones(), jinit.ones(), jinit.zeros()]

    Reference: He et al. 2015 (arXiv:1502.01852), equation 14; Goyal et al. 2017
    (arXiv:1706.02677); torchvision, `models/resnet.py`.

    Differences: strides and groups do not lessen the fan, as in torch. Flax's ImageNet example
    starts its convolutions by `lecun_normal` and its last norms at 0.
    """
    check_choice("block", block, tuple(_LAST))
    return preset(
        "resnet",
        [
            *(_zeroed(block, last_norm) if zero_init_residual else []),
            *ones_and_zeros()[:1],
            (by_role("bias"), head_bias()),
            *ones_and_zeros()[1:],
            (by_role("conv", "depthwise"), he_by_outputs()),
            (WEIGHTS, he_uniform(negative_slope=5**0.5)),
        ],
    )


def _zeroed(block: str, last_norm: Any) -> list[Any]:
    if last_norm is not None:
        scales = any_of(last_norm) & NORM_SCALES
        return list(needed("resnet", "last_norm", scales, zeros, vectors=True))
    third = [(any_of(_LAST["bottleneck"]) & NORM_SCALES, refuse_third_norm())]
    scales = any_of(_LAST[block]) & NORM_SCALES
    rules = needed("resnet", "last_norm", scales, zeros, vectors=True)
    return [*(third if block == "basic" else []), *rules]


@per_leaf
def refuse_third_norm(leaf: Leaf) -> Initializer:
    """An error: a block said to have two norms has a third."""
    raise ValueError(
        f"{leaf} looks like the last norm of a bottleneck block, and `block` is 'basic'; give "
        "`block='bottleneck'`, or say which norms are the last: `last_norm=`"
    )


@per_leaf
def head_bias(leaf: Leaf) -> Initializer:
    """Torch's law of a dense layer's bias, and 0 for the bias of a convolution."""
    dense = any(one.role in ("dense", "einsum") for one in leaf.siblings.values())
    return bias_by_kernel(leaf) if dense else zeros()


@per_leaf
def he_by_outputs(leaf: Leaf) -> Initializer:
    """`N(0, 2 / (taps * outputs))`, strides and groups unseen."""
    return he_normal(
        mode="fan_out", negative_slope=0.0, distribution="normal", fans=shape_fans(leaf)
    )
