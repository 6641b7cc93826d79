"""Residual branches that shrink with depth, whatever the rest of the rules say.

May import: `jinit.checks`, `jinit.initializer`, and of `jinit.model` leaf, ruleset, values; of
`jinit.presets` names, pieces.
"""

import math
from typing import Any

import numpy as np

from jinit.checks import check_integer
from jinit.initializer import Initializer
from jinit.model.leaf import Leaf
from jinit.model.ruleset import Rules, as_rules
from jinit.model.values import Keep, per_leaf
from jinit.presets.names import RESIDUAL
from jinit.presets.pieces import each, resolve, times

__all__ = ["check_depth", "depth_factor", "depth_scaled", "over_depth"]


def depth_scaled(
    rules: Any,
    n_layer: int | None = None,
    *,
    branches: int = 2,
    per_layer: bool = False,
    residual: Any = RESIDUAL,
) -> Rules:
    """Any rules, with residual-writing weights multiplied by `1 / sqrt(branches * n_layer)`.

    | leaf | law |
    |---|---|
    | weights that `residual` selects | what `rules` give them, over `sqrt(branches * n_layer)` |
    | everything else | what `rules` give it |

    The stream of a pre-norm transformer sums `branches * n_layer` branches; divided so, it leaves
    the last block with about twice the variance it entered the first with, at any depth.

    Args:
        rules: rules, or what makes them: a mapping, pairs, or one scheme for all leaves.
        n_layer: how many blocks there are; None counts those of the model, by the numbers in its
            paths or along its stacked axis.
        branches: how many branches a block adds to the stream: 2 for attention and MLP.
        per_layer: `1 / sqrt(branches * (l + 1))` in block l in place of one factor for all.
        residual: selectors of the weights that write to the stream, each of which must hit; one
            may be a list of patterns. The default knows an attention's `out`, `out_proj`,
            `o_proj`, `c_proj`, `wo`, ... and an MLP's `down`, `down_proj`, `c_proj`, `fc2`, `wo`,
            `w2`, ...: see `jinit.presets.names`.

    Returns:
        The rules. Those of `rules` that also hit other leaves stay as they are.

    Raises:
        ValueError: `n_layer` or `branches` is no positive number.

    >>> import jax, jinit
    >>> shapes = {f"h_{i}": {"attn": {"out": {"kernel": jax.ShapeDtypeStruct((64, 64), "float32")}}}
    ...           for i in range(8)}
    >>> rules = jinit.presets.depth_scaled(jinit.normal(0.02), residual=["**/out/**"])
    >>> jinit.plan(shapes, rules)["h_3/attn/out/kernel"].std
    0.005

    Reference: Radford et al. 2019 (GPT-2), section 2.3; `per_layer` is that of BEiT and OLMo.
    """
    check_depth(n_layer)
    check_integer("branches", branches)
    one = callable(rules)
    rest = Rules({"**": rules}, optional=True) if one else as_rules(rules)
    init = rules if one else rest
    value = over_depth(init=init, n_layer=n_layer, branches=branches, per_layer=per_layer)
    return Rules(each("depth_scaled", "residual", residual, value)) | rest


@per_leaf
def over_depth(
    leaf: Leaf,
    *,
    init: Any,
    n_layer: int | None = None,
    branches: int = 2,
    per_layer: bool = False,
) -> Initializer | Keep:
    """`init` for this leaf, over the root of how many branches there are, or are up to here."""
    found = resolve(init, leaf)
    if isinstance(found, Keep):
        raise ValueError(f"{leaf} is kept by the rules that are to be scaled; give it a scheme")
    return times(found, depth_factor(leaf, n_layer, branches, per_layer))


def depth_factor(leaf: Leaf, n_layer: int | None, branches: int, per_layer: bool) -> Any:
    """`1 / sqrt(branches * n_layer)`, or `1 / sqrt(branches * (l + 1))`, l the leaf's block.

    Raises:
        ValueError: the leaf is in no numbered block and nothing else tells the depth.
    """
    if not leaf.in_block and (per_layer or n_layer is None):
        way_out = "leave out `per_layer`" if per_layer else "give `n_layer`"
        raise ValueError(
            f"{leaf} is in no numbered block (such as 'h_3' or 'layers/3') and no stack, which "
            f"would tell its depth; {way_out}"
        )
    if per_layer:
        factor = 1 / np.sqrt(branches * (np.asarray(leaf.index) + 1.0))
        return factor if factor.ndim else float(factor)
    return 1 / math.sqrt(branches * (leaf.depth if n_layer is None else n_layer))


def check_depth(n_layer: int | None) -> int | None:
    """`n_layer`, if it is None or a positive int."""
    return None if n_layer is None else check_integer("n_layer", n_layer)
