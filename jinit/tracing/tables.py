"""Tables and tokens: parameters whose entries enter as they are; and what cannot be followed.

May import: the standard library, jax, `jinit.fans`, and of `jinit.tracing` atoms, ledger, signals,
streams, views.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import replace

from jax.extend.core import JaxprEqn

from jinit.fans import Fans
from jinit.tracing.atoms import shape_of, signals_among, views_among
from jinit.tracing.ledger import Ledger, Scope
from jinit.tracing.signals import Fact, Signal, Weights, depth_of
from jinit.tracing.streams import combined
from jinit.tracing.views import View

__all__ = ["enter_embedding", "enter_lost", "enter_rows", "enter_unknown", "use_rows"]


def use_rows(
    ledger: Ledger, eqn: JaxprEqn, found: Weights, facts: Sequence[Fact], scope: Scope
) -> Fact:
    """Enter a table of vectors whose rows are picked; kernels that are picked are still kernels.

    A single row that a counter picks is a layer of a stack.
    """
    is_table = all(len(view.own_axes()) <= 1 and not view.lost for view in found.views)
    by_data = bool(signals_among(facts[1:]))
    several = eqn.primitive.name == "gather" and len(shape_of(eqn.invars[1])) > 1
    if not (is_table and (by_data or several)):
        return found
    keys = [enter_rows(ledger, id(eqn), view, scope, 0) for view in found.views]
    base = ledger.base()
    return Signal(base=base, stem=base, sources=frozenset(keys))


def enter_rows(ledger: Ledger, place: Hashable, view: View, scope: Scope, depth: int) -> Hashable:
    """Enter a table (..., features) whose rows come in as they are."""
    if view.lost:
        return enter_lost(ledger, place, view, scope)
    rows = tuple(axis for axis in view.looked_up if axis not in view.stack)
    out = tuple(axis for axis in view.own_axes() if axis not in rows)
    long = {axis for axis, size in enumerate(view.shape) if size > 1}
    batch = tuple(sorted({*view.stack, *(long - {*rows, *out})}))
    features = math.prod(view.shape[axis] for axis in out)
    fans = Fans(features, features) if rows else None
    axes = {"in": rows, "out": out, "batch": batch}
    return ledger.record(place, view, "embedding", scope, axes=axes, fans=fans, depth=depth)


def enter_embedding(ledger: Ledger, eqn: JaxprEqn, facts: Sequence[Fact], scope: Scope) -> Signal:
    """Enter a parameter whose entries stand beside, or in place of, those of a signal."""
    signals = signals_among(facts)
    keys = [
        enter_rows(ledger, (id(eqn), number), view, scope, depth_of(signals))
        for number, view in enumerate(views_among(facts))
    ]
    merged = combined(ledger, signals)
    return replace(merged, sources=merged.sources | frozenset(keys))


def enter_unknown(ledger: Ledger, eqn: JaxprEqn, facts: Sequence[Fact], scope: Scope) -> list[Fact]:
    """Enter a parameter that goes into an operation that is not followed."""
    name = eqn.primitive.name
    ledger.cannot_follow(name)
    for number, view in enumerate(views_among(facts)):
        enter_lost(ledger, (id(eqn), number), view.lose(name), scope)
    signals = signals_among(facts)
    outcome = combined(ledger, signals) if signals else Signal(base=0, stem=ledger.base())
    return [replace(outcome, base=ledger.base(), sources=frozenset()) for _ in eqn.outvars]


def enter_lost(ledger: Ledger, place: Hashable, view: View, scope: Scope) -> Hashable:
    """Enter a use of which no more is known than that it is one."""
    opaque = (view.lost.split(" ")[0],)
    return ledger.record(place, view, "unknown", scope, reason=view.lost, opaque=opaque)
