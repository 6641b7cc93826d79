"""Linen's layers: what each does with its parameters.

May import: the standard library, flax, and of `jinit.model.targets` naming, roles, uses.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flax import linen as nn
from flax.linen.recurrent import DenseParams

from jinit.axes import Shape
from jinit.model.targets.naming import sibling_shapes
from jinit.model.targets.roles import guess_use
from jinit.model.targets.uses import (
    DENSE,
    Use,
    conv_transpose_use,
    conv_use,
    einsum_use,
    embedding_use,
    general_use,
    local_conv_use,
)

__all__ = ["linen_use"]

_NORMS = (nn.BatchNorm, nn.GroupNorm, nn.InstanceNorm, nn.LayerNorm, nn.RMSNorm)


def linen_use(
    module: nn.Module, name: str, shapes: Mapping[str, Shape], args: Sequence[Any], kwargs: Any
) -> Use:
    """What a module does with the parameter `name` of its own.

    Args:
        module: the module, bound, as it is when one of its methods is called.
        name: the parameter's name.
        shapes: shapes of all its own parameters, as the module sees them.
        args: positional arguments of the call.
        kwargs: keyword arguments of the call.
    """
    shape = shapes[name]
    if isinstance(module, _NORMS) and name in ("scale", "bias"):
        return Use(f"norm_{name}")
    if isinstance(module, nn.WeightNorm):
        return Use("scale")
    for layer, (kernel, use) in _KERNELS.items():
        if isinstance(module, layer) and name == kernel:
            return use(module, shape, (args, kwargs))
    return guess_use(name, shape, sibling_shapes(shapes, name))


def _dense(module: Any, shape: Shape, call: Any) -> Use:
    in_cell = isinstance(module.parent, nn.RNNCellBase) and str(module.name).startswith("h")
    return DENSE._replace(role="recurrent") if in_cell else DENSE


def _dense_general(module: Any, shape: Shape, call: Any) -> Use:
    n_batch, n_in = len(_tuple(module.batch_dims)), len(_tuple(module.axis))
    return general_use(n_batch, n_in, len(shape) - n_batch - n_in)


def _einsum(module: Any, shape: Shape, call: Any) -> Use:
    # Whichever method made the kernel known: the only string among its arguments is the einsum.
    args, kwargs = call
    given = (value for value in (*args, *kwargs.values()) if isinstance(value, str))
    return einsum_use(shape, next(given, module.einsum_str))


def _conv(module: Any, shape: Shape, call: Any) -> Use:
    return conv_use(
        shape,
        groups=module.feature_group_count,
        stride=module.strides,
        input_dilation=module.input_dilation,
    )


def _conv_local(module: Any, shape: Shape, call: Any) -> Use:
    return local_conv_use(shape, _tuple(module.kernel_size), module.strides)


def _conv_transpose(module: Any, shape: Shape, call: Any) -> Use:
    layout = "...OI" if module.transpose_kernel else "...IO"
    return conv_transpose_use(shape, stride=module.strides, layout=layout)


def _tuple(value: int | Sequence[int]) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


# By layer, the name of its kernel and what is done with that.
_KERNELS: dict[type, tuple[str, Callable[[Any, Shape, Any], Use]]] = {
    nn.Dense: ("kernel", _dense),
    DenseParams: ("kernel", _dense),
    nn.DenseGeneral: ("kernel", _dense_general),
    nn.Einsum: ("kernel", _einsum),
    nn.Conv: ("kernel", _conv),
    nn.ConvLocal: ("kernel", _conv_local),
    nn.ConvTranspose: ("kernel", _conv_transpose),
    nn.Embed: ("embedding", lambda module, shape, call: embedding_use(shape)),
}
