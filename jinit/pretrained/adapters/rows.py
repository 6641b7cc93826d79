"""Vocabularies that grow: new rows like the old ones on average.

May import: the standard library, jax, numpy, `jinit.checks`, of `jinit.model` leaf, and of
`jinit.pretrained.adapters` adapter.
"""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jinit.checks import check_choice, check_integer, check_positive
from jinit.core.inputs import check_key
from jinit.model.leaf import Leaf
from jinit.pretrained.adapters.adapter import Adapter, Array, axis_that_differs

__all__ = ["grow_rows"]

METHODS = ("mean", "mean_covariance")


def grow_rows(
    method: str = "mean_covariance",
    *,
    rows: Any = None,
    axis: int | None = None,
    used: int | None = None,
    scale: float = 1e-5,
) -> Adapter:
    """Grow a vocabulary: old rows as they are, new ones `N(mean, scale * covariance)` of the old.

    For embeddings and for heads. New words then begin as probable as the average of the old ones,
    and do not take the probability of all others, as rows near zero do where logits are negative.

    Args:
        method: "mean_covariance", or "mean" for rows that are all the mean.
        rows: the new rows themselves `(new, features)`, in place of a method.
        axis: the axis of words; None for the one along which the shapes differ.
        used: how many of the checkpoint's rows are words; those after them are padding and are
            made anew, also where the shapes are equal.
        scale: how much of the covariance.

    Raises:
        ValueError: the model has fewer words than the checkpoint; `rows` are too few or too many.

    >>> import jax, numpy as np, jinit
    >>> from jinit.pretrained import grow_rows
    >>> old = {"wte": {"embedding": np.ones((50, 8), np.float32)}}
    >>> new = {"wte": {"embedding": jax.ShapeDtypeStruct((52, 8), "float32")}}
    >>> grown, report = jinit.load(new, old, on_mismatch={"wte/*": grow_rows("mean")})
    >>> print(grown["wte"]["embedding"].shape, report.adapted[0].how)
    (52, 8) grow_rows('mean')

    Reference: Hewitt 2021, Initializing New Word Embeddings for Pretrained Language Models.
    """
    check_choice("method", method, METHODS)
    check_positive("scale", scale)
    if used is not None:
        check_integer("used", used)
    given = None if rows is None else np.asarray(rows)
    return _Rows(method, given, axis, used, float(scale))


@dataclass(frozen=True, eq=False)
class _Rows(Adapter):
    method: str
    rows: Array | None
    axis: int | None
    used: int | None
    scale: float

    @property
    def needs_key(self) -> bool:  # type: ignore[override]
        """Whether new rows are drawn."""
        return self.rows is None and self.method == "mean_covariance"

    def check(self, shape: tuple[int, ...], leaf: Leaf) -> None:
        axis = axis_that_differs(shape, leaf, self._axis_of(shape, leaf))
        old = self._old(shape[axis])
        if not 0 < old <= shape[axis]:
            raise ValueError(f"`used` (={self.used}) must be from 1 to the rows, {shape[axis]}")
        if leaf.shape[axis] < old:
            raise ValueError(
                f"{leaf} has {leaf.shape[axis]} rows along axis {axis}, fewer than the {old} of "
                "the tensor; words are not dropped: say which with a match of your own"
            )
        wanted = (leaf.shape[axis] - old, *shape[:axis], *shape[axis + 1 :])
        if self.rows is not None and self.rows.shape != wanted:
            raise ValueError(f"`rows` have the shape {self.rows.shape}; {leaf} needs {wanted}")

    def __call__(self, value: Array, leaf: Leaf, key: Any) -> Any:
        axis = axis_that_differs(value.shape, leaf, self._axis_of(value.shape, leaf))
        table = np.moveaxis(value, axis, 0)
        old = table[: self._old(len(table))]
        new = self._new(old, leaf.shape[axis] - len(old), key)
        return np.moveaxis(np.concatenate([old, new.astype(old.dtype)]), 0, axis)

    def _axis_of(self, shape: tuple[int, ...], leaf: Leaf) -> int | None:
        """Which axis; that of an embedding's words is its first."""
        if self.axis is None and tuple(shape) == leaf.shape and self.used is not None:
            return 0 if leaf.role == "embedding" else len(shape) - 1
        return self.axis

    def _old(self, rows: int) -> int:
        return rows if self.used is None else self.used

    def _new(self, old: Array, count: int, key: Any) -> Array:
        if self.rows is not None:
            return self.rows
        exact = old.astype(np.float64)
        mean = exact.mean(axis=0)
        if self.method == "mean":
            return np.broadcast_to(mean, (count, *mean.shape))
        check_key(key)
        # Of independent normal factors on the centred rows, sums have the rows' own covariance.
        factors = np.asarray(jax.random.normal(key, (count, len(old)), np.float32), np.float64)
        spread = np.tensordot(factors, exact - mean, axes=1)
        return np.asarray(mean + np.sqrt(self.scale / len(old)) * spread)

    def __repr__(self) -> str:
        what = "rows given" if self.rows is not None else repr(self.method)
        used = "" if self.used is None else f", used={self.used}"
        return f"grow_rows({what}{used})"
