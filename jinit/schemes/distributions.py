"""Plain distributions: uniform, normal and truncated normal, their spread given directly.

May import: `jinit.core`, `jinit.checks`, `jinit.factory`.
"""

import math
from typing import Any

import jax

from jinit.checks import check_non_negative, check_number, check_positive
from jinit.core.laws import (
    Law,
    Normal,
    TruncatedNormal,
    Uniform,
    half_width,
    truncated_moments,
)
from jinit.factory import Elementwise, Recipe, scheme

__all__ = ["normal", "truncated_normal", "uniform"]

_DEFAULT = 1e-2


def _everywhere(law: Law) -> Recipe:
    return Elementwise(lambda shape, dtype: law)


@scheme
def uniform(
    scale: Any = _DEFAULT,
    dtype: Any = None,
    *,
    low: Any = None,
    high: Any = None,
    bound: Any = None,
    stddev: Any = None,
) -> Recipe:
    """Uniform: `W ~ U[0, scale)`, or `U[low, high)`, or `U[-bound, bound)`.

    The range is given in one of four ways. The first is JAX's, and it is not symmetric; for
    weights one of the others is meant.

    Args:
        scale: upper end of `[0, scale)`.
        dtype: floating dtype of the weights, unless the call gives one; complex dtypes take a
            symmetric range and fill a disk of that radius.
        low: lower end, with `high`.
        high: upper end, with `low`.
        bound: half-width of a range about zero; std = bound / sqrt(3).
        stddev: standard deviation of a range about zero; bound = sqrt(3) * stddev (complex:
            sqrt(2)).

    Raises:
        ValueError: the range is given twice, half, or backwards.

    >>> import jinit
    >>> print(f"{jinit.uniform(bound=0.3).std((8, 8)):.4f}")
    0.1732
    >>> jinit.uniform(0.5).law((8, 8))
    Uniform(low=0.0, high=1.0, scale=0.5)

    Differences: `jax.nn.initializers.uniform(s)` is U[0, s), as here; Keras' RandomUniform and
    MXNet's Uniform(s) are symmetric; `torch.nn.init.uniform_` takes both ends.
    """
    ways = {
        "`scale`": scale != _DEFAULT if isinstance(scale, (int, float)) else True,
        "`low` and `high`": low is not None or high is not None,
        "`bound`": bound is not None,
        "`stddev`": stddev is not None,
    }
    given = [way for way, used in ways.items() if used]
    if len(given) > 1:
        raise ValueError(f"the range is given by {' and '.join(given)}; give it one way only")
    if low is not None or high is not None:
        return _everywhere(_interval(low, high))
    if bound is not None:
        return _everywhere(Uniform(-1.0, 1.0, check_non_negative("bound", bound)))
    if stddev is not None:
        check_non_negative("stddev", stddev)
        return Elementwise(lambda shape, dtype: Uniform(-1.0, 1.0, half_width(dtype) * stddev))
    return _everywhere(Uniform(0.0, 1.0, check_non_negative("scale", scale)))


def _interval(low: Any, high: Any) -> Uniform:
    if low is None or high is None:
        missing = "`low`" if low is None else "`high`"
        raise ValueError(f"{missing} is missing; give both ends, or `bound` for [-bound, bound)")
    check_number("low", low)
    check_number("high", high)
    _check_order("low", low, "high", high)
    return Uniform(low, high)


def _check_order(first: str, low: Any, second: str, high: Any) -> None:
    ordered = isinstance(low, (int, float)) and isinstance(high, (int, float))
    if ordered and not low < high:
        raise ValueError(f"`{first}` (={low}) must be below `{second}` (={high})")


@scheme
def normal(stddev: Any = _DEFAULT, dtype: Any = None, *, mean: Any = 0.0) -> Recipe:
    """Normal: `W ~ N(mean, stddev^2)`, not truncated.

    Args:
        stddev: standard deviation; a number, or an array that broadcasts to the weights (one for
            each layer of a stack, say).
        dtype: floating or complex dtype of the weights, unless the call gives one. Complex
            weights are circular, with E|W - mean|^2 = stddev^2.
        mean: mean.

    Raises:
        ValueError: `stddev` is negative, or a number is not finite.

    >>> import jinit
    >>> jinit.normal(0.02)
    jinit.normal(stddev=0.02)
    >>> jinit.normal(0.02, mean=1.0).law((784, 512))
    Normal(center=1.0, stddev=0.02)
    """
    check_non_negative("stddev", stddev)
    check_number("mean", mean)
    return _everywhere(Normal(mean, stddev))


