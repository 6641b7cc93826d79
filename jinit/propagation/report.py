"""The report: how the signal fares in a model, row by row and in words.

May import: the standard library, and of `jinit.propagation` rows, spectrum, trends, verdict, and
`jinit.shown`; `jinit.display` as a report is shown.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from jinit.propagation.rows import Leaf, Row
from jinit.propagation.spectrum import Spectrum
from jinit.propagation.trends import trunk
from jinit.propagation.verdict import Verdict
from jinit.shown import Result, json_ready

__all__ = ["Report"]


@dataclass(frozen=True)
class Report(Result):
    """How a signal and its gradient fare in a model. Made by `jinit.propagate`; prints as a table.

    Attributes:
        rows: what was measured of each operation, in the order in which the program runs.
        leaves: what was measured of each parameter and its gradient.
        verdicts: what there is to say, the gravest first.
        spectrum: singular values of the Jacobian from inputs to outputs, if asked for.
        loss: the loss, if one was given.
        batch: how many inputs the batch has; None where they cannot be told apart.
        opaque: operations that could not be followed.
    """

    rows: tuple[Row, ...]
    leaves: tuple[Leaf, ...]
    verdicts: tuple[Verdict, ...]
    spectrum: Spectrum | None = None
    loss: float | None = None
    batch: int | None = None
    opaque: tuple[str, ...] = ()

    _text_width: ClassVar[int] = 160

    @property
    def ok(self) -> bool:
        """Whether there is neither an error nor a warning among the verdicts."""
        return not any(verdict.severity in ("error", "warning") for verdict in self.verdicts)

    def of_kind(self, *kinds: str) -> tuple[Row, ...]:
        """The rows of some kinds: "linear", "activation", "sum", "norm", "input", "output"."""
        return tuple(row for row in self.rows if row.kind in kinds)

    def of_path(self, path: str) -> tuple[Row, ...]:
        """The rows of a parameter: its own operation and what follows, at every step."""
        return tuple(row for row in self.rows if row.path == path)

    def trunk(self) -> tuple[Row, ...]:
        """The rows to follow over depth: residual additions in residual models, else layers."""
        return tuple(trunk(self.rows)[1])

    def plot(self) -> Any:
        """A matplotlib figure: profiles over depth, histograms, and the spectrum if there is one.

        Its colours are legible on light and on dark.
        """
        from jinit.display.propagation.figures import report_figure

        return report_figure(self)

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description; what does not apply is None, NaN and infinities are text."""
        rows = [asdict(row) | {"name": row.name} for row in self.rows]
        for row in rows:
            del row["sample"]
        spectrum = None
        if self.spectrum is not None:
            spectrum = asdict(self.spectrum)
            for name in ("values", "weights"):
                spectrum[name] = [float(value) for value in spectrum[name]]
        leaves = [asdict(leaf) | {"ratio": leaf.ratio} for leaf in self.leaves]
        told = {
            "rows": rows,
            "leaves": leaves,
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
            "spectrum": spectrum,
            "loss": self.loss,
            "batch": self.batch,
            "opaque": self.opaque,
            "ok": self.ok,
        }
        return dict(json_ready(told))

    def __repr__(self) -> str:
        return f"<Report: {len(self.rows)} rows; {'; '.join(map(str, self.verdicts))}>"

    def _tables(self, width: int) -> Sequence[Any]:
        from jinit.display.propagation.tables import report_table

        return [report_table(self, width)]

    def _repr_html_(self) -> str:
        from jinit.display.propagation.pages import report_html

        return report_html(self)
