"""Rows: what was measured of each operation and of each parameter, step by step.

May import: the standard library, NumPy, `jinit.axes`, and of `jinit.propagation` gauges, meter,
sites.
"""

import itertools
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from jinit.axes import Shape
from jinit.propagation.gauges import BACKWARD, FORWARD, LEAF
from jinit.propagation.meter import Measured
from jinit.propagation.sites import Site

__all__ = ["Backward", "Forward", "Leaf", "Row", "leaf_rows", "site_rows"]


@dataclass(frozen=True)
class Forward:
    """A signal on its way forwards. What does not apply is None.

    Attributes:
        mean: over the batch, positions and units.
        std: over the same.
        rms: root mean square.
        peak: the largest magnitude.
        mean_share: which part of the mean square is the units' means; the rest varies.
        correlation: mean cosine of the angle between two inputs of the batch (32 at most).
        rank: directions that these inputs take up: n^2 over the sum of all squared cosines.
        zero: of an activation, the share of entries that are 0.
        dead: of an activation, the share of units that are 0 for every input.
        saturated: of a bounded activation, the share of entries where its slope is under 5% of its
            largest.
    """

    mean: float
    std: float
    rms: float
    peak: float
    mean_share: float | None = None
    correlation: float | None = None
    rank: float | None = None
    zero: float | None = None
    dead: float | None = None
    saturated: float | None = None


@dataclass(frozen=True)
class Backward:
    """A cotangent on its way back: the gradient with respect to an operation's outcome.

    Attributes:
        mean: over the batch, positions and units.
        std: over the same.
        rms: root mean square.
        peak: the largest magnitude.
        norm: Euclidean norm for one input (root mean square over inputs). Unlike the rms it does
            not depend on how many units or positions share a gradient, so that layers of different
            size can be compared.
    """

    mean: float
    std: float
    rms: float
    peak: float
    norm: float


@dataclass(frozen=True)
class Row:
    """One operation, in one pass of the scans around it.

    Attributes:
        path: the parameter that it uses, or the last one before it.
        kind: "input", "linear", "activation", "sum" (a residual addition), "norm", "output" or
            "other".
        operation: the parameter's role ("dense", "conv", ...), the activation's name, or a
            primitive's.
        step: numbers of the passes of the scans around it, the outermost first.
        layer: how many layers there are up to here, itself included.
        shape: of its outcome.
        dtype: of its outcome.
        forward: what comes out of it.
        backward: what comes back to it; None without a way back.
        sample: some hundred values of its outcome.
    """

    path: str
    kind: str
    operation: str
    step: tuple[int, ...]
    layer: int
    shape: Shape
    dtype: str
    forward: Forward
    backward: Backward | None
    sample: Any = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The path, with the step where there is one: "blocks/up/kernel[3]"."""
        step = f"[{','.join(map(str, self.step))}]" if self.step else ""
        return f"{self.path or self.kind}{step}"


@dataclass(frozen=True)
class Leaf:
    """One parameter with its gradient, or one layer of a stack of them.

    Attributes:
        path: the parameter.
        step: its place along the axes of the stack.
        size: how many weights.
        weight_rms: root mean square of the weights.
        weight_peak: their largest magnitude.
        gradient_rms: root mean square of the gradient; None without a way back.
        gradient_std: standard deviation of the gradient.
        gradient_peak: its largest magnitude.
    """

    path: str
    step: tuple[int, ...]
    size: int
    weight_rms: float
    weight_peak: float
    gradient_rms: float | None = None
    gradient_std: float | None = None
    gradient_peak: float | None = None

    @property
    def name(self) -> str:
        """The path, with the step where there is one."""
        step = f"[{','.join(map(str, self.step))}]" if self.step else ""
        return f"{self.path}{step}"

    @property
    def gradient_norm(self) -> float | None:
        """The gradient's Euclidean norm."""
        return None if self.gradient_rms is None else self.gradient_rms * math.sqrt(self.size)

    @property
    def ratio(self) -> float | None:
        """Gradient over weight, root mean squares both; None for weights that are all 0."""
        if self.gradient_rms is None or not self.weight_rms:
            return None
        return self.gradient_rms / self.weight_rms


