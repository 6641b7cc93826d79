"""State-space models: the HiPPO matrix, and the diagonal state matrices derived from it.

May import: numpy, `jinit.core`, `jinit.checks`, `jinit.factory`, `jinit.schemes.vectors`.

Nothing here is random. The step sizes of S4 are uniform in their logarithm, those of Mamba, which
are so too, are in `jinit.schemes.mamba`; input and output matrices are normal.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from jinit.checks import check_choice
from jinit.core.laws import Constant
from jinit.factory import Elementwise, Recipe, scheme
from jinit.schemes.vectors import along_last, last_extent, rounded_once

__all__ = ["hippo_legs", "hippo_legs_input", "s4d_inv", "s4d_lin", "s4d_real"]

_PARTS = ("complex", "imag", "real")

Vector = np.ndarray[Any, Any]


@scheme(keyless=True)
def hippo_legs(dtype: Any = None) -> Recipe:
    """HiPPO-LegS: `A_nk = -sqrt((2n + 1)(2k + 1))` for n > k, `-(n + 1)` for n = k, else 0.

    The state matrix of x' = A x + B u (`jinit.hippo_legs_input` is B) whose state holds the
    Legendre coefficients of all of the input so far. Its eigenvalues are -1, -2, ..., -N.

    Args:
        dtype: floating or complex dtype of the weights, unless the call gives one.

    Raises:
        ValueError: when drawing, the last two axes are not square; leading axes repeat it.

    >>> import jinit
    >>> jinit.hippo_legs()(None, (3, 3)).round(2).tolist()  # doctest: +ELLIPSIS
    [[-1.0, 0.0, 0.0], [-1.73..., -2.0, 0.0], [-2.24..., -3.86..., -3.0]]

    Reference: Gu et al. 2020 (arXiv:2008.07669); as used by S4, Gu, Goel and Re 2022
    (arXiv:2111.00396).
    """
    return Elementwise(
        lambda shape, dtype: Constant(rounded_once(_legs(_square_extent(shape)), dtype))
    )


@scheme(keyless=True)
def hippo_legs_input(dtype: Any = None) -> Recipe:
    """HiPPO-LegS input: `B_n = sqrt(2n + 1)` along the last axis, the partner of `hippo_legs`.

    Args:
        dtype: floating or complex dtype of the weights, unless the call gives one.

    Raises:
        ValueError: when drawing, the shape has no axis; leading axes repeat the vector.

    >>> import jinit
    >>> [f"{value:.2f}" for value in jinit.hippo_legs_input()(None, (3,)).tolist()]
    ['1.00', '1.73', '2.24']

    Reference: Gu et al. 2020 (arXiv:2008.07669).
    """
    return along_last(lambda n: np.sqrt(2 * np.arange(n) + 1.0))


@scheme(keyless=True)
def s4d_lin(dtype: Any = None, *, part: str = "complex") -> Recipe:
    """S4D-Lin: `A_n = -1/2 + i pi n`, the eigenvalues of a diagonal state matrix; a Fourier basis.

    Of each conjugate pair one is kept, so that a last axis of M stands for a state of 2M.

    Args:
        dtype: dtype of the weights, unless the call gives one; complex for complex values.
        part: "complex" for the values themselves; "real" or "imag" for models that keep the two
            as real parameters.

    Raises:
        ValueError: `part` is unknown; when drawing, it is "complex" and the dtype is real, or the
            shape has no axis.

    >>> import jinit, jax.numpy as jnp
    >>> values = jinit.s4d_lin(jnp.complex64)(None, (2,))
    >>> print([f"{value:.2f}" for value in values.tolist()])
    ['-0.50+0.00j', '-0.50+3.14j']
    >>> jinit.s4d_lin(part="real")(None, (2,)).tolist()
    [-0.5, -0.5]

    Reference: Gu et al. 2022 (arXiv:2206.11893).

    Differences: the authors' code keeps log(-real), which is `jinit.constant(math.log(0.5))`.
    """
    return _eigenvalues("s4d_lin", part, lambda m: np.pi * np.arange(m))


@scheme(keyless=True)
def s4d_inv(dtype: Any = None, *, part: str = "complex") -> Recipe:
    """S4D-Inv: `A_n = -1/2 + i (N / pi) (N / (2n + 1) - 1)`, the eigenvalues of a state matrix.

    The frequencies fall off as those of HiPPO-LegS do. Of each conjugate pair one is kept: a last
    axis of M stands for a state of N = 2M.

    Args:
        dtype: dtype of the weights, unless the call gives one; complex for complex values.
        part: "complex" for the values themselves; "real" or "imag" for models that keep the two
            as real parameters.

    Raises:
        ValueError: `part` is unknown; when drawing, it is "complex" and the dtype is real, or the
            shape has no axis.

    >>> import jinit
    >>> [f"{value:.2f}" for value in jinit.s4d_inv(part="imag")(None, (2,)).tolist()]
    ['3.82', '0.42']

    Reference: Gu et al. 2022 (arXiv:2206.11893).
    """
    return _eigenvalues("s4d_inv", part, _inverse_frequencies)


@scheme(keyless=True)
def s4d_real(dtype: Any = None) -> Recipe:
    """S4D-Real: `A_n = -(n + 1)` along the last axis: the eigenvalues of HiPPO-LegS itself.

    Args:
        dtype: floating or complex dtype of the weights, unless the call gives one.

    Raises:
        ValueError: when drawing, the shape has no axis; leading axes repeat the vector.

    >>> import jinit
    >>> jinit.s4d_real()(None, (2, 3)).tolist()
    [[-1.0, -2.0, -3.0], [-1.0, -2.0, -3.0]]

    Reference: Gu et al. 2022 (arXiv:2206.11893).

    Differences: Mamba keeps log(-A): `jinit.mamba_a_log`.
    """
    return along_last(lambda n: -(np.arange(n) + 1.0))


def _legs(n: int) -> Vector:
    root = np.sqrt(2 * np.arange(n) + 1.0)
    return np.diag(np.arange(n)) - np.tril(np.outer(root, root))


def _square_extent(shape: tuple[int, ...]) -> int:
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ValueError(
            f"`shape` (={shape}) must end in two equal axes; the state matrix is square"
        )
    return shape[-1]


def _inverse_frequencies(m: int) -> Vector:
    n = 2 * m
    return n / np.pi * (n / (2 * np.arange(m) + 1) - 1)


def _eigenvalues(name: str, part: str, frequencies: Callable[[int], Vector]) -> Recipe:
    """The recipe of the values -1/2 + i * frequencies, or of one of their parts."""
    check_choice("part", part, _PARTS)

    def law(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Constant:
        imag = frequencies(last_extent(shape))
        if part == "complex":
            _require_complex(name, dtype)
            return Constant((-0.5 + 1j * imag).astype(dtype))
        values = imag if part == "imag" else np.full_like(imag, -0.5)
        return Constant(rounded_once(values, dtype))

    return Elementwise(law)


def _require_complex(name: str, dtype: np.dtype[Any]) -> None:
    if dtype.kind != "c":
        raise ValueError(
            f"jinit.{name} gives complex values, which dtype {dtype.name} cannot hold; ask for "
            "complex64, or for one part with part='real' or part='imag'"
        )
