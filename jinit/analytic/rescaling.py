"""`jinit.autoinit`: weights scaled so that every linear layer's outcome has unit variance.

May import: the standard library, jax, NumPy, `jinit.checks`, and of `jinit.analytic` facts, known,
report, scaling, walk, world; of `jinit.tracing` opening, reading, summary; of `jinit.model`
ruleset, selectors and `jinit.model.targets.arrays`.
"""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jinit.analytic.facts import Chance, Fact, Index, Known
from jinit.analytic.known import as_known
from jinit.analytic.report import AutoinitReport, Rescaled
from jinit.analytic.scaling import Choice, Scaling, Slice
from jinit.analytic.walk import Walk
from jinit.analytic.world import World
from jinit.checks import check_choice, check_number, check_positive
from jinit.model.ruleset import RuleError
from jinit.model.selectors import as_selector
from jinit.model.targets.arrays import is_abstract
from jinit.tracing.opening import Opened
from jinit.tracing.reading import Reading, read_model
from jinit.tracing.summary import summarize

__all__ = ["autoinit"]

STATISTICS = ("rms", "std")

_LINEAR = ("conv", "conv_transpose", "dense", "depthwise", "einsum", "recurrent", "unknown")


def autoinit(
    apply: Any,
    params: Any,
    /,
    *inputs: Any,
    target: float = 1.0,
    statistic: str = "std",
    only: Any = None,
    input_mean: float = 0.0,
    input_std: float = 1.0,
    **kwargs: Any,
) -> tuple[Any, AutoinitReport]:
    """Scale weights so that every linear layer puts out unit variance: by analysis, without data.

    Use it where no formula fits: unusual activations, gates, mixtures, poolings, branches that
    join. Means and variances are followed through the program itself, from inputs that are
    independent `N(input_mean, input_std**2)`: linear operations by sums over the weights as they
    are, elementwise functions by quadrature, and so on (see `jinit.analytic`). Each weight W of a
    linear operation becomes `W * target / std(its outcome)`; the layers of a scanned stack each get
    their own scale, and a weight that is used again keeps the one of its first use. Biases and the
    scales of norms are left alone.

    Unit variance keeps a signal's size, not the angles between inputs: at a depth of 50, use
    residual branches, norms or orthogonal weights besides. With a batch of real data
    `jinit.lsuv` measures what is predicted here.

    Args:
        apply: `apply(params, *inputs, **kwargs)`, as `jinit.trace` takes it.
        params: what `apply` takes first, with values: a tree of arrays, Linen's variables, an NNX
            module or state, an Equinox module. They are not changed.
        *inputs: further arguments; arrays may be `jax.ShapeDtypeStruct`, as of floating ones only
            the shapes count. Integers stand for any, such as tokens; boolean arrays and numbers
            are what they are, such as masks; keys are random.
        target: what the statistic of each linear outcome is to be.
        statistic: "std", the standard deviation over inputs, positions and features together; or
            "rms", the root mean square.
        only: which weights: a selector, as `jinit.Rules` takes them, on path and role; or several.
        input_mean: mean of floating inputs.
        input_std: their standard deviation.
        **kwargs: keyword arguments of `apply`.

    Returns:
        Parameters of the same kind with their weights scaled, and the report.

    Raises:
        ValueError: `params` holds shapes without values, no parameter, or a weight that no scale
            brings to the target: it is zero or not finite, or its outcome is constant.
        jinit.RuleError: `only` selects no weight.

    >>> import jax, jax.numpy as jnp, jinit
    >>> def net(params, x):
    ...     return jax.nn.silu(x @ params["first"]) @ params["second"]
    >>> params = {"first": jnp.eye(64) * 3, "second": jnp.eye(64)}
    >>> params, report = jinit.autoinit(net, params, jax.ShapeDtypeStruct((8, 64), "float32"))
    >>> [f"{row.path} {row.scale:.4f}" for row in report.rows]
    ['first 0.3333', 'second 1.7872']

    Differences: the published AutoInit is a list of Keras layers, and takes every value's entries
    as independent; here operations of any program are followed, with what entries share.

    Reference: Bingham & Miikkulainen 2023 (arXiv:2109.08958), section 3; Yang 2019
    (arXiv:1910.12478), theorem 5.4, for any program in the limit of wide layers.
    """
    check_positive("target", target)
    check_choice("statistic", statistic, STATISTICS)
    check_number("input_mean", input_mean)
    check_positive("input_std", input_std)
    reading = read_model(apply, params, inputs, kwargs)
    _check_values(reading.params)
    scaling = Scaling(float(target), statistic, _selected(reading, only), _paths(reading.params))
    world = World(scaling, _reused(reading))
    facts = [*_parameters(reading.params), *_inputs(world, reading, input_mean, input_std)]
    Walk(world).through(reading.program, facts)
    _check_scaled(scaling)
    report = _report(world, reading.params)
    return reading.params.close(_rescaled(reading.params, scaling)), report


def _paths(opened: Opened) -> list[str]:
    return [paths[0] if paths else "" for paths in opened.paths]


def _check_values(opened: Opened) -> None:
    for value, paths in zip(opened.values, opened.paths, strict=True):
        if is_abstract(value) or isinstance(value, jax.core.Tracer):
            kind = "traced" if isinstance(value, jax.core.Tracer) else "a shape without values"
            name = repr(paths[0]) if paths else "an array that is no parameter"
            raise ValueError(
                f"{name} ({value.dtype}{list(value.shape)}) is {kind}, but scales follow from the "
                "weights that are there; draw them first, with jinit.initialize or the model's "
                "own init, outside of jit"
            )


