"""Elementwise operations of jaxprs in NumPy, to see what function they make up together.

May import: the standard library, NumPy.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["ELEMENTWISE", "apply_elementwise"]

_erf = np.frompyfunc(math.erf, 1, 1)
_erfc = np.frompyfunc(math.erfc, 1, 1)

_SIMPLE: Mapping[str, Callable[..., Any]] = {
    "abs": np.abs,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "add": np.add,
    "add_any": np.add,
    "and": np.logical_and,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "atanh": np.arctanh,
    "cbrt": np.cbrt,
    "ceil": np.ceil,
    "clamp": lambda low, x, high: np.clip(x, low, high),
    "copy": lambda x: x,
    "cos": np.cos,
    "cosh": np.cosh,
    "div": np.divide,
    "eq": np.equal,
    "erf": lambda x: np.asarray(_erf(x), dtype=np.float64),
    "erfc": lambda x: np.asarray(_erfc(x), dtype=np.float64),
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "floor": np.floor,
    "ge": np.greater_equal,
    "gt": np.greater,
    "is_finite": np.isfinite,
    "le": np.less_equal,
    "log": np.log,
    "log1p": np.log1p,
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
    "lt": np.less,
    "max": np.maximum,
    "min": np.minimum,
    "mul": np.multiply,
    "ne": np.not_equal,
    "neg": np.negative,
    "not": np.logical_not,
    "or": np.logical_or,
    "pow": np.power,
    "reduce_precision": lambda x: x,
    "rem": np.fmod,
    "round": np.round,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "select_n": lambda which, *cases: np.choose(np.asarray(which, dtype=np.int64), cases),
    "sign": np.sign,
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "square": np.square,
    "sub": np.subtract,
    "tan": np.tan,
    "tanh": np.tanh,
    "xor": np.logical_xor,
}

# Known to be elementwise, but not to NumPy.
_UNKNOWN = ("bessel_i0e", "bessel_i1e", "digamma", "erf_inv", "igamma", "lgamma", "nextafter")

ELEMENTWISE = frozenset((*_SIMPLE, *_UNKNOWN, "convert_element_type", "integer_pow"))


def apply_elementwise(name: str, params: Mapping[str, Any], operands: Sequence[Any]) -> Any:
    """The outcome of an elementwise operation in float64, or None where it is not known."""
    with np.errstate(all="ignore"):
        if name == "integer_pow":
            return np.asarray(operands[0], dtype=np.float64) ** params["y"]
        if name == "convert_element_type":
            return _converted(operands[0], np.dtype(params["new_dtype"]))
        return _SIMPLE[name](*operands) if name in _SIMPLE else None


def _converted(operand: Any, dtype: np.dtype[Any]) -> Any:
    if dtype.kind in "iu":
        return np.trunc(np.asarray(operand, dtype=np.float64))
    if dtype.kind == "b":
        return np.asarray(operand) != 0
    return np.asarray(operand, dtype=np.float64)
