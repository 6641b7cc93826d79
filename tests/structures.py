"""Structured weights in float64 NumPy, and oracles of them: Gram matrices, frequencies, counts.

The functions that return a function return a catalogue check: it takes the weights in float64.
"""

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import jax
import numpy as np

Check = Callable[[np.ndarray], None]

# Float32 matrices from products of reflectors are orthogonal to a few 1e-6.
ATOL = 2e-5

# One false alarm in 10^7 comparisons: |z| of a standard normal.
Z = 5.33


def draw(init: Any, shape: tuple[int, ...], dtype: Any = None, seed: int = 3) -> np.ndarray:
    """Weights of `shape`, in float64 or complex128."""
    weights = init(jax.random.key(seed), shape, dtype)
    assert weights.shape == shape
    return np.asarray(weights, np.complex128 if np.iscomplexobj(weights) else np.float64)


def label(value: Any) -> str | None:
    """The id of a parametrized value; functions have none that lasts from run to run."""
    return None if isinstance(value, FunctionType) else str(value)


def assert_isometry(matrix: np.ndarray, scale: float = 1.0, atol: float = ATOL) -> None:
    """Columns are orthogonal with norm `scale` if `matrix` is tall, else rows are."""
    matrix = matrix / scale
    rows, columns = matrix.shape
    gram = matrix.conj().T @ matrix if rows >= columns else matrix @ matrix.conj().T
    np.testing.assert_allclose(gram, np.eye(min(rows, columns)), atol=atol)


def one_matrix(
    rows: int, columns: int, order: Sequence[int] | None = None, scale: float = 1.0
) -> Check:
    """With its axes in `order`, the kernel is one matrix."""

    def check(weights: np.ndarray) -> None:
        ordered = weights.transpose(order if order else range(weights.ndim))
        assert_isometry(ordered.reshape(rows, columns), scale)

    return check


def many_matrices(axis: int, scale: float = 1.0) -> Check:
    """Every slice along `axis` is a matrix, and no two are the same."""

    def check(weights: np.ndarray) -> None:
        slices = np.moveaxis(weights, axis, 0)
        for matrix in slices:
            assert_isometry(matrix, scale)
        assert len(np.unique(slices[:, 0, 0])) == len(slices)

    return check


def frequency_matrices(kernel: np.ndarray, size: int) -> np.ndarray:
    """The matrix (inputs, outputs) of a circular convolution at each frequency, by definition.

    On a periodic grid of `size` points an axis: the sum over taps t of K[t] exp(-2 pi i f t / n).
    """
    for axis in range(kernel.ndim - 2):
        taps = kernel.shape[axis]
        assert taps <= size
        wave = np.exp(-2j * np.pi * np.outer(np.arange(size), np.arange(taps)) / size)
        kernel = np.moveaxis(np.tensordot(wave, kernel, axes=(1, axis)), 0, axis)
    return kernel.reshape(-1, *kernel.shape[-2:])


def conv_isometry(scale: float = 1.0, *, spread: bool = True, atol: float = ATOL) -> Check:
    """All singular values of the circular convolution are `scale`; every tap has weight or one."""

    def check(weights: np.ndarray) -> None:
        singular = np.linalg.svd(frequency_matrices(weights, 6), compute_uv=False)
        np.testing.assert_allclose(singular, scale, rtol=atol)
        heavy = (np.abs(weights) ** 2).sum((-2, -1)) > 1e-3 * scale**2
        assert heavy.all() if spread else heavy.sum() == 1

    return check


def centre_matrix(kernel: np.ndarray) -> np.ndarray:
    """The matrix at tap (k - 1) // 2, after asserting that all other taps are exactly zero."""
    centre = tuple((k - 1) // 2 for k in kernel.shape[:-2])
    others = kernel.copy()
    others[centre] = 0
    assert not others.any()
    return kernel[centre]


def matrix_at_centre(scale: float = 1.0) -> Check:
    """The centre tap holds a matrix, and the other taps nothing."""
    return lambda weights: assert_isometry(centre_matrix(weights), scale)


def mirrored(rows: int, columns: int, position: str, scale: float = 1.0) -> Check:
    """A looks-linear kernel with a block of `rows` by `columns`."""

    def check(weights: np.ndarray) -> None:
        matrix = weights if weights.ndim == 2 else centre_matrix(weights)
        block = matrix[:rows, :columns]
        blocks: dict[str, Any] = {
            "first": [[block, -block]],
            "hidden": [[block, -block], [-block, block]],
            "last": [[block], [-block]],
        }
        np.testing.assert_array_equal(matrix, np.block(blocks[position]))
        assert_isometry(block, scale)

    return check


def counts(axes: Any, count: int, std: float) -> Check:
    """Along `axes` exactly `count` weights are not zero, and those have this spread."""

    def check(weights: np.ndarray) -> None:
        kept = weights != 0
        np.testing.assert_array_equal(kept.sum(axes), count)
        values = weights[kept]
        if values.size:
            assert abs(values.mean()) < Z * std / np.sqrt(values.size)
            assert abs(values.var() / std**2 - 1) < Z * np.sqrt(2 / values.size)

    return check


def sums(axes: Any) -> Check:
    """Weights are positive and sum to one along `axes`."""

    def check(weights: np.ndarray) -> None:
        assert (weights > 0).all()
        np.testing.assert_allclose(weights.sum(axes), 1, rtol=1e-6)

    return check
