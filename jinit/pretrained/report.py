"""What became of every leaf of a model and of every tensor of a checkpoint.

May import: the standard library, `jinit.shown`; `jinit.display` as it is shown.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from jinit.shown import Result

__all__ = ["OUTCOMES", "LoadError", "LoadReport", "LoadRow"]

OUTCOMES = ("loaded", "adapted", "drawn", "kept", "missing", "mismatched")


@dataclass(frozen=True)
class LoadRow:
    """What became of one leaf.

    Attributes:
        path: its path.
        outcome: "loaded", "adapted", "drawn" or "kept"; where nothing was loaded since something
            did not fit, also "missing" or "mismatched".
        shape: its shape.
        dtype: its dtype.
        source: the tensor or tensors that it was made of; None where there was none.
        source_shape: the shape that they make, before an adapter.
        how: what was done on the way: operations, an adapter, a cast, or the rule it was drawn by.
        reason: why it was not loaded as it is: "missing", "mismatched", or None.
        shared_with: path of the leaf that it is one array with.
    """

    path: str
    outcome: str
    shape: tuple[int, ...]
    dtype: str
    source: str | None = None
    source_shape: tuple[int, ...] | None = None
    how: str = ""
    reason: str | None = None
    shared_with: str | None = None


@dataclass(frozen=True)
class LoadReport(Result, Sequence[LoadRow]):
    """What became of every leaf and of every tensor: a row for each leaf, in the model's order.

    `loaded`, `adapted`, `drawn`, `kept`, `missing` and `mismatched` are all leaves, each once;
    `used`, `ignored` and `unexpected` are all tensors. Prints as a table; `report["path"]` is a
    leaf's row.

    Attributes:
        rows: a row for each leaf.
        description: what was loaded.
        used: names of the tensors that leaves were made of.
        ignored: names of those left aside on purpose, or since their leaf is drawn or kept.
        unexpected: names of those that nothing takes; there are none in what was loaded.
    """

    rows: tuple[LoadRow, ...]
    description: str
    used: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[LoadRow]:
        return iter(self.rows)

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, str):
            return self.rows[index]
        for row in self.rows:
            if row.path == index:
                return row
        near = ", ".join(repr(row.path) for row in self.rows[:5])
        raise KeyError(f"no leaf has the path {index!r}; paths are such as {near}")

    def of(self, outcome: str) -> tuple[LoadRow, ...]:
        """The rows of one outcome."""
        return tuple(row for row in self.rows if row.outcome == outcome)

    @property
    def loaded(self) -> tuple[LoadRow, ...]:
        """Leaves that hold a tensor's values, moved and cast at most."""
        return self.of("loaded")

    @property
    def adapted(self) -> tuple[LoadRow, ...]:
        """Leaves that an adapter made of a tensor."""
        return self.of("adapted")

    @property
    def drawn(self) -> tuple[LoadRow, ...]:
        """Leaves drawn by the rules."""
        return self.of("drawn")

    @property
    def kept(self) -> tuple[LoadRow, ...]:
        """Leaves that have the model's own value."""
        return self.of("kept")

    @property
    def missing(self) -> tuple[LoadRow, ...]:
        """Leaves without a tensor, where that is an error."""
        return self.of("missing")

    @property
    def mismatched(self) -> tuple[LoadRow, ...]:
        """Leaves whose tensor does not fit, where that is an error."""
        return self.of("mismatched")

    @property
    def totals(self) -> dict[str, int]:
        """How many leaves there are of each outcome, and in all; and so of tensors."""
        leaves = {outcome: len(self.of(outcome)) for outcome in OUTCOMES}
        tensors = {name: len(getattr(self, name)) for name in ("used", "ignored", "unexpected")}
        return {"leaves": len(self.rows), **leaves, "tensors": sum(tensors.values()), **tensors}

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description."""
        return {"totals": self.totals, **asdict(self)}

    def _tables(self, width: int) -> Sequence[Any]:
        from jinit.display.loading import report_table

        return [report_table(self, width)]

    def __repr__(self) -> str:
        totals = self.totals
        counts = ", ".join(f"{totals[name]} {name}" for name in OUTCOMES if totals[name])
        return f"<LoadReport: {len(self.rows)} leaves: {counts or 'none'}>"


class LoadError(ValueError):
    """A checkpoint and a model that do not fit; nothing was loaded.

    Attributes:
        report: what would have become of every leaf.
    """

    def __init__(self, message: str, report: LoadReport) -> None:
        super().__init__(message)
        self.report = report
