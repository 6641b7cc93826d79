"""Callables of JAX or NumPy arrays as float64 functions whose values are there at once.

May import: the standard library, NumPy and `jinit.quadrature`; jax and `jinit.core.outside` within
functions.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

import numpy as np

from jinit.quadrature import FloatArray, RealFunction, slope

__all__ = ["Elementwise", "derivative", "evaluate_apart", "real_function"]

# The argument may be a JAX or a NumPy array, which no common type describes.
Elementwise: TypeAlias = Callable[[Any], Any]
Result = TypeVar("Result")

_BATCH = 1024  # points a call: one shape, hence one compilation, whatever is asked for


def evaluate_apart(task: Callable[[], Result]) -> Result:
    """Return `task()`, run in float64 and outside every JAX transformation that is under way.

    Use it around the other functions of this module. It runs on the CPU where there is one, so
    that the values do not depend on the accelerator.

    Args:
        task: Takes nothing; must not close over traced values.

    Returns:
        What `task` returns.

    >>> import jax.numpy as jnp
    >>> print(evaluate_apart(lambda: jnp.exp(jnp.ones(())).dtype))
    float64
    """
    import jax

    from jinit.core.outside import run_outside

    def promoted() -> Result:
        with jax.numpy_dtype_promotion("standard"):
            return task()

    device = None
    with suppress(RuntimeError):  # JAX_PLATFORMS may leave the CPU out
        device = jax.local_devices(backend="cpu")[0]
    return run_outside(promoted, x64=True, device=device)


def real_function(function: Elementwise) -> RealFunction:
    """Return `function` as one of non-empty float64 NumPy arrays, checked as it is called.

    Use it to hand a user's callable to a quadrature.

    Args:
        function: Pure and elementwise, of a JAX or NumPy array.

    Returns:
        The function of NumPy arrays.

    Raises:
        ValueError: `function` is not elementwise or not real; later, that a value is not finite.
        TypeError: `function` does not accept an array.

    >>> import jax
    >>> evaluate_apart(lambda: real_function(jax.nn.relu)(np.array([[-1.0], [2.0]]))).tolist()
    [[0.0], [2.0]]
    """
    values = _batched(function)
    try:
        _check_elementwise(values)
    except TypeError as error:
        error.add_note("The nonlinearity is called with an array; numpy.vectorize adapts others.")
        raise
    return values


def derivative(function: Elementwise) -> RealFunction:
    """Return `f'`: what JAX propagates backwards, or a fit where JAX cannot trace the function.

    Use it with `jinit.quadrature.expectation`, on whose panels the fit relies. A custom rule of
    the function, such as a straight-through estimator's, is followed.

    Args:
        function: Pure and elementwise, of a JAX or NumPy array.

    Returns:
        The derivative, to be called on arrays of shape (panels, 16) as `expectation` does.

    >>> import jax
    >>> evaluate_apart(lambda: derivative(jax.nn.relu)(np.array([[-1.0, 2.0]]))).tolist()
    [[0.0, 1.0]]
    """
    import jax
    import jax.numpy as jnp

    def pulled_back(x: Any) -> Any:
        y, pull = jax.vjp(lambda v: jnp.asarray(function(v), dtype=v.dtype), x)
        return pull(jnp.ones_like(y))[0]

    traced, fitted = _batched(pulled_back), slope(_batched(function))

    def prime(points: FloatArray) -> FloatArray:
        try:
            return traced(points)
        except jax.errors.JAXTypeError:  # a NumPy function
            return fitted(points)

    return prime


def _batched(function: Elementwise) -> RealFunction:
    """Return `function` for float64 arrays of any shape, called on `_BATCH` points at a time."""
    import jax.numpy as jnp

    def evaluate(points: FloatArray) -> FloatArray:
        padded = np.pad(points.ravel(), (0, -points.size % _BATCH))
        outputs = [_as_float64(function(jnp.asarray(z))) for z in padded.reshape(-1, _BATCH)]
        values = np.concatenate(outputs)[: points.size].reshape(points.shape)
        _check_finite(points, values)
        return values

    return evaluate


def _as_float64(output: Any) -> FloatArray:
    array = np.asarray(output)
    if array.shape != (_BATCH,) or np.iscomplexobj(array):
        extents = ",".join(map(str, array.shape))
        raise ValueError(
            f"the nonlinearity maps float64[{_BATCH}] to {array.dtype}[{extents}]; it must be "
            "elementwise and real, returning the shape that it is given."
        )
    return array.astype(np.float64)


def _check_elementwise(values: RealFunction) -> None:
    """Raise unless half of a batch keeps its values when the other half changes."""
    probe, half = np.linspace(-6.0, 6.0, _BATCH), _BATCH // 2
    changed = np.where(np.arange(_BATCH) < half, 0.5, probe)
    if not np.allclose(values(probe)[half:], values(changed)[half:], rtol=1e-6, atol=0):
        raise ValueError(
            "the nonlinearity's value at one element depends on the others, as softmax's does, or "
            "on chance; a gain is defined for pure elementwise functions."
        )


def _check_finite(points: FloatArray, values: FloatArray) -> None:
    wrong = ~np.isfinite(values)
    if wrong.any():
        raise ValueError(
            f"the nonlinearity, or its derivative, is {values[wrong][0]} at z = "
            f"{points[wrong][0]:.6g}; it must be finite on [-12, 12], where z ~ N(0, 1) lies."
        )
