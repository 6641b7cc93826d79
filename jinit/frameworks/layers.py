"""What a layer starts from: a weight and, where the layer has one, a bias.

May import: `jinit.checks`.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

from jinit.checks import check_integer

__all__ = ["Layer", "Start", "connections", "size"]

# An initializer; or, where it goes by its neighbours, a value of `jinit.Rules`.
Start: TypeAlias = Callable[..., Any]


class Layer(NamedTuple):
    """The start of a layer's parameters.

    Attributes:
        weight: scheme of the kernel, or of the scale of a normalization.
        bias: scheme of the bias; where it depends on the kernel beside it and no size was given,
            a value for `jinit.Rules`, which reads that kernel; None where there is no bias.
    """

    weight: Start
    bias: Start | None = None


def size(name: str, value: int | None) -> int | None:
    """`value`, if it is an int that is not negative, or None."""
    return None if value is None else check_integer(name, value, least=0)


def connections(
    channels: int | None, kernel_size: int | Sequence[int] | None, ndim: int, groups: int
) -> float | None:
    """Connections of one unit of a convolution; None where a size is missing.

    Args:
        channels: channels on the side that counts, of all groups.
        kernel_size: taps along each axis, or one number for all.
        ndim: axes of taps.
        groups: groups of the convolution.

    Raises:
        ValueError: only one of the sizes is given, or `groups` does not divide the channels.

    >>> connections(64, 3, ndim=2, groups=4)
    144
    """
    check_integer("groups", groups)
    if channels is None and kernel_size is None:
        return None
    if channels is None or kernel_size is None:
        raise ValueError(
            f"the bias needs the channels (={channels}) and `kernel_size` (={kernel_size}); give "
            "both, or neither for a rule that reads the kernel beside it"
        )
    taps = (kernel_size,) * ndim if isinstance(kernel_size, int) else tuple(kernel_size)
    if len(taps) != ndim:
        raise ValueError(f"`kernel_size` (={kernel_size}) must be one int or {ndim} of them")
    if check_integer("channels", channels) % groups:
        raise ValueError(f"channels (={channels}) must be divisible by `groups` (={groups})")
    return channels // groups * math.prod(check_integer("kernel_size", k) for k in taps)
