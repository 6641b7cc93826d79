"""Values made of parameters and constants: how they scale, and where the entries are.

May import: the standard library, jax, NumPy, and of `jinit.tracing` atoms, ledger, pieces, streams,
views, weights, and of `jinit.data_dependent` degrees, facts.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial, reduce
from typing import Any, TypeAlias

import jax.numpy as jnp
from jax.extend.core import JaxprEqn

from jinit.data_dependent.degrees import Scaling
from jinit.data_dependent.facts import Const, Fact, Made, Pick, Sight, merged_sights
from jinit.tracing.atoms import shape_of
from jinit.tracing.ledger import Place
from jinit.tracing.pieces import Piece, Pieces, extent
from jinit.tracing.streams import COPIES
from jinit.tracing.views import View
from jinit.tracing.weights import shape_changes

__all__ = ["make", "picked", "picks_of", "scaling_of", "shaped"]

Facts: TypeAlias = Sequence[Const | Made]

# Outcomes that are multiplied by a power of what the operand is multiplied by.
_POWERS: Mapping[str, Fraction] = {
    "abs": Fraction(1),
    "cbrt": Fraction(1, 3),
    "conj": Fraction(1),
    "imag": Fraction(1),
    "neg": Fraction(1),
    "real": Fraction(1),
    "rsqrt": Fraction(-1, 2),
    "sign": Fraction(0),
    "sqrt": Fraction(1, 2),
    "square": Fraction(2),
}
_SUMS = frozenset(("add", "add_any", "complex", "max", "min", "sub"))
_COMPARISONS = frozenset(("eq", "ge", "gt", "le", "lt", "ne"))
# What is taken along axes: of degree 1, or positions and truth values.
_ALONG = frozenset(("cummax", "cummin", "cumsum", "reduce_max", "reduce_min", "reduce_sum"))
_FOUND = frozenset(("argmax", "argmin", "is_finite", "not", "reduce_and", "reduce_or"))
_UPDATES = frozenset(("dynamic_update_slice", "scatter", "scatter-add", "scatter_add"))


def make(eqn: JaxprEqn, facts: Facts, place: Place) -> Sequence[Fact]:
    """What is known of an operation's outcomes, no operand of which follows from data.

    Args:
        eqn: the operation.
        facts: what is known of its operands; at least one is made of a parameter.
        place: where it is.
    """
    name = eqn.primitive.name
    if name in COPIES:
        return [*facts][: len(eqn.outvars)]
    changed = shaped(eqn, facts)
    if changed is not None:
        return [*changed]
    if name in _RULES:
        return [_RULES[name](eqn, facts, place)] * len(eqn.outvars)
    return [_elementwise(eqn, facts)] * len(eqn.outvars)


def scaling_of(fact: Fact) -> Scaling:
    """How a value that no data have a part in changes as parameters are rescaled."""
    return fact.scaling if isinstance(fact, Made) else Scaling()


def _scales_anyhow(fact: Fact) -> bool:
    """Whether a constant is what it is times any scale: 0, infinite or no number."""
    if not isinstance(fact, Const) or fact.value is None:
        return False
    return fact.value == 0 or not math.isfinite(fact.value)


# --- changes of shape -------------------------------------------------------------------------


def shaped(eqn: JaxprEqn, facts: Facts) -> list[Made] | None:
    """A value after a change of shape, or None if this is none."""
    changes, first = shape_changes(eqn), facts[0]
    if changes is None or not isinstance(first, Made):
        return None
    if eqn.primitive.name == "pad":
        first = _padded(eqn, facts)
    blurred = _blurred_places(eqn)
    seen = first.moved(lambda sight: sight.mix_along(blurred), pure=not blurred)
    return [seen.moved(partial(Sight.changed, change=change), pure=True) for change in changes]


def _blurred_places(eqn: JaxprEqn) -> Sequence[int]:
    """Axes along which the entries' positions are not followed."""
    params = eqn.params
    match eqn.primitive.name:
        case "rev":
            return tuple(params["dimensions"])
        case "slice" if params["strides"]:
            return [place for place, step in enumerate(params["strides"]) if step > 1]
        case "pad":
            return [place for place, pads in enumerate(params["padding_config"]) if any(pads)]
        case "all_gather" | "all_gather_invariant":
            return range(len(shape_of(eqn.invars[0])))
    return ()


def _padded(eqn: JaxprEqn, facts: Facts) -> Made:
    first, filling = facts
    assert isinstance(first, Made)
    return first if _scales_anyhow(filling) else first.scaled(_beside("pad", [first, filling]))


