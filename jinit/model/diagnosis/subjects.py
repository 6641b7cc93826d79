"""What is checked: the leaves of a model with their values, their slices, and what their rules ask.

May import: jax, numpy, and of `jinit.model` declaring, leaf, planning, rows, ruleset, selectors,
structure, targets, and of `jinit.model.diagnosis` asked, readings.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jinit.model.declaring import declare_stacks
from jinit.model.diagnosis.asked import Asked, asked_by
from jinit.model.diagnosis.readings import Reading, measure
from jinit.model.leaf import Leaf, as_leaves
from jinit.model.planning import Plan
from jinit.model.rows import Row
from jinit.model.ruleset import RuleError
from jinit.model.selectors import as_selector
from jinit.model.structure import Slot

__all__ = ["Subject", "epsilon", "has_16_bits", "measured", "sample_length", "subjects_of"]

_MATRIX_ROLES = ("conv", "conv_transpose", "dense", "depthwise", "einsum", "embedding", "recurrent")
_SAMPLE = 32  # values of a 16-bit leaf that are looked at one by one, times 1 / eps


@dataclass(frozen=True, eq=False)
class Subject:
    """A leaf to be checked.

    Attributes:
        leaf: the leaf, as the plan has it where there is one.
        value: its values; None where it was never drawn.
        stack: the axes along which it holds slices that stand for themselves.
        asked: what its rule asks; None without a plan, and for a leaf that is kept.
        planned: the shape that the plan has for it, where it is another.
        measured: what was measured of it, once it was.
    """

    leaf: Leaf
    value: Any
    stack: tuple[int, ...]
    asked: Asked | None = None
    planned: tuple[int, ...] | None = None
    measured: Reading | None = None

    @property
    def path(self) -> str:
        """The leaf's path."""
        return self.leaf.path

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of its values, whatever the plan has."""
        return self.leaf.dtype if self.value is None else np.dtype(self.value.dtype)

    @property
    def reading(self) -> Reading:
        """What was measured of it."""
        assert self.measured is not None
        return self.measured

    @property
    def is_weight(self) -> bool:
        """Whether the leaf should be random if nothing is said of it: a matrix, and no bias."""
        if self.leaf.role in _MATRIX_ROLES or self.leaf.role == "lora_a":
            return True
        axes = [axis for axis in range(len(self.value.shape)) if axis not in self.stack]
        return self.leaf.role == "unknown" and sum(self.value.shape[a] > 1 for a in axes) > 1

    def slice_path(self, place: Any) -> str:
        """The path of the slice at a place in row-major order, as one would index it."""
        if not self.stack:
            return self.path
        index = np.unravel_index(place, self.reading.extents)
        full = [":"] * len(self.value.shape)
        for axis, i in zip(sorted(self.stack), index, strict=True):
            full[axis] = str(i)
        while full[-1] == ":" and len(full) > 1:
            full.pop()
        return f"{self.path}[{', '.join(full)}]"


def subjects_of(
    params: Any, plan: Plan | None, members: bool, stacked: Mapping[Any, Any] | None, ignore: Any
) -> list[Subject]:
    """The leaves to check, in the model's order, without those to be ignored.

    Raises:
        TypeError: a leaf is traced.
        ValueError: there is no leaf, the plan shares no path with them, a selector selects nothing,
            or a leaf has no axis of members.
    """
    slots = _slots(params, stacked)
    rows = {} if plan is None else {row.path: row for row in plan}
    leaves = as_leaves(slots)
    _check_acquainted(leaves, rows)
    if members:
        _check_members(leaves)
    there = {leaf.path for leaf in leaves}
    lost = [row.leaf for path, row in rows.items() if path not in there]
    ignored = set(_selected([*leaves, *lost], ignore, "ignore"))
    subjects = [_subject(leaf, rows.get(leaf.path), members) for leaf in _owners(leaves, rows)]
    subjects += [Subject(leaf, None, ()) for leaf in lost]
    return [subject for subject in subjects if subject.path not in ignored]


def measured(subjects: Sequence[Subject]) -> list[Subject]:
    """The subjects, each with its reading."""
    tasks = ((s.value, s.stack, sample_length(s.dtype)) for s in subjects)
    readings = measure(tasks)
    return [replace(s, measured=r) for s, r in zip(subjects, readings, strict=True)]


def has_16_bits(dtype: Any) -> bool:
    """Whether a dtype is a floating one of 16 bits."""
    return jnp.issubdtype(dtype, jnp.floating) and np.dtype(dtype).itemsize == 2


def epsilon(dtype: Any) -> float:
    """The distance from 1 to the next value of a dtype."""
    return float(jnp.finfo(dtype).eps)  # type: ignore[no-untyped-call]


def sample_length(dtype: Any) -> int:
    """How many values of a leaf are looked at one by one: none but of those of 16 bits."""
    return int(_SAMPLE / epsilon(dtype)) if has_16_bits(dtype) else 0


def _slots(params: Any, stacked: Mapping[Any, Any] | None) -> Sequence[Slot]:
    from jinit.model.targets.dispatch import describe_target

    slots = describe_target(params, mesh=None).slots
    if not slots:
        raise ValueError("`params` has no leaf; pass a model, or its parameters")
    for leaf in as_leaves(slots):
        if isinstance(leaf.slot.value, jax.core.Tracer):
            raise TypeError(
                f"{leaf} is traced and has no values yet; call jinit.check outside jax.jit, "
                "vmap and grad, on the parameters that come out"
            )
    return declare_stacks(slots, stacked) if stacked else slots


def _owners(leaves: Sequence[Leaf], rows: Mapping[str, Row]) -> Iterator[Leaf]:
    """The leaves, of those that are one array, or planned to be, the first."""
    seen = set()
    for leaf in leaves:
        planned = rows[leaf.path].leaf.slot.shared if leaf.path in rows else None
        token = planned if leaf.slot.shared is None else leaf.slot.shared
        if token is None or token not in seen:
            yield leaf
        seen.add(token)


def _subject(leaf: Leaf, row: Row | None, members: bool) -> Subject:
    value, shape = leaf.slot.value, leaf.shape[members:]
    stack = {*leaf.stack, *((0,) if members else _batch(leaf))}
    if row is None:
        return Subject(leaf, value, tuple(sorted(stack)))
    if row.leaf.shape != shape:
        return Subject(leaf, value, tuple(sorted(stack)), planned=row.leaf.shape)
    stack |= {axis + members for axis in (*row.leaf.stack, *_batch(row.leaf))}
    return Subject(row.leaf, value, tuple(sorted(stack)), asked_by(row, repeated=members))


def _batch(leaf: Leaf) -> tuple[int, ...]:
    return () if leaf.axes is None else leaf.axes.batch_axis


def _check_acquainted(leaves: Sequence[Leaf], rows: Mapping[str, Row]) -> None:
    if rows and not any(leaf.path in rows for leaf in leaves):
        raise ValueError(
            f"`plan` is of another model: its paths are such as {next(iter(rows))!r}, those of "
            f"`params` such as {leaves[0].path!r}"
        )


def _check_members(leaves: Sequence[Leaf]) -> None:
    lengths = {leaf.slot.shape[:1] for leaf in leaves}
    if len(lengths) > 1 or () in lengths:
        odd = min(leaves, key=lambda leaf: leaf.slot.shape[:1])
        raise ValueError(
            f"`members=True` needs one leading axis of one length in every leaf; {leaves[0]} and "
            f"{odd} differ in theirs"
        )


def _selected(leaves: Sequence[Leaf], selectors: Any, option: str) -> Iterator[str]:
    """Paths of the leaves that any of `selectors` selects; each must select one."""
    several = isinstance(selectors, Sequence) and not isinstance(selectors, str)
    for selector in map(as_selector, selectors if several else [selectors]):
        found = [leaf.path for leaf in leaves if selector(leaf)]
        if not found:
            paths = ", ".join(repr(leaf.path) for leaf in leaves[:5])
            raise RuleError(
                f"`{option}` (={selector!r}) selects no leaf; paths are such as {paths}"
            )
        yield from found
