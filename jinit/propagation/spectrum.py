"""The singular values of a model's Jacobian, from its inputs to its outputs.

May import: the standard library, NumPy.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Spectrum", "spectrum_of_bidiagonal", "spectrum_of_matrices"]


@dataclass(frozen=True)
class Spectrum:
    """How singular values are distributed, over all inputs of a batch.

    Small Jacobians are computed as they are. Of large ones a random vector's Krylov space is: its
    singular values and weights integrate what the true distribution does (stochastic Lanczos
    quadrature). The mean square and the largest values converge first, the smallest last.

    Attributes:
        values: singular values, the largest first, shape (n,).
        weights: the share of each, summing to 1, shape (n,).
        exact: whether these are all there are.
        shape: of the Jacobian: outputs, inputs.
        inputs: how many inputs' Jacobians these are; 1 for that of a whole batch, where the inputs
            have a part in each other's outputs.

    Reference: Golub & Meurant 2010, "Matrices, Moments and Quadrature", chapters 6 and 7.
    """

    values: Any = field(repr=False, compare=False)
    weights: Any = field(repr=False, compare=False)
    exact: bool
    shape: tuple[int, int]
    inputs: int

    @property
    def largest(self) -> float:
        """The largest singular value."""
        return float(self.values[0])

    @property
    def rms(self) -> float:
        """The root mean square of the singular values."""
        return float(np.sqrt(self.weights @ np.square(self.values)))

    @property
    def spread(self) -> float:
        """`sqrt(Var[s^2]) / E[s^2]`; beneath 1 or so is dynamical isometry."""
        squares = np.square(self.values)
        mean = float(self.weights @ squares)
        if not mean > 0:
            return float("nan")
        return float(np.sqrt(self.weights @ np.square(squares - mean))) / mean

    def quantile(self, share: float) -> float:
        """The singular value beneath which a share of them lies."""
        below = np.cumsum(self.weights[::-1])
        place = int(np.searchsorted(below, share * below[-1]))
        return float(self.values[::-1][min(place, len(below) - 1)])


def spectrum_of_matrices(matrices: Any) -> Spectrum:
    """From whole Jacobians, shape (inputs, rows, columns)."""
    found = np.linalg.svd(np.asarray(matrices, np.float64), compute_uv=False)
    values = np.sort(found.ravel())[::-1]
    weights = np.full(values.shape, 1 / values.size)
    return Spectrum(values, weights, True, matrices.shape[1:], len(matrices))


def spectrum_of_bidiagonal(diagonal: Any, below: Any, shape: tuple[int, int]) -> Spectrum:
    """From the lower bidiagonal matrices that Golub and Kahan's process comes to.

    Args:
        diagonal: shape (steps, inputs).
        below: what is beneath it, shape (steps - 1, inputs).
        shape: of the Jacobian.
    """
    steps, inputs = diagonal.shape
    matrices = np.zeros((inputs, steps, steps))
    places = np.arange(steps)
    matrices[:, places, places] = np.asarray(diagonal, np.float64).T
    matrices[:, places[1:], places[:-1]] = np.asarray(below, np.float64).T
    left, found, _ = np.linalg.svd(matrices)
    weights = np.square(left[:, 0, :]) / inputs
    order = np.argsort(found.ravel())[::-1]
    return Spectrum(found.ravel()[order], weights.ravel()[order], False, shape, inputs)