def _concatenate(eqn: JaxprEqn, facts: Facts, place: Place) -> Made:
    axis, size = eqn.params["dimension"], shape_of(eqn.outvars[0])[eqn.params["dimension"]]
    joined = [
        fact.moved(lambda sight: _joined(sight, axis, size)) if isinstance(fact, Made) else fact
        for fact in facts
    ]
    return Made(_beside("concatenate", joined), _sights(joined))


def _joined(sight: Sight, axis: int, size: int) -> Sight:
    """As one part along an axis, among others."""
    whole: Pieces = (Piece(None, 0, size),)

    def change(axes: Sequence[Pieces]) -> list[Pieces]:
        return [whole if place == axis else pieces for place, pieces in enumerate(axes)]

    return sight.mix_along([axis]).changed(lambda view: view.each(change))


# --- entries taken at positions ---------------------------------------------------------------


def _dynamic_slice(eqn: JaxprEqn, facts: Facts, place: Place) -> Made:
    return picked(eqn, facts, place)


def picked(eqn: JaxprEqn, facts: Sequence[Fact], place: Place) -> Made:
    """A slice that starts where a counter, or data, say; positions do not change with scales."""
    first, sizes = facts[0], eqn.params["slice_sizes"]
    shape = shape_of(eqn.invars[0])
    scaling = scaling_of(first)
    for fact in facts[1:]:
        scaling = scaling.times(scaling_of(fact).fixed("dynamic_slice"))
    cut = [axis for axis in range(len(shape)) if sizes[axis] < shape[axis]]
    sights = first.sights if isinstance(first, Made) else {}
    taken = {leaf: _taken(sight, cut, sizes, place) for leaf, sight in sights.items()}
    return Made(scaling, taken)


def _taken(sight: Sight, cut: Sequence[int], sizes: Sequence[int], place: Place) -> Sight:
    """The sight of a slice along the axes in `cut`: one entry of each that is followed."""
    if sight.view.lost:
        return sight
    if [sizes[axis] for axis in cut] != [1]:
        return sight.lose("dynamic_slice")
    (axis,) = cut
    pieces = sight.view.axes[axis]

    def change(axes: Sequence[Pieces]) -> list[Pieces]:
        return [() if at == axis else kept for at, kept in enumerate(axes)]

    picks = (*sight.picks, *picks_of(pieces, place))
    return Sight(sight.view.each(change), picks, sight.mixed, sight.summed)


def picks_of(pieces: Pieces, source: int | Place) -> tuple[Pick, ...]:
    """One entry along an axis, at a position known as the program runs."""
    inner = [extent(pieces[number + 1 :]) for number in range(len(pieces))]
    return tuple(
        Pick(piece, size, source)
        for piece, size in zip(pieces, inner, strict=True)
        if piece.axis is not None
    )


# --- operations on the values -----------------------------------------------------------------


def _beside(operation: str, facts: Facts) -> Scaling:
    """The scaling of a sum, or of a concatenation, in which zeros count for nothing."""
    found = [scaling_of(fact) for fact in facts if not _scales_anyhow(fact)]
    if not found:
        return Scaling()
    return reduce(lambda one, other: one.beside(other, operation), found)


def _sights(facts: Facts, shape: tuple[int, ...] | None = None) -> dict[int, Sight]:
    found: dict[int, Sight] = {}
    for fact in facts:
        if isinstance(fact, Made):
            spread = {
                leaf: sight if shape is None else sight.spread(shape)
                for leaf, sight in fact.sights.items()
            }
            found = merged_sights(found, spread)
    return found


def _elementwise(eqn: JaxprEqn, facts: Facts) -> Made:
    """An elementwise operation; entries of others are in no place of their own any more."""
    name, shape = eqn.primitive.name, shape_of(eqn.outvars[0])
    if name == "convert_element_type" and jnp.issubdtype(eqn.params["new_dtype"], jnp.inexact):
        (first,) = facts
        assert isinstance(first, Made)
        return first
    if all(shape_of(atom) in ((), shape) or _fits(shape_of(atom), shape) for atom in eqn.invars):
        return Made(_scaling(name, eqn.params, facts), _sights(facts, shape))
    return Made(_scaling(name, eqn.params, facts), _lost(name, facts))


