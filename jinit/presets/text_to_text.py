"""T5: attention logits that need no scaling, because the queries start small.

May import: `jinit.checks`, `jinit.initializer`, `jinit.schemes`, and of `jinit.model` leaf,
ruleset, values; of `jinit.presets` names, pieces.
"""

import math
from typing import Any

from jinit.checks import check_choice, check_integer
from jinit.initializer import Initializer
from jinit.model.leaf import Leaf
from jinit.model.ruleset import Rules
from jinit.model.values import per_leaf
from jinit.presets.names import EMBEDDINGS, HEAD, KEY, QUERY, VALUE, WEIGHTS, any_of, inside
from jinit.presets.pieces import needed, ones_and_zeros, preset
from jinit.schemes.distributions import normal
from jinit.schemes.glorot import glorot_uniform
from jinit.schemes.lecun import lecun_normal
from jinit.schemes.variance import variance_scaling

__all__ = ["RELATIVE_BIAS", "t5", "t5_query", "t5_relative_bias"]

RELATIVE_BIAS = (
    *inside("relative_attention_bias", "relpos_bias", "rel_embedding"),
    *inside("relative_position_bias"),
)


def t5(
    *,
    variant: str = "t5x",
    head_dim: int | None = None,
    d_model: int | None = None,
    query: Any = QUERY,
    head: Any = HEAD,
    relative_bias: Any = RELATIVE_BIAS,
) -> Rules:
    """T5: `Var W = 1 / fan_in`, queries `1 / (fan_in head_dim)`, embeddings `N(0, 1)`.

    | leaf | "t5x" | "huggingface" |
    |---|---|---|
    | query | `N(0, 1 / (fan_in head_dim))` | the same |
    | key, value, attention's output | `N(0, 1 / fan_in)` | the same |
    | weights of the MLP | the same, cut at 2 std and widened | `N(0, 1 / fan_in)` |
    | token embeddings | `N(0, 1)` | `N(0, 1)` |
    | output head, where not tied | `Var W = 1 / fan_in`, cut and widened | `N(0, 1)` |
    | relative position bias | `U[-b, b)`, `b = sqrt(6 / (heads + buckets))` | `N(0, 1 / d_model)` |
    | scales of norms; biases | 1; 0 | 1; 0 |

    For transformers that do not divide attention's logits by sqrt(head_dim): the queries' law
    does that.

    Args:
        variant: "t5x", Google's JAX code, or "huggingface".
        head_dim: size of an attention head, where the query's kernel does not show it by having
            an axis for the heads and one for that.
        d_model: width of the model, for the relative position bias of "huggingface".
        query: patterns of the query projections (`query`, `q`, `q_proj`, ...), which must be there.
        head: patterns of the output head (`lm_head`, `logits_dense`, ...), which must be there;
            None if it is the embedding's table.
        relative_bias: patterns of the relative position bias (`relative_attention_bias`,
            `relpos_bias`, ...), which must be there; None if there is none.

    Returns:
        The rules.

    Raises:
        ValueError: `variant` is unknown; when planning, `head_dim` or `d_model` is needed.

    >>> import jax, jinit
    >>> shapes = {"attention": {"query": {"kernel": jax.ShapeDtypeStruct((100, 48), "float32")}}}
    >>> rules = jinit.presets.t5(head_dim=16, head=None, relative_bias=None)
    >>> print(f"{jinit.plan(shapes, rules)['attention/query/kernel'].std:.4f}")
    0.0250

    Reference: Raffel et al. 2020 (arXiv:1910.10683); google-research/t5x,
    `examples/t5/layers.py` and `network.py`; transformers, `modeling_t5.py`.
    """
    check_choice("variant", variant, ("huggingface", "t5x"))
    for name, value in (("head_dim", head_dim), ("d_model", d_model)):
        if value is not None:
            check_integer(name, value)
    t5x = variant == "t5x"
    uncut = variance_scaling(1.0, "fan_in", "normal")
    bias = t5_relative_bias(uniform=t5x, d_model=d_model)
    attention = KEY | VALUE | any_of("**/*{attn,ttention}*/**")
    return preset(
        "t5",
        [
            *needed("t5", "relative_bias", relative_bias, bias),
            *needed("t5", "query", query, t5_query(head_dim=head_dim)),
            *needed("t5", "head", head, lecun_normal if t5x else normal(1.0)),
            *ones_and_zeros(),
            (EMBEDDINGS, normal(1.0)),
            (attention & WEIGHTS, uncut),
            (WEIGHTS, lecun_normal if t5x else uncut),
        ],
    )


@per_leaf
def t5_query(leaf: Leaf, *, head_dim: int | None = None) -> Initializer:
    """`N(0, 1 / (fan_in head_dim))`."""
    if head_dim is None:
        head_dim = _head_dim(leaf)
    return normal(1 / math.sqrt(leaf.fans.fan_in * head_dim))


def _head_dim(leaf: Leaf) -> int:
    if leaf.axes is None or len(leaf.axes.out_axis) != 2:
        raise ValueError(
            f"the query kernel {leaf} does not show the size of a head, which (inputs, heads, "
            "head_dim) would; give `head_dim`"
        )
    return leaf.shape[leaf.axes.out_axis[1]]


@per_leaf
def t5_relative_bias(leaf: Leaf, *, uniform: bool, d_model: int | None = None) -> Initializer:
    """Glorot's uniform law of the table as a matrix, or `N(0, 1 / d_model)`."""
    if uniform:
        rows, columns = leaf.shape[-2:]
        return glorot_uniform(fans=(rows, columns))
    if d_model is None:
        raise ValueError(f"the law of {leaf} goes by the width of the model; give `d_model`")
    return normal(1 / math.sqrt(d_model))
