"""GPT-NeoX: small initialization, and Wang's for what writes to the residual stream.

May import: `jinit.initializer`, `jinit.schemes`, and of `jinit.model` leaf, ruleset, values; of
`jinit.presets` depth, names, pieces.
"""

import math
from typing import Any

from jinit.initializer import Initializer
from jinit.model.leaf import Leaf
from jinit.model.ruleset import Rules
from jinit.model.values import per_leaf
from jinit.presets.depth import check_depth, depth_factor
from jinit.presets.names import EMBEDDINGS, RESIDUAL, WEIGHTS
from jinit.presets.pieces import each, ones_and_zeros, preset
from jinit.schemes.distributions import normal

__all__ = ["neox", "small_normal", "wang_normal"]


def neox(n_layer: int | None = None, *, residual: Any = RESIDUAL) -> Rules:
    """GPT-NeoX: `Var W = 2 / (5 d)`; std `2 / (n_layer sqrt(d))` where the stream is written to.

    | leaf | law, d the width of the residual stream |
    |---|---|
    | attention's and MLP's output | `N(0, 4 / (n_layer^2 d))` |
    | embeddings and all other weights | `N(0, 2 / (5 d))` |
    | scales of norms; biases | 1; 0 |

    Args:
        n_layer: how many blocks; None counts those of the model.
        residual: selectors of the projections that write to the residual stream, each of which
            must hit; the default knows an attention's `dense`, `out`, ... and an MLP's
            `dense_4h_to_h`, `down`, ...

    Returns:
        The rules. Of an embedding d is read off the features, of weights that write to the stream
        off their outputs, of all others off their inputs.

    Raises:
        ValueError: `n_layer` is no positive number.

    >>> import jax, jinit
    >>> kernel = lambda *shape: {"kernel": jax.ShapeDtypeStruct(shape, "float32")}
    >>> attention = {"query_key_value": kernel(40, 120), "dense": kernel(40, 40)}
    >>> shapes = {"h_0": {"attention": attention, "mlp": {"dense_4h_to_h": kernel(160, 40)}}}
    >>> plan = jinit.plan(shapes, jinit.presets.neox(n_layer=10))
    >>> [f"{row.std:.4f}" for row in plan]
    ['0.0316', '0.1000', '0.0316']

    Reference: Nguyen and Salazar 2019 (arXiv:1910.05895); Black et al. 2022 (arXiv:2204.06745);
    EleutherAI/gpt-neox, `megatron/model/init_functions.py`.
    """
    check_depth(n_layer)
    return preset(
        "neox",
        [
            *each("neox", "residual", residual, wang_normal(n_layer=n_layer)),
            *ones_and_zeros(),
            (EMBEDDINGS | WEIGHTS, small_normal()),
        ],
    )


@per_leaf
def small_normal(leaf: Leaf) -> Initializer:
    """`N(0, 2 / (5 d))`, d the inputs of a weight, the features of an embedding."""
    return normal(math.sqrt(2 / (5 * leaf.fans.fan_in)))


@per_leaf
def wang_normal(leaf: Leaf, *, n_layer: int | None = None) -> Initializer:
    """`N(0, (2 / (n_layer sqrt(d)))^2)`, d the outputs of a weight."""
    depth = depth_factor(leaf, n_layer, 1, per_layer=False) ** -2
    return normal(2 / (depth * math.sqrt(leaf.fans.fan_out)))
