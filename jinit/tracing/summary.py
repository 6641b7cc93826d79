"""One parameter's use, out of all the places at which it was met.

May import: the standard library, `jinit.axes`, and of `jinit.tracing` ledger, usage, views.
"""

from collections.abc import Hashable, Sequence
from dataclasses import replace

from jinit.axes import Shape
from jinit.tracing.ledger import Record
from jinit.tracing.usage import Use
from jinit.tracing.views import disjoint

__all__ = ["summarize"]


def summarize(path: str, shape: Shape, records: Sequence[Record]) -> Use:
    """The use of one parameter.

    Args:
        path: the parameter's path.
        shape: its shape.
        records: what was met of it, in order.
    """
    known = [record for record in records if record.role != "unknown"] or list(records)
    if not known:
        return Use(path, shape, "unused")
    groups: dict[Hashable, list[Record]] = {}
    for record in known:
        groups.setdefault(_kind(record), []).append(record)
    first, *others = (_use(path, shape, group) for group in groups.values())
    return replace(first, others=tuple(others))


def _kind(record: Record) -> Hashable:
    """What two places must share to be the same use."""
    axes = tuple(sorted(record.axes.items()))
    return record.role, axes, record.mixed


def _use(path: str, shape: Shape, records: Sequence[Record]) -> Use:
    first = records[0]
    largest = max(records, key=lambda record: 0 if record.fans is None else record.fans.fan_out)
    groups = _overlapping([r for r in records if _is_first_branch(r, records)])
    found = dict.fromkeys(name for record in records for name in record.activations)
    only = next(iter(found)) if len(found) == 1 else (None, None)
    opaque = dict.fromkeys(name for record in records for name in record.opaque)
    if any(record.scope.unbounded for record in records):
        opaque["while"] = None
    axes = {} if first.mixed else first.axes
    return Use(
        path=path,
        shape=shape,
        role=first.role,
        in_axes=axes.get("in", ()),
        out_axes=axes.get("out", ()),
        batch_axes=axes.get("batch", ()),
        stack_axes=first.stack,
        fans=largest.fans,
        repetitions=max(sum(_repeats(r, shape) for r in group) for group in groups),
        parts=len(groups),
        activation=only[0],
        activation_param=only[1],
        activations=tuple(name for name, _ in found),
        order=first.order,
        residual_depth=first.depth,
        through=first.through,
        opaque=tuple(opaque),
        reason=first.reason or _mixed_reason(first),
    )


def _mixed_reason(record: Record) -> str:
    if not record.mixed:
        return ""
    axes = ", ".join(map(str, record.mixed))
    return f"parts of axis {axes} have different roles, so that only the fans can be told"


def _repeats(record: Record, shape: Shape) -> int:
    """How often one slice is applied there; a scan along the leaf takes another slice each step."""
    repeats = record.scope.repeats
    for axis in record.stack:
        repeats //= max(1, shape[axis])
    return max(1, repeats)


def _is_first_branch(record: Record, records: Sequence[Record]) -> bool:
    """Whether no other branch of the same condition comes before."""
    mine = dict(record.scope.alternatives)
    return all(
        number >= mine[place]
        for other in records
        for place, number in other.scope.alternatives
        if place in mine
    )


def _overlapping(records: Sequence[Record]) -> list[list[Record]]:
    """Uses of the same entries together."""
    groups: list[list[Record]] = []
    for record in records:
        for group in groups:
            if not disjoint(group[0].region, record.region):
                group.append(record)
                break
        else:
            groups.append([record])
    return groups
