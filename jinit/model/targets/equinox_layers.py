"""Equinox's layers: the shapes that they define, and what each does with its parameters.

May import: the standard library, equinox, and of `jinit.model.targets` roles, uses.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from equinox import nn

from jinit.axes import Shape
from jinit.model.targets.roles import guess_use
from jinit.model.targets.uses import (
    DENSE_OUT_FIRST,
    Use,
    conv_transpose_use,
    conv_use,
    embedding_use,
)

__all__ = ["equinox_use", "layer_shape"]

Extents: TypeAlias = tuple[int | None, ...]

_NORMS = (nn.BatchNorm, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)
_CELLS = (nn.GRUCell, nn.LSTMCell)


def layer_shape(layer: Any, name: str) -> Extents | None:
    """The shape that a layer gives its array `name`, or None where its class does not say.

    What `eqx.filter_vmap` builds has more axes. An extent of None may be any.
    """
    for kind, shapes in _SHAPES.items():
        if isinstance(layer, kind) and name in shapes:
            return shapes[name](layer)
    return None


def equinox_use(layer: Any, name: str, shape: Shape, siblings: Mapping[str, Shape]) -> Use:
    """What a module does with one of its arrays.

    A matrix called `weight` is taken to be (out, in), as in every layer of Equinox, also where its
    module is not one of these.

    Args:
        layer: the module that holds the array.
        name: the array's name.
        shape: the array's shape in one layer.
        siblings: shapes of the module's other arrays.
    """
    if isinstance(layer, _NORMS) and name in ("weight", "bias"):
        return Use("norm_scale" if name == "weight" else "norm_bias")
    if isinstance(layer, nn.WeightNorm):
        return Use("scale")
    if isinstance(layer, _CELLS) and name.startswith("bias"):
        return Use("bias")
    for kind, use in _WEIGHTS.items():
        if isinstance(layer, kind) and name == "weight":
            return use(layer, shape)
    guess = guess_use(name, shape, siblings)
    return DENSE_OUT_FIRST if guess.role == "dense" and name == "weight" else guess


def _extent(size: int | str) -> int:
    return 1 if isinstance(size, str) else size  # "scalar"


def _conv_shape(layer: Any) -> Extents:
    return (layer.out_channels, layer.in_channels // layer.groups, *layer.kernel_size)


def _conv_bias(layer: Any) -> Extents:
    return (layer.out_channels, *(1 for _ in layer.kernel_size))


def _cell_shapes(gates: int) -> dict[str, Callable[[Any], Extents]]:
    return {
        "weight_ih": lambda it: (gates * it.hidden_size, it.input_size),
        "weight_hh": lambda it: (gates * it.hidden_size, it.hidden_size),
        "bias": lambda it: (gates * it.hidden_size,),
        "bias_n": lambda it: (it.hidden_size,),
    }


def _vectors(extent: str) -> dict[str, Callable[[Any], Extents]]:
    return dict.fromkeys(("weight", "bias"), lambda it: (getattr(it, extent),))


_SHAPED: dict[str, Callable[[Any], Extents]] = dict.fromkeys(
    ("weight", "bias"), lambda it: tuple(it.shape)
)


# By layer and array, the shape of one layer's.
_SHAPES: dict[type, dict[str, Callable[[Any], Extents]]] = {
    nn.Linear: {
        "weight": lambda it: (_extent(it.out_features), _extent(it.in_features)),
        "bias": lambda it: (_extent(it.out_features),),
    },
    nn.Conv: {"weight": _conv_shape, "bias": _conv_bias},
    nn.ConvTranspose: {"weight": _conv_shape, "bias": _conv_bias},
    nn.Embedding: {"weight": lambda it: (it.num_embeddings, it.embedding_size)},
    nn.GRUCell: _cell_shapes(3),
    nn.LSTMCell: _cell_shapes(4),
    nn.LayerNorm: _SHAPED,
    nn.RMSNorm: _SHAPED,
    nn.GroupNorm: _vectors("channels"),
    nn.BatchNorm: _vectors("input_size"),
}


def _weight_of_conv(layer: Any, shape: Shape) -> Use:
    return conv_use(shape, groups=layer.groups, stride=layer.stride, layout="OI...")


def _weight_of_conv_transpose(layer: Any, shape: Shape) -> Use:
    return conv_transpose_use(shape, groups=layer.groups, stride=layer.stride, layout="OI...")


# By layer, what is done with its weight.
_WEIGHTS: dict[type, Callable[[Any, Shape], Use]] = {
    nn.Linear: lambda layer, shape: DENSE_OUT_FIRST,
    nn.Conv: _weight_of_conv,
    nn.ConvTranspose: _weight_of_conv_transpose,
    nn.Embedding: lambda layer, shape: embedding_use(shape),
}
