"""What is to be done at which operation, once it is known which parameters are rescaled.

May import: the standard library, NumPy, `jinit.axes`, and of `jinit.tracing` ledger, pieces, and of
`jinit.data_dependent` blocks, facts, grouping, moments, sites.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from jinit.axes import Shape
from jinit.data_dependent.blocks import Block, Index, index_of, lay_out
from jinit.data_dependent.grouping import Group, kept_axes
from jinit.data_dependent.moments import Layout, layout_of
from jinit.data_dependent.sites import Findings, Site, Where
from jinit.tracing.ledger import Place
from jinit.tracing.pieces import Piece, Pieces, extent

__all__ = ["Actions", "Correction", "Decision", "Scheme", "Shift", "make_scheme"]


@dataclass(frozen=True)
class Correction:
    """An operand made of parameters that are rescaled elsewhere.

    Attributes:
        operand: which.
        index: where their number is.
        exponent: the power of it that the operand is multiplied by.
    """

    operand: int
    index: Index
    exponent: Fraction


@dataclass(frozen=True)
class Shift:
    """A bias by which means are removed.

    Attributes:
        leaf: the parameter.
        operand: which operand it is.
        index: where its entries are, in a vector of their own.
        layout: the outcome, with means kept along the bias's axes.
    """

    leaf: int
    operand: int
    index: Index
    layout: Layout


@dataclass(frozen=True)
class Decision:
    """A site, and what is decided there.

    Attributes:
        site: the site.
        group: the number of its group.
        layout: its outcome.
        writes: by parameter, where the numbers are that are decided.
        read: where one of them is, in the outcome's shape.
        reused: whether numbers are decided on here that are taken again.
        pooled: whether all uses together decide, and this one is measured only.
        shift: the bias that removes means.
    """

    site: Site
    group: int
    layout: Layout
    writes: Mapping[int, Index]
    read: Index
    reused: bool = False
    pooled: bool = False
    shift: Shift | None = None

    @property
    def once(self) -> bool:
        """Whether what is decided on here is decided nowhere else, and never before."""
        by_slice = any(not isinstance(pick.source, int) for _, pick in self.read.moving)
        return not (self.reused or by_slice or self.site.where.looped)

    @cached_property
    def numbers(self) -> Any:
        """Where the numbers are that differ: an axis for each pick, one for features, or none."""
        fixed = np.broadcast_to(self.read.fixed, self.layout.apart)
        return Index(self.layout.pick(fixed), self.read.moving).table()


@dataclass
class Actions:
    """All that is to be done at one operation."""

    corrections: list[Correction] = field(default_factory=list)
    decision: Decision | None = None
    position: int | None = None


@dataclass(frozen=True)
class Scheme:
    """All that is to be done.

    Attributes:
        groups: parameters by group.
        blocks: by parameter, the part of the vector of scales that belongs to it.
        biases: by parameter, the part of the vector of shifts that belongs to it.
        actions: by operation.
        positions: how many slices there are whose positions are noted as the program runs.
        lengths: by operation that needs them, the lengths of the scans around.
    """

    groups: Sequence[Group]
    blocks: Mapping[int, Block]
    biases: Mapping[int, Block]
    actions: Mapping[Place, Actions]
    positions: Mapping[Place, int]
    lengths: Mapping[Place, Shape]

    @property
    def size(self) -> int:
        """The length of the vector of scales."""
        return sum(block.size for block in self.blocks.values())

    @property
    def n_shifts(self) -> int:
        """The length of the vector of shifts."""
        return sum(block.size for block in self.biases.values())

    @property
    def decisions(self) -> list[Decision]:
        """All decisions, in the order of the program."""
        found = [a.decision for a in self.actions.values() if a.decision is not None]
        return sorted(found, key=lambda decision: decision.site.order)


def make_scheme(
    findings: Findings,
    groups: Sequence[Group],
    shapes: Sequence[Shape],
    *,
    per: str,
    movable: Collection[int],
    first: bool,
) -> Scheme:
    """What to do at which operation.

    Args:
        findings: sites and uses.
        groups: what is rescaled together.
        shapes: the shapes of all parameters.
        per: "layer", "channel" or "expert".
        movable: the biases through which means are removed.
        first: whether the first use decides.
    """
    blocks = lay_out({leaf: axes for g in groups for leaf, axes in g.axes.items()}, shapes)
    removing = _removing(findings, groups, movable)
    whole = {leaf: frozenset(range(len(shapes[leaf]))) for leaf in removing.values()}
    biases = lay_out(whole, shapes)
    scheme = Scheme(groups, blocks, biases, {}, {p: n for n, p in enumerate(findings.slices)}, {})
    builder = _Builder(scheme, {}, {})
    for place, number in scheme.positions.items():
        builder.at(place).position = number
    for number, group in enumerate(groups):
        reused = _is_reused(findings, group, blocks)
        for site in group.sites.values():
            found = builder.decision(site, number, per, removing.get(number))
            builder.at(site.place, site.where).decision = replace(
                found, reused=reused, pooled=reused and not first
            )
        builder.correct(findings, group)
    return Scheme(groups, blocks, biases, builder.actions, scheme.positions, builder.lengths)


@dataclass
class _Builder:
    scheme: Scheme
    actions: dict[Place, Actions]
    lengths: dict[Place, Shape]

    def at(self, place: Place, where: Where | None = None) -> Actions:
        if where is not None and where.lengths:
            self.lengths[place] = where.lengths
        return self.actions.setdefault(place, Actions())

    def decision(self, site: Site, number: int, per: str, bias: int | None) -> Decision:
        """At a site, its group's number is found, or taken if it is known."""
        kept, blocks = kept_axes(site, per), self.scheme.blocks
        layout = layout_of(site.frame.axes, kept)
        there = [leaf for leaf in self.scheme.groups[number].exponents if leaf in site.sights]
        writes = {leaf: index_of(blocks[leaf], site.sights[leaf], summed=True) for leaf in there}
        read = _read(index_of(blocks[there[0]], site.sights[there[0]]), layout.apart)
        shift = None if bias is None else self._shift(site, bias)
        return Decision(site, number, layout, writes, read, shift=shift)

    def _shift(self, site: Site, leaf: int) -> Shift:
        assert site.bias is not None
        sight = site.bias.made.sights[leaf]
        pieces = [piece for pieces in sight.view.axes for piece in pieces]
        kept = frozenset(piece.axis for piece in pieces if piece.axis is not None)
        layout = layout_of(_wide_axes(sight.view.axes, site), kept)
        return Shift(leaf, site.bias.operand, index_of(self.scheme.biases[leaf], sight), layout)

    def correct(self, findings: Findings, group: Group) -> None:
        """At every other use, the operand is what it will be when its parameters are rescaled."""
        chains, blocks = group.chains, self.scheme.blocks
        for use in findings.involving(group.exponents)[0]:
            exponent = use.made.scaling.degree_along(group.exponents)
            if not exponent or use.place in chains:
                continue
            degrees = dict(use.made.scaling.degree)
            leaf = next(n for n in group.exponents if degrees.get(n))
            index = index_of(blocks[leaf], use.made.sights[leaf])
            found = Correction(use.operand, index, exponent)
            self.at(use.place, use.where).corrections.append(found)


