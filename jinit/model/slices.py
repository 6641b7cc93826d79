"""A part of a leaf, drawn without the rest: one device's shard, or the rows that a file holds.

May import: jax, numpy, `jinit.core`, `jinit.factory`, `jinit.initializer`, and of `jinit.model`
compounds, parts.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax.numpy as jnp
import numpy as np
from jax import Array

from jinit.core.bits import Window, check_counts
from jinit.core.draw import sample
from jinit.core.inputs import as_dtype, as_shape, check_broadcasts, check_key
from jinit.core.laws import Law
from jinit.factory import Scheme
from jinit.initializer import Initializer
from jinit.model.compounds import draw_compound
from jinit.model.parts import Part, as_part

__all__ = ["draw_slice"]

InitFunction: TypeAlias = Callable[..., Any]


def draw_slice(
    scheme: InitFunction, key: Array | None, shape: Sequence[int], index: Any, dtype: Any = None
) -> Array:
    """A part of a draw: `scheme(key, shape, dtype)[index]`, without drawing the rest.

    For leaves that no device holds whole: as the callback of `jax.make_array_from_callback`, to
    write a checkpoint file by file, or to look at some rows. The bits are those of the whole draw,
    and all parts of one size share a compiled program.

    How much is computed depends on the scheme. Where weights are independent (`Initializer.law`
    gives a law), the part alone, of arrays of any size; schemes made of such (`jinit.stacked`,
    `jinit.split`, `jinit.zero_rows`, ...) ask each of them for its part. What else there is
    (`jinit.orthogonal`, stacks of it, functions that are not jinit's) is drawn whole and cut, and
    the whole must fit in memory.

    Args:
        scheme: a scheme or an initializer of jinit, or any function (key, shape, dtype) -> array.
        key: the PRNG key of the whole draw; schemes of jinit need a Threefry key, or None where
            they have no randomness.
        shape: dimensions of the whole.
        index: slices of step 1, ints, an Ellipsis; what is left out is taken whole.
        dtype: dtype of the weights, as for the whole draw.

    Returns:
        The part; as in NumPy, an int drops its axis.

    Raises:
        IndexError: there are more indices than axes, or an int is out of range.
        NotImplementedError: `key` is not a Threefry key, and so has no part that stands alone.
        TypeError: `scheme` is not callable, or an index is of another kind.
        ValueError: a slice has another step, or the shape or the dtype is not one for the scheme.

    >>> import jax, jinit
    >>> key, init = jax.random.key(0), jinit.lecun_normal()
    >>> rows = jinit.draw_slice(init, key, (512, 64), slice(32, 40))
    >>> rows.shape, bool((rows == init(key, (512, 64))[32:40]).all())
    ((8, 64), True)
    >>> jinit.draw_slice(init, key, (2**20, 2**14), (-1, slice(0, 4))).shape  # the whole: 64 GiB
    (4,)
    """
    init = scheme.configured if isinstance(scheme, Scheme) else scheme
    if not callable(init):
        raise TypeError(
            f"`scheme` (={init!r}) must be a scheme of jinit, or a function "
            "(key, shape, dtype) -> array"
        )
    part, left = as_part(index, as_shape(shape))
    drawn = _draw(init, key, part, dtype)
    return drawn if drawn.shape == left else drawn.reshape(left)


def _draw(init: InitFunction, key: Any, part: Part, dtype: Any) -> Array:
    if not isinstance(init, Initializer):
        return _cut(init, init(key, part.whole, as_dtype(dtype, inexact=False)), part)
    _check_key(init, key)
    dtype = init.options.get("dtype") if dtype is None else dtype
    law = init.law(part.whole, dtype)
    dtype = as_dtype(dtype, inexact=False)
    if law is not None:
        window = Window.at(part.whole, part.start)
        return sample(_law_of(part, law), key, part.size, dtype, window=window)
    if 0 in part.size:
        return jnp.zeros(part.size, dtype)
    drawn = draw_compound(init, key, part, dtype, _draw)
    return _cut(init, init(key, part.whole, dtype), part) if drawn is None else drawn


def _check_key(init: Initializer, key: Any) -> None:
    if init.scheme.keyless:
        return
    check_key(key)
    check_counts(key)


def _law_of(part: Part, law: Law) -> Law:
    """The law of the part's weights: parameters that vary over the whole, cut to it."""
    return type(law)(*(_parameter_of(part, value) for value in law))


def _parameter_of(part: Part, value: Any) -> Any:
    if np.ndim(value) == 0:
        return value
    check_broadcasts("a parameter", value, part.whole)
    return part.of(value)


def _cut(init: InitFunction, whole: Any, part: Part) -> Array:
    if np.shape(whole) != part.whole:
        raise ValueError(
            f"{init!r} was asked for shape {part.whole} and returned {np.shape(whole)}; it must "
            "return the shape it is given"
        )
    return jnp.asarray(part.of(whole))
