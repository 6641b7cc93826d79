"""Parts of schemes made of other schemes: each asks what it holds for its part.

May import: jax, numpy, `jinit.core`, `jinit.initializer`, `jinit.options`, `jinit.schemes`
(assemblies, building, combinators), and of `jinit.model` parts.
"""

import math
from collections.abc import Callable
from itertools import accumulate
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jinit.core.inputs import check_broadcasts
from jinit.initializer import Elementwise, Initializer
from jinit.model.parts import Part
from jinit.options import plain
from jinit.schemes.assemblies import split, stacked
from jinit.schemes.building import working_dtype
from jinit.schemes.combinators import clipped, masked, scaled, zero_rows

__all__ = ["draw_compound"]

DType: TypeAlias = np.dtype[Any]
# Draws the part of any initializer: (init, key, part, dtype) -> array.
Draw: TypeAlias = Callable[[Any, Any, Part, Any], Array]


def draw_compound(
    init: Initializer, key: Any, part: Part, dtype: DType, draw: Draw
) -> Array | None:
    """The part of a scheme that is made of others, from their parts.

    Args:
        init: any initializer.
        key: the key of the whole draw.
        part: what is wanted of it; not empty.
        dtype: dtype of the result.
        draw: draws the part of an initializer that `init` holds.

    Returns:
        The part; None if `init` is no such scheme, or does not fit the shape (the whole draw is
        then an error, and says why).
    """
    route = _ROUTES.get(init.scheme.__name__)
    return None if route is None else route(init, key, part, dtype, draw)


# --- one draw, changed element by element -----------------------------------------------------


def _changed(init: Initializer, key: Any, part: Part, dtype: DType, draw: Draw) -> Array:
    """The part of `init`, a scheme whose other options are already those of the part."""
    held = init.options["init"]

    def draw_held(key: Any, shape: tuple[int, ...], dtype: DType) -> Array:
        return draw(held, key, part, dtype)

    return init.replace(init=draw_held)(key, part.size, dtype)


def _draw_clipped(
    init: Initializer, key: Any, part: Part, dtype: DType, draw: Draw
) -> Array | None:
    ends = {end: _option(init, end, part) for end in ("low", "high")}
    return _changed(init.replace(**ends), key, part, dtype, draw)


def _draw_masked(init: Initializer, key: Any, part: Part, dtype: DType, draw: Draw) -> Array | None:
    of_part = init.replace(mask=_option(init, "mask", part))
    return _changed(of_part, key, part, dtype, draw)


def _draw_scaled(init: Initializer, key: Any, part: Part, dtype: DType, draw: Draw) -> Array | None:
    axis, factor = init.options["axis"], plain(init.options["factor"])
    if axis is None:
        return _changed(init.replace(factor=_option(init, "factor", part)), key, part, dtype, draw)
    along = _along(axis, part)
    if along is None or along.whole != np.shape(factor):
        return None
    return _changed(init.replace(factor=along.of(factor)), key, part, dtype, draw)


def _draw_zero_rows(
    init: Initializer, key: Any, part: Part, dtype: DType, draw: Draw
) -> Array | None:
    along, rows = _along(init.options["axis"], part), init.options["rows"]
    if along is None:
        return None
    keep = np.ones(along.whole, bool)
    keep[[] if rows is None else np.ravel(rows)] = False
    columns = len(part.whole) - init.options["axis"] % len(part.whole) - 1
    mask = along.of(keep).reshape((-1,) + (1,) * columns)
    return _changed(masked.configure(init.options["init"], mask), key, part, dtype, draw)


def _option(init: Initializer, name: str, part: Part) -> Any:
    """The option's value for the part: cut to it where it varies over the whole."""
    value = plain(init.options[name])
    if np.ndim(value) == 0:
        return value
    check_broadcasts(f"`{name}`", value, part.whole)
    return part.of(value)


def _along(axis: int, part: Part) -> Part | None:
    """The part along one axis, if there is such an axis."""
    ndim = len(part.whole)
    return part.along(slice(axis % ndim, axis % ndim + 1)) if -ndim <= axis < ndim else None


# --- several draws, side by side --------------------------------------------------------------


def _draw_stacked(
    init: Initializer, key: Any, part: Part, dtype: DType, draw: Draw
) -> Array | None:
    """The slices that the part touches, each from its own key."""
    axes, held = init.options["axes"], init.options["init"]
    outer, inner = part.along(slice(None, axes)), part.along(slice(axes, None))
    # Matrix products round by how many there are at once: fewer slices would differ in a last bit.
    if len(outer.whole) < axes or not _is_independent(held):
        return None
    count = math.prod(outer.whole)
    chosen = outer.of(np.arange(count).reshape(outer.whole)).ravel()
    keys = jax.random.split(key, count)[chosen]
    slices = jax.vmap(lambda key: draw(held, key, inner, _working(dtype)))(keys)
    return lax.convert_element_type(slices.reshape(part.size), dtype)


def _is_independent(init: Any) -> bool:
    """Whether each weight that `init` draws follows from the key and its index alone."""
    if isinstance(init, tuple):
        return all(map(_is_independent, init))
    if not isinstance(init, Initializer):
        return False
    if init.scheme.__name__ in _ROUTES:
        return _is_independent(init.options["init"])
    return isinstance(init.recipe, Elementwise)


def _draw_split(init: Initializer, key: Any, part: Part, dtype: DType, draw: Draw) -> Array | None:
    """What the part takes of each of the kernels that lie side by side."""
    along = _along(init.options["axis"], part)
    sizes = None if along is None else _sizes(init, along.whole[0])
    if along is None or sizes is None:
        return None
    axis = init.options["axis"] % len(part.whole)
    held = init.options["init"]
    each = held if isinstance(held, tuple) else (held,) * len(sizes)
    keys, ends = jax.random.split(key, len(sizes)), list(accumulate(sizes))
    drawn = []
    for one, one_key, size, end in zip(each, keys, sizes, ends, strict=True):
        piece = _piece(part, axis, end - size, size)
        if piece.size[axis] > 0:
            drawn.append(draw(one, one_key, piece, _working(dtype)))
    return lax.convert_element_type(jnp.concatenate(drawn, axis=axis), dtype)


def _sizes(init: Initializer, extent: int) -> list[int] | None:
    """The kernels' extents along the axis, if they fill it."""
    parts, held = plain(init.options["parts"]), init.options["init"]
    if isinstance(parts, (tuple, np.ndarray)):
        sizes = [int(size) for size in parts]
    else:
        count = len(held) if parts is None else parts
        sizes = [extent // count] * count
    return sizes if sum(sizes) == extent else None


def _piece(part: Part, axis: int, first: int, size: int) -> Part:
    """What `part` takes of the kernel whose `size` rows begin at `first`; maybe nothing."""
    start = max(part.start[axis], first)
    stop = min(part.start[axis] + part.size[axis], first + size)

    def put(values: tuple[int, ...], value: int) -> tuple[int, ...]:
        return (*values[:axis], value, *values[axis + 1 :])

    return Part(put(part.whole, size), put(part.start, start - first), put(part.size, stop - start))


def _working(dtype: DType) -> DType:
    """What compounds draw in, to round once: as `jinit.schemes.callables.draw_inner` does."""
    return working_dtype(dtype) if jnp.issubdtype(dtype, np.inexact) else dtype


_ROUTES = {
    scheme.__name__: route
    for scheme, route in (
        (clipped, _draw_clipped),
        (masked, _draw_masked),
        (scaled, _draw_scaled),
        (split, _draw_split),
        (stacked, _draw_stacked),
        (zero_rows, _draw_zero_rows),
    )
}
