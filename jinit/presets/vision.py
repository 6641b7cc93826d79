"""Vision transformers: the three starts in use.

May import: `jinit.checks`, `jinit.initializer`, `jinit.schemes`, and of `jinit.model` leaf,
ruleset, selectors, values; of `jinit.frameworks` kernels; of `jinit.presets` names, pieces.
"""

import math
from typing import Any

from jinit.checks import check_choice, check_number
from jinit.frameworks.kernels import convolution_bias
from jinit.initializer import Initializer
from jinit.model.leaf import Leaf
from jinit.model.ruleset import Rules
from jinit.model.selectors import by_role
from jinit.model.values import per_leaf
from jinit.presets.names import (
    FUSED_QKV,
    HEAD,
    MLP,
    POSITIONS,
    WEIGHTS,
    any_of,
    inside,
    modules,
)
from jinit.presets.pieces import needed, ones_and_zeros, preset
from jinit.schemes.constants import constant, zeros
from jinit.schemes.distributions import normal
from jinit.schemes.glorot import glorot_uniform
from jinit.schemes.he import he_uniform
from jinit.schemes.lecun import lecun_normal

__all__ = ["CLASS_TOKENS", "fused_glorot", "patch_glorot", "vit"]

CLASS_TOKENS = inside("cls", "cls_token", "class_token", "dist_token", "reg_token", "register")

_CONV, _BIASES = by_role("conv"), by_role("bias")


def vit(
    variant: str = "jax",
    *,
    head: Any = HEAD,
    head_bias: float = 0.0,
    mlp: Any = MLP,
    position: Any = POSITIONS,
    class_token: Any = CLASS_TOKENS,
) -> Rules:
    """Vision transformer: Glorot's uniform projections, or `N(0, 0.02^2)` in timm.

    | leaf | "jax" | "timm" | "moco" |
    |---|---|---|---|
    | projections of attention and MLP | Glorot uniform | `N(0, 0.02^2)` | Glorot uniform |
    | query, key and value in one matrix | Glorot uniform | `N(0, 0.02^2)` | each of the three |
    | biases of the MLP | `N(0, 1e-12)` | 0 | 0 |
    | output head | 0, its bias `head_bias` | `N(0, 0.02^2)`, 0 | Glorot uniform, 0 |
    | dense layer before the head (`pre_logits`) | LeCun normal | `N(0, 0.02^2)` | Glorot uniform |
    | patch embedding | LeCun normal | `U[-c, c)`, `c = 1 / sqrt(fan_in)` | Glorot, as a matrix |
    | its bias | 0 | the same | 0 |
    | class tokens | 0 | `N(0, 1e-12)` | `N(0, 1e-12)` |
    | learned positions | `N(0, 0.02^2)` | `N(0, 0.02^2)` | `N(0, 0.02^2)` |
    | other biases; norms | 0; scale 1, shift 0 | the same | the same |

    Args:
        variant: "jax", the authors' code; "timm", its default; or "moco", that of MoCo v3.
        head: patterns of the output head (`head`, `lm_head`, ...), which must be there; None if
            there is none.
        head_bias: bias of the head under "jax", such as `-log(classes)` before a sigmoid.
        mlp: patterns of the MLPs, whose biases "jax" sets apart.
        position: patterns of learned positions.
        class_token: patterns of class and register tokens.

    Returns:
        The rules. Positions and tokens are parameters of no layer: those that the patterns do not
        hit are hit by no rule, which is an error.

    Raises:
        ValueError: `variant` is unknown.

    >>> import jax, jinit
    >>> shapes = {"Dense_0": {"kernel": jax.ShapeDtypeStruct((100, 500), "float32")},
    ...           "head": {"kernel": jax.ShapeDtypeStruct((100, 10), "float32")},
    ...           "pos_embedding": jax.ShapeDtypeStruct((1, 49, 100), "float32")}
    >>> plan = jinit.plan(shapes, jinit.presets.vit())
    >>> [f"{row.std:.4f}" for row in plan]
    ['0.0577', '0.0000', '0.0200']

    Reference: Dosovitskiy et al. 2021 (arXiv:2010.11929); google-research/vision_transformer,
    `models_vit.py`; timm, `vision_transformer.py`; Chen et al. 2021 (arXiv:2104.02057), `vits.py`.

    Differences: timm cuts at absolute bounds of 2, which is 100 standard deviations, and not at
    all in effect. MoCo v3 fixes its positions to sines and cosines; those learned are timm's.
    """
    check_choice("variant", variant, tuple(_VARIANTS))
    check_number("head_bias", head_bias)
    tokens = zeros() if variant == "jax" else normal(1e-6)
    return preset(
        "vit",
        [
            *_VARIANTS[variant](head, head_bias, mlp),
            *ones_and_zeros(),
            (any_of(class_token), tokens),
            (any_of(position), normal(0.02)),
            (WEIGHTS, normal(0.02) if variant == "timm" else glorot_uniform),
        ],
    )


def _jax(head: Any, head_bias: float, mlp: Any) -> list[Any]:
    return [
        *needed("vit", "head", head, zeros),
        *([] if head is None else [(modules(head) & _BIASES, constant(head_bias))]),
        (modules(mlp) & _BIASES, normal(1e-6)),
        (any_of(inside("pre_logits")) & WEIGHTS, lecun_normal),
        (_CONV, lecun_normal),
    ]


def _timm(head: Any, head_bias: float, mlp: Any) -> list[Any]:
    return [
        *needed("vit", "head", head, normal(0.02)),
        (_CONV, he_uniform(negative_slope=5**0.5)),
        (_BIASES, convolution_bias()),
    ]


def _moco(head: Any, head_bias: float, mlp: Any) -> list[Any]:
    return [
        *needed("vit", "head", head, glorot_uniform),
        (FUSED_QKV, fused_glorot(parts=3)),
        (_CONV, patch_glorot()),
    ]


_VARIANTS = {"jax": _jax, "moco": _moco, "timm": _timm}


@per_leaf
def fused_glorot(leaf: Leaf, *, parts: int) -> Initializer:
    """Glorot's uniform law of each of `parts` equal matrices that one kernel holds side by side."""
    fans = leaf.fans
    return glorot_uniform(fans=(fans.fan_in, fans.fan_out / parts))


@per_leaf
def patch_glorot(leaf: Leaf) -> Initializer:
    """Glorot's uniform law of a convolution that sees each pixel once: (taps * inputs, outputs)."""
    if leaf.axes is None:
        raise ValueError(f"the axes of {leaf} are not known; pass the model, or `layouts=`")
    outputs = math.prod(leaf.shape[axis] for axis in leaf.axes.out_axis)
    return glorot_uniform(fans=(leaf.fans.fan_in, outputs))
