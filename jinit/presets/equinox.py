"""Equinox: the laws that eqx.nn's layers start from.

May import: `jinit.checks`, and of `jinit.model` ruleset, selectors; of `jinit.frameworks` equinox;
of `jinit.presets` names, pieces.
"""

from typing import Any

from jinit.checks import check_integer
from jinit.frameworks import equinox
from jinit.model.ruleset import Rules
from jinit.model.selectors import by_role
from jinit.presets.names import CELLS, EMBEDDINGS, WEIGHTS, any_of
from jinit.presets.pieces import ones_and_zeros, preset

__all__ = ["equinox_default"]


def equinox_default(*, cells: Any = CELLS, hidden_size: int | None = None) -> Rules:
    """eqx.nn's layers: `U[-c, c)`, `c = 1 / sqrt(fan_in)`, for weights and biases alike.

    | leaf | law |
    |---|---|
    | kernels, transposed convolutions included | `U[-c, c)`, `c = 1 / sqrt(taps * inputs)` |
    | biases | the same, by the kernel beside them |
    | every parameter of a recurrent cell | `U[-c, c)`, `c = 1 / sqrt(hidden_size)` |
    | embeddings | `N(0, 1)` |
    | slope of PReLU | 0.25 |
    | norms | scale 1, shift 0 |

    Args:
        cells: patterns of the recurrent cells.
        hidden_size: of the cells, where a layer does not tell, as in NNX's fused cells.

    Returns:
        The rules. Equinox has no LoRA, and neither have they.

    >>> import jax, jinit
    >>> shapes = {"fc": {"kernel": jax.ShapeDtypeStruct((300, 10), "float32")}}
    >>> print(f"{jinit.plan(shapes, jinit.presets.equinox_default())['fc/kernel'].std:.4f}")
    0.0333

    Reference: equinox 0.13, `equinox/nn/_linear.py`, `_conv.py`, `_rnn.py`, `_embedding.py`.

    Differences: torch has the same laws, but takes the output channels of a transposed
    convolution for its inputs.
    """
    if hidden_size is not None:
        check_integer("hidden_size", hidden_size)
    biases, linear = by_role("bias"), equinox.linear()
    return preset(
        "equinox_default",
        [
            (any_of(cells) & (WEIGHTS | biases), equinox.lstm_cell(hidden_size).weight),
            (biases, linear.bias),
            *ones_and_zeros(),
            ("**/negative_slope", equinox.prelu().weight),
            (EMBEDDINGS, equinox.embedding().weight),
            (WEIGHTS, linear.weight),
        ],
    )
