"""Trends: how much a signal, or a gradient, changes from layer to layer.

May import: the standard library, NumPy, and of `jinit.propagation` rows.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from jinit.propagation.rows import Row

__all__ = ["Point", "Trend", "backward_points", "fit_trend", "forward_points", "trunk"]

_LEAST_SUMS = 3  # a model with as many residual additions is measured at these


@dataclass(frozen=True)
class Point:
    """A layer, or a residual addition.

    Attributes:
        name: of its row.
        layer: its number.
        value: the signal's root mean square there, or the gradient's norm; of parallel layers the
            geometric mean.
    """

    name: str
    layer: int
    value: float


@dataclass(frozen=True)
class Trend:
    """How a value changes over depth: by a factor of `rate` a layer, by least squares on logs.

    Attributes:
        points: from the first to the last, in the direction of the signal.
        rate: factor a layer, in that direction.
        noun: what there is one point of: "layer" or "residual addition".
        steepest: the two points between which more than half of the whole change happens, if any.
    """

    points: tuple[Point, ...]
    rate: float
    noun: str
    steepest: tuple[Point, Point] | None

    @property
    def change(self) -> float:
        """The last value over the first."""
        return self.points[-1].value / self.points[0].value


def trunk(rows: Sequence[Row]) -> tuple[str, list[Row]]:
    """What to follow over depth, and its noun: residual additions if there are some, else layers.

    In a residual network the outcomes of branches say little of what passes beside them.
    """
    sums = [row for row in rows if row.kind == "sum"]
    if len(sums) >= _LEAST_SUMS:
        return "residual addition", sums
    return "layer", [row for row in rows if row.kind == "linear"]


def forward_points(rows: Sequence[Row]) -> list[Point]:
    """Root mean squares of the signal by layer."""
    return _points(rows, lambda row: row.forward.rms)


def backward_points(rows: Sequence[Row]) -> list[Point]:
    """Norms of the cotangent by layer, the last layer first."""
    return _points(rows, lambda row: math.nan if row.backward is None else row.backward.norm)[::-1]


def fit_trend(points: Sequence[Point], noun: str) -> Trend | None:
    """The trend of the values that are finite and positive; None with fewer than two."""
    usable = [point for point in points if math.isfinite(point.value) and point.value > 0]
    if len(usable) < 2:
        return None
    logs = np.log([point.value for point in usable])
    x = np.arange(len(logs)) - (len(logs) - 1) / 2
    rate = math.exp(float(x @ logs / (x @ x)))
    return Trend(tuple(usable), rate, noun, _steepest(usable, np.diff(logs)))


def _steepest(points: Sequence[Point], changes: Any) -> tuple[Point, Point] | None:
    total = float(changes.sum())
    if len(changes) < 3 or abs(total) < math.log(2):
        return None
    worst = int(np.argmax(changes * np.sign(total)))
    sudden = abs(changes[worst]) > abs(total) / 2
    return (points[worst], points[worst + 1]) if sudden else None


def _points(rows: Sequence[Row], value: Callable[[Row], float]) -> list[Point]:
    """A point a layer; of residual additions each is one."""
    points = []
    for _, group in groupby(enumerate(rows), lambda pair: _key(*pair)):
        here = [row for _, row in group]
        points.append(Point(here[-1].name, here[-1].layer, _mean([value(row) for row in here])))
    return points


def _key(number: int, row: Row) -> int:
    return -number if row.kind == "sum" else row.layer


def _mean(values: Sequence[float]) -> float:
    """The geometric mean."""
    with np.errstate(divide="ignore"):
        return float(np.exp(np.mean(np.log(values))))
