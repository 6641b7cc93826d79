"""Recurrent kernels: orthogonal gate by gate where one array holds them all.

May import: jax, numpy, `jinit.core`, `jinit.checks`, `jinit.factory`, `jinit.schemes.building`.
"""

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from jinit.checks import check_integer
from jinit.core.haar import random_orthogonal
from jinit.factory import Recipe, scheme
from jinit.schemes.building import Scale, as_scale, scaled_recipe

__all__ = ["block_orthogonal"]

Shape = tuple[int, ...]


class _Blocks(NamedTuple):
    """A kernel of `number` blocks, each `rows` by `columns`, side by side along `axis`."""

    batch: Shape
    number: int
    rows: int
    columns: int
    axis: int


@scheme
def block_orthogonal(
    scale: Scale = 1.0, blocks: int | None = None, axis: int = -1, dtype: Any = None
) -> Recipe:
    """Block orthogonal: `W = scale * [Q_1, ..., Q_n]`, the Q independent Haar matrices.

    For recurrent kernels that hold all gates in one array `(H, n H)`: each gate's own `(H, H)`
    matrix is orthogonal, as if the gates were separate. Leading axes are independent kernels.

    Args:
        scale: a number, or the name of an activation or itself, for its gain.
        blocks: how many blocks; by default as many squares as fit. To be given where blocks are
            not square, which makes their columns orthonormal, or their rows if there are fewer.
        axis: -1 if the blocks stand side by side, `(H, n H)`; -2 if on top of each other,
            `(n H, H)`, as in torch and Equinox.
        dtype: floating or complex dtype of the weights, unless the call gives one.

    Raises:
        ValueError: `axis` is another, or `blocks` or `scale` not positive; when drawing, the axis
            does not divide into the blocks.

    >>> import jax, jax.numpy as jnp, jinit
    >>> w = jinit.block_orthogonal()(jax.random.key(0), (16, 64))
    >>> f = w[:, 16:32]
    >>> bool(jnp.allclose(f.T @ f, jnp.eye(16), atol=1e-5))
    True

    Differences: Keras draws one orthogonal matrix for the whole `(H, n H)` array, whose blocks
    are not orthogonal: each shrinks what it turns, by sqrt(n) on average. Flax's NNX cells with
    fused kernels do so too, those of Linen draw gate by gate.
    """
    if axis not in (-2, -1):
        raise ValueError(f"`axis` (={axis!r}) must be -1, blocks side by side, or -2, stacked")
    if blocks is not None:
        check_integer("blocks", blocks)
    factor = as_scale(scale)
    return scaled_recipe(
        lambda shape: _blocks(shape, blocks, axis), _side_by_side, lambda plan: factor, _rms
    )


def _blocks(shape: Shape, blocks: int | None, axis: int) -> _Blocks:
    if len(shape) < 2:
        raise ValueError(f"`shape` (={shape}) is {len(shape)}-D, and a kernel has at least 2 axes")
    across, along = shape[-1 if axis == -2 else -2], shape[axis]
    count = blocks if blocks is not None else along // max(across, 1)
    if not count or along % count or (blocks is None and count * across != along):
        unit = f"its other axis (={across})" if blocks is None else f"`blocks` (={blocks})"
        raise ValueError(
            f"axis {axis} (={along}) of the kernel {shape} must be a multiple of {unit}; "
            "`blocks` says how many blocks there are where they are not square"
        )
    rows, columns = (across, along // count) if axis == -1 else (along // count, across)
    return _Blocks(shape[:-2], count, rows, columns, axis)


def _side_by_side(key: Any, plan: _Blocks, dtype: np.dtype[Any]) -> Array:
    batch = (*plan.batch, plan.number)
    blocks = random_orthogonal(key, plan.rows, plan.columns, dtype, batch)
    if plan.axis == -2:
        return blocks.reshape(*plan.batch, plan.number * plan.rows, plan.columns)
    beside = jnp.swapaxes(blocks, -3, -2)
    return beside.reshape(*plan.batch, plan.rows, plan.number * plan.columns)


def _rms(plan: _Blocks) -> float:
    return 1 / math.sqrt(max(plan.rows, plan.columns))
