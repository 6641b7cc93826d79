"""Linear operations with an array: dense layers, einsums, experts, convolutions, embeddings.

With x_i the inputs of an output and W_if the weights, the component of x that varies along the
axes S gives `v_S * sum over i in S of (sum over the other i of W_if)^2`: what x shares along an
axis adds up before it is squared. Two outputs share `sum_i W_if W_ig` of it, on the average.

May import: the standard library, NumPy, jax, and of `jinit.analytic` axes, facts, world; of
`jinit.tracing` connections.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jax.extend.core import JaxprEqn

from jinit.analytic.axes import Places
from jinit.analytic.facts import Chance, Fact, Field, Index, Known, Signal
from jinit.analytic.scaling import Output
from jinit.analytic.world import World
from jinit.tracing.connections import Window

__all__ = ["apply_array", "convolve_array", "look_up", "ragged_array"]


class _Sums(NamedTuple):
    """Sums over the weights of an output: of squares, and of products of two outputs."""

    same: float
    different: float


@dataclass(frozen=True)
class _Kernel:
    """An array as a linear map.

    Attributes:
        array: of axes (batch, *contracted, outputs), the contracted ones as the input has them.
        names: by contracted axis, the input's names of it.
        share: what part of the connections there is, on the average over outputs.
        groups: how many groups of outputs there are that share no input.
    """

    array: Any
    names: tuple[frozenset[int], ...]
    share: float = 1.0
    groups: int = 1

    def sums(self, varying: frozenset[int]) -> _Sums:
        """The sums for what varies along these axes."""
        rest = tuple(1 + k for k, names in enumerate(self.names) if not names & varying)
        met = self.array.sum(axis=rest, keepdims=True)
        outputs = self.array.shape[-1]
        squares = np.square(met).sum() * self.share / self.array.shape[0]
        if outputs == 1:
            return _Sums(float(squares), float(squares))
        if self.groups > 1 and self.names[0] & varying:
            return _Sums(float(squares / outputs), 0.0)
        both = np.square(met.sum(axis=-1)).sum() * self.share / self.array.shape[0] - squares
        return _Sums(float(squares / outputs), float(both / (outputs * (outputs - 1))))

    def totals(self) -> tuple[float, float]:
        """Over outputs, the mean of the sum of all weights, and of its square."""
        met = self.array.sum(axis=tuple(range(1, self.array.ndim - 1)))
        return float(met.mean()) * self.share, float(np.square(met).mean()) * self.share


def _output(
    world: World,
    field: Field,
    kernel: _Kernel,
    known: Known,
    axes: tuple[Places, Sequence[int]],
    changed: Mapping[int, frozenset[int]],
    added: tuple[frozenset[int], frozenset[int]],
) -> Signal:
    """The outcome, scaled if its weights are to be.

    Args:
        world: the state of the walk.
        field: the input.
        kernel: the weights.
        known: the same, as it stands in the program.
        axes: the outcome's names and shape.
        changed: what becomes of the input's names.
        added: the names of independent weights (outputs, batch), and of these the batch alone.
    """
    outputs, batch = added
    made: dict[frozenset[int], float] = {}
    for names, value in world.components(field).items():
        sums = kernel.sums(names)
        left = frozenset[int]().union(*(changed.get(name, frozenset((name,))) for name in names))
        _add(made, left | batch, value * sums.different)
        _add(made, left | outputs, value * (sums.same - sums.different))
    mean, square = kernel.totals()
    _add(made, outputs, field.mean**2 * (square - mean**2))
    return _scaled(world, world.fresh(*axes, field.mean * mean, made), known)  # type: ignore[arg-type]


def _add(made: dict[frozenset[int], float], names: frozenset[int], value: float) -> None:
    if value:
        made[names] = made.get(names, 0.0) + value


def _scaled(world: World, made: Field, known: Known) -> Signal:
    """An outcome of parameters: they are scaled if it is theirs to be."""
    if not known.degrees:
        return world.signal(made)
    variance = world.variance(made)
    values = known.value
    factor = world.scaling.choose(known.degrees, made.mean, variance, world.where, lambda: values)
    scaled = made.times(factor)
    slices = [part for parts in known.degrees for part in sorted(parts)]  # type: ignore[type-var]
    paths = tuple(dict.fromkeys(world.scaling.paths[part.leaf] for part in slices))  # type: ignore[attr-defined]
    index = max((part.indices for part in slices), key=len)  # type: ignore[attr-defined]
    std = math.sqrt(variance) * abs(factor)
    world.scaling.outputs.append(Output(paths, index, *world.where, scaled.mean, std))
    return world.signal(scaled)


def _weights(world: World, known: Known) -> Any:
    return np.asarray(known.value, dtype=np.float64) * world.scaling.factor(known.degrees)


# --- products ---------------------------------------------------------------------------------


def apply_array(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> Signal:
    """`dot_general` of a value with an array, on either side."""
    contracted, batch = eqn.params["dimension_numbers"]
    side = 0 if isinstance(facts[0], Known) else 1
    known, signal = facts[side], facts[1 - side]
    assert isinstance(known, Known)
    assert isinstance(signal, Signal)
    field = world.settled(signal)
    kernel = _matrix(world, field, known, _sides(contracted, side), _sides(batch, side))
    free = [p for p in range(known.value.ndim) if p not in (*contracted[side], *batch[side])]
    mine = [
        p for p in range(len(field.shape)) if p not in (*contracted[1 - side], *batch[1 - side])
    ]
    own = tuple(world.axes.new(known.shape[p]) for p in free)
    rows = tuple(field.places[p] for p in batch[1 - side])
    kept = tuple(field.places[p] for p in mine)
    places = (*rows, *((own + kept) if side == 0 else (kept + own)))
    gone = {name: frozenset[int]() for names in kernel.names for name in names}
    batches = _flat(world, rows)
    added = (_flat(world, own) | batches, batches)
    axes = (places, tuple(eqn.outvars[0].aval.shape))
    return _output(world, field, kernel, known, axes, gone, added)


def _flat(world: World, places: Sequence[Sequence[int]]) -> frozenset[int]:
    return frozenset(name for names in places for name in world.axes.known(names))


def _sides(pair: Sequence[Sequence[int]], side: int) -> tuple[Sequence[int], Sequence[int]]:
    """Positions of the value and of the array."""
    return pair[1 - side], pair[side]


def _matrix(
    world: World,
    field: Field,
    known: Known,
    contracted: tuple[Sequence[int], Sequence[int]],
    batch: tuple[Sequence[int], Sequence[int]],
) -> _Kernel:
    array = _weights(world, known)
    free = [p for p in range(array.ndim) if p not in (*contracted[1], *batch[1])]
    names = [name for p in contracted[0] for name in world.axes.known(field.places[p])]
    sizes = [world.axes.size((name,)) for name in names]
    copies = math.prod(array.shape[p] for p in batch[1])
    ordered = np.transpose(array, (*batch[1], *contracted[1], *free))
    shaped = ordered.reshape((copies, *sizes, math.prod(array.shape[p] for p in free)))
    return _Kernel(shaped, tuple(frozenset((name,)) for name in names))


def ragged_array(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> Signal | None:
    """A product in which each row has one of the experts; None for its other forms."""
    numbers = eqn.params["ragged_dot_dimension_numbers"]
    signal, known = facts[:2]
    (contracted, batch) = numbers.dot_dimension_numbers
    groups = tuple(numbers.rhs_group_dimensions)
    if not isinstance(signal, Signal) or not isinstance(known, Known) or batch[0] or not groups:
        return None
    field = world.settled(signal)
    kernel = _matrix(world, field, known, contracted, ((), groups))
    free = [p for p in range(known.value.ndim) if p not in (*contracted[1], *groups)]
    kept = tuple(p for p in range(len(field.shape)) if p not in contracted[0])
    own = tuple(world.axes.new(known.shape[p]) for p in free)
    places = (*(field.places[p] for p in kept), *own)
    rows = _flat(world, [field.places[p] for p in numbers.lhs_ragged_dimensions])
    gone = {name: frozenset[int]() for names in kernel.names for name in names}
    axes = (places, tuple(eqn.outvars[0].aval.shape))
    return _output(world, field, kernel, known, axes, gone, (_flat(world, own) | rows, rows))


# --- convolutions -----------------------------------------------------------------------------


def convolve_array(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> Signal | None:
    """A convolution with a kernel; None for its other forms."""
    signal, known = facts
    if not isinstance(signal, Signal) or not isinstance(known, Known):
        return None
    if eqn.params["batch_group_count"] > 1:
        return None
    field, numbers = world.settled(signal), eqn.params["dimension_numbers"]
    out, inner, *taps = numbers.rhs_spec
    batch, feature, *spatial = numbers.lhs_spec
    windows = _windows(eqn, [known.shape[p] for p in taps])
    array = np.transpose(_weights(world, known), (inner, *taps, out))[None]
    names = tuple(frozenset(world.axes.known(field.places[p])) for p in (feature, *spatial))
    share = math.prod(w.pairs / (w.outputs * w.taps) for w in windows if w.outputs)
    kernel = _Kernel(array, names, share, eqn.params["feature_group_count"])
    places: list[tuple[int, ...]] = [()] * len(field.shape)
    own = world.axes.new(known.shape[out])
    places[numbers.out_spec[0]], places[numbers.out_spec[1]] = field.places[batch], own
    changed = dict.fromkeys(names[0], frozenset[int]())
    spread: frozenset[int] = frozenset()
    for position, target, window in zip(spatial, numbers.out_spec[2:], windows, strict=True):
        same = window.inputs == window.outputs
        places[target] = field.places[position] if same else world.axes.new(window.outputs)
        fresh = frozenset(world.axes.known(places[target]))
        changed |= dict.fromkeys(world.axes.known(field.places[position]), fresh)
        spread |= fresh if window.spread > 1 else frozenset()
    axes = (tuple(places), tuple(eqn.outvars[0].aval.shape))
    added = (frozenset(world.axes.known(own)) | spread, spread)
    return _output(world, field, kernel, known, axes, changed, added)


def _windows(eqn: JaxprEqn, taps: Sequence[int]) -> list[Window]:
    params, numbers = eqn.params, eqn.params["dimension_numbers"]
    into, onto = eqn.invars[0].aval.shape, eqn.outvars[0].aval.shape
    columns = (
        [into[axis] for axis in numbers.lhs_spec[2:]],
        [onto[axis] for axis in numbers.out_spec[2:]],
        taps,
        params["window_strides"],
        params["lhs_dilation"],
        params["rhs_dilation"],
        [low for low, _ in params["padding"]],
    )
    return [Window(*row) for row in zip(*columns, strict=True)]


# --- tables -----------------------------------------------------------------------------------


def look_up(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> Signal | Chance:
    """Rows of an array that integers from the inputs pick: each row as often as the others."""
    known = facts[0]
    assert isinstance(known, Known)
    array, shape = _weights(world, known), tuple(eqn.outvars[0].aval.shape)
    index = next((fact for fact in facts[1:] if isinstance(fact, Index)), None)
    offsets = (
        eqn.params["dimension_numbers"].offset_dims
        if eqn.primitive.name == "gather"
        else [p for p in range(len(shape)) if array.shape[p] == shape[p]]
    )
    rows = [p for p in range(len(shape)) if p not in offsets]
    places = list(world.axes.places(shape))
    if index is not None and eqn.primitive.name == "gather":
        for position, names in zip(rows, index.places, strict=False):
            places[position] = names
    names, kept = _flat(world, places), _flat(world, [places[p] for p in offsets])
    common = _column_variance(eqn, array, len(offsets))
    components = {kept: common, names: float(array.var()) - common}
    made = world.fresh(tuple(places), shape, float(array.mean()), components)
    return _scaled(world, made, known)


def _column_variance(eqn: JaxprEqn, array: Any, kept: int) -> float:
    """The variance of the average row: what rows from a short table have in common."""
    if eqn.primitive.name != "gather" or not kept:
        return 0.0
    rows = tuple(eqn.params["dimension_numbers"].collapsed_slice_dims)
    return float(array.mean(axis=rows).var()) if rows else 0.0
