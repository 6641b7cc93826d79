"""PyTorch: the laws that torch.nn's layers start from, on layers of JAX.

May import: `jinit.checks`, `jinit.schemes`, and of `jinit.model` ruleset, selectors, values; of
`jinit.frameworks` torch; of `jinit.presets` names, pieces.
"""

from typing import Any

from jinit.checks import check_integer
from jinit.frameworks import torch
from jinit.model.ruleset import Rule, Rules
from jinit.model.selectors import by_role
from jinit.model.values import as_value
from jinit.presets.names import CELLS, EMBEDDINGS, FUSED_QKV, KEY, QUERY, VALUE, WEIGHTS, any_of
from jinit.presets.pieces import SHIFTS, needed, ones_and_zeros, preset
from jinit.schemes.constants import zeros

__all__ = ["torch_default"]

_BIASES = by_role("bias")


def torch_default(
    *,
    padding_idx: int | None = None,
    attention: Any = None,
    cells: Any = CELLS,
    hidden_size: int | None = None,
) -> Rules:
    """torch.nn's layers: `U[-c, c)`, `c = 1 / sqrt(fan_in)`, for weights and biases alike.

    | leaf | law |
    |---|---|
    | dense, einsum and convolution kernels | `U[-c, c)`, `c = 1 / sqrt(fan_in)` |
    | transposed convolutions | the same, with torch's fan, taps times output channels |
    | biases | the same, by the fan of the kernel beside them |
    | every parameter of a recurrent cell | `U[-c, c)`, `c = 1 / sqrt(hidden_size)` |
    | embeddings | `N(0, 1)`, the row `padding_idx` 0 |
    | query, key, value of `attention` | `U[-b, b)`, `b = sqrt(6 / (4 inputs))`; biases 0 |
    | LoRA factors | A as dense kernels, B 0 (PEFT) |
    | slope of PReLU | 0.25 |
    | norms | scale 1, shift 0 |

    For models ported from PyTorch, which train differently from Flax's start: weights there have
    0.58 of the standard deviation.

    Args:
        padding_idx: the row of embeddings that stands for padding.
        attention: patterns of the modules that are `torch.nn.MultiheadAttention` in torch, which
            draws query, key and value as one matrix; None if projections are `torch.nn.Linear`.
        cells: patterns of the recurrent cells.
        hidden_size: of the cells, where a layer does not tell, as in NNX's fused cells.

    Returns:
        The rules.

    Raises:
        TypeError: `padding_idx` or `hidden_size` is no int.

    >>> import jax, jinit
    >>> shapes = {"fc": {"kernel": jax.ShapeDtypeStruct((300, 10), "float32"),
    ...                  "bias": jax.ShapeDtypeStruct((10,), "float32")}}
    >>> plan = jinit.plan(shapes, jinit.presets.torch_default())
    >>> print(f"{plan['fc/kernel'].std:.4f} {plan['fc/bias'].std:.4f}")
    0.0333 0.0333

    Reference: torch 2.13, `torch/nn/modules/linear.py`, `conv.py`, `rnn.py`, `activation.py`,
    `sparse.py`; PEFT, `lora/layer.py`.

    Differences: torch's cells have two biases, whose sum counts; the one here has the law of each.
    """
    if hidden_size is not None:
        check_integer("hidden_size", hidden_size)
    linear, cell = torch.linear(), torch.lstm(hidden_size)
    in_cells = any_of(cells) & (WEIGHTS | _BIASES)
    return preset(
        "torch_default",
        [
            *_attention_rules(attention),
            (in_cells, cell.weight_hh),
            (_BIASES, linear.bias),
            *ones_and_zeros(),
            ("**/negative_slope", torch.prelu().weight),
            (by_role("lora_a"), linear.weight),
            (by_role("lora_b"), zeros),
            (EMBEDDINGS, torch.embedding(padding_idx).weight),
            (by_role("conv_transpose"), torch.conv_transpose2d().weight),
            (WEIGHTS, linear.weight),
        ],
    )


def _attention_rules(attention: Any) -> list[Any]:
    if attention is None:
        return []
    inside, layer = any_of(attention), torch.multihead_attention()
    name, option = "torch_default", "attention"
    fused = Rule(inside & FUSED_QKV, as_value(layer.in_proj_weight), True, f"jinit.presets.{name}")
    biases = Rule(inside & SHIFTS, layer.in_proj_bias, True, f"jinit.presets.{name}")
    return [
        *needed(name, option, inside & (QUERY | KEY | VALUE), layer.query),
        fused,
        biases,
    ]
