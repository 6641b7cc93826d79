"""The meter: one compiled program that runs a model forwards and back, and measures it on the way.

May import: the standard library, jax, and of `jinit.evaluation` evaluator, tape, and of
`jinit.tracing` ledger, reading, and of `jinit.propagation` gauges, sites.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.extend.core import JaxprEqn

from jinit.axes import Shape
from jinit.evaluation.evaluator import Evaluator, run_operation
from jinit.evaluation.tape import Tape
from jinit.propagation.gauges import BACKWARD, accurate, gauge_forward, gauge_leaf, tap
from jinit.propagation.sites import Site
from jinit.tracing.jaxprs import Closed
from jinit.tracing.ledger import Place, Scope

__all__ = ["Measured", "Meter", "Model"]


@dataclass(frozen=True)
class Model:
    """What the meter has to know of a model.

    Attributes:
        program: from the arrays of parameters and arguments to those of the outcome.
        weights: which of its inputs are parameters.
        stacks: of each of these, the axes that scans go along.
        inputs: sites of the arguments; their places number the program's inputs.
        inner: sites of its operations.
        outputs: sites of the outcome.
        objective: from the outcome's arrays to a loss; None for random cotangents.
    """

    program: Closed
    weights: tuple[int, ...]
    stacks: tuple[Shape, ...]
    inputs: tuple[Site, ...]
    inner: tuple[Site, ...]
    outputs: tuple[Site, ...]
    objective: Callable[[Sequence[Any]], Any] | None

    @property
    def sites(self) -> tuple[Site, ...]:
        """All sites, in order."""
        return (*self.inputs, *self.inner, *self.outputs)


class Measured(NamedTuple):
    """What was measured, site by site and parameter by parameter, in NumPy.

    Attributes:
        forward: vectors of `FORWARD` with an axis in front for each scan, by place.
        samples: values of the outcome, likewise.
        backward: vectors of `BACKWARD`, likewise; empty without a way back.
        leaves: vectors of `LEAF`, with an axis for each axis of the stack.
        loss: the loss, if one was given.
    """

    forward: Mapping[Place, Any]
    samples: Mapping[Place, Any]
    backward: Mapping[Place, Any]
    leaves: Sequence[Any]
    loss: Any


class Meter:
    """Measures a model: `meter(arrays, key)`, compiled once."""

    def __init__(self, model: Model, *, backward: bool) -> None:
        self._model, self._backward = model, backward
        self._watched = {site.place: site for site in model.inner}
        self._evaluator = Evaluator(self._step, derivatives=True)
        self._run = jax.jit(self._measure)

    def __call__(self, arrays: Sequence[Any], key: Any) -> Measured:
        """Measure it with these parameters, on these arguments."""
        order = [site.place for site in self._model.sites]
        forward, samples, backward, leaves, loss = jax.device_get(self._run(list(arrays), key))

        def placed(vectors: Sequence[Any]) -> dict[Place, Any]:
            return dict(zip(order, vectors, strict=False))

        return Measured(placed(forward), placed(samples), placed(backward), leaves, loss)

    def _measure(self, arrays: Sequence[Any], key: Any) -> tuple[Any, ...]:
        model = self._model
        weights = [arrays[place] for place in model.weights]
        if not self._backward:
            _, (notes, loss) = self._forward(arrays, weights, [])
            gradients, backward = [None] * len(weights), []
        else:
            ends, pull, (notes, loss) = jax.vjp(
                partial(self._forward, arrays), weights, list(map(_slot, model.sites)), has_aux=True
            )
            gradients, backward = pull(_cotangents(ends, key))
        leaves = [gauge_leaf(*each) for each in zip(weights, gradients, model.stacks, strict=True)]
        forward, samples = [vector for vector, _ in notes], [sample for _, sample in notes]
        return forward, samples, backward, leaves, loss

    def _forward(
        self, arrays: Sequence[Any], weights: Sequence[Any], slots: Sequence[Any]
    ) -> tuple[list[Any], Any]:
        """What is pulled back from: the loss, or the floating outcomes; and what was noted."""
        model = self._model
        places = [site.place for site in model.sites]
        tape = Tape(slots=dict(zip(places, slots, strict=False)))
        values = list(arrays)
        for place, weight in zip(model.weights, weights, strict=True):
            values[place] = weight
        for site in model.inputs:
            number = site.place.operation
            values[number] = self._met(values[number], site, tape)
        outcome = self._evaluator.through(model.program, values, Scope(), tape)
        for site in model.outputs:
            number = site.place.operation
            outcome[number] = self._met(outcome[number], site, tape)
        notes = [tape.notes[place] for place in places]
        if model.objective is None:
            return [outcome[site.place.operation] for site in model.outputs], (notes, None)
        loss = model.objective(outcome)
        return [loss], (notes, loss)

    def _step(
        self, eqn: JaxprEqn, scope: Scope, values: Sequence[Any], tape: Tape
    ) -> Sequence[Any]:
        outcome = run_operation(eqn, values)
        site = self._watched.get(scope.place(eqn))
        if site is not None:
            outcome[0] = self._met(outcome[0], site, tape)
        return outcome

    def _met(self, value: Any, site: Site, tape: Tape) -> Any:
        tape.notes[site.place] = gauge_forward(value, site)
        return tap(value, tape.slots[site.place]) if self._backward else value


def _slot(site: Site) -> Array:
    lengths = [loop.length for loop in site.loops]
    return jnp.zeros((*lengths, len(BACKWARD)), accurate(site.dtype))


def _cotangents(ends: Sequence[Any], key: Any) -> list[Any]:
    """Of a number, 1; of others independent normal values of variance 1."""
    return [
        jnp.ones_like(end)
        if end.ndim == 0
        else jax.random.normal(jax.random.fold_in(key, number), end.shape).astype(end.dtype)
        for number, end in enumerate(ends)
    ]
