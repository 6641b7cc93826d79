"""Loops and branches: step by step, as each step's law follows from the one before.

May import: the standard library, NumPy, jax, and of `jinit.analytic` arithmetic, components, facts,
joining, known, meeting, world; of `jinit.tracing` jaxprs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeAlias

import numpy as np
from jax.extend.core import JaxprEqn

from jinit.analytic.components import added, scaled
from jinit.analytic.facts import Atom, Chance, Fact, Field, Index, Known, Signal
from jinit.analytic.joining import mixture
from jinit.analytic.known import one_slice
from jinit.analytic.meeting import meet
from jinit.analytic.world import World
from jinit.tracing.atoms import shape_of
from jinit.tracing.jaxprs import Program, scan_counts

__all__ = ["CONTROL", "Walker"]

_MOST_STEPS = 100_000
_PAIRS = 16  # of steps, whose covariance is looked at


class Walker(Protocol):
    """What goes through a program."""

    world: World

    def through(self, program: Program, facts: Sequence[Fact], place: str) -> list[Fact]:
        """What is known of a program's outputs."""


Control: TypeAlias = Callable[[Walker, JaxprEqn, Sequence[Fact], str], list[Fact]]


def _scan(walker: Walker, eqn: JaxprEqn, facts: Sequence[Fact], place: str) -> list[Fact]:
    counts, params = scan_counts(eqn), eqn.params
    first = counts.consts + counts.carry
    consts, carry = list(facts[: counts.consts]), list(facts[counts.consts : first])
    inputs = [_Steps(walker.world, fact) for fact in facts[first:]]
    steps = range(params["length"])
    made: list[list[Fact]] = []
    for step in reversed(steps) if params["reverse"] else steps:
        now = [each.at(step) for each in inputs]
        outcome = walker.through(params["jaxpr"], [*consts, *carry, *now], f"{place}[{step}]")
        carry = outcome[: counts.carry]
        made.append(outcome[counts.carry :])
    if params["reverse"]:
        made.reverse()
    shapes = [shape_of(out) for out in eqn.outvars[counts.carry :]]
    columns = zip(*made, strict=True) if made else ([] for _ in shapes)
    stacks = zip(columns, shapes, strict=True)
    return [*carry, *(_stacked(walker.world, list(column), shape) for column, shape in stacks)]


class _Steps:
    """What a loop goes along: its first axis step by step.

    What varies from step to step is a source of its own in each; what does not is common to all.
    """

    def __init__(self, world: World, fact: Fact) -> None:
        self._world, self._fact = world, fact
        if isinstance(fact, Signal):
            self._field = world.settled(fact)
            names = frozenset(world.axes.known(self._field.places[0]))
            given = self._field.given
            atoms = given.atoms if given else frozenset[Atom]()
            random = {a: c for a, c in self._field.terms.items() if a not in atoms}
            found = world.components(replace(self._field, terms=random))
            self._own = {s - names: v for s, v in found.items() if s & names}
            shape, places = self._field.shape[1:], self._field.places[1:]
            common = {s: v for s, v in found.items() if not s & names}
            self._common = world.fresh(places, shape, self._field.mean, common)

    def at(self, step: int) -> Fact:
        """The value at one step."""
        fact = self._fact
        if isinstance(fact, Known):
            return one_slice(fact, step)
        if isinstance(fact, Index):
            return Index(fact.places[1:], fact.shape[1:])
        if not isinstance(fact, Signal):
            return fact
        common = self._common
        made = self._world.fresh(common.places, common.shape, common.mean, self._own, common.terms)
        given = self._field.given
        if given is not None:
            array = given.value[step if given.value.shape[0] > 1 else 0]
            own = self._world.from_array(array, common.places, common.shape)
            terms = {**made.terms, **own.terms}
            made = replace(made, mean=made.mean + own.mean, terms=terms, given=own.given)
        return self._world.signal(made)


def _stacked(world: World, column: list[Fact], shape: tuple[int, ...]) -> Fact:
    """The outcomes of all steps as one value."""
    if all(isinstance(fact, Known) for fact in column):
        values = [fact.value for fact in column if isinstance(fact, Known)]
        return Known(np.stack(values)) if values else Known(np.zeros(shape))
    if any(isinstance(fact, (Index, Chance)) for fact in column):
        index = next(fact for fact in column if isinstance(fact, (Index, Chance)))
        return index if isinstance(index, Chance) else Index(world.axes.places(shape), shape)
    fields = [_row(world, fact, shape) for fact in column]
    share = [1 / len(fields)] * len(fields)
    stack = mixture(world, fields, share, 0, shape)
    return world.signal(_with_common(world, fields, stack), rows=(0, tuple(column)))


