"""Kernels: parameters that a signal is contracted or convolved with.

May import: the standard library, jax, `jinit.fans`, and of `jinit.tracing` atoms, connections,
ledger, signals, tables, views.
"""

import math
from collections.abc import Hashable, Sequence

from jax.extend.core import JaxprEqn

from jinit.fans import Fans
from jinit.tracing.atoms import shape_of, signals_among, views_among
from jinit.tracing.connections import conv_fans, conv_windows, whole_number
from jinit.tracing.ledger import Ledger, Scope
from jinit.tracing.signals import Fact, Signal, Weights, depth_of
from jinit.tracing.tables import enter_lost, enter_unknown
from jinit.tracing.views import View

__all__ = ["use_conv", "use_dot", "use_ragged"]


def use_dot(ledger: Ledger, eqn: JaxprEqn, facts: Sequence[Fact], scope: Scope) -> Sequence[Fact]:
    """Enter `dot_general` of a weight; of two weights it makes another weight."""
    signals = signals_among(facts)
    keys = [
        _enter_dot(ledger, eqn, view, side, signals, scope)
        for side, fact in enumerate(facts)
        if isinstance(fact, Weights)
        for view in fact.views
    ]
    if all(isinstance(fact, Weights) for fact in facts):
        return [
            Weights(tuple(view.lose("dot_general of two weights") for view in views_among(facts)))
        ]
    return [_applied(ledger, signals, keys)]


def _enter_dot(
    ledger: Ledger,
    eqn: JaxprEqn,
    view: View,
    side: int,
    signals: Sequence[Signal],
    scope: Scope,
) -> Hashable:
    contracted, batch = (pair[side] for pair in eqn.params["dimension_numbers"])
    place, shape = (id(eqn), side), shape_of(eqn.invars[side])
    return _enter_matrix(ledger, place, view, (shape, contracted, batch), signals, scope)


def use_ragged(
    ledger: Ledger, eqn: JaxprEqn, facts: Sequence[Fact], scope: Scope
) -> Sequence[Fact]:
    """Enter the experts of a product in which each row has one of them."""
    numbers = eqn.params["ragged_dot_dimension_numbers"]
    if not isinstance(facts[1], Weights) or isinstance(facts[0], Weights):
        return enter_unknown(ledger, eqn, facts, scope)
    contracted, batch = (pair[1] for pair in numbers.dot_dimension_numbers)
    axes = (shape_of(eqn.invars[1]), contracted, (*batch, *numbers.rhs_group_dimensions))
    signals = signals_among(facts[:1])
    views = facts[1].views
    keys = [_enter_matrix(ledger, id(eqn), view, axes, signals, scope) for view in views]
    return [_applied(ledger, signals, keys)]


def _enter_matrix(
    ledger: Ledger,
    place: Hashable,
    view: View,
    operand: tuple[Sequence[int], Sequence[int], Sequence[int]],
    signals: Sequence[Signal],
    scope: Scope,
) -> Hashable:
    """Enter an operand of a product: its shape, contracted axes and batch axes."""
    if view.lost:
        return enter_lost(ledger, place, view, scope)
    shape, contracted, batch = operand
    roles = ["out"] * len(shape)
    for axes, role in ((contracted, "in"), (batch, "batch")):
        for axis in axes:
            roles[axis] = role
    fan_in = math.prod(shape[axis] for axis in contracted)
    fan_out = math.prod(view.own_extent(axis) for axis, r in enumerate(roles) if r == "out")
    role = _dot_role(roles, signals, scope)
    fans = Fans(fan_out if role == "embedding" else fan_in, fan_out)
    return _enter_kernel(ledger, place, view, roles, fans, signals, scope, role)


def _dot_role(roles: Sequence[str], signals: Sequence[Signal], scope: Scope) -> str:
    if any(signal.has("indicator") for signal in signals):
        return "embedding"
    if "batch" in roles:
        return "einsum"
    if scope.steps and any(signal.has("carried") for signal in signals):
        return "recurrent"
    return "dense"


def use_conv(ledger: Ledger, eqn: JaxprEqn, facts: Sequence[Fact], scope: Scope) -> Sequence[Fact]:
    """Enter a convolution's kernel."""
    if not isinstance(facts[1], Weights) or isinstance(facts[0], Weights):
        return enter_unknown(ledger, eqn, facts, scope)
    signals = signals_among(facts)
    keys = [_enter_conv(ledger, eqn, view, signals, scope) for view in facts[1].views]
    return [_applied(ledger, signals, keys)]


def _enter_conv(
    ledger: Ledger, eqn: JaxprEqn, view: View, signals: Sequence[Signal], scope: Scope
) -> Hashable:
    if view.lost or eqn.params["batch_group_count"] > 1:
        return enter_lost(ledger, id(eqn), view.lose("batch_group_count"), scope)
    out, inner = eqn.params["dimension_numbers"].rhs_spec[:2]
    shape, groups = shape_of(eqn.invars[1]), eqn.params["feature_group_count"]
    roles = ["taps"] * len(shape)
    roles[inner], roles[out] = "in", "out"
    view, roles, copies = (
        _parted(view, roles, out, groups) if shape[inner] > 1 else (view, roles, 1)
    )
    groups //= copies
    windows = conv_windows(eqn)
    fans = conv_fans(shape[inner], shape[out] // copies, groups, windows, ledger.edges)
    depthwise = groups > 1 and shape[inner] == 1
    spread = any(window.spread > 1 for window in windows)
    role = "conv_transpose" if spread else "depthwise" if depthwise else "conv"
    return _enter_kernel(ledger, id(eqn), view, roles, fans, signals, scope, role)


def _parted(view: View, roles: list[str], out: int, groups: int) -> tuple[View, list[str], int]:
    """A convolution of many kernels is one of many groups: axes of kernels become batch axes."""
    outer, *rest = view.axes[out] or (None,)
    if groups == 1 or not rest or outer is None or groups % outer.size:
        return view, roles, 1
    axes = [*view.axes]
    axes[out] = tuple(rest)
    return view.with_axes([*axes, (outer,)], ""), [*roles, "batch"], outer.size


def _enter_kernel(
    ledger: Ledger,
    place: Hashable,
    view: View,
    by_place: Sequence[str],
    fans: Fans,
    signals: Sequence[Signal],
    scope: Scope,
    role: str,
) -> Hashable:
    """Enter a kernel, from the roles of its axes here and the operation's own fans."""
    roles = view.roles(by_place)
    axes = dict(roles.by_role)
    into, out_of = view.shares(axes["in"], axes["out"])
    return ledger.record(
        place,
        view,
        role,
        scope,
        axes=axes,
        mixed=roles.mixed,
        fans=Fans(whole_number(fans.fan_in * into), whole_number(fans.fan_out * out_of)),
        depth=depth_of(signals),
    )


def _applied(ledger: Ledger, signals: list[Signal], keys: Sequence[Hashable]) -> Signal:
    """The outcome of a linear layer: a new value, one weight further on."""
    base, sources, uses = ledger.base(), frozenset(keys), ledger.bits(keys)
    if not signals:
        return Signal(base=base, stem=base, sources=sources, level=1, uses=uses)
    (signal,) = signals
    ledger.settle(signal)
    return Signal(
        base=base,
        stem=base,
        sources=sources,
        level=signal.level + 1,
        uses=signal.uses | uses,
        anchors=signal.anchors | (1 << signal.stem),
        depth=signal.depth,
    )
