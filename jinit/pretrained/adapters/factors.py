"""Low-rank factors beside a kernel, made of the kernel, what the layer computes unchanged.

May import: the standard library, jax, numpy, `jinit.checks`, `jinit.core.inputs`, and of
`jinit.pretrained.adapters` adapter.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from jinit.checks import check_choice, check_positive
from jinit.core.inputs import check_key
from jinit.pretrained.adapters.adapter import Array

__all__ = ["Factors", "LowRank", "low_rank"]


class Factors(NamedTuple):
    """A kernel in three: `W = base + scale * a @ b`."""

    base: Array
    a: Array
    b: Array


def low_rank(method: str = "zero_product", *, scale: float = 1.0) -> "LowRank":
    """Begin low-rank adaptation where the model is: `base + scale * a @ b` is the kernel loaded.

    Give it for the leaves that the checkpoint lacks, `lora_a` and `lora_b`. The kernel is looked
    for beside them, in the module that they are in, and in its `base_module`.

    Args:
        method: "zero_product": a drawn from `U(-1/sqrt(in), 1/sqrt(in))`, b zero, the kernel as it
            is. "pissa": the r largest singular values, their roots in a and in b. "olora": the
            first r columns of Q and rows of R, `W^T = Q R`. The last two leave the rest in the
            kernel, which then is another than the checkpoint's.
        scale: what the layer multiplies a @ b by: alpha / r, or alpha / sqrt(r).

    >>> import jax, numpy as np, jinit
    >>> from jinit.pretrained import low_rank
    >>> old = {"fc": {"kernel": np.diag([3.0, 2.0, 1.0])}}
    >>> new = {"fc": {"kernel": jax.ShapeDtypeStruct((3, 3), "float32"),
    ...               "lora_a": jax.ShapeDtypeStruct((3, 1), "float32"),
    ...               "lora_b": jax.ShapeDtypeStruct((1, 3), "float32")}}
    >>> made, _ = jinit.load(new, old, on_missing={"fc/lora_*": low_rank("pissa")})
    >>> print(abs(made["fc"]["kernel"].diagonal()).round(4))
    [0. 2. 1.]

    Reference: Hu et al. 2022 (arXiv:2106.09685), section 4.1, drawn as its code does; Meng et al.
    2024 (arXiv:2404.02948), equations 2 to 4; Büyükakyüz 2024 (arXiv:2406.01775), section 3.

    Differences: `nnx.LoRA` draws a from a uniform law sqrt(6) times as wide.
    """
    check_choice("method", method, sorted(_METHODS))
    check_positive("scale", scale)
    return LowRank(method, float(scale))


@dataclass(frozen=True)
class LowRank:
    """What `low_rank` returns: splits kernels into `Factors`."""

    method: str
    scale: float

    @property
    def changes_kernel(self) -> bool:
        """Whether the kernel becomes another."""
        return self.method != "zero_product"

    @property
    def needs_key(self) -> bool:
        """Whether a factor is drawn."""
        return not self.changes_kernel

    def check(self, kernel: tuple[int, ...], a: tuple[int, ...], b: tuple[int, ...]) -> None:
        """Raise a ValueError unless shapes are those of a kernel and of its factors."""
        fits = (
            len(kernel) == len(a) == len(b) >= 2
            and kernel[:-2] == a[:-2] == b[:-2]
            and (kernel[-2], kernel[-1], a[-1]) == (a[-2], b[-1], b[-2])
        )
        if not fits:
            raise ValueError(
                f"a kernel {list(kernel)} has no factors {list(a)} and {list(b)}; they must be "
                "(in, out), (in, r) and (r, out)"
            )
        if self.changes_kernel and a[-1] > min(kernel[-2:]):
            raise ValueError(f"the rank {a[-1]} is more than a kernel {list(kernel)} has")

    def split(self, kernel: Array, rank: int, dtypes: tuple[Any, Any], key: Any) -> Factors:
        """The factors of a kernel, the base being what the rounded factors leave of it."""
        exact = kernel.astype(np.float64)
        a, b = _METHODS[self.method](exact, rank, key)
        root = math.sqrt(self.scale) if self.changes_kernel else 1.0
        a, b = (a / root).astype(dtypes[0]), (b / root).astype(dtypes[1])
        if not self.changes_kernel:
            return Factors(kernel, a, b)
        product = a.astype(np.float64) @ b.astype(np.float64)
        return Factors(exact - self.scale * product, a, b)

    def __repr__(self) -> str:
        scale = "" if self.scale == 1 else f", scale={self.scale:g}"
        return f"low_rank({self.method!r}{scale})"


def _zero_product(kernel: Array, rank: int, key: Any) -> tuple[Array, Array]:
    check_key(key)
    *stack, inputs, outputs = kernel.shape
    bound = 1 / math.sqrt(inputs)
    drawn = jax.random.uniform(key, (*stack, inputs, rank), np.float32, -bound, bound)
    return np.asarray(drawn), np.zeros((*stack, rank, outputs))


def _pissa(kernel: Array, rank: int, key: Any) -> tuple[Array, Array]:
    u, s, vt = np.linalg.svd(kernel, full_matrices=False)
    root = np.sqrt(s[..., :rank])
    return u[..., :rank] * root[..., None, :], root[..., :, None] * vt[..., :rank, :]


def _olora(kernel: Array, rank: int, key: Any) -> tuple[Array, Array]:
    q, r = np.linalg.qr(np.swapaxes(kernel, -2, -1))
    return np.swapaxes(r[..., :rank, :], -2, -1), np.swapaxes(q[..., :rank], -2, -1)


_METHODS: dict[str, Callable[[Array, int, Any], tuple[Array, Array]]] = {
    "olora": _olora,
    "pissa": _pissa,
    "zero_product": _zero_product,
}
