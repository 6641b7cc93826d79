"""Units: which axes of a layer's outcome are its features, the others being positions.

May import: the standard library, jax, `jinit.axes`, and of `jinit.tracing` atoms.
"""

from collections.abc import Sequence

from jax.extend.core import JaxprEqn

from jinit.axes import Shape
from jinit.tracing.atoms import shape_of

__all__ = ["unit_axes"]


def unit_axes(eqn: JaxprEqn, weights: Sequence[bool]) -> Shape:
    """The axes of a layer's outcome that come from its weight: features, experts, heads.

    Args:
        eqn: the layer.
        weights: of each operand, whether it is the weight.
    """
    if eqn.primitive.name == "conv_general_dilated":
        return (int(eqn.params["dimension_numbers"].out_spec[1]),)
    if eqn.primitive.name == "dot_general":
        return _of_product(eqn, weights.index(True))
    ndim = len(shape_of(eqn.outvars[0]))
    return (ndim - 1,) if ndim > 1 else ()


def _of_product(eqn: JaxprEqn, side: int) -> Shape:
    """Axes of the outcome of `dot_general`: those shared, then those left of either operand."""
    contracted, batch = eqn.params["dimension_numbers"]
    shared = len(batch[0])
    left = [
        len(shape_of(atom)) - len(summed) - shared
        for atom, summed in zip(eqn.invars, contracted, strict=True)
    ]
    first = shared + side * left[0]
    return (*range(shared), *range(first, first + left[side]))
