"""Parameters through the operations on the way to their uses.

May import: the standard library, jax, and of `jinit.tracing` atoms, functions, kernels, ledger,
pieces, signals, streams, tables, vectors, views.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from jax.extend.core import JaxprEqn

from jinit.tracing.atoms import shape_of, views_among
from jinit.tracing.functions import ELEMENTWISE
from jinit.tracing.kernels import use_conv, use_dot, use_ragged
from jinit.tracing.ledger import Ledger, Scope
from jinit.tracing.pieces import Piece, Pieces
from jinit.tracing.signals import Const, Fact, Signal, Weights
from jinit.tracing.streams import COPIES, OPAQUE
from jinit.tracing.tables import enter_embedding, enter_unknown, use_rows
from jinit.tracing.vectors import use_product, use_sum
from jinit.tracing.views import View

__all__ = ["follow_weights", "shape_changes"]

Rule: TypeAlias = Callable[[Ledger, JaxprEqn, Sequence[Fact], Scope], Sequence[Fact]]


def follow_weights(
    ledger: Ledger, eqn: JaxprEqn, facts: Sequence[Fact], scope: Scope
) -> list[Fact]:
    """What is known of an operation's outputs, where a parameter goes in."""
    name = eqn.primitive.name
    if name in COPIES:
        return [*facts][: len(eqn.outvars)]
    changes = shape_changes(eqn)
    if changes is not None and isinstance(facts[0], Weights):
        return _shaped(changes, facts[0])
    if name in _RULES:
        return list(_RULES[name](ledger, eqn, facts, scope))
    if name in ELEMENTWISE:
        return [_elementwise(ledger, eqn, facts, scope)]
    if any(isinstance(fact, Signal) for fact in facts) or name in OPAQUE:
        return enter_unknown(ledger, eqn, facts, scope)
    lost = [view.lose(name) for view in views_among(facts)]
    return [Weights(tuple(lost))] * len(eqn.outvars)


# --- changes of shape -------------------------------------------------------------------------

Change: TypeAlias = Callable[[View], View]


def _shaped(changes: Sequence[Change], weights: Weights) -> list[Fact]:
    return [Weights(tuple(map(change, weights.views))) for change in changes]


def _reshape(eqn: JaxprEqn) -> list[Change]:
    shape, order = shape_of(eqn.outvars[0]), eqn.params.get("dimensions")
    if eqn.primitive.name == "reshape" and order is not None:
        return [lambda view: view.permuted(order).reshaped(shape)]
    return [lambda view: view.reshaped(shape)]


def _transpose(eqn: JaxprEqn) -> list[Change]:
    return [lambda view: view.permuted(eqn.params["permutation"])]


def _broadcast(eqn: JaxprEqn) -> list[Change]:
    shape, places = eqn.params["shape"], eqn.params["broadcast_dimensions"]
    return [lambda view: view.broadcast(shape, places)]


def _squeeze(eqn: JaxprEqn) -> list[Change]:
    gone = eqn.params["dimensions"]
    return [
        lambda view: view.each(
            lambda axes: [pieces for place, pieces in enumerate(axes) if place not in gone]
        )
    ]


def _slice(eqn: JaxprEqn) -> list[Change]:
    starts, limits = eqn.params["start_indices"], eqn.params["limit_indices"]
    steps = eqn.params["strides"] or (1,) * len(starts)
    return [lambda view: view.sliced(starts, limits, steps)]


def _split(eqn: JaxprEqn) -> list[Change]:
    axis, start = eqn.params["axis"], 0
    changes: list[Change] = []
    shape = shape_of(eqn.invars[0])
    for size in eqn.params["sizes"]:
        starts = tuple(start if place == axis else 0 for place in range(len(shape)))
        limits = tuple(start + size if place == axis else n for place, n in enumerate(shape))
        changes.append(_cutting(starts, limits))
        start += size
    return changes


def _cutting(starts: tuple[int, ...], limits: tuple[int, ...]) -> Change:
    return lambda view: view.sliced(starts, limits, (1,) * len(starts))


def _rev(eqn: JaxprEqn) -> list[Change]:
    return [lambda view: view]


def _pad(eqn: JaxprEqn) -> list[Change]:
    shape = shape_of(eqn.outvars[0])
    return [lambda view: _resized(view, shape)]


def _resized(view: View, shape: tuple[int, ...]) -> View:
    for place, size in enumerate(shape):
        if not view.lost and view.extents[place] != size:
            view = view.padded(place, size)
    return view


def _all_gather(eqn: JaxprEqn) -> list[Change]:
    shape = shape_of(eqn.outvars[0])
    tiled = eqn.params.get("tiled", False)
    return [lambda view: view.fitted(shape) if tiled else view.lose("all_gather")]


