"""Named nonlinearities in float64 NumPy: the functions whose gains are computed.

May import: the standard library, NumPy and `jinit.quadrature` (for its types).
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from jinit.quadrature import FloatArray

__all__ = ["NONLINEARITIES", "Nonlinearity"]

# Klambauer et al. 2017, equation 14: with these two, N(0, 1) is a fixed point of SELU.
_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805


class Nonlinearity(NamedTuple):
    """An elementwise function, and the default of its parameter if it has one.

    Attributes:
        function: Called as `function(x)`, or as `function(x, param)` where `param` is not None.
        param: Default of the parameter.
    """

    function: Callable[..., FloatArray]
    param: float | None = None

    def bind(self, param: float | None) -> Callable[[FloatArray], FloatArray]:
        """Return the function of x alone.

        >>> leaky = NONLINEARITIES["leaky_relu"].bind(0.1)
        >>> print(leaky(np.array([-1.0, 1.0])))
        [-0.1  1. ]
        """
        if self.param is None:
            return self.function
        bound = self.param if param is None else param
        return lambda x: self.function(x, bound)


def _identity(x: FloatArray) -> FloatArray:
    return x


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-x)))


def _softplus(x: FloatArray) -> FloatArray:
    return np.logaddexp(0, x)


def _log_sigmoid(x: FloatArray) -> FloatArray:
    return -_softplus(-x)


def _softsign(x: FloatArray) -> FloatArray:
    return np.asarray(x / (1 + np.abs(x)))


def _erf(x: FloatArray) -> FloatArray:
    return np.asarray(np.frompyfunc(math.erf, 1, 1)(x), dtype=np.float64)


def _relu(x: FloatArray) -> FloatArray:
    return np.maximum(x, 0)


def _relu6(x: FloatArray) -> FloatArray:
    return np.clip(x, 0, 6)


def _relu_squared(x: FloatArray) -> FloatArray:
    return np.square(_relu(x))


def _leaky_relu(x: FloatArray, negative_slope: float) -> FloatArray:
    return np.where(x >= 0, x, negative_slope * x)


def _elu(x: FloatArray, alpha: float) -> FloatArray:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _celu(x: FloatArray, alpha: float) -> FloatArray:
    if alpha <= 0:
        raise ValueError(f"`param` (={alpha!r}), the alpha of celu, must be positive.")
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))


def _selu(x: FloatArray) -> FloatArray:
    return _SELU_SCALE * _elu(x, _SELU_ALPHA)


def _gelu(x: FloatArray) -> FloatArray:
    return x * (1 + _erf(x / math.sqrt(2))) / 2


def _gelu_tanh(x: FloatArray) -> FloatArray:
    return np.asarray(x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2)


def _silu(x: FloatArray) -> FloatArray:
    return x * _sigmoid(x)


def _mish(x: FloatArray) -> FloatArray:
    return x * np.tanh(_softplus(x))


def _hard_sigmoid(x: FloatArray) -> FloatArray:
    return _relu6(x + 3) / 6


def _hard_silu(x: FloatArray) -> FloatArray:
    return x * _hard_sigmoid(x)


def _hard_tanh(x: FloatArray) -> FloatArray:
    return np.clip(x, -1, 1)


_LINEAR = ("conv1d", "conv2d", "conv3d", "identity", "linear")
_TRANSPOSED = ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")

NONLINEARITIES: Mapping[str, Nonlinearity] = MappingProxyType(
    {
        **dict.fromkeys((*_LINEAR, *_TRANSPOSED), Nonlinearity(_identity)),
        "abs": Nonlinearity(np.abs),
        "celu": Nonlinearity(_celu, 1.0),
        "elu": Nonlinearity(_elu, 1.0),
        "erf": Nonlinearity(_erf),
        "gelu": Nonlinearity(_gelu),
        "gelu_tanh": Nonlinearity(_gelu_tanh),
        "hard_sigmoid": Nonlinearity(_hard_sigmoid),
        "hard_silu": Nonlinearity(_hard_silu),
        "hard_swish": Nonlinearity(_hard_silu),
        "hard_tanh": Nonlinearity(_hard_tanh),
        "leaky_relu": Nonlinearity(_leaky_relu, 0.01),
        "log_sigmoid": Nonlinearity(_log_sigmoid),
        "mish": Nonlinearity(_mish),
        "prelu": Nonlinearity(_leaky_relu, 0.25),
        "relu": Nonlinearity(_relu),
        "relu6": Nonlinearity(_relu6),
        "relu_squared": Nonlinearity(_relu_squared),
        "selu": Nonlinearity(_selu),
        "sigmoid": Nonlinearity(_sigmoid),
        "silu": Nonlinearity(_silu),
        "sin": Nonlinearity(np.sin),
        "softplus": Nonlinearity(_softplus),
        "softsign": Nonlinearity(_softsign),
        "swish": Nonlinearity(_silu),
        "tanh": Nonlinearity(np.tanh),
    }
)
