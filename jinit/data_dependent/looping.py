"""Loops and branches, as a walk meets them: what they carry is the same before and after a step.

May import: the standard library, jax, and of `jinit.tracing` jaxprs, views, and of
`jinit.data_dependent` facts, making, sites.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Protocol, TypeAlias

from jax.extend.core import JaxprEqn

from jinit.data_dependent.facts import Const, Data, Fact, Made, Sight, leaves_of
from jinit.data_dependent.making import picks_of, scaling_of
from jinit.data_dependent.sites import Findings, Where
from jinit.tracing.jaxprs import Program, scan_counts
from jinit.tracing.views import View

__all__ = ["LOOPS", "Walker"]

_MOST = 8  # steps until what a loop carries has to be known


class Walker(Protocol):
    """What goes through a program."""

    findings: Findings

    def through(self, program: Program, facts: Sequence[Fact], where: Where) -> list[Fact]:
        """What is known of a program's outputs."""


Loop: TypeAlias = Callable[[Walker, JaxprEqn, Sequence[Fact], Where], list[Fact]]


def _scan(walker: Walker, eqn: JaxprEqn, facts: Sequence[Fact], where: Where) -> list[Fact]:
    (n_consts, n_carry), length = scan_counts(eqn), eqn.params["length"]
    first = n_consts + n_carry
    level = len(where.lengths)
    inside = Where(where.scope.entered(id(eqn)), (*where.lengths, length), where.looped)
    sliced = [_one_step(fact, level) for fact in facts[first:]]

    def body(carry: Sequence[Fact]) -> list[Fact]:
        given = [*map(_plain, facts[:n_consts]), *carry, *sliced]
        return walker.through(eqn.params["jaxpr"], given, inside)

    carried, outcome = _around(walker, body, facts[n_consts:first], "scan")
    return [*carried, *(_stacked(fact) for fact in outcome[n_carry:])]


def _while(walker: Walker, eqn: JaxprEqn, facts: Sequence[Fact], where: Where) -> list[Fact]:
    params = eqn.params
    n_cond, n_body = params["cond_nconsts"], params["body_nconsts"]
    inside = Where(where.scope.entered(id(eqn)), where.lengths, looped=True)

    def body(carry: Sequence[Fact]) -> list[Fact]:
        _decide(walker, eqn, [*facts[:n_cond], *carry], inside)
        given = [*map(_plain, facts[n_cond : n_cond + n_body]), *carry]
        return walker.through(params["body_jaxpr"], given, inside)

    return _around(walker, body, facts[n_cond + n_body :], "while")[0]


def _decide(walker: Walker, eqn: JaxprEqn, facts: Sequence[Fact], inside: Where) -> None:
    """The condition of a loop: what it is made of stays as it is."""
    before = walker.findings.copy()
    outcome = walker.through(eqn.params["cond_jaxpr"], [*map(_plain, facts)], inside)
    _freeze(walker, outcome, "condition of a while loop")
    after = walker.findings
    met = [use.made for key, use in after.uses.items() if before.uses.get(key) is not use]
    _freeze(walker, met, "condition of a while loop")
    walker.findings.restore(before)


def _cond(walker: Walker, eqn: JaxprEqn, facts: Sequence[Fact], where: Where) -> list[Fact]:
    operands = [*map(_plain, facts[1:])]
    outcomes = []
    for number, branch in enumerate(eqn.params["branches"]):
        inside = where._replace(scope=where.scope.entered((id(eqn), number)))
        outcomes.append([*map(_plain, walker.through(branch, operands, inside))])
    _freeze(walker, facts[:1], "choice of a branch")
    return [
        reduce(lambda one, other: _either(walker, one, other, "cond"), found)
        for found in zip(*outcomes, strict=True)
    ]


LOOPS: Mapping[str, Loop] = {"cond": _cond, "scan": _scan, "while": _while}


# --- what a loop carries ----------------------------------------------------------------------


def _around(
    walker: Walker,
    body: Callable[[Sequence[Fact]], list[Fact]],
    start: Sequence[Fact],
    operation: str,
) -> tuple[list[Fact], list[Fact]]:
    """Go through a body until what comes out at the end is what went in at the beginning.

    Returns:
        What goes in, and all that comes out.
    """
    carry = [*map(_plain, start)]
    for _ in range(_MOST):
        before = walker.findings.copy()
        outcome = body(carry)
        after = [
            _either(walker, one, _plain(other), operation)
            for one, other in zip(carry, outcome[: len(carry)], strict=True)
        ]
        if after == carry:
            return carry, outcome
        walker.findings.restore(before)
        carry = after
    _freeze(walker, carry, operation)
    carry = [Data()] * len(carry)
    return carry, body(carry)


def _either(walker: Walker, one: Fact, other: Fact, operation: str) -> Fact:
    """What is known of a value that is one of two."""
    if one == other:
        return one
    if isinstance(one, Data) or isinstance(other, Data):
        _freeze(walker, [one, other], f"value that {operation} carries on as data")
        return Data()
    if isinstance(one, Const) and isinstance(other, Const):
        return Const()
    scaling = scaling_of(one).beside(scaling_of(other), operation)
    sights = {**_sights(other), **_sights(one)}
    return Made(scaling, {leaf: sight.lose(operation) for leaf, sight in sights.items()})


def _sights(fact: Fact) -> Mapping[int, Sight]:
    return fact.sights if isinstance(fact, Made) else {}


def _freeze(walker: Walker, facts: Sequence[Fact], reason: str) -> None:
    for leaf in leaves_of(facts):
        walker.findings.frozen.setdefault(leaf, f"part of the {reason}")


def _plain(fact: Fact) -> Fact:
    """As it goes into a loop or a branch, or comes out."""
    return Data() if isinstance(fact, Data) else fact


def _one_step(fact: Fact, level: int) -> Fact:
    """What one step of a scan takes."""
    if not isinstance(fact, Made):
        return _plain(fact)

    def peeled(sight: Sight) -> Sight:
        if sight.view.lost:
            return sight
        picks = (*sight.picks, *picks_of(sight.view.axes[0], level))
        return Sight(sight.view.peeled(), picks, sight.mixed, sight.summed)

    return fact.moved(peeled, pure=True)


def _stacked(fact: Fact) -> Fact:
    """What a scan leaves of each step."""
    if not isinstance(fact, Made):
        return _plain(fact)
    return fact.moved(lambda sight: sight.changed(_lose_stack))


def _lose_stack(view: View) -> View:
    return view.lose("scan")
