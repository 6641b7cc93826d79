"""GPT-2: normal of one standard deviation, residual projections divided by the depth's root.

May import: `jinit.schemes`, and of `jinit.model` ruleset; of `jinit.presets` depth, names, pieces.
"""

from typing import Any

from jinit.model.ruleset import Rules
from jinit.presets.depth import check_depth, over_depth
from jinit.presets.names import EMBEDDINGS, POSITIONS, RESIDUAL, WEIGHTS
from jinit.presets.pieces import each, needed, ones_and_zeros, preset
from jinit.schemes.distributions import normal

__all__ = ["gpt2"]


def gpt2(
    n_layer: int | None = None,
    *,
    stddev: float = 0.02,
    position_stddev: float = 0.01,
    residual: Any = RESIDUAL,
    position: Any = POSITIONS,
) -> Rules:
    """GPT-2: `N(0, 0.02^2)`, and `N(0, (0.02 / sqrt(2 n_layer))^2)` where the stream is written to.

    | leaf | law |
    |---|---|
    | attention and MLP output projections | `N(0, (stddev / sqrt(2 n_layer))^2)` |
    | position embeddings | `N(0, position_stddev^2)` |
    | token embeddings and every other weight | `N(0, stddev^2)` |
    | biases, shifts of norms | 0 |
    | scales of norms | 1 |

    Args:
        n_layer: how many blocks; None counts those of the model.
        stddev: of weights.
        position_stddev: of learned positions; the authors' code has 0.01, Hugging Face's and
            nanoGPT 0.02.
        residual: selectors of the projections that write to the residual stream, each of which
            must hit; the default knows `c_proj`, `out`, `out_proj`, `o_proj`, `wo`, ... of an
            attention and `c_proj`, `down`, `fc2`, `wo`, `w2`, ... of an MLP.
        position: patterns of the learned positions (`wpe`, `pos_embed`, ...), which must be
            there; None if the model has none.

    Returns:
        The rules.

    Raises:
        ValueError: `n_layer` or a standard deviation is out of range.

    >>> import jax, jinit
    >>> shapes = {"wte": {"embedding": jax.ShapeDtypeStruct((100, 16), "float32")},
    ...           "wpe": {"embedding": jax.ShapeDtypeStruct((32, 16), "float32")},
    ...           "h_0": {"attn": {"c_proj": {"kernel": jax.ShapeDtypeStruct((16, 16), "float32")}},
    ...                   "mlp": {"c_proj": {"kernel": jax.ShapeDtypeStruct((64, 16), "float32")}}}}
    >>> plan = jinit.plan(shapes, jinit.presets.gpt2(n_layer=8))
    >>> [row.std for row in plan]
    [0.005, 0.005, 0.01, 0.02]

    Reference: Radford et al. 2019, section 2.3; openai/gpt-2, `src/model.py`. The paper speaks of
    1 / sqrt(N), N the number of residual layers, of which a block has two.
    """
    check_depth(n_layer)
    base = normal(stddev)
    return preset(
        "gpt2",
        [
            *each("gpt2", "residual", residual, over_depth(init=base, n_layer=n_layer)),
            *needed("gpt2", "position", position, normal(position_stddev)),
            *ones_and_zeros(),
            (EMBEDDINGS | WEIGHTS, base),
        ],
    )
