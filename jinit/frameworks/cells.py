"""Recurrent cells: laws that go by the hidden size, and the bias of the gate that forgets.

May import: `jinit.initializer`, `jinit.schemes`, and of `jinit.model` leaf, values.
"""

from typing import Any

from jinit.initializer import Initializer
from jinit.model.leaf import Leaf
from jinit.model.values import per_leaf
from jinit.schemes.bias import torch_bias
from jinit.schemes.constants import constant, zeros
from jinit.schemes.gates import lstm_bias

__all__ = ["forget_gate_bias", "uniform_by_hidden"]

# Linen and NNX call the input kernel of gate g "ig"; "if" is no Python name.
_GATES_OF_INPUT = ("i", "ii", "if", "if_", "ig", "io", "ir", "iz", "in")


@per_leaf
def uniform_by_hidden(leaf: Leaf, *, hidden_size: int | None = None) -> Initializer:
    """`U[-c, c)`, `c = 1 / sqrt(hidden_size)`: every parameter of a cell in torch and Equinox."""
    return torch_bias(_hidden_size(leaf) if hidden_size is None else hidden_size)


def _hidden_size(leaf: Leaf) -> Any:
    """The hidden size of the cell that a parameter is of, from its layer."""
    family = [leaf, *leaf.siblings.values()]
    for member in family:
        if member.role == "recurrent":
            return member.fans.fan_in
    for member in family:
        if member.role == "dense" and member.parts[-2:-1] and member.parts[-2] in _GATES_OF_INPUT:
            return member.fans.fan_out
    raise ValueError(
        f"{leaf} is of a recurrent cell, and its layer alone does not tell the cell's hidden size; "
        "give `hidden_size`"
    )


@per_leaf
def forget_gate_bias(leaf: Leaf, *, forget: float = 1.0) -> Initializer:
    """0, and `forget` in an LSTM's forget gate: of a gate's own bias, or of all gates' in one."""
    owner = leaf.parts[-2] if len(leaf.parts) > 1 else ""
    if owner == "hf":
        return constant(forget)
    recurrent = next((s for s in leaf.siblings.values() if s.role == "recurrent"), None)
    fused = owner == "dense_h" or (recurrent is not None and leaf.layer == "LSTMCell")
    return lstm_bias(forget) if fused else zeros()
