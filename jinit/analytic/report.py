"""What analytic initialization did: a scale for each weight, and what it had to approximate.

May import: the standard library, and of `jinit.analytic` scaling, world, and `jinit.shown`;
`jinit.display.analytic` to print.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from jinit.analytic.scaling import Output
from jinit.analytic.world import Approximation
from jinit.shown import Result

__all__ = ["AutoinitReport", "Rescaled"]


@dataclass(frozen=True)
class Rescaled:
    """One weight, or one layer of a stack of them, that was multiplied by a scale.

    Attributes:
        path: the parameter's path.
        indices: indices along its first axes, in a stack of layers.
        operation: the operation that its scale was chosen at.
        place: where that is, as the model's modules name it.
        before: the statistic of its outcome as the weight was given.
        scale: what it was multiplied by.
    """

    path: str
    indices: tuple[int, ...]
    operation: str
    place: str
    before: float
    scale: float


@dataclass(frozen=True)
class AutoinitReport(Result):
    """What `jinit.autoinit` did. Prints as a table.

    Attributes:
        target: the statistic that each linear outcome was brought to.
        statistic: "std" or "rms".
        rows: the weights, in the order of the program.
        outputs: the predicted mean and standard deviation of every linear outcome, after scaling.
        approximations: what could not be followed exactly, and what was taken instead.
        untouched: parameters that no linear operation takes, or that were not selected.
    """

    target: float
    statistic: str
    rows: tuple[Rescaled, ...]
    outputs: tuple[Output, ...]
    approximations: tuple[Approximation, ...]
    untouched: tuple[str, ...]

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description."""
        return {
            "target": self.target,
            "statistic": self.statistic,
            "rows": [asdict(row) for row in self.rows],
            "outputs": [output._asdict() for output in self.outputs],
            "approximations": [asdict(each) for each in self.approximations],
            "untouched": list(self.untouched),
        }

    def _tables(self, width: int) -> Sequence[Any]:
        from jinit.display.analytic import autoinit_tables

        return autoinit_tables(self, width)
