"""OLMo: the starts of its first and second generation.

May import: `jinit.checks`, `jinit.initializer`, `jinit.schemes`, and of `jinit.model` leaf,
ruleset, values; of `jinit.frameworks` kernels; of `jinit.presets` depth, names, pieces.
"""

from typing import Any

from jinit.checks import check_choice
from jinit.frameworks.kernels import cut_normal_by_fan, cut_normal_by_features
from jinit.initializer import Initializer
from jinit.model.leaf import Leaf
from jinit.model.ruleset import Rules
from jinit.model.values import per_leaf
from jinit.presets.depth import depth_factor
from jinit.presets.names import EMBEDDINGS, RESIDUAL, WEIGHTS
from jinit.presets.pieces import each, ones_and_zeros, preset, times
from jinit.schemes.distributions import truncated_normal

__all__ = ["mitchell_normal", "olmo"]


def olmo(variant: str = "mitchell", *, stddev: float = 0.02, residual: Any = RESIDUAL) -> Rules:
    """OLMo: `N(0, 1 / fan_in)` cut at 3 std, over `sqrt(2 (l + 1))` where block l writes.

    | leaf | "mitchell" (OLMo 1) | "olmo2" |
    |---|---|---|
    | attention's and MLP's output in block l | T(1 / sqrt(2 fan_in (l + 1))) | T(stddev) |
    | other weights, the head included | T(1 / sqrt(fan_in)) | T(stddev) |
    | token embeddings | T(1 / sqrt(features)) | T(stddev) |
    | scales of norms; biases | 1; 0 | 1; 0 |

    T(s) is `N(0, s^2)` cut at 3 s and not widened, of std 0.9866 s.

    Args:
        variant: "mitchell" or "olmo2".
        stddev: of weights under "olmo2".
        residual: under "mitchell", selectors of the projections that write to the residual
            stream, each of which must hit, in numbered or stacked blocks; the default knows
            `attn_out` and `ff_out`, and the names of `jinit.presets.gpt2`.

    Returns:
        The rules.

    Raises:
        ValueError: `variant` is unknown.

    >>> import jax, jinit
    >>> kernel = lambda *shape: {"kernel": jax.ShapeDtypeStruct(shape, "float32")}
    >>> shapes = {f"blocks_{i}": {"attn_out": kernel(16, 16), "ff_out": kernel(64, 16)}
    ...           for i in range(2)}
    >>> plan = jinit.plan(shapes, jinit.presets.olmo())
    >>> [f"{(row.std / 0.98658) ** -2:.0f}" for row in plan]
    ['32', '128', '64', '256']

    Reference: Groeneveld et al. 2024 (arXiv:2402.00838); allenai/OLMo, `olmo/initialization.py`.
    """
    check_choice("variant", variant, ("mitchell", "olmo2"))
    if variant == "olmo2":
        same = truncated_normal(stddev, lower=-3.0, upper=3.0)
        return preset("olmo", [*ones_and_zeros(), (EMBEDDINGS | WEIGHTS, same)])
    by_fan = cut_normal_by_fan(cut=3.0)
    return preset(
        "olmo",
        [
            *each("olmo", "residual", residual, mitchell_normal()),
            *ones_and_zeros(),
            (EMBEDDINGS, cut_normal_by_features(cut=3.0)),
            (WEIGHTS, by_fan),
        ],
    )


@per_leaf
def mitchell_normal(leaf: Leaf) -> Initializer:
    """`N(0, 1 / (2 fan_in (l + 1)))` in block l, cut at 3 standard deviations and not widened."""
    factor = depth_factor(leaf, None, 2, per_layer=True)
    return times(cut_normal_by_fan(leaf, cut=3.0), factor)
