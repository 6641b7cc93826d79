"""What is worked out of a model before any value is: what can be rescaled, where, and why not.

May import: the standard library, jax, `jinit.axes`, of `jinit.model` leaf, selectors, structure, of
`jinit.tracing` ledger, reading, summary, usage, and of `jinit.data_dependent` grouping, passes,
planning, remembering, sites, walking.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jinit.data_dependent.grouping import Grouping, group_parameters
from jinit.data_dependent.passes import Passes
from jinit.data_dependent.planning import Scheme, make_scheme
from jinit.data_dependent.remembering import remembered, structure_of
from jinit.data_dependent.sites import Findings
from jinit.data_dependent.walking import find_sites
from jinit.model.leaf import Leaf, as_leaves
from jinit.model.selectors import Selector
from jinit.model.structure import Slot
from jinit.tracing.ledger import Ledger
from jinit.tracing.reading import Reading, read_model
from jinit.tracing.summary import summarize
from jinit.tracing.usage import Use

__all__ = ["Options", "Prepared", "prepare"]

_VECTORS = ("bias", "embedding", "norm_bias", "norm_scale", "scale", "unused")


class Options(NamedTuple):
    """What a pass depends on, beside the model."""

    statistic: str
    per: str
    reuse: str
    center: bool
    only: tuple[Selector, ...]
    skip: tuple[Selector, ...]


@dataclass(frozen=True)
class Prepared:
    """What is known of a model.

    Attributes:
        passes: its passes.
        left: by path, why parameters stay as they are.
        not_centered: paths of weights to whose outcome no bias is added that could remove means.
        ledger: every use of a parameter.
    """

    passes: Passes
    left: Mapping[str, str]
    not_centered: tuple[str, ...]
    ledger: Ledger


def prepare(
    apply: Any, params: Any, batch: Sequence[Any], kwargs: Mapping[str, Any], options: Options
) -> Prepared:
    """All of that, or what was found when the same function had inputs of the same structure.

    Raises:
        ValueError: no weight can be rescaled, or none is selected.
    """
    structure = structure_of((params, tuple(batch), dict(kwargs)))
    key = None if structure is None else (structure, options)
    return remembered(apply, key, lambda: _prepared(apply, params, batch, kwargs, options))


def _prepared(
    apply: Any, params: Any, batch: Sequence[Any], kwargs: Mapping[str, Any], options: Options
) -> Prepared:
    reading = read_model(apply, params, batch, kwargs)
    findings = find_sites(reading)
    shapes = [tuple(array.shape) for array in reading.params.arrays]
    uses = _uses(reading)
    eligible = _eligible(reading, findings, uses, options)
    first = options.reuse == "first"
    grouping = group_parameters(findings, shapes, eligible, per=options.per, first=first)
    movable = [n for n, use in uses.items() if _is_real(reading, n)] if options.center else []
    scheme = make_scheme(
        findings, grouping.groups, shapes, per=options.per, movable=movable, first=first
    )
    left = _left(reading, findings, grouping, scheme, uses, eligible)
    if not scheme.groups:
        reasons = "".join(f"\n  {path}: {why}" for path, why in left.items() if why not in _VECTORS)
        raise ValueError(f"no weight of the model can be rescaled{':' if reasons else ''}{reasons}")
    values = (*reading.params.values, *reading.arguments.values)
    shardings = [_sharding_of(value) for value in values]
    passes = Passes(reading.program, scheme, options.statistic, shardings)
    return Prepared(passes, left, _not_centered(scheme, reading, options), reading.ledger)


def _uses(reading: Reading) -> dict[int, Use]:
    """What the model does with each parameter."""
    found = {}
    for number, (array, paths) in enumerate(
        zip(reading.params.arrays, reading.params.paths, strict=True)
    ):
        records = [r for r in reading.ledger.records.values() if r.leaf == number]
        if paths:
            found[number] = summarize(paths[0], tuple(array.shape), records)
    return found


def _eligible(
    reading: Reading, findings: Findings, uses: Mapping[int, Use], options: Options
) -> list[int]:
    """The parameters that may be rescaled."""
    leaves = _leaves(reading, uses)
    only = {n for n, leaf in leaves if any(selector(leaf) for selector in options.only)}
    skip = {n for n, leaf in leaves if any(selector(leaf) for selector in options.skip)}
    dtypes = {n: reading.params.arrays[n].dtype for n in only - skip}
    found = [n for n in sorted(dtypes) if jnp.issubdtype(dtypes[n], jnp.inexact)]
    taken = {leaf for site in findings for leaf in site.scaling.leaves}
    if taken and not taken & set(found):
        paths = ", ".join(reading.params.paths[n][0] for n in sorted(taken)[:5])
        raise ValueError(
            f"`only` (={options.only}) and `skip` (={options.skip}) leave no weight to rescale; "
            f"weights are {paths}"
        )
    return found


def _leaves(reading: Reading, uses: Mapping[int, Use]) -> list[tuple[int, Leaf]]:
    """The parameters as selectors see them, under each of their paths."""
    named = [(n, use, path) for n, use in uses.items() for path in reading.params.paths[n]]
    slots = [
        Slot(
            parts=tuple(path.split("/")) if path else (),
            shape=use.shape,
            dtype=jnp.dtype(reading.params.arrays[number].dtype),
            role=use.role,
            axes=use.axes if use.fans is not None else None,
            fans=use.fans,
            stack=use.stack_axes,
        )
        for number, use, path in named
    ]
    return list(zip([n for n, _, _ in named], as_leaves(slots), strict=True))


def _is_real(reading: Reading, number: int) -> bool:
    return bool(jnp.issubdtype(reading.params.arrays[number].dtype, jnp.floating))


def _sharding_of(value: Any) -> Any:
    """Where a parameter is, if it is on several devices."""
    sharding = value.sharding if isinstance(value, jax.Array) else None
    return sharding if sharding is not None and len(sharding.device_set) > 1 else None


# --- what stays as it is, and why -------------------------------------------------------------


def _left(
    reading: Reading,
    findings: Findings,
    grouping: Grouping,
    scheme: Scheme,
    uses: Mapping[int, Use],
    eligible: Sequence[int],
) -> dict[str, str]:
    found = {}
    paths = [names[0] if names else "" for names in reading.params.paths]
    for number, use in uses.items():
        if number in scheme.blocks or number in scheme.biases:
            continue
        is_weight = any(number in site.scaling.leaves for site in findings)
        if is_weight and number not in eligible:
            dtype = reading.params.arrays[number].dtype
            inexact = jnp.issubdtype(dtype, jnp.inexact)
            found[use.path] = "not selected" if inexact else f"of dtype {dtype}"
        elif others := _in_its_place(number, scheme, paths):
            found[use.path] = f"{', '.join(others)} takes up the scale"
        elif number in grouping.refused and (is_weight or use.role not in _VECTORS[:-1]):
            found[use.path] = grouping.refused[number]
        else:
            found[use.path] = _why(use, findings, number)
    return found


def _in_its_place(number: int, scheme: Scheme, paths: Sequence[str]) -> list[str]:
    """The parameters that are rescaled where this one has a part in the weight."""
    for decision in scheme.decisions:
        if number in decision.site.sights:
            return [paths[leaf] for leaf in decision.writes]
    return []


def _why(use: Use, findings: Findings, number: int) -> str:
    """The role of a parameter that is no weight of a linear layer, or what is done with it."""
    if use.role in _VECTORS:
        return use.role
    sites = [site for site in findings if number in site.sights]
    if sites:
        return f"its {sites[0].operation} does not depend on its scale"
    taken = sorted({u.operation for u in findings.uses.values() if number in u.made.sights})
    if taken:
        return f"taken by {', '.join(taken)}, not by a linear operation beside data"
    return "no data reach it"


def _not_centered(scheme: Scheme, reading: Reading, options: Options) -> tuple[str, ...]:
    if not options.center:
        return ()
    without = [d for d in scheme.decisions if d.shift is None]
    leaves = dict.fromkeys(leaf for decision in without for leaf in decision.writes)
    return tuple(reading.params.paths[leaf][0] for leaf in leaves)
