"""Convolutions with an array: groups, strides, dilation and padding as the program has them.

May import: the standard library, NumPy, jax, and of `jinit.analytic` facts, kernel, outcomes,
world; of `jinit.tracing` connections.

Entries that differ along an axis of positions are independent at each tap, so that kernels of
random taps give positions nothing in common; at the edges, the taps that there are count.
"""

import math
from collections.abc import Sequence

import numpy as np
from jax.extend.core import JaxprEqn

from jinit.analytic.facts import Fact, Known, Signal
from jinit.analytic.kernel import Kernel
from jinit.analytic.outcomes import Layer, identity_of, outcome, output_names
from jinit.analytic.world import World
from jinit.tracing.atoms import shape_of
from jinit.tracing.connections import Window, conv_windows

__all__ = ["convolve_array"]

_NOTHING: frozenset[int] = frozenset()


def convolve_array(world: World, eqn: JaxprEqn, facts: Sequence[Fact]) -> Signal | None:
    """A convolution with a kernel; None for its other forms."""
    signal, known = facts
    if not isinstance(signal, Signal) or not isinstance(known, Known):
        return None
    if eqn.params["batch_group_count"] > 1:
        return None
    field, numbers = world.settled(signal), eqn.params["dimension_numbers"]
    batch, feature, *spatial = numbers.lhs_spec
    windows = conv_windows(eqn)
    identity = identity_of(world, known)
    own = output_names(world, identity, "out", known.shape[numbers.rhs_spec[0]])
    places: list[tuple[int, ...]] = [()] * len(field.shape)
    places[numbers.out_spec[0]], places[numbers.out_spec[1]] = field.places[batch], own
    changed = dict.fromkeys(world.axes.known(field.places[feature]), _NOTHING)
    spread = _NOTHING
    for position, target, window in zip(spatial, numbers.out_spec[2:], windows, strict=True):
        same = window.inputs == window.outputs
        names = field.places[position]
        made = names if same else output_names(world, identity, target, window.outputs)
        places[target] = made
        fresh = frozenset(world.axes.known(made))
        changed |= dict.fromkeys(world.axes.known(names), fresh)
        spread |= fresh if window.spread > 1 else _NOTHING
    layer = Layer(
        known,
        _kernel(world, eqn, known, [field.places[p] for p in (feature, *spatial)], windows),
        tuple(places),
        shape_of(eqn.outvars[0]),
        changed,
        frozenset(world.axes.known(own)) | spread,
        spread,
        identity,
    )
    return outcome(world, field, layer)


def _kernel(
    world: World,
    eqn: JaxprEqn,
    known: Known,
    places: Sequence[Sequence[int]],
    windows: Sequence[Window],
) -> Kernel:
    out, inner, *taps = eqn.params["dimension_numbers"].rhs_spec
    array = np.transpose(np.asarray(known.value, dtype=np.float64), (inner, *taps, out))
    names = tuple(frozenset(world.axes.known(place)) for place in places)
    share = math.prod(w.pairs / (w.outputs * w.taps) for w in windows if w.outputs)
    return Kernel(array[None], names, share, eqn.params["feature_group_count"])
