"""The scales of parameters: chosen at the first use, kept for all others.

May import: the standard library, NumPy.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Choice", "Output", "Scaling", "Slice"]


class Slice(NamedTuple):
    """A part of a leaf: the leaf's number, and indices along its first axes."""

    leaf: int
    indices: tuple[int, ...] = ()


class Choice(NamedTuple):
    """A scale that was chosen.

    Attributes:
        slices: of the parameters that it is for.
        operation: the operation's name.
        place: where it is.
        before: the outcome's statistic without it.
        scale: the scale.
    """

    slices: frozenset[Slice]
    operation: str
    place: str
    before: float
    scale: float


class Output(NamedTuple):
    """The outcome of a linear operation, as predicted, scales included.

    Attributes:
        paths: of the parameters in it.
        indices: indices along their first axes, in a stack of layers.
        operation: the operation's name.
        place: where it is.
        mean: its mean.
        std: its standard deviation.
    """

    paths: tuple[str, ...]
    indices: tuple[int, ...]
    operation: str
    place: str
    mean: float
    std: float


@dataclass
class Scaling:
    """What is chosen, and by what rule.

    Attributes:
        target: the statistic that is wanted.
        statistic: "std" or "rms".
        chosen: leaves that may be scaled.
        paths: of all leaves.
        choices: in the order in which they were made.
        outputs: of all linear operations with parameters, in the program's order.
        failed: why a leaf's scale could not be chosen, the first time.
    """

    target: float
    statistic: str
    chosen: frozenset[int]
    paths: Sequence[str]
    choices: list[Choice] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    _scales: dict[Slice, float] = field(default_factory=dict)

    def factor(self, degrees: Mapping[frozenset[Hashable], float]) -> float:
        """By how much an array is scaled so far that scales to these degrees."""
        factor, counted = 1.0, frozenset[Hashable]()
        for slices, degree in degrees.items():
            found = {self.of(each) for each in slices}
            scale = found.pop() if len(found) == 1 else None
            if scale is not None and math.isfinite(degree) and not slices & counted:
                factor, counted = factor * float(scale**degree), counted | slices
        return factor

    def of(self, part: Any) -> float | None:
        """The scale of a slice, or of what it is a part of; None if there is none yet."""
        for stop in range(len(part.indices), -1, -1):
            scale = self._scales.get(Slice(part.leaf, part.indices[:stop]))
            if scale is not None:
                return scale
        return None

    def choose(
        self,
        degrees: Mapping[frozenset[Any], float],
        mean: float,
        variance: float,
        where: tuple[str, str],
        values: Callable[[], Any],
    ) -> float:
        """The factor that an outcome with these moments gets, now or from before."""
        found = self._open_slices(degrees)
        statistic = math.sqrt(variance if self.statistic == "std" else variance + mean**2)
        if found is None:
            return 1.0
        slices, degree = found
        if not statistic > 1e-12 * (1 + abs(mean)) or not math.isfinite(statistic):
            for part in slices:
                self.failed.setdefault(part.leaf, _reason(values(), mean, statistic))
            return 1.0
        factor = self.target / statistic
        scale = factor ** (1 / degree)
        for part in slices:
            self._scales[part] = scale
        self.choices.append(Choice(slices, *where, statistic, scale))
        return factor

    def _open_slices(
        self, degrees: Mapping[frozenset[Any], float]
    ) -> tuple[frozenset[Slice], float] | None:
        """The parameters that scale an array, if they are still to be scaled, and how it does.

        Those are preferred that the array is a multiple of.
        """
        for slices, degree in sorted(degrees.items(), key=lambda item: item[1] != 1):
            free = all(p.leaf in self.chosen and self.of(p) is None for p in slices)
            if _counts(degree) and free and not any(self._begun(p) for p in slices):
                return frozenset(slices), degree
        return None

    def cannot_scale(self, degrees: Mapping[frozenset[Any], float]) -> list[str]:
        """The parameters, if there is none of which the array is a multiple or a power."""
        if not degrees or any(map(_counts, degrees.values())):
            return []
        return sorted({self.paths[part.leaf] for slices in degrees for part in slices})

    def _begun(self, part: Slice) -> bool:
        """Whether slices of this part have scales already."""
        size = len(part.indices)
        return any(
            other.leaf == part.leaf and other.indices[:size] == part.indices
            for other in self._scales
        )

    def scaled(self, leaf: int, shape: Sequence[int]) -> Any:
        """The scale of a leaf, as a number or an array along its first axes; None without one."""
        found = {part.indices: s for part, s in self._scales.items() if part.leaf == leaf}
        if not found or () in found:
            return found.get(())
        depth = len(next(iter(found)))
        scales = np.ones((*shape[:depth], *(1,) * (len(shape) - depth)))
        for index, scale in found.items():
            scales[index] = scale
        return scales


def _counts(degree: float) -> bool:
    """Whether something changes with a scale, as a power of it."""
    return math.isfinite(degree) and degree != 0


def _reason(values: Any, mean: float, statistic: float) -> str:
    """Why no scale brings an outcome to the target."""
    values = np.asarray(values, dtype=np.float64)
    if not np.all(np.isfinite(values)):
        return "it holds values that are not finite"
    if not np.any(values):
        return "all its values are 0"
    if not math.isfinite(statistic):
        return f"its outcome has a predicted deviation of {statistic}"
    if abs(mean) > 0:
        return f"its outcome is constant, {mean:.3g} throughout"
    return "what it is applied to is 0 throughout"