def _selected(reading: Reading, only: Any) -> frozenset[int]:
    """The leaves that may be scaled."""
    opened = reading.params
    leaves = [number for number, paths in enumerate(opened.paths) if paths]
    if only is None:
        return frozenset(leaves)
    selectors = [as_selector(each) for each in (only if isinstance(only, list | tuple) else [only])]
    found: set[int] = set()
    for selector in selectors:
        hit = {leaf for leaf in leaves if any(map(selector, _selectable(reading, leaf)))}
        if not hit:
            known = ", ".join(repr(_paths(opened)[leaf]) for leaf in leaves[:8])
            raise RuleError(
                f"`only` has {selector!r}, which selects no parameter; there are {known}"
                f"{' and others' if len(leaves) > 8 else ''}"
            )
        found |= hit
    return frozenset(found)


def _selectable(reading: Reading, leaf: int) -> list[Any]:
    """The same as selectors ask for it; of what class its layer is, a program does not tell."""
    return [SimpleNamespace(**vars(use), layer=None) for use in _described(reading, leaf)]


def _reused(reading: Reading) -> frozenset[int]:
    """The leaves that are applied more than once, in loops or at several places."""
    leaves = range(len(reading.params.arrays))
    return frozenset(leaf for leaf in leaves if _uses(reading, leaf) > 1)


def _uses(reading: Reading, leaf: int) -> int:
    paths = reading.params.paths[leaf]
    if not paths:
        return 0
    use = _described(reading, leaf)[0]
    return sum(each.repetitions for each in use.uses if each.role in _LINEAR)


def _described(reading: Reading, leaf: int) -> list[Any]:
    """The uses of a leaf, under each of its paths."""
    records = [r for r in reading.ledger.records.values() if r.leaf == leaf]
    shape = tuple(reading.params.arrays[leaf].shape)
    return [summarize(path, shape, records) for path in reading.params.paths[leaf]]


# --- what goes in -----------------------------------------------------------------------------


def _parameters(opened: Opened) -> list[Fact]:
    return [
        _parameter(number, value) if paths else _state(value)
        for number, (value, paths) in enumerate(zip(opened.values, opened.paths, strict=True))
    ]


def _parameter(number: int, value: Any) -> Known:
    known = as_known(jax.device_get(value))
    if known.value.dtype.kind != "f":
        return known
    return Known(known.value, {frozenset((Slice(number),)): 1.0}, stacked=known.value.ndim > 1)


def _state(value: Any) -> Fact:
    """What a model holds besides parameters: running statistics, counters, keys."""
    if jnp.issubdtype(value.dtype, jax.dtypes.extended):
        return Chance()
    return as_known(jax.device_get(value))


def _inputs(world: World, reading: Reading, mean: float, std: float) -> list[Fact]:
    opened = reading.arguments
    return [
        _input(world, array, value, mean, std)
        for array, value in zip(opened.arrays, opened.values, strict=True)
    ]


def _input(world: World, array: Any, value: Any, mean: float, std: float) -> Fact:
    shape, dtype = tuple(array.shape), array.dtype
    if jnp.issubdtype(dtype, jax.dtypes.extended):
        return Chance()
    if not is_abstract(value) and (dtype.kind == "b" or not shape):
        return as_known(jax.device_get(value))
    places = world.axes.places(shape)
    if not jnp.issubdtype(dtype, jnp.floating):
        return Index(places, shape)
    names = frozenset(name for place in places for name in place)
    return world.signal(world.fresh(places, shape, mean, {names: std**2}))


# --- what comes out ---------------------------------------------------------------------------


def _check_scaled(scaling: Scaling) -> None:
    """Raise where a weight has no scale, although a linear operation takes it."""
    scaled = {part.leaf for choice in scaling.choices for part in choice.slices}
    missing = {leaf: why for leaf, why in scaling.failed.items() if leaf not in scaled}
    if not missing:
        return
    told = "; ".join(f"{scaling.paths[leaf]!r}: {why}" for leaf, why in sorted(missing.items()))
    raise ValueError(
        f"no scale brings these to a {scaling.statistic} of {scaling.target:g}: {told}. Draw them "
        "anew, or name the weights to scale with `only`"
    )


def _rescaled(opened: Opened, scaling: Scaling) -> list[Any]:
    found = []
    for number, value in enumerate(opened.values):
        scale = scaling.scaled(number, tuple(np.shape(value))) if opened.paths[number] else None
        found.append(value if scale is None else _times(value, scale))
    return found


def _times(value: Any, scale: Any) -> Any:
    """The product in at least float32, in the value's own type and place."""
    wide = value.dtype if value.dtype.itemsize >= 4 else np.dtype(np.float32)
    if isinstance(value, np.ndarray):
        return (value.astype(wide) * np.asarray(scale, wide)).astype(value.dtype)
    return (value.astype(wide) * jnp.asarray(scale, wide)).astype(value.dtype)


def _report(world: World, opened: Opened) -> AutoinitReport:
    scaling = world.scaling
    rows = tuple(row for choice in scaling.choices for row in _rows(choice, scaling.paths))
    taken = {row.path for row in rows}
    untouched = [paths[0] for paths in opened.paths if paths and paths[0] not in taken]
    return AutoinitReport(
        scaling.target,
        scaling.statistic,
        rows,
        tuple(scaling.outputs),
        tuple(world.approximations),
        tuple(untouched),
    )


def _rows(choice: Choice, paths: Sequence[str]) -> list[Rescaled]:
    return [
        Rescaled(
            paths[part.leaf],
            part.indices,
            choice.operation,
            choice.place,
            choice.before,
            choice.scale,
        )
        for part in sorted(choice.slices)
    ]
