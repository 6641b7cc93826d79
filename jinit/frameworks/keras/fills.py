# ruff: noqa: N802 - the names are Keras'
"""`keras.initializers`: what does not depend on fans.

May import: numpy, `jinit.checks`, `jinit.initializer`, `jinit.schemes`, and of `jinit.frameworks`
arguments, borrowing, shapes.

An int as `seed` binds a key, and the initializer is then called with the shape alone, as in
Keras: see `jinit.frameworks.seeding`. Without one it takes a key, as everything in JAX.

Reference: Keras 3.15, `keras/src/initializers`.
"""

from typing import Any

import numpy as np

from jinit.checks import check_choice, check_number
from jinit.core.laws import Constant as ConstantLaw
from jinit.frameworks.arguments import check_ends
from jinit.frameworks.borrowing import borrow
from jinit.frameworks.shapes import of_rank
from jinit.initializer import Elementwise, Recipe
from jinit.schemes.constants import constant, ones, zeros
from jinit.schemes.distributions import normal, truncated_normal, uniform
from jinit.schemes.identities import identity
from jinit.schemes.vectors import rounded_once

__all__ = [
    "STFT",
    "Constant",
    "Identity",
    "Ones",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "Zeros",
]

_WINDOWS = {"blackman": (0.42, 0.5, 0.08), "hamming": (0.54, 0.46), "hann": (0.5, 0.5)}


@borrow("keras", keyless=True)
def Zeros(*, dtype: Any = None) -> Recipe:
    """All zeros: `W = 0`.

    Args:
        dtype: dtype of the weights, unless the call gives one.
    """
    return zeros().recipe


@borrow("keras", keyless=True)
def Ones(*, dtype: Any = None) -> Recipe:
    """All ones: `W = 1`.

    Args:
        dtype: dtype of the weights, unless the call gives one.
    """
    return ones().recipe


@borrow("keras", keyless=True)
def Constant(value: Any = 0.0, *, dtype: Any = None) -> Recipe:
    """Everywhere `value`: `W = value`, broadcast to the shape.

    Args:
        value: a number, or an array that broadcasts to the weights.
        dtype: dtype of the weights, unless the call gives one.
    """
    return constant(value).recipe


@borrow("keras", keyless=True)
def Identity(gain: Any = 1.0, *, dtype: Any = None) -> Recipe:
    """Identity matrix: `W[i, i] = gain`, zeros elsewhere; two axes, square or not.

    Args:
        gain: value on the diagonal.
        dtype: dtype of the weights, unless the call gives one.

    Raises:
        ValueError: when drawing, the shape does not have two axes.

    >>> Identity(2.0)(None, (2, 3)).tolist()
    [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]
    """
    return of_rank(identity(gain).recipe, "Keras' Identity", 2)


@borrow("keras", keyless=True)
def STFT(
    side: str = "real",
    window: Any = "hann",
    scaling: str | None = "density",
    periodic: bool = False,
    *,
    dtype: Any = None,
) -> Recipe:
    """Fourier basis: `K[t, 0, f] = w[t] cos(2 pi t f / n)`, or minus the sine; n = 2 (F - 1).

    For a convolution that starts as a short-time Fourier transform: kernels `(T, 1, F)` of T taps
    and F frequencies, one for the real and one for the imaginary part.

    Args:
        side: "real" or "imag".
        window: "hann", "hamming" or "blackman", an array of T values, or None for no window.
        scaling: "density" divides by the window's root sum of squares, "spectrum" by its sum,
            None by nothing; without a window nothing is divided.
        periodic: whether a named window is periodic, as for a spectrum, or symmetric.
        dtype: floating dtype of the weights, unless the call gives one.

    Raises:
        ValueError: an option is unknown; when drawing, the shape is not `(T, 1, F)` or the
            window has another length.

    >>> STFT(window=None)(None, (4, 1, 3))[:, 0].round(3).tolist()
    [[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -1.0, 1.0], [1.0, -0.0, -1.0]]

    Differences: Keras takes any window that SciPy knows by name; give its values instead.
    """
    check_choice("side", side, ("imag", "real"))
    if scaling is not None:
        check_choice("scaling", scaling, ("density", "spectrum"))
    if isinstance(window, str):
        check_choice("window", window, tuple(_WINDOWS))
    elif window is not None:
        check_number("window", window)

    def law(shape: tuple[int, ...], dtype: Any) -> ConstantLaw:
        basis = _basis(shape, side) * _scaled_window(shape[0], window, scaling, periodic)
        return ConstantLaw(rounded_once(basis, dtype))

    return Elementwise(law)


