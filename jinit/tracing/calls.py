"""Operations that hold programs: calls, loops, branches and shards.

May import: the standard library, jax, and of `jinit.tracing` atoms, jaxprs, ledger,
signals, views.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeAlias

from jax.extend.core import JaxprEqn

from jinit.tracing.atoms import shape_of
from jinit.tracing.jaxprs import Program, open_program, scan_counts
from jinit.tracing.ledger import Ledger, Scope
from jinit.tracing.signals import Const, Fact, Signal, Weights, fresh, union
from jinit.tracing.views import View

__all__ = ["CALLS", "Walker"]


class Walker(Protocol):
    """What goes through a program."""

    ledger: Ledger

    def through(self, program: Program, facts: Sequence[Fact], scope: Scope) -> list[Fact]:
        """What is known of a program's outputs."""


Call: TypeAlias = Callable[[Walker, JaxprEqn, Sequence[Fact], Scope], list[Fact]]


def _scan(walker: Walker, eqn: JaxprEqn, facts: Sequence[Fact], scope: Scope) -> list[Fact]:
    params = eqn.params
    (n_consts, n_carry), length = scan_counts(eqn), params["length"]
    consts, carry, xs = (
        list(facts[:n_consts]),
        list(facts[n_consts : n_consts + n_carry]),
        list(facts[n_consts + n_carry :]),
    )
    steps = any(isinstance(fact, Signal) for fact in xs)
    inside = scope.entered(id(eqn), repeats=scope.repeats * length, steps=scope.steps or steps)
    sliced = [_one_step(fact, walker.ledger) for fact in xs]

    def body(carry: list[Fact]) -> list[Fact]:
        return walker.through(params["jaxpr"], [*consts, *carry, *sliced], inside)

    carried, outcome = _around(walker.ledger, body, carry)
    ys = [_stacked(fact, walker.ledger) for fact in outcome[n_carry:]]
    after = zip(carried, outcome[:n_carry], strict=True)
    return [*(_after(*pair, length, walker.ledger) for pair in after), *ys]


def _while(walker: Walker, eqn: JaxprEqn, facts: Sequence[Fact], scope: Scope) -> list[Fact]:
    params = eqn.params
    n_cond, n_body = params["cond_nconsts"], params["body_nconsts"]
    cond_consts, body_consts = list(facts[:n_cond]), list(facts[n_cond : n_cond + n_body])
    inside = scope.entered(id(eqn), unbounded=True)
    walker.ledger.cannot_follow("while")

    def body(carry: list[Fact]) -> list[Fact]:
        walker.through(params["cond_jaxpr"], [*cond_consts, *carry], inside)
        return walker.through(params["body_jaxpr"], [*body_consts, *carry], inside)

    carried, outcome = _around(walker.ledger, body, list(facts[n_cond + n_body :]))
    pairs = zip(carried, outcome, strict=True)
    return [_after(*pair, 1, walker.ledger) for pair in pairs]


def _cond(walker: Walker, eqn: JaxprEqn, facts: Sequence[Fact], scope: Scope) -> list[Fact]:
    outcomes = []
    for number, branch in enumerate(eqn.params["branches"]):
        taken = (*scope.alternatives, (id(eqn), number))
        inside = scope.entered((id(eqn), number), alternatives=taken)
        outcomes.append(walker.through(branch, facts[1:], inside))
    return [_either(list(facts), walker.ledger) for facts in zip(*outcomes, strict=True)]


def _shard_map(walker: Walker, eqn: JaxprEqn, facts: Sequence[Fact], scope: Scope) -> list[Fact]:
    program = eqn.params["jaxpr"]
    body, _ = open_program(program)
    local = [
        _viewed(fact, partial(View.fitted, shape=shape_of(var)))
        for fact, var in zip(facts, body.invars, strict=True)
    ]
    return walker.through(program, local, scope.entered(id(eqn)))


CALLS: Mapping[str, Call] = {
    "cond": _cond,
    "scan": _scan,
    "shard_map": _shard_map,
    "while": _while,
}


# --- what a loop carries ----------------------------------------------------------------------


def _around(
    ledger: Ledger, body: Callable[[list[Fact]], list[Fact]], carry: list[Fact]
) -> tuple[list[Fact], list[Fact]]:
    """Go through a body twice: what comes out at the end goes in at the beginning.

    Returns:
        What goes in, and all that comes out.
    """
    with ledger.watch() as tried:
        first = body([_carried(fact, fact, ledger) for fact in carry])
    into = [
        _carried(start, end, ledger) for start, end in zip(carry, first[: len(carry)], strict=True)
    ]
    with ledger.watch() as found:
        outcome = body(into)
    ledger.forget(tried - found)  # uses of a first step from constants, which no other step has
    return into, outcome


def _carried(start: Fact, end: Fact, ledger: Ledger) -> Fact:
    """What is known of a value that a loop carries, from its first value and the later ones."""
    if isinstance(start, Weights) and not isinstance(end, Signal):
        return (
            start
            if start == end
            else _viewed(start, lambda view: view.lose("loop that changes a weight"))
        )
    signals = [fact for fact in (start, end) if isinstance(fact, Signal)]
    if not signals:
        return Const()  # its number is that of the first step alone
    base = ledger.base()
    sources = frozenset().union(*(ledger.finish(signal) for signal in signals))
    model = start if isinstance(start, Signal) else Signal(base=base, stem=base)
    return fresh(model, base, stem=base, sources=sources, marks=model.marks | {"carried"})


def _after(into: Fact, outcome: Fact, length: int, ledger: Ledger) -> Fact:
    """What a loop leaves in a carry: residual additions count once a step."""
    if not (isinstance(into, Signal) and isinstance(outcome, Signal)):
        return outcome
    depth = into.depth + max(0, outcome.depth - into.depth) * length
    marks = outcome.marks - {"carried"}
    return replace(outcome, depth=depth, marks=marks)


def _one_step(fact: Fact, ledger: Ledger) -> Fact:
    if isinstance(fact, Weights):
        return _viewed(fact, View.peeled)
    if isinstance(fact, Signal):
        base = ledger.base()
        return fresh(fact, base, stem=base, sources=ledger.finish(fact))
    return Const(given=fact.given)


def _stacked(fact: Fact, ledger: Ledger) -> Fact:
    if isinstance(fact, Weights):
        return _viewed(fact, lambda view: view.lose("scan that stacks weights"))
    if isinstance(fact, Signal):
        marks = fact.marks - {"carried", "scalar"}
        return fresh(fact, ledger.base(), sources=ledger.finish(fact), marks=marks)
    return Const(given=fact.given)


def _either(facts: list[Fact], ledger: Ledger) -> Fact:
    """What is known of a value that comes from one of several branches."""
    signals = [fact for fact in facts if isinstance(fact, Signal)]
    if signals:
        sources = frozenset().union(*(ledger.finish(signal) for signal in signals))
        return replace(union(signals, ledger.base()), sources=sources)
    views = [view for fact in facts if isinstance(fact, Weights) for view in fact.views]
    if views:
        return Weights(tuple(dict.fromkeys(views)))
    return facts[0] if all(fact == facts[0] for fact in facts) else Const()


def _viewed(fact: Fact, change: Callable[[View], View]) -> Fact:
    if not isinstance(fact, Weights):
        return fact
    return Weights(tuple(map(change, fact.views)))
