"""DiT: blocks that start as the identity, because what modulates them starts at zero.

May import: `jinit.schemes`, and of `jinit.model` ruleset, selectors; of `jinit.presets` names,
pieces, vision.
"""

from typing import Any

from jinit.model.ruleset import Rules
from jinit.model.selectors import by_role
from jinit.presets.names import EMBEDDINGS, WEIGHTS, inside
from jinit.presets.pieces import needed, ones_and_zeros, preset
from jinit.presets.vision import patch_glorot
from jinit.schemes.constants import zeros
from jinit.schemes.distributions import normal
from jinit.schemes.glorot import glorot_uniform

__all__ = ["CONDITIONING", "FINAL", "MODULATION", "dit"]

MODULATION = "**/*{adaLN,adaln,ada_ln,AdaLN,adaLayer,odulation}*/**"
CONDITIONING = (
    "**/*{t_embed,time_embed,timestep_embed,mestepEmbed,y_embed,label_embed,belEmbed}*/**"
)
FINAL = (
    "**/*{final_layer,FinalLayer}*/**/{fc,linear,out,out_proj,proj}/**",
    *inside("final_linear", "final_proj", "proj_out"),
)


def dit(
    *, modulation: Any = MODULATION, final: Any = FINAL, conditioning: Any = CONDITIONING
) -> Rules:
    """DiT (adaLN-Zero): Glorot's uniform projections, and zeros for modulation and output.

    | leaf | law |
    |---|---|
    | last layer of every adaLN modulation, its bias too | 0 |
    | output projection, its bias too | 0 |
    | MLP of the time step, table of labels | `N(0, 0.02^2)`, biases 0 |
    | patch embedding | Glorot uniform, as the matrix (taps * inputs, outputs) |
    | all other weights | Glorot uniform |
    | other biases; norms | 0; scale 1, shift 0 |

    Every block is the identity at the start, and the output is 0: gates, scales and shifts come
    from the modulation.

    Args:
        modulation: patterns of the layers that make shifts, scales and gates (`adaLN_modulation`,
            ...), which must be there.
        final: patterns of the output projection (`final_layer/linear`, `proj_out`, ...), which
            must be there.
        conditioning: patterns of the embeddings of time steps and labels (`t_embedder`,
            `y_embedder`, ...), which must be there; None if there are none.

    Returns:
        The rules. Positions are fixed sines in DiT; where they are parameters, give them a rule.

    >>> import jax, jinit
    >>> kernel = lambda *shape: {"kernel": jax.ShapeDtypeStruct(shape, "float32")}
    >>> shapes = {"block_0": {"adaLN_modulation": kernel(64, 384), "mlp": kernel(64, 256)},
    ...           "final_layer": {"linear": kernel(64, 8)},
    ...           "t_embedder": {"Dense_0": kernel(256, 64)}}
    >>> [f"{row.std:.4f}" for row in jinit.plan(shapes, jinit.presets.dit())]
    ['0.0000', '0.0791', '0.0000', '0.0200']

    Reference: Peebles and Xie 2023 (arXiv:2212.09748); facebookresearch/DiT, `models.py`,
    `initialize_weights`.
    """
    zeroed = zeros()
    small = normal(0.02)
    return preset(
        "dit",
        [
            *needed("dit", "modulation", modulation, zeroed),
            *needed("dit", "final", final, zeroed),
            *needed("dit", "conditioning", conditioning, small),
            *ones_and_zeros(),
            (EMBEDDINGS, small),
            (by_role("conv"), patch_glorot()),
            (WEIGHTS, glorot_uniform),
        ],
    )
