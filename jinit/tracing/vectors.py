"""Biases and scales: parameters that are added to a signal, or that multiply it.

May import: the standard library, jax, and of `jinit.tracing` atoms, ledger, signals, streams,
tables, views.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import replace

from jax.extend.core import JaxprEqn

from jinit.tracing.atoms import signals_among, views_among
from jinit.tracing.ledger import Ledger, Scope
from jinit.tracing.signals import Const, Fact, Signal, Weights
from jinit.tracing.streams import combined
from jinit.tracing.tables import enter_lost, enter_rows
from jinit.tracing.views import View

__all__ = ["use_product", "use_sum"]

_SUMS = ("add", "add_any", "sub")


def use_sum(ledger: Ledger, eqn: JaxprEqn, facts: Sequence[Fact], scope: Scope) -> Sequence[Fact]:
    """Enter a bias, or what else is added to a signal."""
    signals, views = signals_among(facts), views_among(facts)
    if not signals:
        return [_of_weights(ledger, eqn, facts, scope)]
    (signal,) = signals
    keys = []
    for number, view in enumerate(views):
        role, place = _sum_role(ledger, signal, view), (id(eqn), number)
        if role == "embedding":
            keys.append(enter_rows(ledger, place, view, scope, signal.depth))
        else:
            keys.append(_enter_vector(ledger, place, view, role, signal.depth, scope))
    return [_with(ledger, signal, keys, {"carried", "scalar"})]


def use_product(
    ledger: Ledger, eqn: JaxprEqn, facts: Sequence[Fact], scope: Scope
) -> Sequence[Fact]:
    """Enter a scale, or what else a signal is multiplied by or divided by."""
    signals, views = signals_among(facts), views_among(facts)
    if not signals:
        return [_of_weights(ledger, eqn, facts, scope)]
    (signal,) = signals
    steps = _steps_in_making(ledger, signal, views)
    if signal.has("scalar") and steps:
        ledger.forget(steps)
        return [Weights(tuple(view.passed(eqn.primitive.name) for view in views))]
    role = "norm_scale" if signal.marks & {"normalized", "normalizer"} else "scale"
    keys = [
        _enter_vector(ledger, (id(eqn), number), view, role, signal.depth, scope)
        for number, view in enumerate(views)
    ]
    return [_with(ledger, signal, keys, {"carried", "normalized", "normalizer", "scalar"})]


def _with(ledger: Ledger, signal: Signal, keys: Sequence[Hashable], kept: set[str]) -> Signal:
    """The signal with a parameter in it: still what it was before, but a new value."""
    merged = combined(ledger, [signal])
    return replace(
        merged, sources=merged.sources | frozenset(keys), marks=signal.marks & frozenset(kept)
    )


def _sum_role(ledger: Ledger, signal: Signal, view: View) -> str:
    """A bias has an entry for each feature of the layer before it; positions have more."""
    if signal.marks & {"normalized", "normalizer"}:
        return "norm_bias"
    if view.looked_up:
        return "embedding"
    own = math.prod(size for _, size in view.own_sizes())
    for key in signal.sources:
        features = _features(ledger, key)
        if features is not None:
            return "bias" if features % own == 0 else "embedding"
    return "bias" if len(view.own_axes()) < 2 else "embedding"


def _features(ledger: Ledger, key: Hashable) -> int | None:
    """How many outputs there are in a place that a kernel or a table is used; None for others."""
    record = ledger.records.get(key)
    if record is None or record.fans is None:
        return None
    kept = (*record.axes["out"], *record.axes["batch"], *record.mixed)
    return math.prod(last - first for axis, _, first, last in record.region if axis in kept)


def _steps_in_making(ledger: Ledger, signal: Signal, views: Sequence[View]) -> list[Hashable]:
    """Uses of a weight whose outcome rescales the weight itself, as in spectral normalization."""
    leaves = {view.leaf for view in views}
    return [
        key
        for key, record in ledger.records.items()
        if record.leaf in leaves and (signal.uses >> record.order) & 1
    ]


def _enter_vector(
    ledger: Ledger, place: Hashable, view: View, role: str, depth: int, scope: Scope
) -> Hashable:
    if view.lost:
        return enter_lost(ledger, place, view, scope)
    out = view.own_axes()
    long = {axis for axis, size in enumerate(view.shape) if size > 1}
    batch = tuple(sorted({*view.stack, *(long - {*out})}))
    axes = {"in": (), "out": out, "batch": batch}
    return ledger.record(place, view, role, scope, axes=axes, depth=depth)


def _of_weights(ledger: Ledger, eqn: JaxprEqn, facts: Sequence[Fact], scope: Scope) -> Weights:
    """Parameters and constants make a weight: what has most axes goes on, and others scale it."""
    name, views = eqn.primitive.name, views_among(facts)
    if any(isinstance(fact, Const) for fact in facts):
        return Weights(tuple(view.passed(name) for view in views))
    kept = [view for view in views if not view.lost]
    if name in _SUMS:
        passed = kept if len(kept) == len(views) else [view.passed(name) for view in kept]
        return Weights(tuple(dict.fromkeys(passed or views)))
    most = max(views, key=lambda view: (not view.lost, len(view.own_axes())))
    for number, view in enumerate(kept):
        if view.leaf != most.leaf:
            _enter_vector(ledger, (id(eqn), number), view, "scale", 0, scope)
    return Weights((most.passed(name),))
