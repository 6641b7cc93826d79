"""What PyTorch's recurrent layers become: gates apart, or joined as the cell keeps them.

May import: the standard library, and of `jinit.pretrained` operations, recipes, sources,
torch_layers.

PyTorch stacks gates in rows, (gates * hidden, in): i, f, g, o of an LSTM, r, z, n of a GRU, and
has two biases, of which Flax's cells keep the sum; a GRU's candidate keeps both.
"""

from collections.abc import Mapping, Sequence

from jinit.pretrained.operations import Operation, Transpose, part
from jinit.pretrained.recipes import Joined, Recipe, Tensor
from jinit.pretrained.torch_layers import Layer

__all__ = ["recurrent"]

# By the number of gates, what Linen and NNX call each gate, in PyTorch's order.
_GATES = {4: "ifgo", 3: "rzn", 1: ("",)}
_JOINED = {"dense_i": "ih", "dense_h": "hh"}


def recurrent(
    names: Mapping[str, str], layers: Sequence[Layer], hidden: int, rows: int
) -> dict[str, Recipe]:
    """Recipes of a cell's leaves, by path.

    Args:
        names: of the tensors in the source, by what the module calls them.
        layers: leaves of the cell.
        hidden: how many hidden units there are.
        rows: rows of the input weight: hidden units times gates.

    Raises:
        ValueError: a leaf cannot hold what the checkpoint has.
    """
    gates = _GATES.get(rows // hidden, ("",))
    cell = _Cell(names, gates)
    made: dict[str, Recipe] = {}
    biased = {layer.within[0] for layer in layers if layer.within[-1] == "bias"}
    for layer in layers:
        if len(layer.within) == 2:
            recipe = cell.recipe(layer.within[0], layer.within[1], biased)
            if recipe is not None:
                made[layer.wanted.path] = recipe
    return made


class _Cell:
    """The tensors of one cell, and their gates."""

    def __init__(self, names: Mapping[str, str], gates: Sequence[str]) -> None:
        self.names, self.gates = names, gates

    def recipe(self, module: str, name: str, biased: set[str]) -> Recipe | None:
        """What a leaf is made of: `module` is "ii" for the input gate's input, and the like."""
        if module in _JOINED:
            if len(self.gates) == 3 and name == "bias" and "bias_hh" in self.names:
                raise ValueError(
                    "this GRU keeps one bias for its candidate, and PyTorch's has two that cannot "
                    "be added; use flax.linen.GRUCell, which has both"
                )
            return self._whole(_JOINED[module], name)
        side, gate = {"i": "ih", "h": "hh"}.get(module[:1]), module[1:].rstrip("_")
        if side is None or gate not in self.gates:
            return None
        number = self.gates.index(gate)
        cut = (part(number, len(self.gates)),) if len(self.gates) > 1 else ()
        if name == "kernel":
            return self._tensor(f"weight_{side}", (*cut, Transpose((1, 0))))
        both = f"i{module[1:]}" in biased and f"h{module[1:]}" in biased
        return self._tensor(f"bias_{side}", cut) if both else self._sum(cut)

    def _whole(self, side: str, name: str) -> Recipe | None:
        if name == "kernel":
            return self._tensor(f"weight_{side}", (Transpose((1, 0)),))
        return self._sum(())

    def _tensor(self, name: str, operations: tuple[Operation, ...]) -> Tensor | None:
        return Tensor(self.names[name], operations) if name in self.names else None

    def _sum(self, cut: tuple[Operation, ...]) -> Recipe | None:
        parts = [self._tensor(name, cut) for name in ("bias_ih", "bias_hh")]
        there: tuple[Recipe, ...] = tuple(one for one in parts if one is not None)
        return Joined(there, "sum") if there else None
