"""Linear operations with a weight, and what completes their outcome before anything else happens.

May import: the standard library, jax, and of `jinit.tracing` atoms, ledger, pieces, streams, views,
weights, and of `jinit.data_dependent` facts, making, sites.

A product is complete where a bias is added to it. On the way there its shape may change, and it
may be multiplied by what is made of its own weight: a norm that is divided by afterwards.
"""

from collections.abc import Sequence
from dataclasses import replace

import jax.numpy as jnp
from jax.extend.core import JaxprEqn

from jinit.axes import Shape
from jinit.data_dependent.facts import Data, Fact, Made, Product, Sight, merged_sights
from jinit.data_dependent.making import scaling_of
from jinit.data_dependent.sites import Bias, Findings, Site, Where
from jinit.tracing.atoms import shape_of
from jinit.tracing.ledger import Place
from jinit.tracing.pieces import Piece, Pieces
from jinit.tracing.streams import COPIES
from jinit.tracing.views import View
from jinit.tracing.weights import shape_changes

__all__ = ["go_on", "weight_operand", "with_weight"]

_FRAME = -1  # the number of an outcome itself, seen as if it were a parameter


def weight_operand(eqn: JaxprEqn, facts: Sequence[Fact]) -> int | None:
    """Which operand of a linear operation is a weight, the others being data; None if none is."""
    made = [number for number, fact in enumerate(facts) if isinstance(fact, Made)]
    if len(made) != 1:
        return None
    allowed = {
        "conv_general_dilated": (1,),
        "dot_general": (0, 1),
        "ragged_dot_general": (1,),
    }.get(eqn.primitive.name, ())
    return made[0] if made[0] in allowed else None


def with_weight(
    findings: Findings, eqn: JaxprEqn, facts: Sequence[Fact], side: int, where: Where
) -> Data:
    """Enter a linear operation with a weight."""
    made, place = facts[side], where.scope.place(eqn)
    assert isinstance(made, Made)
    shape = shape_of(eqn.outvars[0])
    places, kept, roles = _LAYOUTS[eqn.primitive.name](eqn, side)
    sights = {
        leaf: _after(sight, shape_of(eqn.invars[side]), dict(zip(kept, places, strict=True)), shape)
        for leaf, sight in made.sights.items()
    }
    frame, by_axis = _framed(eqn, shape, roles, sights)
    findings.sites[place] = Site(
        place=place,
        operand=None,
        chain=(place,),
        operation=eqn.primitive.name,
        scaling=made.scaling,
        sights=sights,
        frame=frame,
        roles=by_axis,
        order=findings.next_order(),
        where=where,
    )
    return Data(Product(place, made.scaling, sights, frame))


Layout = tuple[Sequence[int], Sequence[int], Sequence[str]]


def _dot_layout(eqn: JaxprEqn, side: int) -> Layout:
    """Where the weight's axes are in the outcome, which they are, and roles of the outcome's."""
    contracted, batch = eqn.params["dimension_numbers"]
    free = [
        [a for a in range(len(shape_of(atom))) if a not in (*contracted[n], *batch[n])]
        for n, atom in enumerate(eqn.invars)
    ]
    n_batch, first = len(batch[side]), len(batch[side]) + (len(free[0]) if side else 0)
    places = [*range(n_batch), *range(first, first + len(free[side]))]
    roles = ["batch"] * n_batch + ["data"] * (len(free[0]) + len(free[1]))
    roles[first : first + len(free[side])] = ["out"] * len(free[side])
    return places, [*batch[side], *free[side]], roles


def _conv_layout(eqn: JaxprEqn, side: int) -> Layout:
    numbers = eqn.params["dimension_numbers"]
    features = numbers.out_spec[1]
    roles = ["data"] * len(numbers.out_spec)
    roles[features] = "out"
    return [features], [numbers.rhs_spec[0]], roles


def _ragged_layout(eqn: JaxprEqn, side: int) -> Layout:
    """Rows have experts of their own, so that the axis of experts is in no place."""
    numbers = eqn.params["ragged_dot_dimension_numbers"]
    (_, contracted), (_, batch) = numbers.dot_dimension_numbers
    gone = (*contracted, *batch, *numbers.rhs_group_dimensions)
    rank = len(shape_of(eqn.invars[1]))
    free = [axis for axis in range(rank) if axis not in gone]
    onto = len(shape_of(eqn.outvars[0]))
    places = [*range(len(batch)), *range(onto - len(free), onto)]
    roles = ["data"] * onto
    for at, role in zip(places, ["batch"] * len(batch) + ["out"] * len(free), strict=True):
        roles[at] = role
    return places, [*batch, *free], roles


_LAYOUTS = {
    "conv_general_dilated": _conv_layout,
    "dot_general": _dot_layout,
    "ragged_dot_general": _ragged_layout,
}