def site_rows(sites: Sequence[Site], measured: Measured, batch: int) -> tuple[Row, ...]:
    """The rows of all sites, in the order in which the program runs.

    Operations of branches that were not taken have none.

    Args:
        sites: the sites.
        measured: what was measured there.
        batch: how many inputs share it.
    """
    found = [(_when(site, step), site, step) for site in sites for step in _steps(site)]
    layers: dict[Any, int] = {}
    rows = []
    for _, site, step in sorted(found, key=lambda entry: entry[0]):
        forward = _numbers(measured.forward[site.place][step])
        if forward[0] is None:
            continue
        if site.kind == "linear":
            layer = layers.setdefault((step, site.level), len(layers) + 1)
        else:
            layer = len(layers)
        row = _row(site, step, layer, forward, measured)
        rows.append(replace(row, backward=_backward(site, step, measured, batch)))
    return tuple(rows)


def _steps(site: Site) -> Iterator[tuple[int, ...]]:
    """All passes of the scans around a site."""
    return itertools.product(*(range(loop.length) for loop in site.loops))


def _when(site: Site, step: Sequence[int]) -> tuple[int, ...]:
    """What sorts rows as the program runs: of each scan its number and the pass, then its own."""
    if not site.order:
        return (-1, site.place.operation) if site.kind == "input" else (sys.maxsize,)
    passes = [
        loop.length - 1 - n if loop.reverse else n for loop, n in zip(site.loops, step, strict=True)
    ]
    pairs = zip(site.order, passes, strict=False)
    return (*itertools.chain(*pairs), site.order[-1])


def _row(
    site: Site, step: tuple[int, ...], layer: int, forward: Sequence[Any], measured: Measured
) -> Row:
    entries = dict(zip(FORWARD[1:], forward[1:], strict=True))
    for name in ("mean", "std", "rms", "peak"):  # of these NaN is an outcome
        entries[name] = math.nan if entries[name] is None else entries[name]
    return Row(
        path=site.path,
        kind=site.kind,
        operation=site.operation,
        step=step,
        layer=layer,
        shape=site.shape,
        dtype=np.dtype(site.dtype).name,
        forward=Forward(**entries),
        backward=None,
        sample=np.asarray(measured.samples[site.place][step], np.float64),
    )


def _backward(site: Site, step: tuple[int, ...], measured: Measured, batch: int) -> Backward | None:
    vectors = measured.backward.get(site.place)
    if vectors is None:
        return None
    entries = dict(zip(BACKWARD, map(float, vectors[step]), strict=True))
    return Backward(**entries, norm=entries["rms"] * math.sqrt(math.prod(site.shape) / batch))


def leaf_rows(
    paths: Sequence[str], shapes: Sequence[Shape], stacks: Sequence[Shape], measured: Measured
) -> tuple[Leaf, ...]:
    """The rows of all parameters, layer by layer where they are stacked."""
    rows = []
    for path, shape, stack, found in zip(paths, shapes, stacks, measured.leaves, strict=True):
        size = math.prod(n for axis, n in enumerate(shape) if axis not in stack)
        for step in np.ndindex(found.shape[:-1]):
            entries = dict(zip(LEAF, map(float, found[step]), strict=True))
            if not measured.backward:
                entries = {name: x for name, x in entries.items() if name.startswith("weight")}
            rows.append(Leaf(path, step, size, **entries))
    return tuple(rows)


def _numbers(vector: Any) -> list[float | None]:
    """The entries of a vector; None for NaN."""
    return [None if math.isnan(entry) else float(entry) for entry in vector]
