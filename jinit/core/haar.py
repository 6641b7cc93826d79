"""Random orthogonal and unitary matrices, Haar-distributed, built from matrix products alone.

May import: jax, numpy, and `bits`, `draw`, `inputs`, `laws` of `jinit.core`.

The Q factor of a Gaussian matrix is Haar once its signs are fixed, but the factorization that finds
it is work that can be skipped. Column k meets its reflector after k others have turned it, and a
Gaussian vector turned by an independent rotation is a fresh Gaussian vector. So the reflectors may
as well be drawn, independently, from Gaussian vectors of lengths n, n - 1, ..., and multiplied:

    Q = H_1 H_2 ... H_p D,    H_k = I - tau_k v_k v_k^H,    D = diag(-sign(leading entry of x_k)),

where H_k takes the Gaussian vector x_k to its leading axis. The sign of a complex entry is a phase.

A block of reflectors multiplies as one, I - V T V^H with T^-1 = diag(1 / tau) + triu(V^H V, 1), and
the blocks go from last to first, because those to the right of block j touch neither its rows nor
its columns. That is 4/3 n^3 flops (to leading order) against 8/3 for factorizing and multiplying
out, every one of them in a matrix product, and no call into LAPACK, cuSOLVER or the TPU's QR.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jinit.core.bits import Window, key_words
from jinit.core.draw import real_dtype, sample
from jinit.core.inputs import as_dtype, as_shape, check_key
from jinit.core.laws import Normal

__all__ = ["random_orthogonal"]

Dtype: TypeAlias = np.dtype[Any]

# Reflectors are gathered into about eight blocks, whatever the size. On two AVX-512 cores, at n =
# 1024 and 2048, sixteen are as fast within noise and take longer to compile; four, with more flops
# in the triangular factors, take a fifth more time.
_BLOCKS = 8
_SMALLEST_BLOCK = 16

# A unit triangular matrix this small is inverted by its (finite) Neumann series. Longer series
# cancel: over 10,000 matrices of 32 columns the worst |Q^T Q - I| is 1.3e-6 with 8 and 1.5e-5 with
# 32; shorter ones leave more, smaller products, and 4 takes twice the time.
_SERIES = 8

# A CPU builds a stack this many elements at a time, so that a group stays in its cache. Stacks of
# 4 to 7 million elements, of matrices from 64 x 64 to 768 x 768, take up to 2.2 times longer whole
# and up to 1.2 times longer in groups of a quarter.
_GROUP_ELEMENTS = 2**19

# Reduced-precision products (TF32, bfloat16 passes) would cost orthogonality.
_product = functools.partial(jnp.matmul, precision=lax.Precision.HIGHEST)


def random_orthogonal(
    key: Array, rows: int, cols: int, dtype: Any = None, batch: int | Sequence[int] = ()
) -> Array:
    """Matrices from the Haar law: Q and U Q V have one distribution, whatever orthogonal U and V.

    Columns are orthonormal if `rows >= cols`, else rows are. Complex dtypes give unitary matrices.
    Dtypes below 32 bits are built in float32 and rounded once.

    A member of a batch is what its own key gives: element `i` (row-major) of
    `random_orthogonal(key, rows, cols, batch=n)` is, up to rounding,
    `random_orthogonal(jax.random.split(key, n)[i], rows, cols)`.

    Args:
        key: one PRNG key, new-style or legacy.
        rows: rows of each matrix.
        cols: columns of each matrix.
        dtype: a floating or complex dtype; None is the default float.
        batch: leading dimensions, of independent matrices.

    Returns:
        An array of shape `(*batch, rows, cols)`; it is empty if any dimension is zero.

    Raises:
        TypeError: `key` is not a PRNG key, or a dimension is not an integer.
        ValueError: `dtype` is neither floating nor complex, or a dimension is negative.

    >>> import jax, jax.numpy as jnp
    >>> q = random_orthogonal(jax.random.key(0), 64, 16)
    >>> bool(jnp.abs(q.T @ q - jnp.eye(16)).max() < 1e-5)
    True

    `torch.nn.init.orthogonal_`, Keras' `Orthogonal` and `jax.nn.initializers.orthogonal` sample the
    same law by QR, with other bits.

    Reference: G. W. Stewart, "The efficient generation of random orthogonal matrices with an
    application to condition estimators", SIAM J. Numer. Anal. 17 (1980), 403-409. Blocks: T.
    Joffrain et al., "Accumulating Householder transformations, revisited", ACM TOMS 32 (2006).
    """
    check_key(key)
    rows, cols = as_shape((rows, cols))
    out: Array = _matrices(key, rows=rows, cols=cols, dtype=as_dtype(dtype), batch=as_shape(batch))
    return out


@functools.partial(jax.jit, static_argnames=("rows", "cols", "dtype", "batch"))
def _matrices(key: Array, *, rows: int, cols: int, dtype: Dtype, batch: tuple[int, ...]) -> Array:
    if 0 in (rows, cols, *batch):
        return jnp.zeros((*batch, rows, cols), dtype)
    one = functools.partial(_matrix, rows=rows, cols=cols, dtype=dtype)
    if not batch:
        return one(key)
    keys = jax.random.split(key, math.prod(batch))
    return _stack(one, keys, rows * cols).reshape((*batch, rows, cols))


def _stack(one: Callable[[Array], Array], keys: Array, size: int) -> Array:
    """`one` of every key, in groups of a cache's size on CPU and all at once elsewhere."""
    together = jax.vmap(one)
    group = max(1, _GROUP_ELEMENTS // size)
    if group >= len(keys):
        return together(keys)
    in_groups = functools.partial(lax.map, one, batch_size=group)
    stack: Array = lax.platform_dependent(keys, cpu=in_groups, default=together)
    return stack


def _matrix(key: Array, *, rows: int, cols: int, dtype: Dtype) -> Array:
    working = dtype if dtype.kind == "c" else real_dtype(dtype)
    tall = _orthonormal_columns(key, max(rows, cols), min(rows, cols), working)
    return lax.convert_element_type(tall if rows >= cols else tall.T, dtype)


def _orthonormal_columns(key: Array, rows: int, cols: int, dtype: Dtype) -> Array:
    """Apply the blocks of reflectors, last to first, to the first columns of the identity."""
    width = _block_width(cols)
    blocks = [_reflectors(x) for x in _gaussians(key, rows, cols, width, dtype)]
    factors = _triangular_factors(blocks, width)
    matrix = jnp.zeros((rows - cols, 0), dtype)
    for block, factor in zip(reversed(blocks), reversed(factors), strict=True):
        matrix = _grow(matrix, block, factor)
    return matrix


def _block_width(cols: int) -> int:
    """Reflectors in a block: a power of two, so that it halves down to the series."""
    target = max(cols / _BLOCKS, min(cols, _SMALLEST_BLOCK))
    return 1 << round(math.log2(target))


def _gaussians(key: Array, rows: int, cols: int, width: int, dtype: Dtype) -> list[Array]:
    """A standard normal matrix of `cols` vectors of length `rows`, as blocks of its upper part.

    Block `j` holds vectors `j` to `j + width`, each in a row, without their first `j` entries.
    Counters address an entry wherever it stands, so the part that nothing reads is not drawn.
    """
    law = Normal()
    starts = range(0, cols, width)
    if key_words(key) is None:
        whole = sample(law, key, (cols, rows), dtype)
        return [whole[j : j + width, j:] for j in starts]
    return [
        sample(
            law,
            key,
            (min(width, cols - j), rows - j),
            dtype,
            window=Window.at((cols, rows), (j, j)),
        )
        for j in starts
    ]


class _Reflectors(NamedTuple):
    """Reflectors I - tau v v^H; row k of `adjoints` is v_k^H, 1 on the diagonal and 0 before it."""

    adjoints: Array
    taus: Array
    signs: Array


def _reflectors(x: Array) -> _Reflectors:
    """The reflector that takes each row of `triu(x)` to a multiple of its leading unit vector.

    With |x| the norm, v is x + sign(x_0) |x| e_0, in which no digits cancel, over its leading
    entry, and tau = 1 + |x_0| / |x|. The last vector of a square matrix, of length 1, then gives
    v = 1 and tau = 2 exactly.
    """
    x = jnp.triu(x)
    modulus = jnp.abs(jnp.diagonal(x))
    norms = jnp.sqrt(jnp.sum(jnp.square(jnp.abs(x)), axis=1))
    # A zero can be drawn. It takes the sign 1, and a vector of zeros reflects its own axis.
    phase = jnp.where(modulus > 0, jnp.diagonal(x) / _nonzero(modulus).astype(x.dtype), 1)
    taus = jnp.where(norms > 0, 1 + modulus / _nonzero(norms), 2).astype(x.dtype)
    leading = phase * _nonzero(norms + modulus).astype(x.dtype)
    on_diagonal = _diagonal(jnp.ones_like(modulus, bool), x.shape)
    return _Reflectors(jnp.where(on_diagonal, 1, x / leading[:, None]), taus, -phase.conj())


def _nonzero(x: Array) -> Array:
    return jnp.where(x > 0, x, 1)


def _diagonal(values: Array, shape: tuple[int, ...]) -> Array:
    """A matrix of `shape` with `values` along the start of its diagonal."""
    rows, cols = (n - len(values) for n in shape)
    return jnp.pad(jnp.diag(values), ((0, rows), (0, cols)))


def _triangular_factors(blocks: Sequence[_Reflectors], width: int) -> Array:
    """The matrix T of each block, zero-padded to `width` and inverted together.

    The diagonal of T^-1 comes from the norms and not from the products, whose sums of squares are
    rounded more: at n = 2048 that leaves |Q^T Q - I| under 1e-6, against 3e-6.
    """
    gram = jnp.stack([_square(_product(b.adjoints, b.adjoints.T.conj()), width) for b in blocks])
    taus = jnp.stack([jnp.pad(b.taus, (0, width - len(b.taus))) for b in blocks])
    return _unit_inverse(jnp.triu(taus[:, :, None] * gram, 1)) * taus[:, None, :]


def _square(matrix: Array, width: int) -> Array:
    return jnp.pad(matrix, (0, width - len(matrix)))


def _unit_inverse(upper: Array) -> Array:
    """Inverses of I + `upper`, for a stack of strictly upper triangular matrices.

    Both halves of the diagonal, A and C, invert as one stack: the inverse of [[A, B], [0, C]] is
    [[A', -A' B C'], [0, C']].
    """
    size = upper.shape[-1]
    if size <= _SERIES:
        return _neumann_series(upper)
    half = size // 2
    corners = jnp.stack([upper[..., :half, :half], upper[..., half:, half:]])
    first, last = _unit_inverse(corners)
    between = -_product(_product(first, upper[..., :half, half:]), last)
    top = jnp.concatenate([first, between], axis=-1)
    bottom = jnp.concatenate([jnp.zeros_like(between), last], axis=-1)
    return jnp.concatenate([top, bottom], axis=-2)


def _neumann_series(upper: Array) -> Array:
    """(I + N)^-1 = (I - N)(I + N^2)(I + N^4)..., which ends because N is nilpotent."""
    size = upper.shape[-1]
    identity = jnp.broadcast_to(jnp.eye(size, dtype=upper.dtype), upper.shape)
    inverse, power = identity - upper, upper
    for _ in range(1, math.ceil(math.log2(size))):
        power = _product(power, power)
        inverse = inverse + _product(inverse, power)
    return inverse


def _grow(matrix: Array, block: _Reflectors, factor: Array) -> Array:
    """Border `matrix` with the signs of `block`, and reflect: B - V T (V^H B)."""
    adjoints, signs = block.adjoints, block.signs
    count = len(signs)
    factor = factor[:count, :count]
    # V^H B by its two parts: the border is diagonal, so only the rest is a matrix product.
    image = jnp.concatenate(
        [adjoints[:, :count] * signs[None, :], _product(adjoints[:, count:], matrix)], axis=1
    )
    bordered = jnp.pad(matrix, ((count, 0), (count, 0)))
    bordered = bordered + _diagonal(signs, bordered.shape)
    return bordered - _product(adjoints.T.conj(), _product(factor, image))
