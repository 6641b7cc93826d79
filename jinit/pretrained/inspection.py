"""What a checkpoint holds, tensor by tensor, and what looks wrong with it.

May import: the standard library, jax, numpy, `jinit.checks`, `jinit.shown`, of `jinit.model` leaf,
diagnosis (contents, finding, subjects), targets.trees, and of `jinit.pretrained` measuring,
sources; `jinit.display` as a result is shown.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jinit.checks import check_choice
from jinit.model.diagnosis.contents import blank, coarse
from jinit.model.diagnosis.finding import Finding, count_noun
from jinit.model.diagnosis.likeness import looks_drawn
from jinit.model.diagnosis.subjects import Subject
from jinit.model.leaf import Leaf, as_leaves
from jinit.model.targets.trees import describe_tree
from jinit.pretrained.measuring import Measured, measure_tensor
from jinit.pretrained.sources import Progress, Source, TensorSpec, open_source
from jinit.shown import Result

__all__ = ["Inspection", "TensorReport", "check_order", "inspect"]

_LEAST_ROUNDED = 64  # values that are not all rounded by chance


@dataclass(frozen=True)
class TensorReport:
    """One tensor of a checkpoint. Of complex values the parts are measured as one sample.

    Attributes:
        name: its name.
        shape: its shape.
        dtype: the name of its dtype.
        nbytes: bytes of its values.
        mean: of the finite values; None where there are none.
        std: of the finite values.
        low: the least of them.
        high: the largest of them.
        zero: how many values are zero.
        nan: how many are NaN.
        infinite: how many are infinite.
        findings: what looks wrong.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    nbytes: int
    mean: float | None
    std: float | None
    low: float | None
    high: float | None
    zero: int
    nan: int
    infinite: int
    findings: tuple[Finding, ...] = ()

    @property
    def size(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)


_ORDERS: Mapping[str, Callable[[TensorReport], Any] | None] = {
    "file": None,
    "name": lambda row: row.name,
    "size": lambda row: -row.nbytes,
    "mean": lambda row: -abs(row.mean or 0.0),
    "std": lambda row: -(row.std or 0.0),
    "findings": lambda row: (-len(row.findings), not row.findings),
}


@dataclass(frozen=True)
class Inspection(Result):
    """What `inspect` saw. Prints as a table.

    Attributes:
        description: the checkpoint's file and format.
        rows: one report a tensor.
        metadata: texts by name that the file has beside its tensors.
    """

    description: str
    rows: tuple[TensorReport, ...]
    metadata: Mapping[str, str]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What looks wrong, tensor by tensor."""
        return tuple(finding for row in self.rows for finding in row.findings)

    @property
    def totals(self) -> dict[str, int]:
        """How many tensors, values and bytes there are, and findings."""
        return {
            "tensors": len(self.rows),
            "values": sum(row.size for row in self.rows),
            "bytes": sum(row.nbytes for row in self.rows),
            "findings": len(self.findings),
        }

    @property
    def headline(self) -> str:
        """The totals in one line."""
        from jinit.display.numbers import size

        totals = self.totals
        tensors, values = (count_noun(totals[f"{noun}s"], noun) for noun in ("tensor", "value"))
        dtypes = ", ".join(sorted({row.dtype for row in self.rows})) or "no dtype"
        return f"{self.description}: {tensors}, {values}, {size(totals['bytes'])}, {dtypes}"

    def sorted_by(self, order: str) -> "Inspection":
        """The same in another order: "file", "name", "size", "mean", "std" or "findings".

        Numbers are in descending order, means by their distance from zero.

        Raises:
            ValueError: there is no such order.
        """
        check_order(order)
        key = _ORDERS[order]
        return self if key is None else replace(self, rows=tuple(sorted(self.rows, key=key)))

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description."""
        content = asdict(self)
        content["tensors"] = content.pop("rows")
        return {**content, "totals": self.totals}

    def __repr__(self) -> str:
        return f"<Inspection: {self.headline}>"

    def _tables(self, width: int) -> Sequence[Any]:
        from jinit.display.checkpoints import inspection_view

        return [inspection_view(self, width)]

    def _repr_html_(self) -> str:
        from jinit.display.checkpoints import inspection_html

        return inspection_html(self)


