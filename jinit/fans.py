"""Fans: how many connections enter and leave each unit of a layer, read from its kernel's shape.

May import: the standard library, `jinit.axes` and `jinit.notation`.
"""

import difflib
import math
import operator
from collections.abc import Sequence
from typing import NamedTuple

from jinit.axes import Axes, AxisSpec, Shape, canonical_shape, explicit_axes
from jinit.notation import einsum_axes, layout_axes

__all__ = ["MODES", "Fans", "compute_fans", "resolve_axes"]

MODES = ("fan_avg", "fan_geo_avg", "fan_in", "fan_out")

_DEFAULT_AXES: tuple[AxisSpec, AxisSpec, AxisSpec] = (-2, -1, ())


class Fans(NamedTuple):
    """The mean number of connections into an output unit and out of an input unit.

    Whole numbers are ints; strides can make them fractions, which are floats.

    Attributes:
        fan_in: Connections into each output: what keeps the forward variance.
        fan_out: Connections out of each input: what keeps the backward variance.

    >>> Fans(fan_in=576, fan_out=1152).select("fan_avg")
    864.0
    """

    fan_in: float
    fan_out: float

    def select(self, mode: str) -> float:
        """Return the fan that divides a variance under `mode`.

        Args:
            mode: "fan_in", "fan_out", "fan_avg" (the arithmetic mean, (fan_in + fan_out) / 2) or
                "fan_geo_avg" (the geometric mean, sqrt(fan_in * fan_out)).

        Returns:
            The fan.

        Raises:
            ValueError: `mode` is none of these.

        >>> Fans(4, 9).select("fan_geo_avg")
        6.0
        """
        if mode == "fan_in":
            return self.fan_in
        if mode == "fan_out":
            return self.fan_out
        if mode == "fan_avg":
            return (self.fan_in + self.fan_out) / 2
        if mode == "fan_geo_avg":
            # A power, not math.sqrt: this is the expression whose last bit JAX's users have.
            return float((self.fan_in * self.fan_out) ** 0.5)
        raise ValueError(_unknown_mode(mode))

    def swapped(self) -> "Fans":
        """Return the fans of the transposed layer, in which every connection runs backwards.

        >>> Fans(27, 64).swapped()
        Fans(fan_in=64, fan_out=27)
        """
        return Fans(self.fan_out, self.fan_in)


def compute_fans(
    shape: Sequence[int],
    *,
    in_axis: AxisSpec = -2,
    out_axis: AxisSpec = -1,
    batch_axis: AxisSpec = (),
    layout: str | None = None,
    groups: int = 1,
    stride: int | Sequence[int] = 1,
    transposed: bool = False,
    einsum: str | None = None,
) -> Fans:
    """Count connections: `fan_in = k * in`, `fan_out = k * out / (groups * prod(stride))`.

    Use it for the fan of any kernel whose axes are known, and `jinit.trace` for one whose use
    only the model knows. `k` is the number of taps: the product of the axes that are neither
    contracted, produced nor batch. Edges of an image, where padding removes connections, are not
    counted. With the defaults the result is what `jax.nn.initializers.variance_scaling` divides
    by, for every call that it accepts, empty axes included.

    Under `transposed` (a fractionally strided convolution) the stride thins out the other end:
    `fan_in = k * in / prod(stride)` and `fan_out = k * out / groups`. The roles stay the layer's
    own: `I` is what it contracts, `O` what it produces. Flax's `ConvTranspose` stores "HWIO", and
    "HWOI" under `transpose_kernel=True`; torch's `ConvTranspose2d` stores "IOHW". A grouped torch
    weight, `(in, out / groups, h, w)`, splits the other channel axis than every kernel in JAX: it
    is the kernel of the convolution that the layer transposes, so its fans are
    `compute_fans(shape, layout="OIHW", groups=groups, stride=stride).swapped()`.

    A kernel whose `in_axis` and `out_axis` are one and the same axis has JAX's fans, the product
    of its other axes: Flax's `Embed` initializes its `(vocabulary, features)` table with
    `out_axis=0`, so that its fans are `features`.

    Args:
        shape: The kernel's shape. Under `groups` its input axis holds `in / groups`, as in lax,
            Flax, Equinox and torch.
        in_axis: Contracted axis or axes.
        out_axis: Produced axis or axes.
        batch_axis: Axes of independent kernels (experts, stacked layers); they count for nothing.
        layout: The axes by letter instead, such as "HWIO", "OIHW" or "B...IO": see
            `jinit.notation.layout_axes`.
        groups: Number of channel groups; as many as channels for a depthwise convolution.
        stride: Of the convolution, one for all spatial axes or one each.
        transposed: Whether the convolution is a transposed one.
        einsum: The axes by what becomes of them in an einsum instead, such as
            "btd,dhk->bthk", with the kernel as second operand: see `jinit.notation.einsum_axes`.

    Returns:
        The fans, as exact ints wherever they are whole.

    Raises:
        ValueError: An axis is out of range or has two roles, the shape has too few axes, more
            than one notation is used, or an option does not fit the shape.

    >>> compute_fans((3, 3, 64, 128))
    Fans(fan_in=576, fan_out=1152)
    >>> compute_fans((3, 3, 1, 128), groups=128)
    Fans(fan_in=9, fan_out=9)
    >>> compute_fans((4, 4, 64, 128), stride=2, transposed=True)
    Fans(fan_in=256, fan_out=2048)
    >>> compute_fans((512, 8, 64), einsum="btd,dhk->bthk")
    Fans(fan_in=512, fan_out=512)

    Differences: JAX, Keras and torch read the fans of the shape alone, so that theirs ignore
    `groups` in fan_out and strides in both.

    Reference: He et al. 2015 (arXiv:1502.01852), section 2.2, conditions 10 and 14.
    """
    shape = canonical_shape(shape)
    axes = resolve_axes(
        shape,
        in_axis=in_axis,
        out_axis=out_axis,
        batch_axis=batch_axis,
        layout=layout,
        einsum=einsum,
    )
    _check_plain(axes, einsum, groups, stride, transposed)
    if axes.is_lookup:
        return _lookup_fans(shape, axes)
    return _connection_fans(shape, axes, groups, stride, transposed)


