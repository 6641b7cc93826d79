"""SIREN: layers whose activation is a sine.

May import: numpy, `jinit.core`, `jinit.checks`, `jinit.factory`, `jinit.schemes.variance`.
"""

import math
from typing import Any

import numpy as np

from jinit.checks import check_positive
from jinit.core.laws import Uniform
from jinit.factory import Elementwise, Recipe, scheme
from jinit.schemes.variance import Axis, fan_reader

__all__ = ["siren"]


@scheme
def siren(
    omega: Any = 30.0,
    dtype: Any = None,
    *,
    first: bool = False,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
    fans: Any = None,
    layout: str | None = None,
    groups: int = 1,
) -> Recipe:
    """SIREN: `W ~ U[-b, b)`, `b = sqrt(6 / fan_in) / omega`; `b = 1 / fan_in` in the first layer.

    For implicit representations with layers sin(omega * (x @ W + b)). The sines' arguments have
    standard deviation 1 in the first hidden layer and keep close to it at any depth: their
    variance follows v -> 1 - exp(-2 v), from 1 down to 0.80. The last, linear layer takes the form
    of the hidden ones.

    Args:
        omega: the factor inside the sine.
        dtype: floating or complex dtype of the weights, unless the call gives one. Complex weights
            fill a disk of the same variance.
        first: whether the layer takes in coordinates, in [-1, 1].
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels (experts, stacked layers).
        fans: the pair `(fan_in, fan_out)` itself, where the shape does not tell.
        layout: the axes by letter instead, such as "OIHW".
        groups: feature groups of a convolution.

    Raises:
        ValueError: `omega` is not positive, or the axes contradict each other or the shape.

    >>> import jinit
    >>> print(f"{jinit.siren().law((256, 256)).scale:.6f}")
    0.005103
    >>> jinit.siren(first=True).law((2, 256)).scale
    0.5

    Reference: Sitzmann et al. 2020 (arXiv:2006.09661).

    Differences: the authors' code leaves torch's biases (`jinit.torch_bias(fan_in)`), which omega
    multiplies too: they add omega^2 / (3 fan_in) to the variance of the arguments, at omega = 30
    more than the weights give in layers of up to 300 units. Flax's zeros add nothing.
    """
    check_positive("omega", omega)
    read = fan_reader(in_axis, out_axis, batch_axis, fans, layout, groups)

    def law(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Uniform:
        fan_in = read(shape).fan_in
        bound = _bound(fan_in, omega, first) if fan_in else 0.0
        # A disk of radius r has E|w|^2 = r^2 / 2, an interval of half-width b has b^2 / 3.
        return Uniform(-1.0, 1.0, bound * math.sqrt(2 / 3) if dtype.kind == "c" else bound)

    return Elementwise(law)


def _bound(fan_in: float, omega: Any, first: bool) -> Any:
    return 1 / fan_in if first else math.sqrt(6 / fan_in) / omega
