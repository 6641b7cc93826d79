"""Kernels of another size: padded, interpolated, or solved for what they say of resized images.

May import: the standard library, numpy, `jinit.checks`, of `jinit.model` leaf, and of
`jinit.pretrained.adapters` adapter, resampling.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jinit.checks import check_choice
from jinit.model.leaf import Leaf
from jinit.pretrained.adapters.adapter import Adapter, Array, check_rank
from jinit.pretrained.adapters.resampling import METHODS, apply_along, resampling_matrix

__all__ = ["resize_kernel"]


def resize_kernel(method: str = "pad", *, axes: Sequence[int] | None = None) -> Adapter:
    """Fit a convolution's kernel to another kernel size.

    Args:
        method: "pad" puts the kernel amid zeros, or cuts its middle out: the function stays the
            same where sizes are odd, inputs padded alike, and the kernel grows. "linear" and
            "cubic" interpolate the taps, scaled by old / new taps so that their sum is kept.
            "inflate" repeats one tap over a new axis's taps, divided by how many: an image's
            kernel for clips. "pseudoinverse" makes patches' embeddings at the new patch size what
            they were of the images before they were enlarged (bilinearly).
        axes: the axes of taps, in the leaf's layout; None for all but the last two.

    Raises:
        ValueError: shapes differ along other axes; "pad" between odd and even; "inflate" from
            more than one tap.

    >>> import jax, numpy as np, jinit
    >>> from jinit.pretrained import resize_kernel
    >>> old = {"conv": {"kernel": np.ones((3, 3, 4, 8), np.float32)}}
    >>> new = {"conv": {"kernel": jax.ShapeDtypeStruct((5, 5, 4, 8), "float32")}}
    >>> made, _ = jinit.load(new, old, on_mismatch={"conv/kernel": resize_kernel("pad")})
    >>> print(made["conv"]["kernel"][:, 2, 0, 0])
    [0. 1. 1. 1. 0.]

    Reference: "inflate": Carreira and Zisserman 2017 (arXiv:1705.07750), section 2.4.
    "pseudoinverse": Beyer et al. 2023 (arXiv:2212.08013), equation 6.
    """
    check_choice("method", method, sorted(_ALONG))
    return _Kernel(method, None if axes is None else tuple(axes))


@dataclass(frozen=True)
class _Kernel(Adapter):
    method: str
    axes: tuple[int, ...] | None

    def check(self, shape: tuple[int, ...], leaf: Leaf) -> None:
        check_rank(shape, leaf)
        taps = self._taps(leaf)
        pairs = list(zip(shape, leaf.shape, strict=True))
        if others := [at for at, (a, b) in enumerate(pairs) if a != b and at not in taps]:
            raise ValueError(f"the tensor {list(shape)} and {leaf} differ along axes {others} too")
        for at in taps:
            self._check_tap(*pairs[at], leaf)

    def _check_tap(self, old: int, new: int, leaf: Leaf) -> None:
        if self.method == "pad" and (old - new) % 2:
            raise ValueError(
                f"{old} taps have no middle place among the {new} of {leaf}: one number is odd and "
                "the other even; interpolate instead"
            )
        if self.method == "inflate" and old not in (1, new):
            raise ValueError(f"'inflate' repeats one tap, and the tensor has {old}, {leaf} {new}")
        if self.method == "pseudoinverse" and new < old:
            raise ValueError(f"'pseudoinverse' enlarges, and {old} taps are more than {new}")

    def _taps(self, leaf: Leaf) -> list[int]:
        ndim = len(leaf.shape)
        if self.axes is not None:
            return sorted(axis % ndim for axis in self.axes)
        return [at for at in range(ndim - 2) if at not in leaf.stack]

    def __call__(self, value: Array, leaf: Leaf, key: Any) -> Any:
        made = value.astype(np.float64)
        for axis in self._taps(leaf):
            old, new = value.shape[axis], leaf.shape[axis]
            if old != new:
                made = apply_along(_ALONG[self.method](old, new), made, axis)
        return made

    def __repr__(self) -> str:
        return f"resize_kernel({self.method!r})"


# --- what is done along one axis, as a matrix (new, old) --------------------------------------


def _pad(old: int, new: int) -> Array:
    return np.eye(new, old, k=-((new - old) // 2))


def _interpolate(method: str) -> Callable[[int, int], Array]:
    return lambda old, new: resampling_matrix(old, new, method) * (old / new)


def _inflate(old: int, new: int) -> Array:
    return np.full((new, 1), 1 / new)


def _pseudoinverse(old: int, new: int) -> Array:
    """For images enlarged by B, what gives `<B x, w'> = <x, w>`: `w' = pinv(B^T) w`."""
    return np.linalg.pinv(resampling_matrix(old, new, "linear").T)


_ALONG: dict[str, Callable[[int, int], Array]] = {
    "inflate": _inflate,
    "pad": _pad,
    "pseudoinverse": _pseudoinverse,
    **{method: _interpolate(method) for method in METHODS},
}
