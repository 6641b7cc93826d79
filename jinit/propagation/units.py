"""Units: which axes of a layer's outcome are its features, the others being positions.

May import: the standard library, jax, `jinit.axes`, and of `jinit.tracing` atoms.
"""

from collections.abc import Sequence

from jax.extend.core import JaxprEqn

from jinit.axes import Shape
from jinit.tracing.atoms import shape_of

__all__ = ["last_axis", "moved_units", "unit_axes"]


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
    return last_axis(shape_of(eqn.outvars[0]))


def moved_units(eqn: JaxprEqn, units: Shape) -> Shape:
    """The axes of units after an operation that keeps values, from those before it."""
    before, after = shape_of(eqn.invars[0]), shape_of(eqn.outvars[0])
    if eqn.primitive.name == "transpose":
        order = eqn.params["permutation"]
        return tuple(sorted(order.index(axis) for axis in units))
    return units if len(before) == len(after) else last_axis(after)


def last_axis(shape: Shape) -> Shape:
    """Where units are unless something tells: along the last of several axes."""
    return (len(shape) - 1,) if len(shape) > 1 else ()


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
