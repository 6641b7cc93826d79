"""The phase diagram of an activation, computed for all its points at once.

May import: the standard library, NumPy, `jinit.checks`, `jinit.elementwise`, `jinit.quadrature`
(for its types) and `jinit.theory`'s maps.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from jinit.checks import check_non_negative, check_positive
from jinit.elementwise import Elementwise
from jinit.quadrature import FloatArray
from jinit.theory.criticality import CriticalLine, critical_line
from jinit.theory.maps import MeanField, slope_moment, square_moment

__all__ = ["PhaseDiagram", "phase_diagram"]

# Twenty variances a decade: between them moments are interpolated, to four digits.
_VARIANCES = np.logspace(-6, 6, 241)
_START = 120  # q = 1, where the flow begins


@dataclass(frozen=True)
class PhaseDiagram:
    """q* and chi over a grid of (sigma_w, sigma_b), to three digits or more.

    Attributes:
        name: The activation.
        sigma_w: The grid's columns, shape (m,).
        sigma_b: The grid's rows, shape (n,).
        q: q* where q = 1 flows, shape (n, m); 0 or inf beyond [1e-6, 1e6].
        chi: Growth of the squared gradient in a layer at q*, shape (n, m).
        edge: The edge of chaos, where chi = 1.
    """

    name: str
    sigma_w: FloatArray
    sigma_b: FloatArray
    q: FloatArray
    chi: FloatArray
    edge: CriticalLine


def phase_diagram(
    activation: str | Elementwise,
    sigma_w: Iterable[float],
    sigma_b: Iterable[float],
    *,
    param: float | None = None,
) -> PhaseDiagram:
    """Return q* and chi for each pair of `sigma_w` and `sigma_b`.

    Use it for the picture, `jinit.display.theory.plot_phase_diagram`; `fixed_point` has all the
    digits of one pair.

    Args:
        activation: A name or an elementwise function.
        sigma_w: Positive numbers, m of them.
        sigma_b: Non-negative numbers, n of them.
        param: Parameter of a named activation.

    Returns:
        The diagram.

    >>> diagram = phase_diagram("tanh", [0.5, 1.5, 2.5], [0.1, 0.3])
    >>> print(diagram.chi.round(2))
    [[0.24 1.13 1.6 ]
     [0.21 1.06 1.59]]

    Reference: Poole et al. 2016 (arXiv:1606.05340).
    """
    weights = np.array([float(check_positive("sigma_w", each)) for each in sigma_w])
    biases = np.array([float(check_non_negative("sigma_b", each)) for each in sigma_b])
    network = MeanField(activation, 1.0, 0.0, param)
    phi = network.phi
    squares = np.array([square_moment(phi, float(q)) for q in _VARIANCES])
    slopes = np.array([slope_moment(phi, float(q)) for q in _VARIANCES])
    log_q = _flow(np.square(weights)[None, :, None], np.square(biases)[:, None, None], squares)
    chi = np.square(weights) * np.exp(np.interp(log_q, np.log(_VARIANCES), np.log(slopes)))
    return PhaseDiagram(
        name=network.name,
        sigma_w=weights,
        sigma_b=biases,
        q=np.exp(log_q),
        chi=chi,
        edge=critical_line(activation, _VARIANCES, param=param),
    )


def _flow(weights: FloatArray, biases: FloatArray, squares: FloatArray) -> FloatArray:
    """Return `log q*`: the first change of sign of `log V(q) - log q` in the flow's direction."""
    with np.errstate(divide="ignore"):
        growth = np.log((weights * squares + biases) / _VARIANCES)
    growth[np.abs(growth) < 1e-11] = 0.0
    rises = growth[..., _START] > 0
    above = _crossing(growth[..., _START:], np.log(_VARIANCES[_START:]))
    below = _crossing(-growth[..., _START::-1], np.log(_VARIANCES[_START::-1]))
    moved = np.where(rises, above, below)
    return np.asarray(np.where(growth[..., _START] == 0, 0.0, moved))


def _crossing(values: FloatArray, at: FloatArray) -> FloatArray:
    """Return where the values, positive at first, cease to be; infinite where they never do."""
    over = values <= 0
    after = np.maximum(over.argmax(axis=-1), 1)
    first, last = (np.take_along_axis(values, i[..., None], -1)[..., 0] for i in (after - 1, after))
    share = first / np.where(first == last, 1.0, first - last)
    crossing = at[after - 1] + share * (at[after] - at[after - 1])
    beyond = np.sign(at[-1] - at[0]) * np.inf
    return np.asarray(np.where(over.any(axis=-1), crossing, beyond))
