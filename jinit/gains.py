"""Gains: what the standard deviation of a weight is multiplied by to pass a nonlinearity.

May import: the standard library, NumPy, `jinit.elementwise`, `jinit.nonlinearities` and
`jinit.quadrature`.
"""

import difflib
import math
import numbers
from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from jinit.elementwise import Elementwise, derivative, evaluate_apart, real_function
from jinit.nonlinearities import NONLINEARITIES
from jinit.quadrature import RealFunction, expectation, slope

__all__ = ["CRITERIA", "calculate_gain"]

CRITERIA = ("backward", "second_moment", "std")

_CONSTANT = 1e-13  # a variance of this share of the second moment is float32's rounding error


def calculate_gain(
    nonlinearity: str | Elementwise, param: float | None = None, *, criterion: str | None = None
) -> float:
    """Return the gain g of `Var W = g**2 / fan`: torch's by default, exact under a criterion.

    Use it to scale the weights whose *inputs* come out of `nonlinearity`. With z ~ N(0, 1):

    - "second_moment": `g = E[f(z)**2] ** -0.5` keeps the forward signal (He et al.);
    - "std": `g = Var[f(z)] ** -0.5` does so where weights are standardized (NFNets);
    - "backward": `g = E[f'(z)**2] ** -0.5` keeps the gradient.

    Without a criterion the names that `torch.nn.init.calculate_gain` knows have its values, of
    which three are rules of thumb: sigmoid 1 (exact: 1.8462), tanh 5/3 (1.5925), selu 3/4 (1).
    Every other name, and every callable, `jax.nn.tanh` included, has the exact second moment's.

    Args:
        nonlinearity: A name, "gelu" (the erf form), "gelu_tanh", "silu" and so on; or a pure
            elementwise function of a JAX or NumPy array. A callable is evaluated in float64, at
            once even while JAX is tracing, and its gain is cached if it can be hashed.
        param: Parameter of a named function: the negative slope of "leaky_relu" (0.01) and
            "prelu" (0.25), the alpha of "celu" and "elu" (1).
        criterion: "backward", "second_moment" or "std"; None as above.

    Returns:
        The gain, from quadrature that is good to ten digits for functions of float64.

    Raises:
        ValueError: A name, criterion or parameter is unknown; or a callable is not elementwise,
            not finite, or its moment is zero, infinite or too rough to find.
        TypeError: `nonlinearity` is neither a name nor callable.

    >>> round(calculate_gain("relu"), 6)
    1.414214
    >>> round(calculate_gain("gelu"), 6)
    1.53353
    >>> round(calculate_gain("tanh"), 6), round(calculate_gain("tanh", criterion="backward"), 6)
    (1.666667, 1.467414)
    >>> round(calculate_gain(lambda z: z * abs(z)), 6)
    0.57735

    Differences: torch knows linear, conv*, sigmoid, tanh, relu, leaky_relu and selu alone, and
    ignores a `param` that its name has no use for, which is an error here.

    Reference: He et al. 2015 (arXiv:1502.01852), equations 10 ("second_moment") and 14
    ("backward"); Brock et al. 2021 (arXiv:2101.08692), section 2 ("std").
    """
    _check_criterion(criterion)
    if isinstance(nonlinearity, str):
        _check_name(nonlinearity)
        return _named_gain(nonlinearity, _checked_param(nonlinearity, param), criterion)
    if not callable(nonlinearity):
        raise TypeError(
            f"`nonlinearity` (={nonlinearity!r}) must be a name, such as 'relu', or an elementwise "
            "function, such as jax.nn.relu."
        )
    if param is not None:
        raise ValueError(
            f"`param` (={param!r}) belongs to a named nonlinearity; bind it to the function "
            "instead, as in lambda x: jax.nn.leaky_relu(x, 0.2)."
        )
    if _is_hashable(nonlinearity):
        return _cached_gain(nonlinearity, criterion)
    return _callable_gain(nonlinearity, criterion)


@lru_cache(maxsize=512)
def _named_gain(name: str, param: float | None, criterion: str | None) -> float:
    if criterion is None:
        listed = _torch_gain(name, param)
        if listed is not None:
            return listed
    function = NONLINEARITIES[name].bind(param)
    return _exact_gain(function, slope(function), criterion)


def _torch_gain(name: str, param: float | None) -> float | None:
    if name == "leaky_relu":
        negative_slope = 0.01 if param is None else param
        return math.sqrt(2 / (1 + negative_slope**2))
    if name in ("linear", "identity", "sigmoid") or name.startswith("conv"):
        return 1.0
    return {"relu": math.sqrt(2), "selu": 3 / 4, "tanh": 5 / 3}.get(name)


@lru_cache(maxsize=128)
def _cached_gain(function: Elementwise, criterion: str | None) -> float:
    return _callable_gain(function, criterion)


def _callable_gain(function: Elementwise, criterion: str | None) -> float:
    return evaluate_apart(
        lambda: _exact_gain(real_function(function), derivative(function), criterion)
    )


def _exact_gain(function: RealFunction, prime: RealFunction, criterion: str | None) -> float:
    with np.errstate(all="ignore"):
        if criterion == "backward":
            moment = expectation(lambda z: np.square(prime(z)))
        elif criterion == "std":
            moment = _variance(function)
        else:
            moment = expectation(lambda z: np.square(function(z)))
    if moment == 0:
        raise ValueError(
            f"the {criterion or 'second_moment'!r} moment of the nonlinearity is 0, so that no "
            "gain keeps the signal; use a function that varies, or another criterion of "
            f"{_listed(CRITERIA)}."
        )
    return 1 / math.sqrt(moment)


def _variance(function: RealFunction) -> float:
    mean, second = expectation(function), expectation(lambda z: np.square(function(z)))
    if second - mean**2 <= _CONSTANT * second:
        return 0.0
    return expectation(lambda z: np.square(function(z) - mean))


def _is_hashable(function: Elementwise) -> bool:
    try:
        hash(function)
    except TypeError:
        return False
    return True


def _check_criterion(criterion: str | None) -> None:
    if criterion is not None and criterion not in CRITERIA:
        raise ValueError(
            f"`criterion` (={criterion!r}) must be one of {_listed(CRITERIA)}, or None for torch's "
            "table."
        )


def _check_name(name: str) -> None:
    if name in NONLINEARITIES:
        return
    near = difflib.get_close_matches(name.lower(), NONLINEARITIES, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "pass the function itself for any other."
    raise ValueError(
        f"`nonlinearity` (={name!r}) must be one of {_listed(NONLINEARITIES)}, or a callable; "
        f"{hint}"
    )


def _checked_param(name: str, param: object) -> float | None:
    if param is None:
        return None
    if NONLINEARITIES[name].param is None:
        takers = _listed(key for key, entry in NONLINEARITIES.items() if entry.param is not None)
        raise ValueError(
            f"`param` (={param!r}) has no meaning for {name!r}; it is taken by {takers}. "
            "Leave it out."
        )
    if isinstance(param, bool) or not isinstance(param, numbers.Real) or not math.isfinite(param):
        raise ValueError(f"`param` (={param!r}) of {name!r} must be a finite number, such as 0.2.")
    return float(param)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(names)))
