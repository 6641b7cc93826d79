"""Haiku: the laws that its modules start from.

May import: of `jinit.model` ruleset, selectors; of `jinit.frameworks` cells, haiku; of
`jinit.presets` names, pieces.
"""

from jinit.frameworks import haiku
from jinit.frameworks.cells import forget_gate_bias
from jinit.model.ruleset import Rules
from jinit.model.selectors import by_role
from jinit.presets.names import EMBEDDINGS, WEIGHTS
from jinit.presets.pieces import ones_and_zeros, preset

__all__ = ["haiku_default"]


def haiku_default() -> Rules:
    """Haiku's modules: `N(0, 1 / fan_in)` cut at 2 std and not widened, std 0.88 / sqrt(fan_in).

    | leaf | law |
    |---|---|
    | dense, einsum and convolution kernels | `N(0, 1 / fan_in)` cut at 2 std |
    | both kernels of a GRU, other recurrent kernels | the same, widened to `Var W = 1 / fan_in` |
    | embeddings | `N(0, 1)` cut at 2 std |
    | bias of an LSTM's forget gate | 1, but 0 in Haiku's own models, which add the 1 as they run |
    | norms | scale 1, shift 0 |
    | other biases | 0 |

    Returns:
        The rules. Haiku has neither LoRA nor PReLU, and neither have they.

    >>> import jax, jinit
    >>> shapes = {"linear": {"w": jax.ShapeDtypeStruct((400, 10), "float32")}}
    >>> print(f"{jinit.plan(shapes, jinit.presets.haiku_default())['linear/w'].std:.4f}")
    0.0440

    Reference: dm-haiku 0.0.17, `haiku/_src/basic.py`, `conv.py`, `recurrent.py`, `embed.py`.

    Differences: `hk.LSTM` has one kernel for input and state; of kernels that are apart each goes
    by its own fan. `hk.MultiHeadAttention` has no default; here its projections are linear layers.
    """
    return preset(
        "haiku_default",
        [
            (by_role("bias"), forget_gate_bias()),
            *ones_and_zeros(),
            (by_role("recurrent") | "**/w_i", haiku.gru().weight),
            (EMBEDDINGS, haiku.embed().weight),
            (WEIGHTS, haiku.linear().weight),
        ],
    )
