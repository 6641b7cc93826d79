"""Which parameters are rescaled together, by one number, and where it is decided.

May import: the standard library, and of `jinit.tracing` ledger, and of `jinit.data_dependent`
degrees, regions, sites.

A group is what makes a site's outcome follow a scale: mostly one kernel; the kernels that are
concatenated into one; a matrix and one factor of the low-rank product added to it. It must be
proportional in every other use as well, and under `reuse="first"` no use may come before the
site that decides.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from jinit.axes import Shape
from jinit.data_dependent.degrees import Exponents
from jinit.data_dependent.regions import parts_along
from jinit.data_dependent.sites import Findings, Site
from jinit.tracing.ledger import Place

__all__ = ["Group", "Grouping", "features", "group_parameters", "kept_axes"]


@dataclass
class Group:
    """Parameters that are rescaled together.

    Attributes:
        exponents: the power of the number that each is multiplied by.
        sites: what decides on it, first come first served, by their own place.
        axes: by parameter, the axes along which there are numbers of their own.
        channels: of these, the axes of outputs.
    """

    exponents: Exponents
    sites: dict[Place, Site] = field(default_factory=dict)
    axes: dict[int, frozenset[int]] = field(default_factory=dict)
    channels: dict[int, frozenset[int]] = field(default_factory=dict)

    @property
    def chains(self) -> frozenset[Place]:
        """All places where its sites are in the making."""
        return frozenset(place for site in self.sites.values() for place in site.chain)


@dataclass(frozen=True)
class Grouping:
    """All groups of a model, and why other parameters are in none."""

    groups: Sequence[Group]
    refused: Mapping[int, str]


def group_parameters(
    findings: Findings,
    shapes: Sequence[Shape],
    eligible: Collection[int],
    *,
    per: str,
    first: bool,
) -> Grouping:
    """Groups of parameters of which all uses follow a scale.

    Args:
        findings: sites and uses.
        shapes: the shapes of all parameters.
        eligible: the parameters that may be rescaled.
        per: "layer", "channel" or "expert".
        first: whether the first use decides.
    """
    refused = dict(findings.frozen)
    while True:
        free = {leaf for leaf in eligible if leaf not in refused}
        groups, without = _assigned(findings, shapes, free, per)
        broken: dict[int, str] = {}
        for group in groups:
            reason = _objection(findings, group, first)
            if reason:
                broken |= dict.fromkeys(group.exponents, reason)
        if not broken:
            parted = [_parted(findings, shapes, group) for group in groups]
            return Grouping(parted, refused | without)
        refused |= broken


def _assigned(
    findings: Findings, shapes: Sequence[Shape], free: Collection[int], per: str
) -> tuple[list[Group], dict[int, str]]:
    """Groups by the sites that decide on them, in order; and what no site can decide on."""
    group_of: dict[int, Group] = {}
    groups: list[Group] = []
    without: dict[int, str] = {}
    for site in findings:
        known = [group_of[leaf] for leaf in site.scaling.leaves if leaf in group_of]
        group = next((g for g in known if _decides(site, g, per)), None)
        if group is None:
            left = [n for n in site.scaling.leaves if n in free and n not in group_of]
            founded = _founded(site, shapes, left, per)
            if isinstance(founded, str):
                without |= {leaf: founded for leaf in left if leaf not in without}
                continue
            group = founded
            groups.append(group)
            group_of |= dict.fromkeys(group.exponents, group)
        group.sites[site.chain[0]] = site
    return groups, {leaf: reason for leaf, reason in without.items() if leaf not in group_of}


def _decides(site: Site, group: Group, per: str) -> bool:
    """Whether a site's outcome follows the number of a group that another has founded."""
    if site.scaling.degree_along(group.exponents) != 1 or site.scaling.broken_by(group.exponents):
        return False
    there = [leaf for leaf in group.exponents if leaf in site.sights]
    return all(features(site, leaf, per) == group.channels[leaf] for leaf in there)


