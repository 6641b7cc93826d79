"""The instrument: a model read, and the compiled programs that measure it, kept for next time.

May import: the standard library, jax, and of `jinit.model.targets` arrays, and of `jinit.tracing`
opening, reading, and of `jinit.propagation` meter, outcome, probing, sites, survey.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jinit.axes import Shape
from jinit.model.targets.arrays import is_array
from jinit.propagation.meter import Meter, Model
from jinit.propagation.outcome import Outcome
from jinit.propagation.probing import Ends, Prober
from jinit.propagation.sites import end_sites, inner_sites
from jinit.propagation.survey import Survey
from jinit.tracing.reading import Reading, as_function, read_model

__all__ = ["Call", "Instrument", "Options", "instrument_for"]

_KEPT = 16  # models whose programs are remembered
_STEPS = 24  # of the Lanczos process


class Call(NamedTuple):
    """A model and what it is called with."""

    apply: Any
    params: Any
    inputs: tuple[Any, ...]
    kwargs: Mapping[str, Any]


class Options(NamedTuple):
    """What is to be measured."""

    loss: Callable[[Any], Any] | None
    backward: bool
    every: bool
    batch_axis: int | None


@dataclass(frozen=True)
class Instrument:
    """What measures a model.

    Attributes:
        model: the model.
        meter: measures it.
        prober: finds spectra of its Jacobian; None where no floating input leads to an output.
        paths: of the parameters that are measured.
        shapes: of these.
        batch: how many inputs there are.
        opaque: operations that could not be followed.
    """

    model: Model
    meter: Meter
    prober: Prober | None
    paths: tuple[str, ...]
    shapes: tuple[Shape, ...]
    batch: int | None
    opaque: tuple[str, ...]


_instruments: OrderedDict[Hashable, Instrument] = OrderedDict()


def instrument_for(call: Call, options: Options) -> Instrument:
    """The instrument for a model: the one made before, for a call that differs in values alone."""
    key = _signature(call, options)
    if key is None:
        return _made(call, options)
    if key not in _instruments:
        _instruments[key] = _made(call, options)
        while len(_instruments) > _KEPT:
            _instruments.popitem(last=False)
    _instruments.move_to_end(key)
    return _instruments[key]


def _signature(call: Call, options: Options) -> Hashable | None:
    """What programs depend on; None where that cannot be compared."""
    leaves, structure = jax.tree.flatten((call.params, call.inputs, dict(call.kwargs)))
    first: dict[int, int] = {}
    told = [
        (jnp.shape(leaf), str(leaf.dtype), first.setdefault(id(leaf), number))
        if is_array(leaf)
        else (type(leaf), leaf)
        for number, leaf in enumerate(leaves)
    ]
    x64 = jax.config.jax_enable_x64
    signature = (_hashable(call.apply), structure, tuple(told), options, x64)
    return signature if _is_hashable(signature) else None


class _Itself:
    """A thing that equals itself alone."""

    def __init__(self, thing: Any) -> None:
        self._thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and self._thing is other._thing

    def __hash__(self) -> int:
        return id(self._thing)


def _hashable(function: Any) -> Hashable:
    """What a function is compared by: a method by its object, what cannot be hashed by identity."""
    owner = getattr(function, "__self__", None)
    method = getattr(function, "__func__", None)
    if method is not None and _is_hashable(owner):
        return method, owner  # methods of equal modules are unequal themselves
    return function if _is_hashable(function) else _Itself(function)


def _is_hashable(thing: Any) -> bool:
    try:
        hash(thing)
    except TypeError:
        return False
    return True


def _made(call: Call, options: Options) -> Instrument:
    outcome, survey = Outcome(), Survey(options.every)
    function = outcome.watching(as_function(call.apply, call.params))
    reading = read_model(function, call.params, call.inputs, call.kwargs, ledger=survey)
    model, batch = _model(reading, survey, outcome, options)
    paths = [reading.params.paths[place][0] for place in model.weights]
    shapes = [tuple(reading.params.arrays[place].shape) for place in model.weights]
    return Instrument(
        model=model,
        meter=Meter(model, backward=options.backward),
        prober=_prober(model, options.batch_axis, batch),
        paths=tuple(paths),
        shapes=tuple(shapes),
        batch=batch,
        opaque=tuple(survey.opaque),
    )


def _model(
    reading: Reading, survey: Survey, outcome: Outcome, options: Options
) -> tuple[Model, int | None]:
    axis, loss = options.batch_axis, options.loss
    batch = _batch_size(reading.arguments.arrays, axis)
    count = len(reading.params.arrays)
    results: list[Any] = [atom.aval for atom in reading.program.jaxpr.outvars]
    weights = [
        place
        for place, array in enumerate(reading.params.arrays)
        if reading.params.paths[place] and jnp.issubdtype(array.dtype, jnp.floating)
    ]
    model = Model(
        program=reading.program,
        weights=tuple(weights),
        stacks=tuple(_stack(survey, place) for place in weights),
        inputs=tuple(end_sites("input", reading.arguments.arrays, axis, batch, count)),
        inner=tuple(inner_sites(reading, survey, batch)),
        outputs=tuple(end_sites("output", results, axis, batch)),
        objective=None if loss is None else lambda arrays: _loss(loss, outcome.close(arrays)),
    )
    if options.backward and loss is None and not model.outputs:
        told = ", ".join(f"{a.dtype.name}{list(a.shape)}" for a in results) or "no array"
        raise ValueError(
            f"there is no gradient of what the model returns ({told}); return a floating array, or "
            "pass `backward=False`"
        )
    return model, batch


def _prober(model: Model, axis: int | None, batch: int | None) -> Prober | None:
    if not (model.inputs and model.outputs):
        return None
    ends = (*model.inputs, *model.outputs)
    together = axis if batch and all(site.batch is not None for site in ends) else None
    inputs = tuple(site.place.operation for site in model.inputs)
    outputs = tuple(site.place.operation for site in model.outputs)
    return Prober(model.program, Ends(inputs, outputs, together), _STEPS)


def _stack(survey: Survey, leaf: int) -> Shape:
    """The axes of a parameter that scans go along."""
    stacks = {axis for r in survey.records.values() if r.leaf == leaf for axis in r.stack}
    return tuple(sorted(stacks))


def _batch_size(arrays: Sequence[Any], axis: int | None) -> int | None:
    """How long the first input is along the axis of the batch; floating inputs go before others."""
    if axis is None:
        return None
    fitting = [a for a in arrays if len(a.shape) > axis and not jnp.issubdtype(a.dtype, _OTHERS)]
    floating = [array for array in fitting if jnp.issubdtype(array.dtype, jnp.floating)]
    first = next(iter(floating or fitting), None)
    return None if first is None else int(first.shape[axis])


_OTHERS = jax.dtypes.extended


def _loss(loss: Callable[[Any], Any], outcome: Any) -> Any:
    value = loss(outcome)
    shape, dtype = jnp.shape(value), jnp.result_type(value)
    if shape or not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(
            f"`loss` must return one floating number; it returns {dtype.name}{list(shape)}"
        )
    return value
