"""What biases and other vectors of parameters share: values along the last axis, real dtypes.

May import: numpy, `jinit.core`, `jinit.factory`, `jinit.schemes.building`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from jinit.core.laws import Constant
from jinit.factory import Elementwise, Recipe
from jinit.schemes.building import working_dtype

__all__ = ["along_last", "last_extent", "require_real", "rounded_once"]


def along_last(values: Callable[[int], Any]) -> Recipe:
    """The recipe of `W[..., n] = values(N)[n]`, N the last extent; the same in every row.

    Args:
        values: from N to a vector of length N, in float64 or complex128.
    """

    def law(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Constant:
        return Constant(rounded_once(values(last_extent(shape)), dtype))

    return Elementwise(law)


def rounded_once(values: Any, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """`values` in the dtype that weights of `dtype` are computed in, from which they are rounded.

    Without this step a narrow dtype would round float64, and not what float32 weights are.
    """
    array = np.asarray(values)
    return array if array.dtype.kind == "c" else array.astype(working_dtype(dtype))


def last_extent(shape: tuple[int, ...]) -> int:
    """The length of the last axis, or an error that says there is none."""
    if not shape:
        raise ValueError("`shape` (=()) has no axis; the values run along the last of at least one")
    return shape[-1]


def require_real(scheme: str, dtype: np.dtype[Any]) -> None:
    """Raise unless `dtype` is real."""
    if dtype.kind == "c":
        raise ValueError(
            f"jinit.{scheme} is not defined for complex weights (dtype {dtype.name}); "
            "ask for a floating dtype"
        )
