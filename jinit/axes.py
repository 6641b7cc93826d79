"""Axes of a kernel by role: which are contracted, which are produced, which repeat.

May import: the standard library.
"""

import operator
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

__all__ = ["Axes", "AxisSpec", "Shape", "canonical_shape", "check_roles", "explicit_axes"]

AxisSpec: TypeAlias = int | Sequence[int]
Shape: TypeAlias = tuple[int, ...]


class Axes(NamedTuple):
    """The roles of a kernel's axes; an axis named nowhere belongs to the receptive field.

    Use it to tell a scheme, or a reader of a traced model, how a weight is used. All axes are
    counted from the front, and in the order in which they were named.

    Attributes:
        in_axis: Axes that the layer contracts with its input.
        out_axis: Axes that survive as features of the output.
        batch_axis: Axes that hold independent kernels: experts, heads, stacked layers.

    >>> Axes(in_axis=(2,), out_axis=(3,)).receptive_axis(ndim=4)
    (0, 1)
    """

    in_axis: Shape
    out_axis: Shape
    batch_axis: Shape = ()

    @property
    def is_lookup(self) -> bool:
        """Whether one axis is both contracted and produced, as in JAX's embedding idiom."""
        return len(self.in_axis) == 1 and self.in_axis == self.out_axis

    def receptive_axis(self, ndim: int) -> Shape:
        """Return the axes, of a kernel with `ndim` of them, that have no other role."""
        named = {*self.in_axis, *self.out_axis, *self.batch_axis}
        return tuple(axis for axis in range(ndim) if axis not in named)


def canonical_shape(shape: Sequence[int]) -> Shape:
    """Return `shape` as a tuple of Python ints, or raise `ValueError` on a negative extent."""
    canonical = tuple(operator.index(extent) for extent in shape)
    if any(extent < 0 for extent in canonical):
        raise ValueError(
            f"`shape` (={canonical}) has a negative extent; every extent must be 0 or more."
        )
    return canonical


def explicit_axes(
    shape: Shape, in_axis: AxisSpec, out_axis: AxisSpec, batch_axis: AxisSpec
) -> Axes:
    """Return the roles given by axis numbers, checked against `shape`.

    Use it where a call carries JAX's `in_axis`, `out_axis` and `batch_axis`. Roles may not share
    an axis, with one exception that JAX code relies on: a single axis that is both the input and
    the output (see `Axes.is_lookup`).

    Args:
        shape: The kernel's shape.
        in_axis: Contracted axis or axes; -2 asks for at least two axes.
        out_axis: Produced axis or axes.
        batch_axis: Axes of independent kernels.

    Returns:
        The roles, with axes counted from the front.

    Raises:
        ValueError: An axis is out of range, named twice or given two roles, or the default
            `in_axis` meets a shape of fewer than two axes.

    >>> explicit_axes((3, 3, 64, 128), -2, -1, ())
    Axes(in_axis=(2,), out_axis=(3,), batch_axis=())
    """
    if in_axis == -2 and len(shape) < 2:
        raise ValueError(_too_few_axes(shape))
    axes = Axes(
        _canonical_axes("in_axis", in_axis, shape),
        _canonical_axes("out_axis", out_axis, shape),
        _canonical_axes("batch_axis", batch_axis, shape),
    )
    _check_disjoint(axes, shape)
    return axes


def check_roles(**roles: AxisSpec) -> None:
    """Raise if two roles name the same axis: what can be known before the shape is."""
    seen: dict[int, str] = {}
    for role, axes in roles.items():
        for axis in (axes,) if isinstance(axes, int) else tuple(axes):
            if axis in seen:
                raise ValueError(
                    f"`{seen[axis]}` (={roles[seen[axis]]}) and `{role}` (={axes}) both name axis "
                    f"{axis}; give each axis one role"
                )
            seen[axis] = role


def _too_few_axes(shape: Shape) -> str:
    return (
        f"`shape` (={shape}) is {len(shape)}-D, and the default `in_axis` (=-2) needs at least 2 "
        "axes. Pass `fans=`, or name the axes (`in_axis=0, out_axis=()` reads a vector as fan_in "
        "weights of one unit); for a bias use a bias scheme such as jinit.torch_bias(fan_in=...)."
    )


def _canonical_axes(name: str, spec: AxisSpec, shape: Shape) -> Shape:
    axes = tuple(_canonical_axis(name, axis, shape) for axis in _as_tuple(name, spec))
    if len(set(axes)) < len(axes):
        raise ValueError(
            f"`{name}` (={spec!r}) names an axis of the {len(shape)}-D shape {shape} twice; "
            "name each axis once."
        )
    return axes


def _as_tuple(name: str, spec: AxisSpec) -> tuple[int, ...]:
    try:
        if isinstance(spec, Sequence):
            return tuple(operator.index(axis) for axis in spec)
        return (operator.index(spec),)
    except TypeError:
        raise ValueError(
            f"`{name}` (={spec!r}) must be an int or a sequence of ints, such as -1 or (0, 1)."
        ) from None


def _canonical_axis(name: str, axis: int, shape: Shape) -> int:
    ndim = len(shape)
    if not -ndim <= axis < ndim:
        allowed = f"must lie in [{-ndim}, {ndim - 1}]" if ndim else "must be empty: ()"
        raise ValueError(
            f"`{name}` (={axis}) is out of range for the {ndim}-D shape {shape}; it {allowed}."
        )
    return axis % ndim


def _check_disjoint(axes: Axes, shape: Shape) -> None:
    pairs = (("in_axis", "out_axis"), ("in_axis", "batch_axis"), ("out_axis", "batch_axis"))
    for one, other in pairs:
        shared = sorted(set(getattr(axes, one)) & set(getattr(axes, other)))
        if shared and not (axes.is_lookup and (one, other) == pairs[0]):
            raise ValueError(
                f"`{one}` (={getattr(axes, one)}) and `{other}` (={getattr(axes, other)}) share "
                f"axis {shared[0]} of the shape {shape}; give each axis one role."
            )