def _row(world: World, fact: Fact, shape: tuple[int, ...]) -> Field:
    """One step's outcome as one entry along a first axis."""
    if isinstance(fact, Signal):
        field = replace(world.settled(fact), given=None)
    else:
        assert isinstance(fact, Known)
        field = world.from_array(fact.value, world.axes.places(fact.shape), fact.shape)
    return replace(field, places=((), *field.places), shape=(1, *field.shape), given=None)


def _with_common(world: World, fields: Sequence[Field], stack: Field) -> Field:
    """The stack, what steps have in common counted as such: covariances of half a length apart."""
    count = len(fields)
    some = range(0, count, -(-count // _PAIRS))
    pairs = [(i, (i + count // 2) % count) for i in some] if count > 1 else []
    positions = [(p, p) for p in range(1, len(stack.shape))]
    common: dict[frozenset[int], float] = {}
    for i, j in pairs:
        one = meet(world, stack, fields[i], positions).other
        other = meet(world, stack, fields[j], positions).other
        common = added(common, scaled(world.components(one, other), 1 / len(pairs)))
    if not any(common.values()):
        return stack
    own = frozenset(world.axes.known(stack.places[0]))
    now = world.components(stack)
    made = {names: v for names, v in now.items() if names & own}
    for names, value in common.items():
        made[names | own] = made.get(names | own, 0.0) - value
        made[names] = made.get(names, 0.0) + value
    rest = {names: v for names, v in now.items() if not names & own}
    for names, value in rest.items():
        made[names | own] = made.get(names | own, 0.0) + value
    return world.fresh(stack.places, stack.shape, stack.mean, made)


def _while(walker: Walker, eqn: JaxprEqn, facts: Sequence[Fact], place: str) -> list[Fact]:
    """As often as a counter says; once, where it depends on the inputs."""
    params = eqn.params
    n_cond, n_body = params["cond_nconsts"], params["body_nconsts"]
    tests, consts = list(facts[:n_cond]), list(facts[n_cond : n_cond + n_body])
    carry = list(facts[n_cond + n_body :])
    for step in range(_MOST_STEPS):
        (goes_on,) = walker.through(params["cond_jaxpr"], [*tests, *carry], place)
        if not isinstance(goes_on, Known):
            if step == 0:
                carry = walker.through(params["body_jaxpr"], [*consts, *carry], f"{place}[0]")
            walker.world.where = ("while", place)
            walker.world.note("how often a loop runs depends on the inputs: one step was taken")
            return carry
        if not bool(goes_on.value):
            return carry
        carry = walker.through(params["body_jaxpr"], [*consts, *carry], f"{place}[{step}]")
    walker.world.where = ("while", place)
    walker.world.note(f"a loop was left after {_MOST_STEPS} steps")
    return carry


def _cond(walker: Walker, eqn: JaxprEqn, facts: Sequence[Fact], place: str) -> list[Fact]:
    """The branch that is taken; each as often as the others, where that depends on the inputs."""
    branches, which = eqn.params["branches"], facts[0]
    if isinstance(which, Known):
        number = int(np.clip(int(which.value), 0, len(branches) - 1))
        return walker.through(branches[number], facts[1:], place)
    outcomes = [walker.through(branch, facts[1:], place) for branch in branches]
    walker.world.where = ("cond", place)
    walker.world.note("each branch is taken as often as the others")
    shapes = [shape_of(out) for out in eqn.outvars]
    columns = zip(zip(*outcomes, strict=True), shapes, strict=True)
    return [_either(walker.world, list(column), shape) for column, shape in columns]


def _either(world: World, column: list[Fact], shape: tuple[int, ...]) -> Fact:
    """A value that comes from one of several branches."""
    if not any(isinstance(fact, Signal) for fact in column):
        return column[0]
    mixed = _stacked(world, column, (len(column), *shape))
    assert isinstance(mixed, Signal)
    field = mixed.field
    names = frozenset(world.axes.known(field.places[0]))
    made: dict[frozenset[int], float] = {}
    for each, value in world.components(field).items():
        made[each - names] = made.get(each - names, 0.0) + value
    return world.signal(world.fresh(field.places[1:], shape, field.mean, made))


CONTROL: Mapping[str, Control] = {"cond": _cond, "scan": _scan, "while": _while}
