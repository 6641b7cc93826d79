"""How frameworks read fans, and laws that no scheme of jinit states.

May import: jax, numpy, `jinit.core`, `jinit.axes`, `jinit.fans`, `jinit.initializer`, and of
`jinit.schemes` variance.

All of them read a kernel by its shape alone. They differ in where the axes are, which `layout`
and the axes say, and in what a vector or a scalar is.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from jinit.checks import check_choice
from jinit.core.laws import TruncatedNormal
from jinit.fans import MODES, Fans, compute_fans
from jinit.initializer import Elementwise, Recipe
from jinit.schemes.variance import Axis, fan_reader

__all__ = ["FanRule", "axes_fans", "cut_recipe", "named_fans", "with_vectors"]

FanRule: TypeAlias = Callable[[tuple[int, ...]], Fans]

_DEFAULT: tuple[Axis, Axis, Axis] = (-2, -1, ())


def axes_fans(
    in_axis: Axis, out_axis: Axis, batch_axis: Axis, layout: str | None = None
) -> FanRule:
    """Fans of kernels with these axes; two at least, unless the axes say otherwise."""
    rule = fan_reader(in_axis, out_axis, batch_axis, None, layout, 1)
    if layout is not None or (in_axis, out_axis, batch_axis) != _DEFAULT:
        return rule

    def read(shape: tuple[int, ...]) -> Fans:
        if len(shape) < 2:
            raise ValueError(
                f"`shape` (={shape}) is {len(shape)}-D, and fans need two axes at least, inputs "
                "and outputs; for a bias use jinit.torch_bias(fan_in) or jinit.zeros"
            )
        return rule(shape)

    return read


def with_vectors(
    rule: FanRule, axes: tuple[Axis, Axis, Axis], vector: Callable[[int], Fans]
) -> FanRule:
    """`rule`, and for shapes without two axes: `(1, 1)` of a scalar, `vector(n)` of n elements.

    >>> keras = with_vectors(axes_fans(-2, -1, ()), (-2, -1, ()), lambda n: Fans(n, n))
    >>> keras(()), keras((5,)), keras((3, 4, 5))
    (Fans(fan_in=1, fan_out=1), Fans(fan_in=5, fan_out=5), Fans(fan_in=12, fan_out=15))
    """
    if axes != _DEFAULT:
        return rule

    def read(shape: tuple[int, ...]) -> Fans:
        if len(shape) >= 2:
            return rule(shape)
        return vector(shape[0]) if shape else Fans(1, 1)

    return read


def named_fans(shape: tuple[int, ...], inputs: Sequence[int], outputs: Sequence[int]) -> Fans:
    """Fans that are the products of these axes and of no others: the rest are batches.

    >>> named_fans((3, 4, 5), [0], [2])
    Fans(fan_in=3, fan_out=5)
    """
    ndim = len(shape)
    named = {axis % ndim for axis in (*inputs, *outputs) if -ndim <= axis < ndim}
    batch = tuple(axis for axis in range(ndim) if axis not in named)
    return compute_fans(shape, in_axis=tuple(inputs), out_axis=tuple(outputs), batch_axis=batch)


def cut_recipe(scale: float, mode: str, fans: FanRule, *, cut: float = 2.0) -> Recipe:
    """`N(0, scale / n)` cut at `cut` standard deviations and not widened again."""
    check_choice("mode", mode, MODES)

    def law(shape: tuple[int, ...], dtype: Any) -> TruncatedNormal:
        fan = fans(shape).select(mode)
        variance = scale / fan if fan else 0.0 * scale
        return TruncatedNormal(0.0, variance**0.5, -cut, cut)

    return Elementwise(law)