def _fits(shape: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    return len(shape) == len(whole) and all(a in (1, b) for a, b in zip(shape, whole, strict=True))


def _lost(name: str, facts: Facts) -> dict[int, Sight]:
    return {leaf: sight.lose(name) for leaf, sight in _sights_of_any(facts).items()}


def _sights_of_any(facts: Facts) -> dict[int, Sight]:
    made = [fact for fact in facts if isinstance(fact, Made)]
    return {leaf: sight for fact in made for leaf, sight in fact.sights.items()}


def _scaling(name: str, params: Mapping[str, Any], facts: Facts) -> Scaling:
    scalings = [scaling_of(fact) for fact in facts]
    first = scalings[0]
    match name:
        case "mul":
            return first.times(scalings[1])
        case "div":
            return first.times(scalings[1], -1)
        case "integer_pow":
            return first.power(params["y"])
        case "pow" if isinstance(facts[1], Const) and facts[1].value is not None:
            return first.power(Fraction(facts[1].value).limit_denominator(64))
        case "select_n":
            return _beside(name, facts[1:]).times(first.fixed(name))
    if name in _POWERS:
        return first.power(_POWERS[name])
    if name in _SUMS:
        return _beside(name, facts)
    if name in _COMPARISONS:
        return _beside(name, facts).power(0)
    if name in _FOUND:
        return first.power(0)
    return reduce(lambda a, b: a.times(b), (scaling.fixed(name) for scaling in scalings))


def _along(eqn: JaxprEqn, facts: Facts, place: Place) -> Made:
    """Sums and extremes along axes that go, or up to each entry."""
    (first,) = facts
    assert isinstance(first, Made)
    axes = eqn.params.get("axes")
    if axes is None:
        return first.moved(lambda sight: sight.lose(eqn.primitive.name))

    def reduced(view: View) -> View:
        return view.each(lambda all: [pieces for at, pieces in enumerate(all) if at not in axes])

    return first.moved(lambda sight: sight.mix_along(axes).changed(reduced))


def _dot(eqn: JaxprEqn, facts: Facts, place: Place) -> Made:
    """A product of two weights, or of a weight and constants, which is another weight."""
    contracted, batch = eqn.params["dimension_numbers"]
    ranks = [len(shape_of(atom)) for atom in eqn.invars]
    free = [
        [axis for axis in range(ranks[side]) if axis not in (*contracted[side], *batch[side])]
        for side in (0, 1)
    ]
    shape = shape_of(eqn.outvars[0])
    found: dict[int, Sight] = {}
    for side, fact in enumerate(facts):
        if isinstance(fact, Made):
            kept = (*batch[side], *free[side])
            first = len(batch[side]) + (len(free[0]) if side else 0)
            places = (*range(len(batch[side])), *range(first, first + len(free[side])))
            sights = {
                leaf: sight.mix_along(contracted[side]).changed(_placed(kept, places, shape))
                for leaf, sight in fact.sights.items()
            }
            found = merged_sights(found, sights)
    return Made(scaling_of(facts[0]).times(scaling_of(facts[1])), found)


def _placed(
    kept: Sequence[int], places: Sequence[int], shape: tuple[int, ...]
) -> Callable[[Any], Any]:
    """A view with some of its axes at these places among others."""

    def change(axes: Sequence[Pieces]) -> list[Pieces]:
        made: list[Pieces] = [(Piece(None, 0, size),) for size in shape]
        for axis, at in zip(kept, places, strict=True):
            made[at] = axes[axis]
        return made

    return lambda view: view.each(change)


def _bilinear(eqn: JaxprEqn, facts: Facts, place: Place) -> Made:
    """Convolutions of weights: as products, with no entry in a place of its own."""
    scaling = scaling_of(facts[0]).times(scaling_of(facts[1]))
    return Made(scaling, _lost(eqn.primitive.name, facts))


def _looked_up(eqn: JaxprEqn, facts: Facts, place: Place) -> Made:
    """Entries gathered at constant positions."""
    scaling = scaling_of(facts[0]).times(scaling_of(facts[1]).fixed("gather"))
    return Made(scaling, _lost("gather", facts))


def _updated(eqn: JaxprEqn, facts: Facts, place: Place) -> Made:
    name = eqn.primitive.name
    update = 1 if name == "dynamic_update_slice" else 2
    scaling = _beside(name, [facts[0], facts[update]])
    for number, fact in enumerate(facts):
        if number not in (0, update):
            scaling = scaling.times(scaling_of(fact).fixed(name))
    return Made(scaling, _lost(name, facts))


_RULES: Mapping[str, Callable[[JaxprEqn, Facts, Place], Made]] = {
    **dict.fromkeys(_ALONG, _along),
    **dict.fromkeys(_UPDATES, _updated),
    "concatenate": _concatenate,
    "conv_general_dilated": _bilinear,
    "dot_general": _dot,
    "dynamic_slice": _dynamic_slice,
    "gather": _looked_up,
}
