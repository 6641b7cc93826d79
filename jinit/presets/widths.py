"""How a leaf grows with the width of a model, read off its shape in a narrower one.

May import: the standard library, and of `jinit.model` leaf; of `jinit.presets` names.
"""

import math
from typing import NamedTuple

from jinit.model.leaf import Leaf
from jinit.presets.names import VECTORS

__all__ = ["Width", "compare_widths"]


class Width(NamedTuple):
    """How a leaf grows: its kind, and how many times as many inputs and outputs it has.

    `kind` is "input", "hidden", "output", "vector" or "fixed": see `Scaling`.
    """

    kind: str
    inputs: float = 1.0
    outputs: float = 1.0


def compare_widths(leaf: Leaf, base: Leaf, *, depth_too: bool = False) -> Width:
    """How `leaf` has grown from `base`, the same leaf of a narrower model.

    Args:
        leaf: of the model in question.
        base: of the base model.
        depth_too: whether the two may have different numbers of stacked layers.

    Raises:
        ValueError: the two have different numbers of axes, or differ along an axis that is no
            width: a vocabulary, a stack of layers, experts, the taps of a convolution.
    """
    if len(leaf.shape) != len(base.shape):
        raise ValueError(f"{leaf} and, in the base model, {base} have different numbers of axes")
    ratios = [n / b if b else 1.0 for n, b in zip(leaf.shape, base.shape, strict=True)]
    if depth_too:
        ratios = [1.0 if axis in leaf.stack else ratio for axis, ratio in enumerate(ratios)]
    grown = tuple(axis for axis, ratio in enumerate(ratios) if ratio != 1.0)
    _refuse(leaf, base, set(grown) & set(leaf.stack), "stacked layers")
    if not grown:
        return Width("fixed")
    single = len(leaf.shape) - len(leaf.stack) == 1
    if VECTORS(leaf) or single or (leaf.axes is None and len(grown) == 1):
        return Width("vector", 1.0, math.prod(ratios))
    return _matrix_width(leaf, base, ratios, grown)


def _matrix_width(leaf: Leaf, base: Leaf, ratios: list[float], grown: tuple[int, ...]) -> Width:
    axes = leaf.axes
    if axes is None:
        leaf.fans  # noqa: B018  # raises, and says how to tell the axes
        raise ValueError(f"the axes of {leaf} are not known")
    width = set(axes.in_axis) | set(axes.out_axis)
    _refuse(leaf, base, set(grown) - width, "taps, experts or other independent kernels")
    if leaf.role == "embedding":
        _refuse(leaf, base, set(grown) & set(axes.in_axis), "rows of an embedding")
    inputs = math.prod(ratios[axis] for axis in axes.in_axis)
    outputs = math.prod(ratios[axis] for axis in axes.out_axis)
    kind = {(True, True): "hidden", (True, False): "output", (False, True): "input"}
    return Width(kind[inputs != 1.0, outputs != 1.0], inputs, outputs)


def _refuse(leaf: Leaf, base: Leaf, axes: set[int], what: str) -> None:
    if axes:
        raise ValueError(
            f"{leaf} and, in the base model, {base} differ along axis {min(axes)}, which counts "
            f"{what} and no width; give the base model as many"
        )
