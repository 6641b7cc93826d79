"""`tf.contrib.layers`: its own Xavier and variance scaling, widened by a rounded constant.

Reference: TensorFlow 1.15, `tensorflow/contrib/layers/python/layers/initializers.py`.

May import: `jinit.checks`, `jinit.fans`, `jinit.initializer`, `jinit.schemes`, and of
`jinit.frameworks` borrowing, fan_rules.
"""

from typing import Any

from jinit.checks import check_choice, check_non_negative
from jinit.fans import Fans
from jinit.frameworks.borrowing import borrow
from jinit.frameworks.fan_rules import axes_fans, cut_recipe, with_vectors
from jinit.initializer import Recipe
from jinit.schemes.variance import Axis, variance_recipe

__all__ = ["variance_scaling_initializer", "xavier_initializer"]

_MODES = ("FAN_AVG", "FAN_IN", "FAN_OUT")
# Contrib's factor of the variance before the cut; the exact one is 0.87962566^-2 = 1.2924.
_WIDENED = 1.3


@borrow("tensorflow.contrib")
def variance_scaling_initializer(
    factor: float = 2.0,
    mode: str = "FAN_IN",
    uniform: bool = False,
    seed: int | None = None,
    dtype: Any = None,
    *,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
) -> Recipe:
    """Variance scaling: `Var W = factor / n` if uniform, else 1.006 of it, cut at 2 std.

    Args:
        factor: the variance's numerator; 2 by default, so that this is He's law.
        mode: the fan n: "FAN_IN", "FAN_OUT" or "FAN_AVG".
        uniform: uniform, and not a truncated normal.
        seed: an int binds a key.
        dtype: floating dtype of the weights, unless the call gives one.
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.

    Raises:
        ValueError: `factor` is negative, or `mode` unknown.

    >>> from jinit.frameworks.tensorflow import contrib
    >>> print(f"{contrib.variance_scaling_initializer().std((200, 10)) ** 2 * 100:.4f}")
    1.0059
    """
    check_non_negative("factor", factor)
    fan = check_choice("mode", mode, _MODES).lower()
    axes = (in_axis, out_axis, batch_axis)
    rule = with_vectors(axes_fans(*axes), axes, lambda n: Fans(n, n))
    if uniform:
        return variance_recipe(factor, fan, "uniform", rule)
    return cut_recipe(_WIDENED * factor, fan, rule)


@borrow("tensorflow.contrib")
def xavier_initializer(
    uniform: bool = True,
    seed: int | None = None,
    dtype: Any = None,
    *,
    in_axis: Axis = -2,
    out_axis: Axis = -1,
    batch_axis: Axis = (),
) -> Recipe:
    """Xavier: `W ~ U[-b, b)`, `b = sqrt(6 / (fan_in + fan_out))`, or a truncated normal.

    Args:
        uniform: uniform, and not a truncated normal, whose variance is 1.006 of the uniform's.
        seed: an int binds a key.
        dtype: floating dtype of the weights, unless the call gives one.
        in_axis: axis or axes that the layer contracts.
        out_axis: axis or axes of its outputs.
        batch_axis: axes of independent kernels.

    >>> from jinit.frameworks.tensorflow import contrib
    >>> print(f"{contrib.xavier_initializer().law((300, 300)).scale:.6f}")
    0.100000
    """
    options: dict[str, Any] = {"in_axis": in_axis, "out_axis": out_axis, "batch_axis": batch_axis}
    return variance_scaling_initializer(1.0, "FAN_AVG", uniform, **options).recipe
