"""Embeddings: tables of one vector for each token, position or class.

May import: numpy, `jinit.core`, `jinit.checks`, `jinit.factory`, `jinit.schemes.vectors`.
"""

import math
from typing import Any

import numpy as np

from jinit.checks import check_non_negative
from jinit.core.laws import Normal
from jinit.factory import Elementwise, Recipe, scheme
from jinit.schemes.vectors import last_extent

__all__ = ["embedding"]


@scheme
def embedding(stddev: Any = None, dtype: Any = None, *, scale: Any = 1.0) -> Recipe:
    """Embedding: `W ~ N(0, scale^2 / features)`, features the last axis; rows of norm ~ `scale`.

    For tables `(vocabulary, features)`. Looking a row up is no sum over the vocabulary, so the
    vocabulary is no fan: `jinit.lecun_normal()` would make rows that shrink as it grows. The
    default suits tables that also serve as the output layer, or that are multiplied by
    sqrt(features); others are commonly N(0, 1) or `stddev=0.02`.

    Args:
        stddev: standard deviation itself, in place of 1 / sqrt(features); a number, or an array
            that broadcasts to the table.
        dtype: floating or complex dtype of the weights, unless the call gives one.
        scale: factor on 1 / sqrt(features); sqrt(features) itself gives N(0, 1).

    Raises:
        ValueError: `stddev` and `scale` are both given, or one is negative; when drawing, the
            shape has no axis.

    >>> import jinit
    >>> print(f"{jinit.embedding().std((32000, 64)):.4f}, {jinit.embedding(0.02).std((9, 64))}")
    0.1250, 0.02
    >>> padded = jinit.zero_rows(jinit.embedding(), 0)  # row 0 is padding

    Differences: Flax's `Embed` has this law by default; torch's `Embedding` has N(0, 1), Keras'
    U[-0.05, 0.05).
    """
    check_non_negative("scale", scale)
    if stddev is None:
        return Elementwise(lambda shape, dtype: Normal(0.0, scale * _per_feature(shape)))
    if np.ndim(scale) or scale != 1.0:
        raise ValueError(
            f"the spread is given by `stddev` (={stddev!r}) and by `scale` (={scale!r}); "
            "give it one way only"
        )
    check_non_negative("stddev", stddev)
    return Elementwise(lambda shape, dtype: Normal(0.0, stddev))


def _per_feature(shape: tuple[int, ...]) -> float:
    features = last_extent(shape)
    return 1 / math.sqrt(features) if features else 0.0