def resolve_axes(
    shape: Sequence[int],
    *,
    in_axis: AxisSpec = -2,
    out_axis: AxisSpec = -1,
    batch_axis: AxisSpec = (),
    layout: str | None = None,
    einsum: str | None = None,
) -> Axes:
    """Return the roles of a kernel's axes from axis numbers, a layout or an einsum.

    Use it where the axes themselves matter, as they do to an orthogonal kernel.

    Args:
        shape: The kernel's shape.
        in_axis: Contracted axis or axes.
        out_axis: Produced axis or axes.
        batch_axis: Axes of independent kernels.
        layout: Letters in their place, such as "OIHW".
        einsum: An einsum in their place, such as "btd,dhk->bthk".

    Returns:
        The roles, with axes counted from the front.

    Raises:
        ValueError: More than one notation is used, or the one used does not fit the shape.

    >>> resolve_axes((128, 64, 3, 3), layout="OIHW")
    Axes(in_axis=(1,), out_axis=(0,), batch_axis=())
    """
    shape = canonical_shape(shape)
    _check_one_notation((in_axis, out_axis, batch_axis), layout, einsum)
    if layout is not None:
        return layout_axes(shape, layout)
    if einsum is not None:
        return einsum_axes(shape, einsum)
    return explicit_axes(shape, in_axis, out_axis, batch_axis)


def _connection_fans(
    shape: Shape, axes: Axes, groups: int, stride: int | Sequence[int], transposed: bool
) -> Fans:
    receptive = axes.receptive_axis(len(shape))
    taps, inputs, outputs = (
        math.prod(shape[axis] for axis in group)
        for group in (receptive, axes.in_axis, axes.out_axis)
    )
    _check_groups(groups, outputs)
    skipped = _stride_volume(stride, len(receptive))
    into, out_of = (skipped, 1) if transposed else (1, skipped)
    return Fans(_ratio(taps * inputs, into), _ratio(taps * outputs, groups * out_of))


def _lookup_fans(shape: Shape, axes: Axes) -> Fans:
    """Divide and multiply in JAX's order: one quotient in eight differs in its last bit."""
    extent = shape[axes.in_axis[0]]
    batch = math.prod(shape[axis] for axis in axes.batch_axis)
    fan: float = math.prod(shape[axis] for axis in axes.receptive_axis(len(shape)))
    if extent and batch:
        quotient = math.prod(shape) / extent / extent / batch * extent
        fan = int(quotient) if quotient.is_integer() else quotient
    return Fans(fan, fan)


def _stride_volume(stride: int | Sequence[int], spatial: int) -> int:
    """Return how many input positions there are for each output position."""
    if isinstance(stride, Sequence):
        strides, fits = tuple(stride), len(stride) == spatial
    else:
        strides, fits = (stride,) * spatial, spatial > 0 or stride == 1
    if not fits:
        raise ValueError(
            f"`stride` (={stride!r}) must be one int, or one for each spatial axis; the kernel has "
            f"{spatial} spatial axes."
        )
    return math.prod(_positive("stride", extent) for extent in strides)


def _ratio(numerator: int, denominator: int) -> float:
    whole, rest = divmod(numerator, denominator)
    return numerator / denominator if rest else whole


def _positive(name: str, value: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(f"`{name}` (={value!r}) must be a positive int.")
    return number


def _check_groups(groups: int, outputs: int) -> None:
    if outputs % _positive("groups", groups):
        raise ValueError(
            f"the output channels (={outputs}) must be divisible by `groups` (={groups}); "
            "`groups` is the layer's feature_group_count, and the kernel's output axis holds all "
            "groups' channels."
        )


def _check_plain(
    axes: Axes, einsum: str | None, groups: int, stride: int | Sequence[int], transposed: bool
) -> None:
    if groups == 1 and stride == 1 and not transposed:
        return
    if einsum is not None or axes.is_lookup:
        kernel = "an einsum" if einsum is not None else "one axis as input and output"
        raise ValueError(
            f"`groups` (={groups}), `stride` (={stride!r}) and `transposed` (={transposed}) "
            f"describe a convolution, and the kernel is given by {kernel}; leave them out."
        )


def _check_one_notation(
    axes: tuple[AxisSpec, AxisSpec, AxisSpec], layout: str | None, einsum: str | None
) -> None:
    given = {
        "`in_axis`/`out_axis`/`batch_axis`": axes != _DEFAULT_AXES,
        f"`layout` (={layout!r})": layout is not None,
        f"`einsum` (={einsum!r})": einsum is not None,
    }
    used = [name for name, is_given in given.items() if is_given]
    if len(used) > 1:
        raise ValueError(f"{' and '.join(used)} each name the kernel's axes; give only one.")


def _unknown_mode(mode: str) -> str:
    near = difflib.get_close_matches(str(mode).lower(), MODES, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"`mode` (={mode!r}) must be one of {', '.join(map(repr, MODES))}{hint}"
