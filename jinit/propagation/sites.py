"""Sites: the operations of a model that a report has a row for, and what they are there.

May import: jax, and of `jinit.tracing` jaxprs, ledger, reading, and of `jinit.propagation`
saturation, survey.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from jinit.axes import Shape
from jinit.propagation.saturation import Limits, saturation_limits
from jinit.propagation.survey import Found, Loop, Survey
from jinit.tracing.ledger import Place
from jinit.tracing.reading import Reading

__all__ = ["Site", "end_sites", "inner_sites"]


@dataclass(frozen=True)
class Site:
    """An operation whose outcome is measured.

    Attributes:
        place: the operation; inputs and outputs have places of their own.
        path: the parameter that it uses, or the last before it.
        kind: "input", "linear", "activation", "sum", "norm", "output" or "other".
        operation: what it is: a parameter's role, an activation's name, a primitive's.
        level: how many weights there are at most between the inputs and this.
        shape: of its outcome.
        dtype: of its outcome.
        channels: the axes of its units.
        batch: the axis along which the inputs of the batch lie; None where there is none.
        limits: where its outcome is saturated.
        loops: the scans around it, the outermost first.
        order: its place in the program: numbers of the calls that lead to it, and its own.
    """

    place: Place
    path: str
    kind: str
    operation: str
    level: int
    shape: Shape
    dtype: Any
    channels: Shape
    batch: int | None
    limits: Limits | None = None
    loops: tuple[Loop, ...] = ()
    order: tuple[int, ...] = ()


def inner_sites(reading: Reading, survey: Survey, size: int | None) -> list[Site]:
    """The sites of a program, in its order.

    Args:
        reading: the model.
        survey: the ledger that it was read with.
        size: how many inputs the batch has.
    """
    sites = []
    for found in survey.sites():
        batch = _batch_axis(found.shape, found.channels, size)
        probe = found.activation
        sites.append(
            Site(
                place=found.place,
                path=_path(reading, found),
                kind=found.kind,
                operation=found.operation,
                level=found.level,
                shape=found.shape,
                dtype=found.dtype,
                channels=found.channels,
                batch=batch,
                limits=None if probe is None else saturation_limits(found.operation, *probe),
                loops=survey.loops_around(found.place),
                order=survey.order_of(found.place),
            )
        )
    return sites


def end_sites(
    kind: str, arrays: Sequence[Any], axis: int | None, size: int | None, first: int = 0
) -> list[Site]:
    """The sites of inputs or of outputs, those that are floating.

    Args:
        kind: "input" or "output".
        arrays: all of them, with shapes and dtypes.
        axis: where the inputs of the batch lie.
        size: how many there are.
        first: the number of the first array among the program's own.
    """
    floating = [n for n, a in enumerate(arrays) if jnp.issubdtype(a.dtype, jnp.floating)]
    if kind == "input":
        floating = [n for n in floating if arrays[n].shape]  # numbers are settings
    sites = []
    for number in floating:
        shape = tuple(arrays[number].shape)
        has_batch = axis is not None and axis < len(shape) and shape[axis] == size
        channels = tuple(range(len(shape))[-1:]) if len(shape) > 1 else ()
        sites.append(
            Site(
                place=Place((kind,), first + number),
                path="" if len(floating) == 1 else f"{number}",
                kind=kind,
                operation=kind,
                level=0,
                shape=shape,
                dtype=arrays[number].dtype,
                channels=tuple(a for a in channels if not (has_batch and a == axis)),
                batch=axis if has_batch else None,
            )
        )
    return sites


def _batch_axis(shape: Shape, channels: Shape, size: int | None) -> int | None:
    """The first axis as long as the batch that is none of the units'."""
    axes = (a for a, n in enumerate(shape) if n == size and a not in channels)
    return next(axes, None)


def _path(reading: Reading, found: Found) -> str:
    names = () if found.leaf is None else reading.params.paths[found.leaf]
    return names[0] if names else ""