def _basis(shape: tuple[int, ...], side: str) -> np.ndarray[Any, Any]:
    if len(shape) != 3 or shape[1] != 1 or shape[2] < 2:
        raise ValueError(
            f"`shape` (={shape}) must be (taps, 1, frequencies) with two frequencies at least"
        )
    turns = np.outer(np.arange(shape[0]), np.arange(shape[2])) / (2 * (shape[2] - 1))
    wave = np.cos(2 * np.pi * turns) if side == "real" else -np.sin(2 * np.pi * turns)
    return wave[:, None, :]


def _scaled_window(
    taps: int, window: Any, scaling: str | None, periodic: bool
) -> np.ndarray[Any, Any] | float:
    if window is None:
        return 1.0
    named = isinstance(window, str)
    values = _window(window, taps, periodic) if named else np.asarray(window, np.float64)
    if values.shape != (taps,):
        raise ValueError(f"`window` has shape {values.shape}, and the kernel {taps} taps")
    if scaling == "density":
        values = values / np.sqrt((values**2).sum())
    elif scaling == "spectrum":
        values = values / np.abs(values).sum()
    return values[:, None, None]


def _window(name: str, taps: int, periodic: bool) -> np.ndarray[Any, Any]:
    """A sum of cosines with alternating signs over one period."""
    phase = 2 * np.pi * np.arange(taps) / max(taps - (not periodic), 1)
    if taps == 1:
        return np.ones(1)
    terms = enumerate(_WINDOWS[name])
    return np.sum([(-1) ** k * share * np.cos(k * phase) for k, share in terms], axis=0)


@borrow("keras")
def RandomNormal(
    mean: float = 0.0, stddev: float = 0.05, seed: int | None = None, *, dtype: Any = None
) -> Recipe:
    """Normal: `W ~ N(mean, stddev^2)`, not truncated.

    Args:
        mean: mean.
        stddev: standard deviation.
        seed: an int binds a key.
        dtype: floating or complex dtype of the weights, unless the call gives one.

    >>> RandomNormal().law((8, 8))
    Normal(center=0.0, stddev=0.05)

    Differences: in JAX the standard deviation is 0.01 by default, in torch and Haiku 1.
    """
    return normal(stddev, mean=mean).recipe


@borrow("keras")
def TruncatedNormal(
    mean: float = 0.0, stddev: float = 0.05, seed: int | None = None, *, dtype: Any = None
) -> Recipe:
    """Truncated normal: `W ~ N(mean, stddev^2)` cut at 2 stddev and not widened again.

    Args:
        mean: mean.
        stddev: standard deviation before truncation; after it, 0.88 of that.
        seed: an int binds a key.
        dtype: floating dtype of the weights, unless the call gives one.

    >>> print(f"{TruncatedNormal().std((8, 8)):.4f}")
    0.0440
    """
    return truncated_normal(stddev, mean=mean).recipe


@borrow("keras")
def RandomUniform(
    minval: float = -0.05, maxval: float = 0.05, seed: int | None = None, *, dtype: Any = None
) -> Recipe:
    """Uniform: `W ~ U[minval, maxval)`.

    Args:
        minval: lower end.
        maxval: upper end.
        seed: an int binds a key.
        dtype: floating dtype of the weights, unless the call gives one.

    >>> RandomUniform().law((8, 8))
    Uniform(low=-0.05, high=0.05, scale=1.0)

    Differences: `jax.nn.initializers.uniform(s)` is U[0, s).
    """
    check_ends(minval=minval, maxval=maxval)
    return uniform(low=minval, high=maxval).recipe
