"""Signals through operations without parameters: activations, norms, residual additions.

May import: the standard library, jax, and of `jinit.tracing` atoms, functions, ledger, signals.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from jax.extend.core import JaxprEqn

from jinit.tracing.atoms import shape_of
from jinit.tracing.functions import ELEMENTWISE, apply_elementwise
from jinit.tracing.ledger import Ledger, Scope
from jinit.tracing.signals import Const, Fact, Signal, fresh, union

__all__ = ["COPIES", "OPAQUE", "combined", "follow_signals"]

# What leaves values and shape alone.
COPIES = frozenset(
    (
        "copy",
        "copy_p",
        "device_put",
        "layout_constraint",
        "mesh_cast",
        "optimization_barrier",
        "pcast",
        "pvary",
        "reduce_precision",
        "reshard",
        "sharding_constraint",
    )
)

# What holds a program that is no jaxpr of arrays.
OPAQUE = frozenset(("custom_call", "ffi_call", "io_callback", "pallas_call", "pure_callback"))

# What passes on the parts that it joins, where these are not functions of one another.
_JOINS = frozenset(("add", "add_any", "div", "max", "min", "mul", "neg", "select_n", "sub"))

# What takes a part, which is a value of its own.
_PICKS = frozenset(("dynamic_slice", "gather", "slice", "split"))
_PRODUCTS = frozenset(("conv_general_dilated", "dot_general", "ragged_dot", "ragged_dot_general"))
_COMPARISONS = frozenset(("eq", "ge", "gt", "le", "lt", "ne"))
_SUMS = frozenset(("add", "add_any", "sub"))
_ALWAYS = frozenset(("carried", "index", "indicator", "scalar"))


def follow_signals(
    ledger: Ledger, eqn: JaxprEqn, facts: Sequence[Fact], scope: Scope
) -> list[Fact]:
    """What is known of an operation's outputs, where a signal goes in and no parameter."""
    name = eqn.primitive.name
    if name in COPIES:
        return [*facts][: len(eqn.outvars)]
    if name in ELEMENTWISE:
        return [_elementwise(ledger, eqn, facts)]
    signals = [fact for fact in facts if isinstance(fact, Signal)]
    if name in OPAQUE:
        ledger.cannot_follow(name)
        outcome = replace(combined(ledger, signals), sources=frozenset())
        return [replace(outcome, base=ledger.base()) for _ in eqn.outvars]
    if name in _PRODUCTS:
        return [_product(ledger, signals)]
    return [_moved(ledger, eqn, signals, place) for place in range(len(eqn.outvars))]


def _moved(ledger: Ledger, eqn: JaxprEqn, signals: list[Signal], place: int) -> Signal:
    """After an operation along axes: entries moved, picked, summed."""
    kept = _ALWAYS | {"normalizer", "normalized"}
    merged = combined(ledger, signals)
    marks = frozenset.intersection(*(signal.marks for signal in signals)) & kept
    marks |= {mark for s in signals for mark in s.marks if mark == "carried"}
    stem = merged.base if eqn.primitive.name in _PICKS else merged.stem
    if shape_of(eqn.outvars[place]) == ():
        marks |= {"scalar"}
    return replace(merged, base=ledger.base(), stem=stem, marks=marks)


def _product(ledger: Ledger, signals: list[Signal]) -> Signal:
    for signal in signals:
        ledger.settle(signal)
    base = ledger.base()
    return replace(union(signals, base), stem=base, sources=frozenset())


def _elementwise(ledger: Ledger, eqn: JaxprEqn, facts: Sequence[Fact]) -> Signal:
    name = eqn.primitive.name
    signals = [fact for fact in facts if isinstance(fact, Signal)]
    probe = None
    if len({signal.base for signal in signals}) == 1:
        probe = _probe(name, eqn.params, facts)
    if probe is not None:
        result = replace(signals[0], probe=probe, marks=_marks(name, signals, probe))
    else:
        result = _met(ledger, name, facts, signals)
    if _is_root(name, facts) and not result.has("index"):
        marks = (result.marks & {"scalar"}) | {"normalizer"}
        return fresh(result, ledger.base(), sources=frozenset(), marks=marks)
    if name == "eq" and result.has("index"):
        return replace(result, marks=result.marks | {"indicator"})
    return result


def _is_root(name: str, facts: Sequence[Fact]) -> bool:
    """Whether this makes a deviation of a variance, or one over it."""
    if name == "pow" and isinstance(facts[1], Const) and facts[1].value is not None:
        return abs(float(facts[1].value)) == 0.5
    return name in ("rsqrt", "sqrt")


def _probe(name: str, params: Any, facts: Sequence[Fact]) -> Any:
    """The values of an elementwise function of one signal, or None where they are not known."""
    values = [fact.probe if isinstance(fact, Signal) else fact.value for fact in facts]  # type: ignore[union-attr]
    if any(value is None for value in values):
        return None
    return apply_elementwise(name, params, values)


def _marks(name: str, signals: Sequence[Signal], probe: Any) -> frozenset[str]:
    marks = frozenset.intersection(*(signal.marks for signal in signals))
    kept = {"scalar", "indicator", "index"}
    if name in _COMPARISONS:
        kept = {"scalar", "index"}
    elif signals[0].is_affine and replace(signals[0], probe=probe).is_affine:
        kept = {*_ALWAYS, "normalizer", "normalized"}
    return marks & kept


def _met(ledger: Ledger, name: str, facts: Sequence[Fact], signals: list[Signal]) -> Signal:
    """Signals that are no functions of one another come together."""
    merged = combined(ledger, signals)
    if name not in _JOINS:
        merged = replace(merged, sources=frozenset())
    marks = {m for m in _ALWAYS if all(signal.has(m) for signal in signals)}
    if name in ("mul", "div"):
        marks |= _scaled_marks(signals, len(signals) == len(facts))
        if any(signal.has("carried") for signal in signals):
            marks.add("carried")
    if name in _SUMS and len(signals) == 2 and _is_residual(*signals):
        return replace(merged, stem=merged.base, depth=merged.depth + 1, marks=frozenset(marks))
    return replace(merged, marks=frozenset(marks))


def _scaled_marks(signals: Sequence[Signal], all_signals: bool) -> set[str]:
    """Marks of a product: a signal over its deviation is normalized."""
    normalizers = sum(signal.has("normalizer") for signal in signals)
    if normalizers == len(signals):
        return {"normalizer"}
    if normalizers and all_signals:
        return {"normalized"}
    return {"normalized"} if any(signal.has("normalized") for signal in signals) else set()


def combined(ledger: Ledger, signals: list[Signal]) -> Signal:
    """A new value made of signals; activations that they have been through are noted."""
    sources = frozenset().union(*(ledger.finish(signal) for signal in signals))
    return replace(union(signals, ledger.base()), sources=sources)


def _is_residual(one: Signal, other: Signal) -> bool:
    """Whether a sum joins a value and what was made of it, or two branches of unlike depth."""
    if one.stem == other.stem:
        return False
    if (other.anchors >> one.stem) & 1 or (one.anchors >> other.stem) & 1:
        return True
    shared = one.anchors & other.anchors
    return bool(shared) and one.level != other.level and min(one.level, other.level) > 0
