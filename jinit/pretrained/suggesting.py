"""Suggestions: which tensor each leaf may be, by names and shapes, where names do not agree.

May import: the standard library, `jinit.shown`, of `jinit.model` leaf, and of `jinit.pretrained`
leaves, fitting, names_alike, operations, sources; `jinit.display` as they are shown.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from jinit.pretrained.fitting import Way, ways
from jinit.pretrained.leaves import Wanted, describe_model
from jinit.pretrained.names_alike import likeness
from jinit.pretrained.operations import Operation
from jinit.pretrained.sources import TensorSpec, open_source
from jinit.shown import Result

__all__ = ["Suggestion", "Suggestions", "suggest"]

_LEAST = 0.35  # confidence below which nothing is suggested


@dataclass(frozen=True)
class Suggestion:
    """What one leaf may be made of.

    Attributes:
        path: the leaf's path.
        shape: its shape.
        source: the tensor's name; None where none is likely.
        source_shape: the tensor's shape.
        how: what would be done to it.
        confidence: from 0 to 1: how alike names are, and how well the shape fits.
    """

    path: str
    shape: tuple[int, ...]
    source: str | None = None
    source_shape: tuple[int, ...] | None = None
    how: str = ""
    confidence: float = 0.0
    operations: tuple[Operation, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Suggestions(Result, Sequence[Suggestion]):
    """What the leaves of a model may be made of: a row for each, in the model's order.

    Prints as a table, for you to read; `pairs` is what `jinit.load(match=)` takes.

    Attributes:
        rows: a suggestion for each leaf.
        left_over: names of tensors that none of them takes.
    """

    rows: tuple[Suggestion, ...]
    left_over: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Suggestion]:
        return iter(self.rows)

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, str):
            return self.rows[index]
        for row in self.rows:
            if row.path == index:
                return row
        raise KeyError(f"no leaf has the path {index!r}")

    @property
    def pairs(self) -> dict[str, Any]:
        """By the tensor's name, the leaf's path and the operations."""
        made: dict[str, Any] = {}
        for row in self.rows:
            if row.source is not None:
                made[row.source] = (row.path, *row.operations) if row.operations else row.path
        return made

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description."""
        rows = [{k: v for k, v in asdict(row).items() if k != "operations"} for row in self.rows]
        return {"rows": rows, "left_over": list(self.left_over)}

    def _tables(self, width: int) -> Sequence[Any]:
        from jinit.display.loading import suggestions_table

        return [suggestions_table(self, width)]

    def __repr__(self) -> str:
        found = sum(row.source is not None for row in self.rows)
        return f"<Suggestions: {found} of {len(self.rows)} leaves>"


def suggest(target: Any, source: Any, **options: Any) -> Suggestions:
    """Suggest which tensor each leaf may be, by names and shapes, where nobody knows.

    Names are alike by their words, numbers in order, and by what other frameworks call the same
    ("weight" and "kernel"); shapes fit as they are, in PyTorch's layout, in another order of axes,
    or with as many values. Among equals the order decides. Read the table before you use `pairs`:
    shapes cannot tell a square kernel from its transpose.

    Args:
        target: what `jinit.load` takes.
        source: what `jinit.load` takes.
        **options: `stacked` and `layouts`, as for `jinit.load`.

    Returns:
        The suggestions.

    >>> import jax, numpy as np
    >>> from jinit.pretrained import suggest
    >>> saved = {"enc.lin1.weight": np.ones((8, 4)), "enc.lin2.weight": np.ones((2, 8))}
    >>> model = {"encoder": {"dense_1": {"kernel": jax.ShapeDtypeStruct((4, 8), "float32")},
    ...                      "dense_2": {"kernel": jax.ShapeDtypeStruct((8, 2), "float32")}}}
    >>> for row in suggest(model, saved):
    ...     print(row.path, row.source, row.how)
    encoder/dense_1/kernel enc.lin1.weight transpose(1, 0)
    encoder/dense_2/kernel enc.lin2.weight transpose(1, 0)
    """
    model = describe_model(target, **options)
    opened = open_source(source)
    try:
        return _assigned(model.wanted, dict(opened))
    finally:
        if opened is not source:
            opened.close()


def _assigned(wanted: Sequence[Wanted], specs: Mapping[str, TensorSpec]) -> Suggestions:
    """Pairs taken in the order of their confidence, each leaf and each tensor once."""
    scored = sorted(_scored(wanted, specs), key=lambda pair: -pair[0])
    taken: dict[str, tuple[float, str, Way]] = {}
    used: set[str] = set()
    for score, one, name, way in scored:
        if score >= _LEAST and one.path not in taken and name not in used:
            taken[one.path] = (score, name, way)
            used.add(name)
    rows = [_row(one, taken.get(one.path), specs) for one in wanted]
    return Suggestions(tuple(rows), tuple(name for name in specs if name not in used))


def _scored(
    wanted: Sequence[Wanted], specs: Mapping[str, TensorSpec]
) -> Iterator[tuple[float, Wanted, str, Way]]:
    """How likely each pair is: names and shape weigh alike, the place in the order a little."""
    for at, one in enumerate(wanted):
        for there, (name, spec) in enumerate(specs.items()):
            way = next(iter(ways(one, name, spec)), None)
            if way is not None:
                apart = abs(at / len(wanted) - there / len(specs))
                names = likeness(one.path, name)
                yield names * 0.6 + way.fit * 0.35 + 0.05 * (1 - apart), one, name, way


def _row(
    one: Wanted, found: tuple[float, str, Way] | None, specs: Mapping[str, TensorSpec]
) -> Suggestion:
    if found is None:
        return Suggestion(one.path, one.leaf.shape)
    score, name, way = found
    how = ", ".join(map(repr, way.operations))
    return Suggestion(
        one.path, one.leaf.shape, name, specs[name].shape, how, round(score, 3), way.operations
    )