def _after(sight: Sight, operand: Shape, place_of: dict[int, int], shape: Shape) -> Sight:
    """Where the outputs of a parameter's entries are, in an outcome of this shape."""
    if sight.view.lost:
        return sight
    gone = [axis for axis in range(len(operand)) if axis not in place_of]
    summed = tuple(piece for axis in gone for piece in sight.view.axes[axis])

    def change(axes: Sequence[Pieces]) -> list[Pieces]:
        made: list[Pieces] = [(Piece(None, 0, size),) for size in shape]
        for axis, at in place_of.items():
            made[at] = axes[axis]
        return made

    return replace(sight.changed(lambda view: view.each(change)), summed=sight.summed + summed)


def _framed(
    eqn: JaxprEqn, shape: Shape, roles: Sequence[str], sights: dict[int, Sight]
) -> tuple[View, tuple[str, ...]]:
    """The outcome's axes by role; one of grouped kernels, that `vmap` made, becomes two."""
    frame = View.of(_FRAME, shape)
    groups = eqn.params.get("feature_group_count", 1)
    if groups == 1:
        return frame, tuple(roles)
    at = roles.index("out")
    outer = {_leading(sight, at) for sight in sights.values()}
    kernels = outer.pop() if len(outer) == 1 else 1
    if kernels == 1 or groups % kernels:
        return frame, tuple(roles)
    split = (*shape[:at], kernels, shape[at] // kernels, *shape[at + 1 :])
    apart = (*roles[:at], "batch", *roles[at:])
    return View.of(_FRAME, split).reshaped(shape), apart


def _leading(sight: Sight, at: int) -> int:
    """The length of the first of several pieces of an axis."""
    if sight.view.lost:
        return 1
    pieces = [piece for piece in sight.view.axes[at] if piece.size > 1]
    return pieces[0].size if len(pieces) > 1 and pieces[0].axis != pieces[-1].axis else 1


# --- what completes it ------------------------------------------------------------------------


def go_on(
    findings: Findings, eqn: JaxprEqn, facts: Sequence[Fact], where: Where, is_bias: bool
) -> Data:
    """Data after an operation that takes a product: still a product, if that is all.

    Args:
        findings: what has been found; the site is moved on.
        eqn: the operation.
        facts: what is known of its operands.
        where: where it is.
        is_bias: whether what it adds is a bias.
    """
    at = next(n for n, f in enumerate(facts) if isinstance(f, Data) and f.product is not None)
    fact = facts[at]
    assert isinstance(fact, Data)
    product, name = fact.product, eqn.primitive.name
    assert product is not None
    if name in COPIES or (name == "convert_element_type" and _is_real(eqn)):
        return Data(product)
    if at == 0 and len(facts) == 1:
        changes = shape_changes(eqn) if name not in ("rev", "slice", "split") else None
        return Data() if changes is None else Data(product.changed(changes[0]))
    other = facts[1 - at] if len(facts) == 2 else None
    if not isinstance(other, Made) or shape_of(eqn.outvars[0]) != shape_of(eqn.invars[at]):
        return Data()
    if name == "mul" or (name == "div" and at == 0):
        return _normalized(findings, eqn, product, at, other, where)
    if name in ("add", "add_any") and is_bias:
        _complete(findings, product, Bias(other, 1 - at), at, where.scope.place(eqn))
    return Data()


def _is_real(eqn: JaxprEqn) -> bool:
    return bool(jnp.issubdtype(eqn.params["new_dtype"], jnp.inexact))


def _normalized(
    findings: Findings, eqn: JaxprEqn, product: Product, at: int, other: Made, where: Where
) -> Data:
    """A product times what is made of its own weight."""
    shape, place = shape_of(eqn.outvars[0]), where.scope.place(eqn)
    if not other.scaling.leaves & product.scaling.leaves:
        return Data()
    spread = {leaf: sight.spread(shape) for leaf, sight in other.sights.items()}
    sights = merged_sights(product.sights, spread)
    power = 1 if eqn.primitive.name == "mul" else -1
    scaling = product.scaling.times(scaling_of(other), power)
    site = findings.sites[product.site]
    findings.sites[product.site] = replace(
        site,
        place=place,
        operand=at,
        chain=(*site.chain, place),
        scaling=scaling,
        sights=sights,
        frame=product.frame,
    )
    return Data(replace(product, scaling=scaling, sights=sights))


def _complete(findings: Findings, product: Product, bias: Bias, at: int, place: Place) -> None:
    site = findings.sites[product.site]
    findings.sites[product.site] = replace(
        site,
        place=place,
        operand=at,
        chain=(*site.chain, place),
        sights=product.sights,
        frame=product.frame,
        bias=bias,
    )