def _founded(site: Site, shapes: Sequence[Shape], left: Sequence[int], per: str) -> Group | str:
    """A new group, or why there is none."""

    def rank(leaf: int) -> tuple[bool, int, int]:
        return features(site, leaf, per) is None, -math.prod(shapes[leaf]), leaf

    exponents = site.scaling.solve(sorted(left, key=rank))
    if exponents is None:
        return _not_proportional(site)
    channels = {leaf: features(site, leaf, per) for leaf in exponents}
    if None in channels.values():
        return (
            f"the {_UNITS[per]} of its {site.operation} do not lie along axes of its own; "
            'per="layer" rescales it'
        )
    known = {leaf: axes for leaf, axes in channels.items() if axes is not None}
    return Group(exponents, channels=known)


_UNITS = {"channel": "channels", "expert": "experts", "layer": "features"}


def _not_proportional(site: Site) -> str:
    operations = sorted({tie.operation for tie in site.scaling.ties})
    if not operations:
        return f"its {site.operation} does not depend on its scale"
    through = ", ".join(operations)
    return f"its {site.operation} is not proportional to it, as it also goes through {through}"


# --- features of an outcome -------------------------------------------------------------------


def kept_axes(site: Site, per: str) -> frozenset[int]:
    """The axes of a site's frame along which there are numbers of their own."""
    roles = {"layer": (), "channel": ("batch", "out"), "expert": ("batch",)}[per]
    return frozenset(axis for axis, role in enumerate(site.roles) if role in roles)


def features(site: Site, leaf: int, per: str) -> frozenset[int] | None:
    """A parameter's axes along these; None if not all of them are axes of its own."""
    kept = kept_axes(site, per)
    if site.operation == "ragged_dot_general" and per != "layer":
        return None
    if not kept:
        return frozenset()
    sight = site.sights.get(leaf)
    if sight is None or sight.view.lost:
        return None
    found: set[int] = set()
    for place, frame in enumerate(site.frame.axes):
        if not any(piece.axis in kept and piece.size > 1 for piece in frame):
            continue
        pieces = [piece for piece in sight.view.axes[place] if piece.size > 1]
        axes = {piece.axis for piece in pieces}
        if None in axes or axes & sight.blurred or not axes:
            return None
        found |= {axis for axis in axes if axis is not None}
    summed = {piece.axis for piece in sight.summed if piece.size > 1}
    return None if found & summed else frozenset(found)


# --- what a group must not break --------------------------------------------------------------


def _objection(findings: Findings, group: Group, first: bool) -> str:
    """Why a group cannot be; empty if it can."""
    uses, sites = findings.involving(group.exponents)
    scalings = [(use.operation, use.made.scaling) for use in uses]
    for operation, scaling in scalings + [(site.operation, site.scaling) for site in sites]:
        tie = scaling.broken_by(group.exponents)
        if tie is not None:
            return f"also goes through {tie.operation} into {operation}, which follows no scale"
    for use in uses:
        for leaf, axes in group.channels.items():
            if leaf in use.made.sights and axes & use.made.sights[leaf].blurred:
                return f'its outputs cannot be told apart in {use.operation}; try per="layer"'
    if len(group.exponents) > 1 and _apart(group):
        return "made of parameters of which some belong to one layer and others to several"
    return _too_early(findings, group) if first else ""


def _too_early(findings: Findings, group: Group) -> str:
    chains, order = group.chains, min(site.order for site in group.sites.values())
    for use in findings.involving(group.exponents)[0]:
        if use.place in chains or use.order > order:
            continue
        if use.made.scaling.degree_along(group.exponents):
            return f'first used, as it is, by {use.operation}; reuse="all" rescales it'
    return ""


def _apart(group: Group) -> bool:
    """Whether of several parameters not all are taken at the same positions."""
    for site in group.sites.values():
        sources = {
            frozenset(pick.source for pick in site.sights[leaf].picks)
            for leaf in group.exponents
            if leaf in site.sights
        }
        if len(sources) > 1:
            return True
    return False


# --- parts ------------------------------------------------------------------------------------


def _parted(findings: Findings, shapes: Sequence[Shape], group: Group) -> Group:
    """The group with the axes along which uses take different parts of a parameter."""
    for leaf in group.exponents:
        uses, _ = findings.involving([leaf])
        sights = [use.made.sights[leaf] for use in uses if leaf in use.made.sights]
        parts = {
            axis for axis, size in enumerate(shapes[leaf]) if size > 1 and parts_along(axis, sights)
        }
        group.axes[leaf] = group.channels[leaf] | parts
    return group