@scheme
def truncated_normal(
    stddev: Any = _DEFAULT,
    dtype: Any = None,
    lower: Any = -2.0,
    upper: Any = 2.0,
    *,
    mean: Any = 0.0,
    bounds: Any = None,
    exact_std: bool = False,
) -> Recipe:
    """Truncated normal: `W = mean + stddev * T`, T standard normal given `lower < T < upper`.

    Truncation narrows: at the default bounds the weights have 0.8796 * stddev, as in JAX. With
    `exact_std=True` they have `stddev` itself, whatever the bounds.

    Args:
        stddev: standard deviation before truncation (after it, under `exact_std`).
        dtype: floating or complex dtype of the weights, unless the call gives one. Complex
            weights have their modulus truncated, and need `lower == -upper`.
        lower: lower bound, in standard deviations from the mean.
        upper: upper bound, in standard deviations from the mean.
        mean: mean before truncation.
        bounds: absolute bounds `(low, high)` on the weights, in place of `lower` and `upper`.
        exact_std: widen the law so that the weights' standard deviation is `stddev`. The shape
            of the law, its bounds in standard deviations included, stays.

    Raises:
        ValueError: the bounds are not in order or given twice, or `stddev` is negative.

    Windows that lie wholly beyond three standard deviations are drawn by inverting the tail
    itself, accurate at any distance; `jax.random.truncated_normal` runs out of float32 there.

    >>> import jinit
    >>> print(f"{jinit.truncated_normal(0.02).std((8, 8)):.5f}")
    0.01759
    >>> print(f"{jinit.truncated_normal(0.02, exact_std=True).std((8, 8)):.5f}")
    0.02000

    Differences: `torch.nn.init.trunc_normal_` takes absolute bounds (`bounds=`), so that its
    default of +-2 truncates nothing at std 0.02.
    """
    check_positive("stddev", stddev) if bounds is not None else check_non_negative("stddev", stddev)
    check_number("mean", mean)
    if bounds is not None:
        lower, upper = _relative(bounds, lower, upper, mean, stddev)
    _check_bound("lower", lower)
    _check_bound("upper", upper)
    _check_order("lower", lower, "upper", upper)
    law = TruncatedNormal(mean, stddev, lower, upper)
    return Elementwise(lambda shape, dtype: _widened(law, dtype)) if exact_std else _everywhere(law)


def _check_bound(name: str, bound: Any) -> None:
    """A bound may be infinite: then that side is open."""
    if not (isinstance(bound, float) and math.isinf(bound)):
        check_number(name, bound)


def _relative(bounds: Any, lower: Any, upper: Any, mean: Any, stddev: Any) -> tuple[float, float]:
    if (lower, upper) != (-2.0, 2.0):
        raise ValueError(
            f"bounds are given absolutely (`bounds`={bounds}) and in standard deviations "
            f"(`lower`={lower}, `upper`={upper}); give them one way only"
        )
    if not isinstance(bounds, (list, tuple)) or len(bounds) != 2:
        raise ValueError(f"`bounds` (={bounds!r}) must be a pair (low, high)")
    low, high = bounds
    return (low - mean) / stddev, (high - mean) / stddev


def _widened(law: TruncatedNormal, dtype: Any) -> TruncatedNormal:
    unit = law._replace(center=0.0, stddev=1.0)
    if isinstance(law.lower, jax.Array) or isinstance(law.upper, jax.Array):
        raise ValueError("`exact_std` needs bounds that are numbers, not traced values")
    if dtype.kind == "c":
        return law._replace(stddev=law.stddev / unit.std(complex_values=True))
    return law._replace(stddev=law.stddev / truncated_moments(law.lower, law.upper)[1])
