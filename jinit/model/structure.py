"""What an adapter tells of a model: its parameters, one by one, and how to put it together again.

May import: jax, numpy, `jinit.axes`, `jinit.fans`.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jinit.axes import Axes
from jinit.fans import Fans

__all__ = ["ROLES", "Slot", "Structure"]

ROLES = (
    "bias",
    "conv",
    "conv_transpose",
    "dense",
    "depthwise",
    "einsum",
    "embedding",
    "lora_a",
    "lora_b",
    "norm_bias",
    "norm_scale",
    "recurrent",
    "scale",
    "unknown",
    "unused",
)


@dataclass(frozen=True)
class Slot:
    """One parameter of a model, before anything is decided about it.

    Attributes:
        parts: its path, outermost name first, without the name of the parameter collection.
        shape: its whole shape.
        dtype: its dtype.
        sharding: the sharding that the model asks for, if any.
        value: its present value, if it has one; None where the model is abstract.
        layer: class of the layer that owns it ("Dense", "Conv", ...), if known.
        role: what the layer does with it, one of `ROLES`.
        axes: its axes by role, of the whole shape; stacked axes are among `batch_axis`. None
            where nothing but the shape is known.
        fans: connections of one slice, where the layer tells more than `axes` do (groups, strides).
        stack: the axes along which whole layers are stacked.
        shared: leaves with equal tokens are one array; None for a leaf of its own.
        activation: the nonlinearity that follows, if known, by name.
        activation_param: its parameter: the slope of "leaky_relu", say.
    """

    parts: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    sharding: Any = None
    value: Any = None
    layer: str | None = None
    role: str = "unknown"
    axes: Axes | None = None
    fans: Fans | None = None
    stack: tuple[int, ...] = ()
    shared: Hashable | None = None
    activation: str | None = None
    activation_param: float | None = None

    def __str__(self) -> str:
        """Path, dtype and shape, as messages name it."""
        return f"{'/'.join(self.parts)} {self.dtype.name}[{','.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class Structure:
    """A model taken apart.

    Attributes:
        slots: its parameters, in the model's own order.
        rebuild: `rebuild(values, rest)` puts the model together, from one value for each slot and
            from what `rest_of` returned; the same kind of thing as the target.
        as_mask: `as_mask(flags)` gives the booleans the structure that optimizer states have.
        rest_of: `rest_of(key)` computes what is no parameter (batch statistics, caches) as the
            model defines it; None where there is nothing of the kind.
        rest: that, where the target has values of its own for it.
    """

    slots: tuple[Slot, ...]
    rebuild: Callable[[Sequence[Any], Any], Any]
    as_mask: Callable[[Sequence[bool]], Any]
    rest_of: Callable[[Any], Any] | None = None
    rest: Any = None