_SHAPES: Mapping[str, Callable[[JaxprEqn], list[Change]]] = {
    "all_gather": _all_gather,
    "all_gather_invariant": _all_gather,
    "broadcast_in_dim": _broadcast,
    "expand_dims": _reshape,
    "pad": _pad,
    "reshape": _reshape,
    "rev": _rev,
    "slice": _slice,
    "split": _split,
    "squeeze": _squeeze,
    "transpose": _transpose,
}


def shape_changes(eqn: JaxprEqn) -> list[Change] | None:
    """What an operation that only moves entries does to views of its first operand, by outcome."""
    rule = _SHAPES.get(eqn.primitive.name)
    return None if rule is None else rule(eqn)


# --- operations on the values -----------------------------------------------------------------


def _elementwise(ledger: Ledger, eqn: JaxprEqn, facts: Sequence[Fact], scope: Scope) -> Fact:
    """An elementwise operation that is neither a sum nor a product: entries stay in place."""
    name = eqn.primitive.name
    if any(isinstance(fact, Signal) for fact in facts):
        return enter_embedding(ledger, eqn, facts, scope)
    if name in ("convert_element_type", "neg"):
        return facts[0]
    return Weights(tuple(view.passed(name) for view in views_among(facts)))


def _concatenate(
    ledger: Ledger, eqn: JaxprEqn, facts: Sequence[Fact], scope: Scope
) -> Sequence[Fact]:
    if any(isinstance(fact, Signal) for fact in facts):
        return [enter_embedding(ledger, eqn, facts, scope)]
    place = eqn.params["dimension"]
    size = shape_of(eqn.outvars[0])[place]
    return [Weights(tuple(view.joined(place, size) for view in views_among(facts)))]


def _dynamic_slice(
    ledger: Ledger, eqn: JaxprEqn, facts: Sequence[Fact], scope: Scope
) -> Sequence[Fact]:
    """A slice that starts where a counter or data say."""
    shape, sizes = shape_of(eqn.invars[0]), eqn.params["slice_sizes"]
    by_data = [isinstance(fact, Signal) for fact in facts[1:]]
    starts = [int(_known(fact)) for fact in facts[1:]]
    if not isinstance(facts[0], Weights):
        return enter_unknown(ledger, eqn, facts, scope)
    limits = tuple(a + b for a, b in zip(starts, sizes, strict=True))
    changed = []
    for view in facts[0].views:
        picked = view.sliced(tuple(starts), limits, (1,) * len(shape))
        places = [p for p, data in enumerate(by_data) if data and sizes[p] < shape[p]]
        changed.append(_looked_up(view, picked, places))
    found = Weights(tuple(changed))
    return [use_rows(ledger, eqn, found, facts, scope) if any(by_data) else found]


def _looked_up(view: View, picked: View, places: Sequence[int]) -> View:
    if picked.lost:
        return picked
    axes = [piece.axis for place in places for piece in view.axes[place] if piece.axis is not None]
    return replace(picked, looked_up=tuple(dict.fromkeys((*picked.looked_up, *axes))))


def _known(fact: Fact) -> Any:
    return fact.value if isinstance(fact, Const) and fact.value is not None else 0


def _gather(ledger: Ledger, eqn: JaxprEqn, facts: Sequence[Fact], scope: Scope) -> Sequence[Fact]:
    """Entries picked by numbers; numbers picked by a weight are none of ours."""
    if not isinstance(facts[0], Weights):
        return enter_unknown(ledger, eqn, facts, scope)
    views = tuple(_gathered(eqn, view) for view in facts[0].views)
    return [use_rows(ledger, eqn, Weights(views), facts, scope)]


def _gathered(eqn: JaxprEqn, view: View) -> View:
    """The view after a gather of whole slices along the axes that are not indexed."""
    numbers, sizes = eqn.params["dimension_numbers"], eqn.params["slice_sizes"]
    shape = shape_of(eqn.outvars[0])
    if view.lost:
        return view
    gone = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
    kept = [place for place in range(len(sizes)) if place not in gone]
    picked = [place for place in kept if sizes[place] == 1 < view.extents[place]]
    if any(view.extents[place] != sizes[place] for place in kept if place not in picked):
        return view.lose("gather of parts of an axis")
    axes: list[Pieces] = [(Piece(None, 0, size),) for size in shape]
    for place, offset in zip(kept, numbers.offset_dims, strict=True):
        axes[offset] = () if place in picked else view.axes[place]
    indices = [p for p in range(len(shape)) if p not in numbers.offset_dims]
    for place, index in zip(
        numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True
    ):
        axes[indices[index]] = view.axes[place]
    return _looked_up(view, view.with_axes(axes, ""), [*numbers.collapsed_slice_dims, *picked])


_RULES: Mapping[str, Rule] = {
    "add": use_sum,
    "add_any": use_sum,
    "concatenate": _concatenate,
    "conv_general_dilated": use_conv,
    "div": use_product,
    "dot_general": use_dot,
    "dynamic_slice": _dynamic_slice,
    "gather": _gather,
    "mul": use_product,
    "ragged_dot_general": use_ragged,
    "sub": use_sum,
}
