"""What `jinit.lsuv` reports: the scale that each use of a weight asked for.

May import: the standard library, NumPy, `jinit.shown`; `jinit.display` as a report is shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jinit.shown import Result

__all__ = ["LsuvReport", "LsuvRow"]


@dataclass(frozen=True, eq=False)
class LsuvRow:
    """One linear operation's weight.

    Attributes:
        path: the parameter's path.
        part: the part of it that this operation takes, as an index; empty for all.
        operation: the operation.
        before: the statistic of its outcome, the bias included, with all layers before it rescaled
            already: one number, or one for each layer of a stack, channel or expert.
        scale: what the parameter was multiplied by, likewise.
        exponent: the power of the scale that the parameter takes up; 1 nearly always.
        together: paths of parameters that are rescaled by the same numbers.
        reused: whether further uses take the same scale.
        centered: path of the bias that removes the mean.
        after: the statistic in a plain run with the new parameters, each time that the operation
            was run; None unless that was asked for.
    """

    path: str
    part: str
    operation: str
    before: Any
    scale: Any
    exponent: float = 1.0
    together: tuple[str, ...] = ()
    reused: bool = False
    centered: str | None = None
    after: Any = None

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description."""
        told = {**vars(self), "together": list(self.together)}
        for name in ("before", "scale", "after"):
            told[name] = None if told[name] is None else np.asarray(told[name]).tolist()
        return told


@dataclass(frozen=True, eq=False)
class LsuvReport(Result):
    """What `jinit.lsuv` did. Prints as a table.

    Attributes:
        rows: a row for each weight of each linear operation, in the order of the program.
        left: by path, parameters that were left as they are, and why.
        not_centered: with `center=True`, the paths of weights to whose outcome no bias is added
            through which the mean could be removed.
        statistic: "std" or "rms".
        target: the value asked for.
        per: "layer", "channel" or "expert".
        passes: how many forward passes were run; that of `verify=True` is not counted.
        settled: whether the target was reached within these.
    """

    rows: tuple[LsuvRow, ...]
    left: Mapping[str, str]
    not_centered: tuple[str, ...] = ()
    statistic: str = "std"
    target: float = 1.0
    per: str = "layer"
    passes: int = 1
    settled: bool = True

    def __getitem__(self, path: str) -> LsuvRow:
        """The first row of a parameter."""
        for row in self.rows:
            if row.path == path:
                return row
        known = ", ".join(repr(row.path) for row in self.rows[:5])
        reason = f" ({self.left[path]})" if path in self.left else ""
        raise KeyError(f"{path!r} was not rescaled{reason}; rows are of {known}")

    @property
    def deviation(self) -> float | None:
        """The largest relative distance from the target that a plain run shows.

        None unless `verify=True`. Weights that are reused are not counted: under `reuse="first"`
        later uses go their own way.
        """
        once = [row.after for row in self.rows if row.after is not None and not row.reused]
        if not once:
            return None
        return max(float(np.max(np.abs(np.asarray(y) / self.target - 1))) for y in once)

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description."""
        told = {**vars(self), "rows": [row.to_config() for row in self.rows]}
        told |= {"left": dict(self.left), "not_centered": list(self.not_centered)}
        return told | {"deviation": self.deviation}

    def __repr__(self) -> str:
        return f"<LsuvReport: {len(self.rows)} weights in {self.passes} passes>"

    def _tables(self, width: int) -> Sequence[Any]:
        from jinit.display.rescaling import lsuv_table

        return [lsuv_table(self, width)]
