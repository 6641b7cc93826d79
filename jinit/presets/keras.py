"""Keras: the laws that its layers start from, on layers of JAX.

May import: `jinit.schemes`, and of `jinit.model` ruleset, selectors; of `jinit.frameworks` cells,
keras; of `jinit.presets` names, pieces.
"""

from jinit.frameworks import keras
from jinit.frameworks.cells import forget_gate_bias
from jinit.model.ruleset import Rules
from jinit.model.selectors import by_role
from jinit.presets.names import EMBEDDINGS, WEIGHTS
from jinit.presets.pieces import ones_and_zeros, preset
from jinit.schemes.orthogonality import orthogonal

__all__ = ["keras_default"]


def keras_default() -> Rules:
    """Keras' layers: Glorot's uniform kernels, orthogonal recurrent ones, zero biases.

    | leaf | law |
    |---|---|
    | dense, einsum and convolution kernels | `U[-b, b)`, `b = sqrt(6 / (fan_in + fan_out))` |
    | embeddings | `U[-0.05, 0.05)` |
    | recurrent kernels | orthogonal, all gates as one matrix where they are stored as one |
    | bias of an LSTM's forget gate | 1 |
    | LoRA factors | A: `U[-b, b)`, `b = sqrt(6 / fan_in)`; B: 0 |
    | slope of PReLU | 0 |
    | norms | scale 1, shift 0 |
    | other biases | 0 |

    Returns:
        The rules.

    >>> import jax, jinit
    >>> shapes = {"fc": {"kernel": jax.ShapeDtypeStruct((400, 200), "float32")}}
    >>> print(f"{jinit.plan(shapes, jinit.presets.keras_default())['fc/kernel'].std:.4f}")
    0.0577

    Reference: keras 3.15, `keras/src/layers` and `keras/src/initializers`.

    Differences: fans are Keras' own: a stride or groups do not lessen fan_out. A depthwise kernel
    with several outputs a channel is read as Keras' `Conv2D(groups=...)`, not `DepthwiseConv2D`.
    """
    return preset(
        "keras_default",
        [
            (by_role("bias"), forget_gate_bias()),
            *ones_and_zeros(),
            ("**/negative_slope", keras.Zeros()),
            (by_role("lora_a"), keras.HeUniform()),
            (by_role("lora_b"), keras.Zeros()),
            (by_role("recurrent"), orthogonal),
            (EMBEDDINGS, keras.embedding().weight),
            (WEIGHTS, keras.dense().weight),
        ],
    )
