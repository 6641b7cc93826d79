"""What learning a model's scales gave: the scales, and what each step saw.

May import: the standard library, numpy, `jinit.shown`; `jinit.display` as a report is shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from jinit.shown import Result, json_ready

__all__ = ["LearnedReport"]

FloatArray: TypeAlias = np.ndarray[Any, np.dtype[np.floating[Any]]]


@dataclass(frozen=True, eq=False, repr=False)
class LearnedReport(Result):
    """What `jinit.gradinit` or `jinit.metainit` learned. Prints as a table.

    The arrays have one entry a step, as it was before that step, and a last one for the model that
    came out.

    Attributes:
        method: "GradInit" or "MetaInit".
        scales: by path, what the leaf was multiplied by; of a stacked leaf an array that has its
            stacked axes.
        norms: by path, the norm that the leaf, or each slice, had at the start.
        objective: what the step lowers, of the kind in `kinds`.
        kinds: "quotient", the gradient quotient; "loss", the loss after one step of the optimizer;
            "norm", the gradient's norm, where it exceeds `gamma`.
        loss: the loss on the step's batch.
        gradient_norm: of the loss; in the norm that belongs to the optimizer.
        gamma: the bound on the gradient's norm; infinite where there is none.
        skipped: paths of leaves that have no scale because they were zero.
    """

    method: str
    scales: Mapping[str, float | FloatArray]
    norms: Mapping[str, float | FloatArray]
    objective: FloatArray
    kinds: tuple[str, ...]
    loss: FloatArray
    gradient_norm: FloatArray
    gamma: float = np.inf
    skipped: tuple[str, ...] = ()

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return len(self.kinds) - 1

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LearnedReport):
            return NotImplemented
        return self.to_config() == other.to_config()

    __hash__ = None  # type: ignore[assignment]

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description; no bound is None."""
        told = {name: json_ready(value) for name, value in vars(self).items()}
        return told | {"gamma": self.gamma if np.isfinite(self.gamma) else None}

    def plot(self) -> Any:
        """Draw objective, gradient norm and scales.

        Returns:
            A matplotlib figure, to be saved with `savefig`.
        """
        from jinit.display.learning import plot_learning

        return plot_learning(self)

    def __repr__(self) -> str:
        loss = f"{self.loss[0]:.3g} > {self.loss[-1]:.3g}"
        return f"<LearnedReport: {self.method}, {self.steps} steps, loss {loss}>"

    def _tables(self, width: int) -> Sequence[Any]:
        from jinit.display.learned import learned_table

        return [learned_table(self)]
