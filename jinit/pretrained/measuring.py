"""What is measured of a tensor that is read part by part: range, moments, what is not finite.

May import: the standard library, jax, numpy, of `jinit.model.diagnosis` readings, subjects, and of
`jinit.pretrained` sources.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import jax.numpy as jnp
import numpy as np

from jinit.model.diagnosis.readings import PREFIX, Reading
from jinit.model.diagnosis.subjects import sample_length
from jinit.pretrained.sources import Array, Source, Window

__all__ = ["Measured", "measure_tensor", "windows"]

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

_PART = 2**20  # values looked at at once: 8 MiB of them in float64


@dataclass
class Measured:
    """Running measurements; of complex values the parts are taken as one sample of reals.

    Attributes:
        count: finite values so far.
        nan: how many are NaN.
        infinite: how many are infinite.
        zero: how many are zero.
        mean: of the finite values.
        square: the sum of their squared distances from the mean.
        low: the least of them.
        high: the largest of them.
        narrower: floating dtypes of fewer bits that hold all values so far.
        sample: the first values.
    """

    count: int = 0
    nan: int = 0
    infinite: int = 0
    zero: int = 0
    mean: float = 0.0
    square: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    narrower: tuple[np.dtype[Any], ...] = ()
    sample: Floats = field(default_factory=lambda: np.zeros(0))

    @property
    def std(self) -> float:
        """The standard deviation of the finite values."""
        return math.sqrt(self.square / self.count) if self.count else math.nan

    def add(self, values: Array, wanted: int) -> None:
        """Take more values in, and keep the first `wanted`."""
        self.narrower = tuple(dtype for dtype in self.narrower if _holds(dtype, values))
        reals = _as_reals(values)
        if len(self.sample) < wanted:
            self.sample = np.concatenate([self.sample, reals[: wanted - len(self.sample)]])
        finite = np.isfinite(reals)
        if not finite.all():
            nan = int(np.isnan(reals).sum())
            self.nan += nan
            self.infinite += int(reals.size - finite.sum()) - nan
            reals = reals[finite]
        if reals.size:
            self._add_finite(reals)

    def _add_finite(self, reals: Floats) -> None:
        """Chan, Golub & LeVeque 1979, equations 1.5a and 1.5b: moments of two samples joined."""
        self.zero += int(reals.size - np.count_nonzero(reals))
        self.low = min(self.low, float(reals.min()))
        self.high = max(self.high, float(reals.max()))
        mean = float(reals.mean())
        reals -= mean
        total, apart = self.count + reals.size, mean - self.mean
        self.square += float(reals @ reals) + apart**2 * self.count * reals.size / total
        self.mean += apart * reals.size / total
        self.count = total

    def reading(self) -> Reading:
        """The same as the checks of `jinit.check` take it."""
        odd = self.nan + self.infinite
        low, high = (math.nan, math.nan) if odd else (self.low, self.high)
        return Reading(
            size=self.count + odd,
            extents=(),
            low=np.array([low]),
            high=np.array([high]),
            mean=np.array([self.mean]),
            std=np.array([self.std]),
            kurtosis=np.array([math.nan]),  # which no test of one leaf's values asks for
            prefix=self.sample[:PREFIX].reshape(1, -1),
            sample=self.sample,
        )


def measure_tensor(source: Source, name: str) -> Measured:
    """Measure one tensor, a window at a time."""
    spec = source[name]
    measured = Measured(narrower=_narrower(spec.dtype))
    wanted = max(sample_length(spec.dtype), PREFIX)
    with np.errstate(all="ignore"):
        for window in windows(spec.shape, _PART):
            measured.add(source.read(name, window), wanted)
    return measured


def windows(shape: tuple[int, ...], most: int) -> Iterator[Window]:
    """Windows of at most so many values that make up a shape, in row-major order.

    >>> [tuple((cut.start, cut.stop) for cut in window) for window in windows((3, 4), 8)]
    [((0, 2), (0, 4)), ((2, 3), (0, 4))]
    """
    if not shape:
        yield ()
        return
    row = math.prod(shape[1:])
    if row > most:
        for start in range(shape[0]):
            for rest in windows(shape[1:], most):
                yield (slice(start, start + 1), *rest)
        return
    step = max(most // max(row, 1), 1)
    whole = tuple(slice(0, extent) for extent in shape[1:])
    for start in range(0, shape[0], step):
        yield (slice(start, min(start + step, shape[0])), *whole)


def _as_reals(values: Array) -> Floats:
    flat = values.reshape(-1)
    if flat.dtype.kind == "c":
        flat = flat.view(flat.real.dtype)
    return flat.astype(np.float64)


def _narrower(dtype: np.dtype[Any]) -> tuple[np.dtype[Any], ...]:
    """Floating dtypes of fewer bits that are worth asking about."""
    if dtype == np.float64:
        return (np.dtype(np.float32),)
    return (np.dtype(jnp.bfloat16), np.dtype(np.float16)) if dtype == np.float32 else ()


def _holds(dtype: np.dtype[Any], values: Array) -> bool:
    """Whether a narrower dtype holds the same values."""
    return bool(np.array_equal(values.astype(dtype).astype(values.dtype), values, equal_nan=True))
