"""NNX's layers: the shapes that they define, and what each does with its parameters.

May import: the standard library, flax, and of `jinit.model.targets` roles, uses.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from flax import nnx

from jinit.axes import Shape
from jinit.model.targets.roles import guess_use
from jinit.model.targets.uses import (
    DENSE,
    Use,
    conv_transpose_use,
    conv_use,
    einsum_use,
    embedding_use,
    general_use,
)

__all__ = ["layer_shape", "nnx_use"]

Extents: TypeAlias = tuple[int | None, ...]

_NORMS = (nnx.BatchNorm, nnx.GroupNorm, nnx.InstanceNorm, nnx.LayerNorm, nnx.RMSNorm)
_RECURRENT = {"dense_h", "hf", "hg", "hi", "hn", "ho", "hr", "hz"}


def layer_shape(layer: Any, name: str) -> Extents | None:
    """The shape that a layer gives its parameter `name`, or None where its class does not say.

    What `nnx.vmap` builds has more axes. An extent that the layer does not know is None.
    """
    for kind, shapes in _SHAPES.items():
        if isinstance(layer, kind) and name in shapes:
            return shapes[name](layer)
    return None


def nnx_use(
    layer: Any, parent: Any, names: Sequence[str], shape: Shape, siblings: Mapping[str, Shape]
) -> Use:
    """What a layer does with one of its parameters.

    Args:
        layer: the module that holds the parameter.
        parent: the module that holds the layer, or None.
        names: the parameter's path.
        shape: the parameter's shape in one layer.
        siblings: shapes of the layer's other parameters.
    """
    name = names[-1]
    if isinstance(layer, _NORMS) and name in ("bias", "scale"):
        return Use(f"norm_{name}")
    if isinstance(layer, nnx.LoRA) and name in ("lora_a", "lora_b"):
        return DENSE._replace(role=name)
    if isinstance(parent, nnx.WeightNorm) and "scales" in names:
        return Use("scale")
    for kind, (kernel, use) in _KERNELS.items():
        if isinstance(layer, kind) and name == kernel:
            found = use(layer, shape)
            return found._replace(role="recurrent") if _is_recurrent(parent, names) else found
    return guess_use(name, shape, siblings)


def _is_recurrent(parent: Any, names: Sequence[str]) -> bool:
    return isinstance(parent, nnx.RNNCellBase) and names[-2] in _RECURRENT


def _general_shape(layer: Any) -> Extents:
    return (*layer.batch_axis.values(), *layer.in_features, *layer.out_features)


def _conv_shape(layer: Any) -> Extents:
    inputs = layer.in_features // layer.feature_group_count
    return (*layer.kernel_size, inputs, layer.out_features)


def _conv_transpose_shape(layer: Any) -> Extents:
    channels = (layer.in_features, layer.out_features)
    return (*layer.kernel_size, *(channels[::-1] if layer.transpose_kernel else channels))


def _features(layer: Any) -> Extents:
    return (layer.out_features,)


# By layer and parameter, the shape of one layer's.
_SHAPES: dict[type, dict[str, Callable[[Any], Extents | None]]] = {
    nnx.Linear: {"kernel": lambda it: (it.in_features, it.out_features), "bias": _features},
    nnx.LinearGeneral: {
        "kernel": _general_shape,
        "bias": lambda it: (*it.batch_axis.values(), *it.out_features),
    },
    nnx.Einsum: {"kernel": lambda it: it.kernel_shape, "bias": lambda it: it.bias_shape},
    nnx.Conv: {"kernel": _conv_shape, "bias": _features},
    nnx.ConvTranspose: {"kernel": _conv_transpose_shape, "bias": _features},
    nnx.Embed: {"embedding": lambda it: (it.num_embeddings, it.features)},
    nnx.LoRA: {
        "lora_a": lambda it: (it.in_features, None),
        "lora_b": lambda it: (None, it.out_features),
    },
    nnx.PReLU: {"negative_slope": lambda it: ()},
    nnx.GroupNorm: dict.fromkeys(("bias", "scale"), lambda it: (it.num_groups * it.group_size,)),
    **{
        norm: dict.fromkeys(("bias", "scale"), lambda it: (it.num_features,))
        for norm in _NORMS
        if norm is not nnx.GroupNorm
    },
}


def _kernel_of_conv(layer: Any, shape: Shape) -> Use:
    return conv_use(
        shape,
        groups=layer.feature_group_count,
        stride=layer.strides,
        input_dilation=layer.input_dilation,
    )


def _kernel_of_conv_transpose(layer: Any, shape: Shape) -> Use:
    layout = "...OI" if layer.transpose_kernel else "...IO"
    return conv_transpose_use(shape, stride=layer.strides, layout=layout)


# By layer, the name of its kernel and what is done with that.
_KERNELS: dict[type, tuple[str, Callable[[Any, Shape], Use]]] = {
    nnx.Linear: ("kernel", lambda layer, shape: DENSE),
    nnx.LinearGeneral: (
        "kernel",
        lambda layer, shape: general_use(
            len(layer.batch_axis), len(layer.in_features), len(layer.out_features)
        ),
    ),
    nnx.Einsum: ("kernel", lambda layer, shape: einsum_use(shape, layer.einsum_str)),
    nnx.Conv: ("kernel", _kernel_of_conv),
    nnx.ConvTranspose: ("kernel", _kernel_of_conv_transpose),
    nnx.Embed: ("embedding", lambda layer, shape: embedding_use(shape)),
}
