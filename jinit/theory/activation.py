"""Activations as float64 NumPy functions with their slopes, whoever wrote them.

May import: the standard library, NumPy, `jinit.checks`, `jinit.elementwise`,
`jinit.nonlinearities` and `jinit.quadrature`.
"""

from dataclasses import dataclass

import numpy as np

from jinit.checks import check_choice, check_number
from jinit.elementwise import Elementwise, derivative, evaluate_apart, real_function
from jinit.nonlinearities import NONLINEARITIES
from jinit.quadrature import FloatArray, RealFunction, slope

__all__ = ["Activation", "resolve"]


@dataclass(frozen=True)
class Activation:
    """An activation that quadratures can call.

    Attributes:
        values: `phi`, of float64 arrays.
        slopes: `phi'`, of arrays of shape (panels, 16) as `expectation` makes them, scaled or not.
    """

    values: RealFunction
    slopes: RealFunction


def resolve(activation: str | Elementwise, param: float | None = None) -> Activation:
    """Return a named or given function as an `Activation`.

    Args:
        activation: A name that `jinit.calculate_gain` knows, or a pure elementwise function of a
            JAX or NumPy array. JAX functions are evaluated in float64, on the host where it can.
        param: Parameter of a named function, such as the slope of "leaky_relu".

    Returns:
        The activation.

    Raises:
        ValueError: The name is unknown, `param` has no use, or a callable is not elementwise.
        TypeError: `activation` is neither a name nor callable.

    >>> print(resolve("relu").values(np.array([-1.0, 2.0])))
    [0. 2.]
    """
    if isinstance(activation, str):
        return _named(activation, param)
    if not callable(activation):
        raise TypeError(
            f"`activation` (={activation!r}) must be a name, such as 'tanh', or an elementwise "
            "function, such as jax.nn.gelu."
        )
    if param is not None:
        raise ValueError(
            f"`param` (={param!r}) belongs to a named activation; bind it to the function "
            "instead, as in lambda x: jax.nn.leaky_relu(x, 0.2)."
        )
    return _wrapped(activation)


def _named(name: str, param: float | None) -> Activation:
    entry = NONLINEARITIES[check_choice("activation", name, tuple(NONLINEARITIES))]
    if param is not None:
        check_number("param", param)
        if entry.param is None:
            takers = sorted(key for key, each in NONLINEARITIES.items() if each.param is not None)
            raise ValueError(
                f"`param` (={param!r}) has no meaning for {name!r}; it is taken by "
                f"{', '.join(map(repr, takers))}. Leave it out."
            )
    function = entry.bind(None if param is None else float(param))
    return Activation(_quiet(function), _quiet(slope(function)))


def _wrapped(function: Elementwise) -> Activation:
    values = evaluate_apart(lambda: real_function(function))
    slopes = evaluate_apart(lambda: derivative(function))
    return Activation(_apart(_quiet(values)), _apart(_quiet(slopes)))


def _quiet(function: RealFunction) -> RealFunction:
    """`function` without warnings: tails may overflow on their way to a limit."""

    def values(points: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            return function(points)

    return values


def _apart(function: RealFunction) -> RealFunction:
    """`function`, run in float64 whatever the caller's precision is."""

    def values(points: FloatArray) -> FloatArray:
        return evaluate_apart(lambda: function(points))

    return values
