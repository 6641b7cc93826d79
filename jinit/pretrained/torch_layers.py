"""What a PyTorch layer's tensors become: layouts of kernels, statistics, fused and split attention.

May import: the standard library, `jinit.axes`, and of `jinit.pretrained` leaves, operations,
recipes, sources, torch_names.

PyTorch keeps kernels as (out, in, *taps), those of transposed convolutions as (in, out, *taps). A
leaf's own axes say where each goes.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from jinit.axes import Axes
from jinit.pretrained.leaves import Wanted
from jinit.pretrained.operations import (
    Flip,
    Operation,
    Reshape,
    Shape,
    Transpose,
    part,
)
from jinit.pretrained.sources import TensorSpec

__all__ = ["Layer", "Made", "attention", "bias_operations", "plain", "weight_operations"]

# By the leaf's path, the tensor's name in the module and the operations.
Made: TypeAlias = dict[str, tuple[str, tuple[Operation, ...]]]

_BIASES = ("bias", "norm_bias")
_STATISTICS = {"running_mean": ("mean", "average"), "running_var": ("var",)}
_SPLIT = ("query", "key", "value")


@dataclass(frozen=True)
class Layer:
    """One leaf of a single layer: what is left of a stack when one layer is taken.

    Attributes:
        wanted: the leaf.
        within: its path within the module that a module of the checkpoint goes to.
        shape: its shape without stacked axes.
        axes: its axes, of that shape.
    """

    wanted: Wanted
    within: tuple[str, ...]
    shape: Shape
    axes: Axes | None

    @property
    def role(self) -> str:
        """What its layer does with it."""
        return self.wanted.leaf.role


def plain(tensors: Mapping[str, TensorSpec], layers: Sequence[Layer], stored: bool) -> Made:
    """A layer with a weight, a bias, statistics; and what bears an equal name.

    Args:
        tensors: of the module, by its own names.
        layers: leaves of the module that it goes to.
        stored: whether a matrix is kept as (in, out) and not as (out, in).

    Raises:
        ValueError: a kernel's axes are not known.
    """
    made: Made = {}
    own = [layer for layer in layers if len(layer.within) == 1]
    for name, spec in tensors.items():
        layer = _taker(name, spec, own)
        if layer is None:
            continue
        kernel = name == "weight" and layer.wanted.is_parameter
        operations = (
            weight_operations(layer, spec.shape, stored) if kernel else bias_operations(layer, spec)
        )
        made[layer.wanted.path] = (name, operations)
    return made


def _taker(name: str, spec: TensorSpec, own: Sequence[Layer]) -> Layer | None:
    """The leaf that takes a tensor of this name."""
    equal = [layer for layer in own if layer.within[0].lower() == name.lower()]
    if equal:
        return equal[0]
    if name == "weight":
        kernels = [one for one in own if one.wanted.is_parameter and one.role not in _BIASES]
        return kernels[0] if len(kernels) == 1 else _named(kernels, ("kernel", "weight", "w"))
    if name == "bias":
        biases = [one for one in own if one.wanted.is_parameter and one.role in _BIASES]
        return biases[0] if len(biases) == 1 else None
    statistics = [one for one in own if not one.wanted.is_parameter]
    return _named(statistics, _STATISTICS.get(name, ()))


def _named(layers: Iterable[Layer], names: Sequence[str]) -> Layer | None:
    return next((layer for layer in layers if layer.within[-1] in names), None)


def bias_operations(layer: Layer, spec: TensorSpec) -> tuple[Operation, ...]:
    """A vector for a leaf that keeps it in another shape: heads apart, say."""
    fits = spec.size == math.prod(layer.shape)
    if len(spec.shape) < 2 and spec.shape != layer.shape and fits:
        return (Reshape(layer.shape),)
    return ()


def weight_operations(layer: Layer, shape: Shape, stored: bool) -> tuple[Operation, ...]:
    """From PyTorch's layout to the leaf's.

    Raises:
        ValueError: the leaf's axes are not known, and it has several.
    """
    if len(shape) < 2 or layer.role == "embedding":
        return bias_operations(layer, TensorSpec(shape, layer.wanted.leaf.dtype))
    if layer.axes is None:
        raise ValueError(
            f"{layer.wanted.leaf} is of a kind that its shape does not tell; pass the model (a "
            "Linen module: jinit.with_inputs(module, *inputs)) instead of its parameters, or say "
            f"it: layouts={{{layer.wanted.path!r}: {'HWIO'[-len(layer.shape) :]!r}}}"
        )
    if len(shape) == 2:
        return _matrix(layer.shape, layer.axes, stored)
    if (len(layer.axes.in_axis), len(layer.axes.out_axis)) != (1, 1):
        return ()  # heads, of which no convolution has any; shapes will tell
    if layer.role == "conv_transpose":
        return _transposed(layer, shape)
    (inputs,), (outputs,) = layer.axes.in_axis, layer.axes.out_axis
    return _convolution(len(shape), len(layer.shape), outputs, inputs)


def _matrix(shape: Shape, axes: Axes, stored: bool) -> tuple[Operation, ...]:
    """A matrix whose inputs and outputs the leaf may keep as several axes each."""
    groups = [axes.in_axis, axes.out_axis] if stored else [axes.out_axis, axes.in_axis]
    order = [axis for group in groups for axis in group]
    operations: list[Operation] = []
    if len(order) > 2:
        operations.append(Reshape(tuple(shape[axis] for axis in order)))
    permuted = tuple(order.index(axis) for axis in sorted(order))
    if permuted != tuple(range(len(order))):
        operations.append(Transpose(permuted))
    return tuple(operations)


def _convolution(ndim: int, leaf_ndim: int, first: int, second: int) -> tuple[Operation, ...]:
    """Axis 0 of the tensor to axis `first` of the leaf, 1 to `second`, taps in order."""
    if ndim != leaf_ndim:
        return ()
    taps = iter(range(2, ndim))
    places = {first: 0, second: 1}
    axes = tuple(places[axis] if axis in places else next(taps) for axis in range(ndim))
    return () if axes == tuple(range(ndim)) else (Transpose(axes),)


def _transposed(layer: Layer, shape: Shape) -> tuple[Operation, ...]:
    """The kernel of a transposed convolution, which PyTorch applies mirrored.

    So does Flax with `transpose_kernel=True`, which keeps it as (*taps, out, in).
    """
    assert layer.axes is not None
    (inputs,), (outputs,) = layer.axes.in_axis, layer.axes.out_axis
    operations = _convolution(len(shape), len(layer.shape), inputs, outputs)
    mirrored = layer.wanted.leaf.layer == "ConvTranspose" and inputs == len(layer.shape) - 1
    taps = tuple(axis for axis in range(len(layer.shape)) if axis not in (inputs, outputs))
    return operations if mirrored else (*operations, Flip(taps))


# --- attention --------------------------------------------------------------------------------


def attention(tensors: Mapping[str, TensorSpec], layers: Sequence[Layer], stored: bool) -> Made:
    """Query, key and value out of one fused matrix, or out of `nn.MultiheadAttention`.

    Args:
        tensors: of the module, by its own names.
        layers: leaves of the module that it goes to, which has modules "query", "key", "value".
        stored: whether matrices are kept as (in, out).
    """
    made: Made = {}
    for number, name in enumerate(_SPLIT):
        for layer in layers:
            if layer.within[:1] == (name,) and len(layer.within) == 2:
                found = _projection(tensors, number, layer, stored)
                if found is not None:
                    made[layer.wanted.path] = found
    return made


def _projection(
    tensors: Mapping[str, TensorSpec], number: int, layer: Layer, stored: bool
) -> tuple[str, tuple[Operation, ...]] | None:
    bias = layer.role in _BIASES
    for name in ("in_proj_bias", "bias") if bias else ("in_proj_weight", "weight"):
        if name in tensors:
            spec = tensors[name]
            cut = part(number, 3, axis=1 if stored and not bias else 0)
            rest = TensorSpec(cut.shape(spec.shape), spec.dtype)
            after = (
                bias_operations(layer, rest)
                if bias
                else weight_operations(layer, rest.shape, stored)
            )
            return name, (cut, *after)
    separate = f"{_SPLIT[number][0]}_proj_weight"
    if not bias and separate in tensors:
        return separate, weight_operations(layer, tensors[separate].shape, stored)
    return None
