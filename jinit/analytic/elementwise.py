"""Elementwise operations: functions of one value composed, values of different sources joined.

May import: the standard library, NumPy, jax, and of `jinit.analytic` arithmetic, facts, grid,
softmax, world; `jinit.evaluation` evaluator; of `jinit.tracing` functions.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jax.extend.core import JaxprEqn

from jinit.analytic.arithmetic import divided, multiplied, pairwise, ranked, selected, summed
from jinit.analytic.facts import Fact, Field, Index, Known, Signal
from jinit.analytic.integers import as_number, follow_index
from jinit.analytic.masks import masked
from jinit.analytic.softmax import is_share, shares
from jinit.analytic.world import World
from jinit.evaluation.evaluator import run_operation
from jinit.tracing.atoms import dtype_of, shape_of
from jinit.tracing.functions import ELEMENTWISE as FLOATING
from jinit.tracing.functions import apply_elementwise

__all__ = ["ELEMENTWISE", "follow_elementwise"]

_BITS = frozenset(
    (
        "bitcast_convert_type",
        "population_count",
        "shift_left",
        "shift_right_arithmetic",
        "shift_right_logical",
    )
)
ELEMENTWISE = FLOATING | _BITS | {"stop_gradient", "conj", "real", "imag", "random_gamma_grad"}

# What normalizers are made with: of an average over entries, they are taken at its mean.
_NORMALIZING = frozenset(("div", "log", "log1p", "pow", "rsqrt", "sqrt", "cbrt"))
_SUMS = frozenset(("add", "add_any", "sub"))
_FEW = 4  # entries; over more, a normalizer varies less than what it normalizes


def follow_elementwise(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> Fact:
    """The outcome of an elementwise operation in which a signal or an index has a part."""
    hidden = masked(world, eqn, facts)
    if hidden is not None:
        return hidden
    if any(isinstance(fact, Index) for fact in facts):
        return follow_index(world, eqn, facts) or _joined(world, eqn, _chances(world, eqn, facts))
    if is_share(eqn, facts):
        return shares(world, *facts)  # type: ignore[arg-type]
    facts = _held([_steady(world, eqn, fact, facts) for fact in facts])
    composed = _composed(world, eqn, facts)
    return composed if composed is not None else _joined(world, eqn, facts)


def _steady(world: World, eqn: JaxprEqn, fact: Fact, facts: Sequence[Fact]) -> Fact:
    """Where only its mean counts: the peak that a softmax subtracts, a normalizer."""
    if not isinstance(fact, Signal):
        return fact
    others = [other for other in facts if isinstance(other, Signal) and other is not fact]
    of = fact.greatest
    is_peak = of is not None and any(other.base == of.base for other in others)
    name = eqn.primitive.name
    divides = name != "div" or fact is facts[1]
    if is_peak and name == "sub":
        return Known(np.asarray(world.settled(fact).mean))
    if fact.statistic and name in _NORMALIZING and divides:
        return _at_mean(world, fact)
    return fact


def _held(facts: Sequence[Fact]) -> Sequence[Fact]:
    """Signals that do not vary as numbers, as long as another signal has their shape."""
    varying = [fact for fact in facts if isinstance(fact, Signal) and fact.field.terms]
    if not varying:
        return facts
    return [
        Known(np.asarray(fact.probe[0]))
        if isinstance(fact, Signal) and not fact.field.terms
        else fact
        for fact in facts
    ]


def _at_mean(world: World, signal: Signal) -> Signal:
    settled = world.settled(signal)
    if signal.statistic < _FEW:
        world.note(f"a normalizer over {signal.statistic} entries is taken at its mean")
    return world.signal(replace(settled, terms={}, given=None), statistic=signal.statistic)


def _composed(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> Signal | None:
    """A further step of a function of one value, or None where it is not one."""
    signals = [fact for fact in facts if isinstance(fact, Signal)]
    first = signals[0]
    operands = [_at_nodes(world, fact) for fact in facts]
    if any(operand is None for operand in operands) or not _alike(world, signals):
        return None
    probe = _evaluated(eqn, operands)
    if not np.all(np.isfinite(probe)):
        probe = _finite(world, probe)
    gaps = next((signal.gaps for signal in signals if signal.gaps is not None), None)
    keeps = eqn.primitive.name in ("convert_element_type", "max", "min", "select_n")
    return replace(
        first,
        field=_spread(world, first.field, shape_of(eqn.outvars[0])),
        probe=probe,
        gaps=gaps,
        rows=None,
        statistic=min(signal.statistic for signal in signals),
        greatest=first.greatest if keeps or probe is first.probe else None,
        summed=first.summed if probe is first.probe or np.array_equal(probe, first.probe) else None,
    )


def _at_nodes(world: World, fact: Fact) -> Any:
    """The values of a signal, or the one value of an array; None for what is neither."""
    if isinstance(fact, Signal):
        return fact.probe
    constant = fact.constant if isinstance(fact, Known) else None
    if constant is None or not fact.degrees:  # type: ignore[union-attr]
        return constant
    return constant * world.scaling.factor(fact.degrees)  # type: ignore[union-attr]


def _alike(world: World, signals: Sequence[Signal]) -> bool:
    """Whether they are functions of one value, entry by entry."""
    first = signals[0]
    return all(
        signal is first
        or (
            signal.base == first.base
            and signal.shape == first.shape
            and list(map(world.axes.known, signal.field.places))
            == list(map(world.axes.known, first.field.places))
        )
        for signal in signals
    )


def _spread(world: World, field: Field, shape: tuple[int, ...]) -> Field:
    """The field, repeated along axes of 1 to meet an array that is longer."""
    if field.shape == shape:
        return field
    field = ranked(field, len(shape))
    places = tuple(
        place if size == long else world.axes.new(long)
        for place, size, long in zip(field.places, field.shape, shape, strict=True)
    )
    return replace(field, places=places, shape=shape)


def _evaluated(eqn: JaxprEqn, operands: Sequence[Any]) -> Any:
    """The outcome at the nodes, in float64 where the numbers are real."""
    name = eqn.primitive.name
    if name in ("stop_gradient", "copy", "real"):
        return operands[0]
    kinds = {np.asarray(operand).dtype.kind for operand in operands}
    declared = dtype_of(eqn.outvars[0])
    if kinds <= {"f"} or (name in ("select_n", "convert_element_type") and declared.kind in "fV"):
        value = apply_elementwise(name, eqn.params, operands)
        if value is not None:
            return np.broadcast_to(value, _length(operands))
    length = _length(operands)
    pairs = zip(eqn.invars, operands, strict=True)
    arrays = [
        np.broadcast_to(np.asarray(operand).astype(dtype_of(atom)), length)
        for atom, operand in pairs
    ]
    value = np.asarray(run_operation(eqn, arrays)[0])
    return value.astype(np.float64) if value.dtype.kind in "fV" else value


def _length(operands: Sequence[Any]) -> tuple[int, ...]:
    return np.broadcast_shapes(*(np.shape(operand) for operand in operands))


def _finite(world: World, probe: Any) -> Any:
    """A function without its poles: the nearest value takes their place."""
    values = np.asarray(probe, dtype=np.float64)
    good = np.isfinite(values)
    if not good.any():
        world.note("a function that is finite nowhere is taken as 0")
        return np.zeros_like(values)
    world.note("where a function is not finite, the nearest value that is was taken")
    places = np.arange(len(values))
    return np.interp(places, places[good], values[good])


def _joined(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> Signal:
    """Values of different sources meet."""
    name = eqn.primitive.name
    if name in _SUMS:
        return summed(world, facts[0], facts[1], -1.0 if name == "sub" else 1.0)
    if name == "mul":
        return multiplied(world, facts[0], facts[1])
    if name == "div":
        return divided(world, facts[0], facts[1])
    if name == "select_n" and len(facts) == 3:
        return selected(world, *facts)
    if len(facts) == 2:
        return pairwise(world, facts[0], facts[1], lambda a, b: _evaluated(eqn, [a, b]), name)
    return _one_by_one(world, eqn, facts)


def _one_by_one(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> Signal:
    """A function of three values or more, as one of the first signal, others at their means."""
    world.note("of several values that vary, all but one are taken at their means")
    signals = [fact for fact in facts if isinstance(fact, Signal)]
    widest = max(signals, key=lambda signal: np.prod(signal.shape))
    held: list[Fact] = []
    for fact in facts:
        if isinstance(fact, Signal):
            mean = np.asarray(world.settled(fact).mean)
            held.append(fact if fact is widest else Known(mean))
        else:
            held.append(Known(np.asarray(np.mean(fact.value))) if isinstance(fact, Known) else fact)
    composed = _composed(world, eqn, held)
    assert composed is not None
    return composed


def _chances(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> list[Fact]:
    """The operands, integers and conditions as numbers."""
    pairs = zip(facts, eqn.invars, strict=True)
    return [
        as_number(world, fact, dtype_of(atom).kind == "b") if isinstance(fact, Index) else fact
        for fact, atom in pairs
    ]
