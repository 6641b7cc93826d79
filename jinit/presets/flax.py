"""Flax: the laws that Linen's and NNX's layers start from when left alone.

May import: `jinit.schemes`, and of `jinit.model` ruleset, selectors; of `jinit.frameworks` kernels;
of `jinit.presets` names, pieces.
"""

from jinit.frameworks.kernels import lecun_by_shape
from jinit.model.ruleset import Rules
from jinit.model.selectors import by_role
from jinit.presets.names import EMBEDDINGS, WEIGHTS
from jinit.presets.pieces import ones_and_zeros, preset
from jinit.schemes.constants import constant, ones, zeros
from jinit.schemes.embeddings import embedding
from jinit.schemes.he import he_uniform
from jinit.schemes.lecun import lecun_normal
from jinit.schemes.orthogonality import orthogonal

__all__ = ["flax_default"]


def flax_default() -> Rules:
    """Flax's layers: `lecun_normal` kernels, orthogonal recurrent ones, zero biases.

    | leaf | law |
    |---|---|
    | dense, convolution and einsum kernels | normal cut at 2 std, `Var W = 1 / (taps * inputs)` |
    | embeddings | `N(0, 1 / features)` |
    | recurrent kernels | orthogonal |
    | LoRA factors | A: `U[-b, b)`, `b = sqrt(6 / fan_in)`; B: 0 |
    | slope of PReLU | 0.01 |
    | scales of norms; forget gate of `MGUCell` | 1 |
    | biases, shifts of norms | 0 |

    Returns:
        The rules. Parameters that a model's own modules make, such as class tokens, follow none
        of them: add rules, `jinit.presets.flax_default() | {"cls": jinit.zeros}`.

    >>> import jax, jinit
    >>> shapes = {"Dense_0": {"kernel": jax.ShapeDtypeStruct((64, 8), "float32"),
    ...                       "bias": jax.ShapeDtypeStruct((8,), "float32")}}
    >>> plan = jinit.plan(shapes, jinit.presets.flax_default())
    >>> print(f"{plan['Dense_0/kernel'].std:.3f}")
    0.125

    Reference: flax 0.12, `flax/linen/linear.py`, `recurrent.py` and `flax/nnx/nn`.

    Differences: fan_in counts the taps and what a layer contracts. Flax itself also counts the
    batch axes of `DenseGeneral` and `Einsum` and the positions of `ConvLocal`, and takes the
    outputs for inputs under `ConvTranspose(transpose_kernel=True)`. Strides count in neither.
    """
    return preset(
        "flax_default",
        [
            ("**/if/bias", ones),
            *ones_and_zeros(),
            ("**/negative_slope", constant(0.01)),
            (by_role("lora_a"), he_uniform(negative_slope=0.0)),
            (by_role("lora_b"), zeros),
            (by_role("recurrent"), orthogonal),
            (EMBEDDINGS, embedding),
            (by_role("conv_transpose"), lecun_by_shape()),
            (WEIGHTS, lecun_normal),
        ],
    )