def check_order(order: str) -> None:
    """Raise a ValueError unless there is such an order of reports."""
    check_choice("order", order, list(_ORDERS))


def inspect(source: Any, *, progress: Progress = lambda name: None) -> Inspection:
    """Read a checkpoint once and say what is in it, and what looks wrong.

    Found are: NaN and infinities; weights that are zero or one value throughout; draws made in
    low precision (`jinit.check` tells how); and values of a narrower dtype kept in a wider one.
    Values are read part by part, a whole tensor at a time where the format cannot do less.

    Args:
        source: what `jinit.pretrained.open_source` opens: a file, a tree, a live model.
        progress: called with the name of each tensor, once it is read.

    Returns:
        A report for each tensor, in the order of the file.

    Raises:
        jinit.pretrained.CheckpointError: the file is damaged, or of no known format.

    >>> import numpy as np
    >>> report = inspect({"head": {"kernel": np.zeros((64, 10), np.float32)}})
    >>> report.rows[0].findings[0].detail
    'all 640 values are 0'
    """
    opened = open_source(source)
    try:
        leaves = _leaves_by_name(opened)
        rows = []
        for name, spec in opened.items():
            measured = measure_tensor(opened, name)
            rows.append(_report(name, spec, measured, leaves[name]))
            progress(name)
        return Inspection(opened.description, tuple(rows), dict(opened.metadata))
    finally:
        if opened is not source:
            opened.close()


def _leaves_by_name(source: Source) -> dict[str, Leaf]:
    """What each tensor may be, by its name and shape: a weight, a bias, a scale."""
    paths = {name: name.replace(".", "/") for name in source}
    shapes = {path: _abstract(source[name]) for name, path in paths.items()}
    leaves = {leaf.path: leaf for leaf in as_leaves(describe_tree(shapes).slots)}
    return {name: leaves[path] for name, path in paths.items()}


def _abstract(spec: TensorSpec) -> Any:
    return jax.ShapeDtypeStruct(spec.shape, spec.dtype)  # type: ignore[no-untyped-call]


def _report(name: str, spec: TensorSpec, measured: Measured, leaf: Leaf) -> TensorReport:
    some = measured.count > 0
    return TensorReport(
        name=name,
        shape=spec.shape,
        dtype=spec.dtype.name,
        nbytes=spec.nbytes,
        mean=measured.mean if some else None,
        std=measured.std if some else None,
        low=measured.low if some else None,
        high=measured.high if some else None,
        zero=measured.zero,
        nan=measured.nan,
        infinite=measured.infinite,
        findings=tuple(replace(f, path=name) for f in _findings(spec, measured, leaf)),
    )


def _findings(spec: TensorSpec, measured: Measured, leaf: Leaf) -> Iterator[Finding]:
    if measured.nan or measured.infinite:
        yield _nonfinite(spec, measured)
        return
    if not measured.count or not jnp.issubdtype(spec.dtype, jnp.inexact):
        return
    subject = Subject(leaf, _abstract(spec), (), measured=measured.reading())
    yield from blank(subject)
    yield from coarse(subject)
    yield from _rounded(spec, measured)


def _nonfinite(spec: TensorSpec, measured: Measured) -> Finding:
    counts = {"NaN": measured.nan, "infinite": measured.infinite}
    seen: Sequence[str] = [f"{count:,} {what}" for what, count in counts.items() if count]
    detail = f"{' and '.join(seen)} among {count_noun(spec.size, 'value')}"
    return Finding("nonfinite", "", detail)


def _rounded(spec: TensorSpec, measured: Measured) -> Iterator[Finding]:
    """Random values that a narrower dtype would hold as they are."""
    if measured.count >= _LEAST_ROUNDED and measured.narrower and looks_drawn(measured.sample):
        narrow = measured.narrower[0]
        share = np.dtype(spec.dtype).itemsize // narrow.itemsize
        detail = f"all values are of {narrow.name}, in {share} times the bytes"
        yield Finding("rounded", "", detail, "warning")