def _wide_axes(axes: Sequence[Pieces], site: Site) -> list[Pieces]:
    """A bias's axes in the outcome that it is added to, where it may be longer than the bias."""
    return [
        pieces if extent(pieces) == extent(frame) else (Piece(None, 0, extent(frame)),)
        for pieces, frame in zip(axes, site.frame.axes, strict=True)
    ]


def _read(index: Index, apart: Shape) -> Index:
    """The index along axes where numbers differ, the first elsewhere."""
    ndim = len(apart)
    if index.fixed.ndim != ndim:
        return Index(index.fixed.reshape(-1)[:1].reshape((1,) * ndim), index.moving)
    first = tuple(slice(None) if size > 1 else slice(0, 1) for size in apart)
    return Index(index.fixed[first], index.moving)


def _removing(
    findings: Findings, groups: Sequence[Group], movable: Collection[int]
) -> dict[int, int]:
    """By group, the bias that all of its sites add, and nothing else uses."""
    found = {}
    for number, group in enumerate(groups):
        sites = list(group.sites.values())
        added = {_pure_bias(site) for site in sites}
        leaf = added.pop() if len(added) == 1 else None
        places = {site.place for site in sites}
        if (
            leaf is not None
            and leaf in movable
            and all(
                use.place in places
                for use in findings.involving([leaf])[0]
                if leaf in use.made.sights
            )
        ):
            found[number] = leaf
    taken = list(found.values())
    return {number: leaf for number, leaf in found.items() if taken.count(leaf) == 1}


def _pure_bias(site: Site) -> int | None:
    if site.bias is None or not site.bias.made.pure or len(site.bias.made.sights) != 1:
        return None
    ((leaf, sight),) = site.bias.made.sights.items()
    return None if sight.blurred else leaf


def _is_reused(findings: Findings, group: Group, blocks: Mapping[int, Block]) -> bool:
    """Whether any of a group's numbers has a part in more than one use."""
    met: dict[int, int] = {}
    for covered, repeats in _coverings(findings, group, blocks):
        for number in covered:
            met[number] = met.get(number, 0) + repeats
    return any(count > 1 for count in met.values())


def _coverings(
    findings: Findings, group: Group, blocks: Mapping[int, Block]
) -> Iterator[tuple[Sequence[int], int]]:
    """Of each use: the numbers it takes, and how often it is passed with each."""
    leaf = next(iter(group.exponents))
    products = {site.chain[0] for site in group.sites.values()}
    for use in findings.involving(group.exponents)[0]:
        sight = use.made.sights.get(leaf)
        scaled = use.made.scaling.degree_along(group.exponents)
        if sight is None or not scaled or (use.place in group.chains - products):
            continue
        index = index_of(blocks[leaf], sight)
        levels = {pick.source for _, pick in index.moving if isinstance(pick.source, int)}
        by_slice = any(not isinstance(pick.source, int) for _, pick in index.moving)
        repeats = 2 if use.where.looped and not by_slice else 1
        for level, length in enumerate(use.where.lengths):
            repeats *= 1 if level in levels or by_slice else length
        yield index.every().tolist(), repeats
