"""MLP-Mixer: the defaults of Linen, and a head of zeros.

May import: `jinit.schemes`, and of `jinit.model` ruleset; of `jinit.presets` names, pieces.
"""

from typing import Any

from jinit.model.ruleset import Rules
from jinit.presets.names import HEAD, WEIGHTS
from jinit.presets.pieces import needed, ones_and_zeros, preset
from jinit.schemes.constants import zeros
from jinit.schemes.lecun import lecun_normal

__all__ = ["mlp_mixer"]


def mlp_mixer(*, head: Any = HEAD) -> Rules:
    """MLP-Mixer: `Var W = 1 / fan_in` throughout, and an output head of zeros.

    | leaf | law |
    |---|---|
    | stem, token and channel mixing | normal cut at 2 std, `Var W = 1 / fan_in` |
    | output head | 0 |
    | scales of norms | 1 |
    | biases, shifts of norms | 0 |

    Args:
        head: patterns of the output head (`head`, ...), which must be there; None if there is none.

    Returns:
        The rules.

    >>> import jax, jinit
    >>> shapes = {"MixerBlock_0": {"kernel49": jax.ShapeDtypeStruct((49, 256), "float32"),
    ...                            "bias49": jax.ShapeDtypeStruct((1, 256, 1), "float32")},
    ...           "head": {"kernel": jax.ShapeDtypeStruct((64, 10), "float32")}}
    >>> plan = jinit.plan(shapes, jinit.presets.mlp_mixer())
    >>> [f"{row.std:.4f}" for row in plan]
    ['0.0000', '0.1429', '0.0000']

    Reference: Tolstikhin et al. 2021 (arXiv:2105.01601); google-research/vision_transformer,
    `models_mixer.py`, whose blocks keep kernels and biases of their own, by number of patches.
    """
    return preset(
        "mlp_mixer",
        [
            *needed("mlp_mixer", "head", head, zeros),
            *ones_and_zeros(),
            ("**/bias*", zeros),
            (WEIGHTS, lecun_normal),
        ],
    )
