"""Activations by what they compute: a function at some points, compared with known ones.

May import: the standard library, NumPy, `jinit.nonlinearities`.

However a model writes its activation, and whatever it calls it, its values tell which it is.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from jinit.nonlinearities import NONLINEARITIES

__all__ = ["GRID", "is_affine", "recognize"]

# Far enough for relu6 and hard_swish, and fine enough to tell gelu from its tanh form.
GRID: Any = np.linspace(-9.0, 9.0, 73) + 0.0123

# Constants in bfloat16 are off by 2**-9, and leave gelu 1e-3 from itself.
_TOLERANCE = 3e-3

_NAMES = (
    "relu",
    "gelu",
    "gelu_tanh",
    "silu",
    "tanh",
    "sigmoid",
    "softplus",
    "selu",
    "relu6",
    "relu_squared",
    "mish",
    "hard_swish",
    "hard_sigmoid",
    "hard_tanh",
    "log_sigmoid",
    "softsign",
    "erf",
    "sin",
    "abs",
)


def is_affine(probe: Any) -> bool:
    """Whether a function of `GRID` is a straight line."""
    probe = np.asarray(probe)
    if probe.dtype == bool or not np.all(np.isfinite(probe)):
        return False
    rise = (probe[-1] - probe[0]) / (GRID[-1] - GRID[0])
    straight = probe[0] + rise * (GRID - GRID[0])
    return bool(np.max(np.abs(probe - straight)) <= 1e-6 * (1 + np.max(np.abs(probe))))


def recognize(probe: Any) -> tuple[str, float | None] | None:
    """The name by which `jinit.calculate_gain` knows a function, and its parameter; or None.

    A positive factor in front of the function changes nothing.

    >>> recognize(np.maximum(GRID, 0)), recognize(1.7 * np.where(GRID > 0, GRID, 0.2 * GRID))
    (('relu', None), ('leaky_relu', 0.2))
    """
    probe = np.asarray(probe, dtype=np.float64)
    if not np.all(np.isfinite(probe)) or is_affine(probe):
        return None
    errors = {name: _distance(probe, values) for name, values in _table().items()}
    best = min(errors, key=errors.__getitem__)
    return (best, None) if errors[best] < _TOLERANCE else _with_parameter(probe)


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    return {name: NONLINEARITIES[name].bind(None)(GRID) for name in _NAMES}


def _distance(probe: Any, values: Any) -> float:
    factor = float(probe @ values / (values @ values))
    if factor <= 0:
        return float("inf")
    return float(np.max(np.abs(probe / factor - values)))


def _with_parameter(probe: Any) -> tuple[str, float | None] | None:
    """A leaky ReLU or an ELU, whose parameter shows at the left end."""
    factor = probe[-1] / GRID[-1]
    if factor <= 0:
        return None
    left = probe[0] / factor
    for name, param in (("leaky_relu", left / GRID[0]), ("elu", left / np.expm1(GRID[0]))):
        rounded = float(f"{param:.3g}")
        values = NONLINEARITIES[name].bind(rounded)(GRID)
        if np.max(np.abs(probe / factor - values)) < 2 * _TOLERANCE:
            return name, rounded
    return None
