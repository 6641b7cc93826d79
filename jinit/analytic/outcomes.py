"""Outcomes of linear layers: their law, their scale, and what uses of one weight share.

A weight that is applied again, as in the steps of a recurrent net, maps what its inputs have in
common to something that its outcomes have in common: each source of randomness has one image.

May import: the standard library, NumPy, and of `jinit.analytic` axes, facts, grid, kernel, known,
scaling, world.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jinit.analytic.axes import Names, Places
from jinit.analytic.facts import Atom, Field, Known, Law, Signal
from jinit.analytic.grid import mixed_law
from jinit.analytic.kernel import Kernel
from jinit.analytic.scaling import Output
from jinit.analytic.world import World

__all__ = ["Layer", "identity_of", "outcome", "output_names", "scaled_outcome"]

Components = dict[frozenset[int], float]

_ALIKE = 0.003  # squared relative spread of outputs' variances below which one Gaussian does
_SAMPLE = 4096


class Layer(NamedTuple):
    """A linear layer at one place.

    Attributes:
        known: its weights, as they stand in the program.
        kernel: the same, as a map, unscaled.
        places: the outcome's names.
        shape: its shape.
        changed: what becomes of the input's names; the others stay.
        outputs: the names along which weights are independent.
        batch: of these, those along which there is a map each.
        identity: what tells the weights, if they are applied more than once.
    """

    known: Known
    kernel: Kernel
    places: Places
    shape: Sequence[int]
    changed: Mapping[int, frozenset[int]]
    outputs: frozenset[int]
    batch: frozenset[int] = frozenset()
    identity: Hashable = None


def identity_of(world: World, known: Known) -> Hashable:
    """What tells weights that are applied more than once; None for others."""
    leaves = {part.leaf for slices in known.degrees for part in slices}  # type: ignore[attr-defined]
    if not leaves & world.reused:
        return None
    sample = known.value.reshape(-1)[:: max(1, known.value.size // _SAMPLE)]
    return frozenset(known.degrees), known.shape, sample.tobytes()


def output_names(world: World, identity: Hashable, position: Hashable, size: int) -> Names:
    """The names of an axis of outputs: the same ones for each use of the same weights."""
    if identity is None:
        return world.axes.new(size)
    return world.names.setdefault((identity, position), world.axes.new(size))


def outcome(world: World, field: Field, layer: Layer) -> Signal:
    """What a layer makes of a value."""
    mean, between = layer.kernel.means()
    if layer.identity is None:
        made = _image(world, layer, world.components(field))
        _add(made, layer.outputs, field.mean**2 * between)
        found = world.fresh(layer.places, tuple(layer.shape), field.mean * mean, made)
    else:
        terms = _terms(world, field, layer, between)
        found = Field(layer.places, tuple(layer.shape), field.mean * mean, terms)
    factor = world.scaling.factor(layer.known.degrees)
    each = _each(world, field, layer.kernel) + field.mean**2 * between
    return scaled_outcome(world, found.times(factor), layer.known, each * factor**2)


def _image(world: World, layer: Layer, components: Mapping[frozenset[int], float]) -> Components:
    """The components of what a layer makes of some of its input."""
    made: Components = {}
    for names, value in components.items():
        sums = layer.kernel.sums(names)
        left = frozenset[int]().union(
            *(layer.changed.get(name, frozenset((name,))) for name in names)
        )
        _add(made, left | layer.batch, value * sums.products)
        _add(made, left | layer.outputs, value * (float(sums.squares.mean()) - sums.products))
    return made


def _add(made: Components, names: frozenset[int], value: float) -> None:
    if value:
        made[names] = made.get(names, 0.0) + value


def _terms(world: World, field: Field, layer: Layer, between: float) -> dict[Atom, float]:
    """The images of what the input consists of, each made once."""
    terms: dict[Atom, float] = {}
    mean = (layer.identity, "mean")
    if field.mean and between:
        if mean not in world.images:
            world.images[mean] = world.source({layer.outputs: between})
        terms[Atom(world.images[mean])] = field.mean
    for atom, c in field.terms.items():
        part = Field(field.places, field.shape, 0.0, {atom: 1.0})
        key = (layer.identity, atom.source, frozenset(world.axes.known(atom.over)))
        if key not in world.images:
            world.images[key] = world.source(_image(world, layer, world.components(part)))
        terms[Atom(world.images[key])] = c
    return terms


def _each(world: World, field: Field, kernel: Kernel) -> Any:
    """The variance of each output, before its weights are scaled."""
    found = np.zeros((kernel.array.shape[0], kernel.array.shape[-1]))
    for names, value in world.components(field).items():
        found += value * kernel.sums(names).squares
    return found


def scaled_outcome(world: World, made: Field, known: Known, each: Any = None) -> Signal:
    """An outcome of parameters: they are scaled if it is theirs to be.

    Args:
        world: the state of the walk.
        made: the outcome.
        known: the parameters.
        each: the variances of its features, if they are known.
    """
    if not known.degrees:
        return world.signal(made, _law(made.mean, each))
    stuck = world.scaling.cannot_scale(known.degrees)
    if stuck:
        world.note(f"its weights do not scale with {', '.join(stuck)}, which is left as it is")
    variance = world.variance(made)
    factor = world.scaling.choose(
        known.degrees, made.mean, variance, world.where, lambda: known.value
    )
    scaled = made.times(factor)
    _enter(world, known, scaled.mean, math.sqrt(variance) * abs(factor))
    return world.signal(scaled, _law(scaled.mean, None if each is None else each * factor**2))


def _law(mean: float, each: Any) -> Law | None:
    """A mixture of Gaussians, where features have unlike variances."""
    if each is None or not np.all(np.isfinite(each)) or not np.mean(each) > 0:
        return None
    relative = np.var(each) / np.mean(each) ** 2
    return mixed_law(mean, np.ravel(each)) if relative > _ALIKE else None


def _enter(world: World, known: Known, mean: float, std: float) -> None:
    slices = [part for parts in known.degrees for part in sorted(parts)]  # type: ignore[type-var]
    paths = dict.fromkeys(world.scaling.paths[part.leaf] for part in slices)  # type: ignore[attr-defined]
    indices = max((part.indices for part in slices), key=len)  # type: ignore[attr-defined]
    world.scaling.outputs.append(Output(tuple(paths), indices, *world.where, mean, std))
