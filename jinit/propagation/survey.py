"""A survey of a model's program: where its layers, activations, residual sums and norms are.

May import: the standard library, jax, `jinit.axes`, `jinit.evaluation.evaluator`, and of
`jinit.tracing` atoms, calls, jaxprs, ledger, recognition, signals, views, and of
`jinit.propagation` units.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax.extend.core import JaxprEqn

from jinit.axes import Shape
from jinit.evaluation.evaluator import DERIVED
from jinit.propagation.units import last_axis, moved_units, unit_axes
from jinit.tracing.atoms import dtype_of, shape_of
from jinit.tracing.calls import CALLS
from jinit.tracing.jaxprs import inner_program
from jinit.tracing.ledger import Ledger, Place, Record, Scope
from jinit.tracing.recognition import recognize
from jinit.tracing.signals import Fact, Signal, Weights
from jinit.tracing.views import View

__all__ = ["Found", "Loop", "Survey"]

_LAYERS = frozenset(
    ("conv", "conv_transpose", "dense", "depthwise", "einsum", "embedding", "recurrent")
)
_SHIFTS = frozenset(("bias", "norm_bias", "norm_scale"))
_RESHAPES = frozenset(
    (
        "convert_element_type",
        "expand_dims",
        "reshape",
        "squeeze",
        "transpose",
        "sharding_constraint",
    )
)


class Loop(NamedTuple):
    """A scan: how many passes, and whether the last of its slices comes first."""

    length: int
    reverse: bool


@dataclass(frozen=True)
class Found:
    """A site as the survey finds it.

    Attributes:
        place: the operation.
        kind: "linear", "activation", "sum", "norm" or "other".
        operation: a role, an activation's name, a primitive's.
        leaf: the number of the parameter that it uses, or the last before it.
        level: how many weights there are on the way here.
        shape: of its outcome.
        dtype: of its outcome.
        channels: the axes of units.
        activation: of an activation, its values at the points of `GRID`, and its parameter.
    """

    place: Place
    kind: str
    operation: str
    leaf: int | None
    level: int
    shape: Shape
    dtype: Any
    channels: Shape
    activation: tuple[Any, float | None] | None = None


class _Value(NamedTuple):
    """An outcome of a site, with its axes in whatever order: the site, and the axes of units."""

    place: Place
    units: Shape


class Survey(Ledger):
    """A ledger that also keeps the sites.

    A layer's site is where its bias is added, if one is, and a norm's where its scale and bias are.

    Args:
        every: whether all operations on signals are sites.
    """

    def __init__(self, every: bool = False) -> None:
        super().__init__()
        self._every = every
        self._found: dict[Place, Found] = {}
        self._met: dict[Place, int] = {}  # every operation, in the order of the program
        self._first: dict[tuple[Hashable, ...], int] = {}  # and the first inside each call
        self._values: dict[int, _Value] = {}  # what comes out of sites, by its base
        self._made: dict[tuple[int, bytes], tuple[Place, JaxprEqn]] = {}  # functions of values
        self._entered_here: list[Record] = []
        self._recent: dict[int, Record] = {}  # by order; loops enter theirs twice
        self._loops: dict[Hashable, Loop] = {}
        self._endless: set[Hashable] = set()
        self._whole: dict[tuple[Hashable, ...], tuple[Place, JaxprEqn]] = {}

    # What the walk tells.

    def record(
        self, place: Hashable, view: View, role: str, scope: Scope, **known: Any
    ) -> Hashable:
        """Enter a use, and remember it for the operation at hand."""
        key = super().record(place, view, role, scope, **known)
        record = self.records[key]
        self._entered_here.append(record)
        self._recent.pop(record.order, None)
        self._recent[record.order] = record
        return key

    def see(
        self, eqn: JaxprEqn, facts: Sequence[Fact], outcome: Sequence[Fact], scope: Scope
    ) -> None:
        """Decide whether an operation is a site."""
        records, self._entered_here = self._entered_here, []
        place, name = scope.place(eqn), eqn.primitive.name
        self._meet(place)
        if name in CALLS or inner_program(eqn) is not None:
            self._see_call(eqn, place)
            return
        signal = outcome[0] if outcome else None  # `jax.debug.print` has none
        if not isinstance(signal, Signal) or not _is_floating(eqn):
            return
        self._classify(eqn, place, signal, facts, records)
        if self._every and place not in self._found:
            self._enter(eqn, place, "other", name, signal)
        if not signal.is_affine:
            self._made.setdefault((signal.base, signal.probe.tobytes()), (place, eqn))

    def finish(self, signal: Signal) -> frozenset[Hashable]:
        """Take a signal as it is: if it has been through an activation, that is a site.

        Functions of what no layer or norm leads to are none: a variance cut off at 0 is no layer's.
        """
        origin = None
        if not signal.is_affine:
            origin = self._made.get((signal.base, signal.probe.tobytes()))
        found = recognize(signal.probe) if origin is not None and signal.sources else None
        if origin is not None and found is not None:
            place, eqn = origin
            self._enter(eqn, place, "activation", found[0], signal)
            activation = (signal.probe, found[1])
            self._found[place] = replace(self._found[place], activation=activation)
        return super().finish(signal)

    # What came of it.

    def sites(self) -> list[Found]:
        """The sites in the order of the program; those inside one operation count as it."""
        found: dict[Place, Found] = {}
        for site in sorted(self._found.values(), key=lambda site: self._met[site.place]):
            if self._endless.isdisjoint(site.place.path):
                homed = self._homed(site)
                found.pop(homed.place, None)
                found[homed.place] = homed
        return [site for site in found.values() if jnp.issubdtype(site.dtype, jnp.floating)]

    def loops_around(self, place: Place) -> tuple[Loop, ...]:
        """The scans around an operation, the outermost first."""
        return tuple(self._loops[entry] for entry in place.path if entry in self._loops)

    def order_of(self, place: Place) -> tuple[int, ...]:
        """Numbers that sort operations as the program runs, with one for each scan's pass to come.

        Of each scan around the operation, the number of the scan; then the operation's own.
        """
        scans = [n for n, entry in enumerate(place.path) if entry in self._loops]
        return (*(self._first[place.path[: n + 1]] for n in scans), self._met[place])

    # How.

    def _meet(self, place: Place) -> None:
        number = self._met.setdefault(place, len(self._met))
        for n in range(len(place.path)):
            self._first.setdefault(place.path[: n + 1], number)

    def _see_call(self, eqn: JaxprEqn, place: Place) -> None:
        name = eqn.primitive.name
        if name == "scan":
            self._loops[id(eqn)] = Loop(eqn.params["length"], eqn.params["reverse"])
        elif name == "while":
            self._endless.add(id(eqn))
        elif name in DERIVED or name == "shard_map":
            self._whole[(*place.path, id(eqn))] = (place, eqn)

    def _classify(
        self,
        eqn: JaxprEqn,
        place: Place,
        signal: Signal,
        facts: Sequence[Fact],
        records: Sequence[Record],
    ) -> None:
        signals = [fact for fact in facts if isinstance(fact, Signal)]
        roles = {record.role for record in records}
        before = self._site_before(signals)
        if roles & _LAYERS:
            (role,) = sorted(roles & _LAYERS)[:1]
            self._enter(eqn, place, "linear", role, signal)
            units = unit_axes(eqn, [isinstance(fact, Weights) for fact in facts])
            self._found[place] = replace(self._found[place], channels=units)
            self._values[signal.base] = _Value(place, units)
        elif roles & _SHIFTS:
            if before is not None:
                self._move(eqn, before, place, signal)
            elif "bias" in roles:
                self._enter(eqn, place, "other", "sum", signal)  # of two layers, with a bias
        elif signal.has("normalized") and not any(one.has("normalized") for one in signals):
            self._enter(eqn, place, "norm", "norm", signal)
        elif signal.depth > max((one.depth for one in signals), default=0):
            self._enter(eqn, place, "sum", "sum", signal)
        elif before is not None and eqn.primitive.name in _RESHAPES:
            self._values[signal.base] = _Value(before.place, moved_units(eqn, before.units))

    def _site_before(self, signals: Sequence[Signal]) -> _Value | None:
        """The site's outcome that goes into an operation, and nothing else does."""
        if len(signals) != 1 or not signals[0].is_affine:
            return None
        return self._values.get(signals[0].base)

    def _enter(
        self, eqn: JaxprEqn, place: Place, kind: str, operation: str, signal: Signal
    ) -> None:
        record = self._last(signal, kind)
        shape = shape_of(eqn.outvars[0])
        self._found[place] = Found(
            place=place,
            kind=kind,
            operation=operation,
            leaf=None if record is None else record.leaf,
            level=signal.level,
            shape=shape,
            dtype=dtype_of(eqn.outvars[0]),
            channels=self._units_of(shape, record),
        )
        if kind != "activation":
            self._values[signal.base] = _Value(place, self._found[place].channels)

    def _move(self, eqn: JaxprEqn, before: _Value, place: Place, signal: Signal) -> None:
        """What follows belongs to the site before: it is measured here."""
        site = self._found.pop(before.place, None)
        if site is None:
            return
        self._found[place] = replace(
            site,
            place=place,
            shape=shape_of(eqn.outvars[0]),
            dtype=dtype_of(eqn.outvars[0]),
            channels=before.units,
        )
        self._values[signal.base] = _Value(place, before.units)

    def _last(self, signal: Signal, kind: str) -> Record | None:
        """The use that a signal comes from: the last layer or norm, or the last of all."""
        orders = {self.records[key].order for key in signal.sources if key in self.records}
        recent = [
            record
            for order, record in reversed(self._recent.items())
            if (order in orders if orders else (signal.uses >> order) & 1)
        ]
        main = [record for record in recent if record.role not in ("bias", "norm_bias")]
        own = [record for record in main if kind == "norm" and record.role == "norm_scale"]
        return next(iter(own or main or recent), None)

    def _units_of(self, shape: Shape, record: Record | None) -> Shape:
        """The axes of units, as in the last site of the same layer."""
        for site in reversed(self._found.values()):
            if record is not None and site.leaf == record.leaf and len(site.shape) == len(shape):
                return site.channels
        return last_axis(shape)

    def _homed(self, site: Found) -> Found:
        """The site as the operation that it is inside of, where that is one."""
        path = site.place.path
        for n in range(len(path)):
            if path[: n + 1] in self._whole:
                place, eqn = self._whole[path[: n + 1]]
                shape, dtype = shape_of(eqn.outvars[0]), dtype_of(eqn.outvars[0])
                channels = site.channels if len(shape) == len(site.shape) else last_axis(shape)
                return replace(site, place=place, shape=shape, dtype=dtype, channels=channels)
        return site


def _is_floating(eqn: JaxprEqn) -> bool:
    return bool(jnp.issubdtype(dtype_of(eqn.outvars[0]), jnp.floating))
