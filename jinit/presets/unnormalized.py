"""Fixup: residual networks without normalization.

May import: `jinit.checks`, `jinit.initializer`, `jinit.schemes`, and of `jinit.model` leaf,
ruleset, selectors, values; of `jinit.frameworks` kernels; of `jinit.presets` depth, names,
pieces.
"""

from typing import Any

from jinit.checks import check_choice, check_integer
from jinit.frameworks.kernels import shape_fans
from jinit.initializer import Initializer
from jinit.model.leaf import Leaf
from jinit.model.ruleset import Rules
from jinit.model.selectors import by_role
from jinit.model.values import per_leaf
from jinit.presets.names import HEAD, WEIGHTS, any_of, inside
from jinit.presets.pieces import needed, preset, times
from jinit.schemes.constants import ones, zeros
from jinit.schemes.he import he_normal

__all__ = ["SCALARS", "SHORTCUT", "fixup", "fixup_he"]

_BLOCK = "**/*{Block,block,ottleneck,layer,stage}*/**"
_LAST = {
    "basic": f"{_BLOCK}/{{conv2,conv_2,Conv_1}}/**",
    "bottleneck": f"{_BLOCK}/{{conv3,conv_3,Conv_2}}/**",
}
_BRANCH = {
    "basic": f"{_BLOCK}/{{conv1,conv_1,Conv_0}}/**",
    "bottleneck": f"{_BLOCK}/{{conv1,conv2,conv_1,conv_2,Conv_0,Conv_1}}/**",
}
_CONVOLUTIONS = {"basic": 2, "bottleneck": 3}

SHORTCUT = inside("conv_proj", "downsample", "proj", "projection", "shortcut")
SCALARS = ("**/{gain,mul,multiplier,scale}*",)


def fixup(
    n_block: int | None = None,
    *,
    block: str = "basic",
    last: Any = None,
    branch: Any = None,
    head: Any = HEAD,
    multiplier: Any = SCALARS,
) -> Rules:
    """Fixup: the last layer of every branch 0, its others He's law times `B^(-1 / (2 m - 2))`.

    | leaf | law |
    |---|---|
    | last convolution of a residual branch; head, its bias too | 0 |
    | other convolutions of a branch | `N(0, 2 / (taps * outputs))`, times `B^(-1 / (2 m - 2))` |
    | stem and shortcuts | `N(0, 2 / (taps * outputs))` |
    | multiplier of a branch | 1 |
    | biases, those of one number before each layer included | 0 |

    B is the number of blocks, m that of layers in a branch: 2 in basic blocks, which gives
    `B^(-1/2)`, 3 in bottlenecks, which gives `B^(-1/4)`.

    Args:
        n_block: how many residual blocks there are in all; None counts those of the model.
        block: "basic" or "bottleneck".
        last: patterns of the branches' last layers, in place of those that `block` means
            (`conv2` or `Conv_1`, in bottlenecks `conv3` or `Conv_2`), which must be there.
        branch: patterns of the branches' other layers, in place of those that `block` means.
        head: patterns of the output head (`head`, `fc`, `classifier`, ...), which must be there;
            None if there is none.
        multiplier: patterns of the scalar multipliers (`scale`, `multiplier`, `gain`, ...), one in
            each branch, which must be there.

    Returns:
        The rules. The model is to have a scalar bias before each layer and each activation, and a
        scalar multiplier at the end of each branch. The authors train scalars at a tenth of the
        learning rate.

    Raises:
        ValueError: `block` is unknown, or `n_block` no positive number.

    >>> import jax, jinit
    >>> kernel = lambda *shape: {"kernel": jax.ShapeDtypeStruct(shape, "float32")}
    >>> shapes = {f"block_{i}": {"conv1": kernel(64, 50), "conv2": kernel(50, 64),
    ...                          "scale": jax.ShapeDtypeStruct((), "float32")} for i in range(4)}
    >>> plan = jinit.plan(shapes, jinit.presets.fixup(head=None))
    >>> [f"{plan[f'block_0/{name}/kernel'].std:.2f}" for name in ("conv1", "conv2")]
    ['0.10', '0.00']

    Reference: Zhang, Dauphin and Ma 2019 (arXiv:1901.09321); hongyi-zhang/Fixup.
    """
    check_choice("block", block, tuple(_LAST))
    if n_block is not None:
        check_integer("n_block", n_block)
    shrunk = fixup_he(n_block=n_block, layers=_CONVOLUTIONS[block])
    return preset(
        "fixup",
        [
            *needed("fixup", "head", head, zeros),
            *needed("fixup", "last", _LAST[block] if last is None else last, zeros),
            *needed("fixup", "branch", _BRANCH[block] if branch is None else branch, shrunk),
            *needed("fixup", "multiplier", multiplier, ones, vectors=True),
            (by_role("bias") | "**/bias*", zeros),
            (any_of(SHORTCUT) | WEIGHTS, fixup_he(n_block=1, layers=2)),
        ],
    )


@per_leaf
def fixup_he(leaf: Leaf, *, n_block: int | None, layers: int) -> Initializer:
    """`N(0, 2 / (taps * outputs))` times `n_block^(-1 / (2 layers - 2))`."""
    if n_block is None and not leaf.in_block:
        raise ValueError(f"{leaf} is in no numbered block; give `n_block`")
    blocks = leaf.depth if n_block is None else n_block
    he = he_normal(mode="fan_out", negative_slope=0.0, distribution="normal", fans=shape_fans(leaf))
    return times(he, blocks ** (-1 / (2 * layers - 2)))
