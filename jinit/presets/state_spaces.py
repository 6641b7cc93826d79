"""Mamba: step sizes, decay rates, and layers that start as torch's do.

May import: `jinit.checks`, `jinit.initializer`, `jinit.schemes`, and of `jinit.model` leaf,
ruleset, selectors, values; of `jinit.frameworks` kernels; of `jinit.presets` depth, names,
pieces.
"""

import math
from typing import Any

from jinit.checks import check_integer
from jinit.frameworks.kernels import convolution_bias
from jinit.initializer import Initializer
from jinit.model.leaf import Leaf
from jinit.model.ruleset import Rules
from jinit.model.selectors import by_role
from jinit.model.values import per_leaf
from jinit.presets.depth import check_depth, over_depth
from jinit.presets.names import EMBEDDINGS, WEIGHTS
from jinit.presets.pieces import needed, ones_and_zeros, preset
from jinit.schemes.constants import ones
from jinit.schemes.distributions import normal, uniform
from jinit.schemes.he import he_uniform
from jinit.schemes.mamba import mamba2_a_log, mamba_a_log, mamba_dt_bias

__all__ = ["decay_rates", "mamba", "step_projection"]


def mamba(
    n_layer: int | None = None,
    *,
    branches: int = 1,
    stddev: float = 0.02,
    out: Any = "**/out_proj/**",
    step_bias: Any = ("**/dt_proj/bias", "**/dt_bias"),
    step_weight: Any = "**/dt_proj/{kernel,weight,w}",
    decay: Any = "**/A_log",
    skip: Any = "**/D",
) -> Rules:
    """Mamba and Mamba-2: log-uniform steps, rates of decay, torch's layers, a shrunk output.

    | leaf | law |
    |---|---|
    | `A_log` (channels, states) | `log(1), ..., log(states)` in every row |
    | `A_log` (heads) | `log a`, `a ~ U[1, 16)` |
    | `D` | 1 |
    | step bias | `softplus(b)` log-uniform in [0.001, 0.1) |
    | step projection of Mamba | `U[-c, c)`, `c = 1 / sqrt(fan_in)` |
    | output projection | `U[-c, c)`, `c = 1 / sqrt(fan_in branches n_layer)` |
    | convolution, its bias too | `U[-c, c)`, `c = 1 / sqrt(taps)` |
    | all other weights | `U[-c, c)`, `c = 1 / sqrt(fan_in)`, biases 0 |
    | embeddings | `N(0, stddev^2)` |
    | norms | scale 1, shift 0 |

    Args:
        n_layer: how many blocks; None counts those of the model.
        branches: residual branches of a block: 1, or 2 where an MLP follows.
        stddev: of the embeddings.
        out: patterns of the output projections, which must be there.
        step_bias: patterns of the biases of the step sizes, which must be there.
        step_weight: patterns of the projections to step sizes, which must be there; None in
            Mamba-2, which has none.
        decay: patterns of `A_log`, which must be there.
        skip: patterns of `D`, which must be there; None if there is none.

    Returns:
        The rules.

    Raises:
        ValueError: `n_layer` or `branches` is no positive number.

    >>> import jax, jinit
    >>> array = lambda *shape: jax.ShapeDtypeStruct(shape, "float32")
    >>> shapes = {"layers_0": {"mixer": {"A_log": array(8), "D": array(8), "dt_bias": array(8),
    ...                                  "out_proj": {"kernel": array(300, 64)}}}}
    >>> plan = jinit.plan(shapes, jinit.presets.mamba(n_layer=4, step_weight=None))
    >>> print(f"{plan['layers_0/mixer/out_proj/kernel'].std:.4f}")
    0.0167

    Reference: Gu and Dao 2023 (arXiv:2312.00752); Dao and Gu 2024 (arXiv:2405.21060);
    state-spaces/mamba, `modules/mamba_simple.py`, `modules/mamba2.py`, `mixer_seq_simple.py`.
    """
    check_depth(n_layer)
    check_integer("branches", branches)
    linear = he_uniform(negative_slope=5**0.5)
    shrunk = over_depth(init=linear, n_layer=n_layer, branches=branches)
    return preset(
        "mamba",
        [
            *needed("mamba", "decay", decay, decay_rates(), vectors=True),
            *needed("mamba", "skip", skip, ones, vectors=True),
            *needed("mamba", "step_bias", step_bias, mamba_dt_bias, vectors=True),
            *needed("mamba", "step_weight", step_weight, step_projection()),
            *needed("mamba", "out", out, shrunk),
            (by_role("bias"), convolution_bias()),
            *ones_and_zeros(),
            (EMBEDDINGS, normal(stddev)),
            (WEIGHTS, linear),
        ],
    )


@per_leaf
def decay_rates(leaf: Leaf) -> Initializer:
    """Mamba's decay rates for a table of channels and states, Mamba-2's for one number a head."""
    table = len(leaf.shape) - len(leaf.stack) > 1
    return mamba_a_log() if table else mamba2_a_log()


@per_leaf
def step_projection(leaf: Leaf) -> Initializer:
    """`U[-c, c)`, `c = 1 / sqrt(fan_in)`, the fan being the rank of the step sizes."""
    return uniform(bound=1 / math.sqrt(leaf.fans.fan_in))
