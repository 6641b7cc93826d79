"""Arrays that are there, through the operations on them; and to which powers they scale.

May import: the standard library, jax, NumPy, and of `jinit.analytic` facts; `jinit.evaluation`
evaluator; of `jinit.tracing` functions.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from jax.extend.core import JaxprEqn

from jinit.analytic.facts import Known
from jinit.evaluation.evaluator import run_operation
from jinit.tracing.atoms import dtype_of, shape_of
from jinit.tracing.functions import apply_elementwise

__all__ = ["as_known", "computed", "one_slice"]

Degrees: TypeAlias = Mapping[frozenset[Hashable], float]

_SHAPES: Mapping[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "broadcast_in_dim": lambda x, p: _broadcast(x, p["shape"], p["broadcast_dimensions"]),
    "copy": lambda x, p: x,
    "reshape": lambda x, p: (
        x if p.get("dimensions") is None else np.transpose(x, p["dimensions"])
    ).reshape(p["new_sizes"]),
    "squeeze": lambda x, p: np.squeeze(x, tuple(p["dimensions"])),
    "stop_gradient": lambda x, p: x,
    "transpose": lambda x, p: np.transpose(x, p["permutation"]),
}

# The outcome scales as the first operand does.
_LINEAR = frozenset(
    (
        *_SHAPES,
        "convert_element_type",
        "cumsum",
        "dynamic_slice",
        "gather",
        "neg",
        "pad",
        "real",
        "reduce_max",
        "reduce_min",
        "reduce_precision",
        "reduce_sum",
        "rev",
        "slice",
        "sort",
        "split",
    )
)
_ALIKE = frozenset(("add", "add_any", "concatenate", "max", "min", "sub"))
_PRODUCTS = frozenset(("conv_general_dilated", "dot_general", "mul"))
_POWERS = {"abs": 1.0, "rsqrt": -0.5, "sqrt": 0.5, "square": 2.0}
_IN_PLACE = frozenset(
    ("convert_element_type", "copy", "div", "mul", "neg", "reduce_precision", "stop_gradient")
)


def as_known(value: Any) -> Known:
    """A constant; of the small floating types, in float32."""
    return Known(_wide(np.asarray(value)))


def computed(eqn: JaxprEqn, facts: Sequence[Known]) -> list[Known]:
    """The outcome of an operation on arrays that are there."""
    layer = _layer(eqn, facts)
    if layer is not None:
        return [layer]
    degrees, stacked = _degrees(eqn, facts), _stacked(eqn, facts)
    values = (_wide(np.asarray(value)) for value in _values(eqn, facts))
    return [Known(value, degrees, stacked) for value in values]


def _layer(eqn: JaxprEqn, facts: Sequence[Known]) -> Known | None:
    """One layer of a stack, where an operation takes it out; otherwise None."""
    name, known = eqn.primitive.name, facts[0] if facts else None
    if known is None or not known.stacked or name not in ("dynamic_slice", "slice"):
        return None
    shape = shape_of(eqn.outvars[0])
    if shape != (1, *known.shape[1:]) or len(shape) < 2 or known.shape[0] == 1:
        return None
    if name == "slice":
        return one_slice(known, int(eqn.params["start_indices"][0]), keep=True)
    start = int(np.clip(int(facts[1].value), 0, known.shape[0] - 1))
    return one_slice(known, start, keep=True)


def _wide(array: Any) -> Any:
    return array.astype(np.float32) if array.dtype.kind == "V" else array


def _stacked(eqn: JaxprEqn, facts: Sequence[Known]) -> bool:
    """Whether the first axis is still the parameters' own."""
    owners = [fact for fact in facts if fact.degrees]
    same = len(owners) == 1 and owners[0].shape == shape_of(eqn.outvars[0])
    return same and owners[0].stacked and eqn.primitive.name in _IN_PLACE


def one_slice(known: Known, step: int, *, keep: bool = False) -> Known:
    """One entry along the first axis: a layer of a stack."""
    value = known.value[step : step + 1] if keep else known.value[step]
    if not known.stacked:
        return Known(value, known.degrees)
    degrees = {
        frozenset(part._replace(indices=(*part.indices, step)) for part in slices): degree  # type: ignore[attr-defined]
        for slices, degree in known.degrees.items()
    }
    return Known(value, degrees, stacked=not keep)


def _values(eqn: JaxprEqn, facts: Sequence[Known]) -> Sequence[Any]:
    name, arrays = eqn.primitive.name, [fact.value for fact in facts]
    if name in _SHAPES and len(arrays) == 1:
        return [_SHAPES[name](arrays[0], eqn.params)]
    wide = all(array.dtype.kind == "f" for array in arrays) and name != "convert_element_type"
    if wide and arrays:
        value = apply_elementwise(name, eqn.params, arrays)
        if value is not None and np.shape(value) == shape_of(eqn.outvars[0]):
            return [value]
    return [np.asarray(value) for value in run_operation(eqn, _as_declared(eqn, arrays))]


def _as_declared(eqn: JaxprEqn, arrays: Sequence[Any]) -> list[Any]:
    """The arrays in the types that the program has."""
    pairs = zip(eqn.invars, arrays, strict=True)
    return [np.asarray(array).astype(dtype_of(atom)) for atom, array in pairs]


def _broadcast(array: Any, shape: Sequence[int], positions: Sequence[int]) -> Any:
    spread = [1] * len(shape)
    for size, position in zip(array.shape, positions, strict=True):
        spread[position] = size
    return np.broadcast_to(array.reshape(spread), shape)


# --- degrees ----------------------------------------------------------------------------------


def _degrees(eqn: JaxprEqn, facts: Sequence[Known]) -> Degrees:
    found = [fact.degrees for fact in facts]
    if not any(found):
        return {}
    name = eqn.primitive.name
    if name in _LINEAR:
        return found[0] if not any(found[1:]) else _spoiled(found)
    if name in _PRODUCTS:
        return _summed(found[0], found[1])
    if name == "div":
        return _summed(found[0], {slices: -degree for slices, degree in found[1].items()})
    if name in _ALIKE:
        return _alike(facts)
    power = _power(name, eqn, facts)
    if power is None:
        return _spoiled(found)
    return {slices: degree * power for slices, degree in found[0].items()}


def _power(name: str, eqn: JaxprEqn, facts: Sequence[Known]) -> float | None:
    if name == "integer_pow":
        return float(eqn.params["y"])
    if name == "pow" and not facts[1].degrees and facts[1].constant is not None:
        return float(facts[1].constant)
    return _POWERS.get(name)


def _summed(one: Degrees, other: Degrees) -> Degrees:
    """Of a product."""
    found = dict(one)
    for slices, degree in other.items():
        found[slices] = found.get(slices, 0.0) + degree
    return found


def _alike(facts: Sequence[Known]) -> Degrees:
    """Of a sum: what all summands have in common, or make up together."""
    found = [fact.degrees for fact in facts if fact.degrees or np.any(fact.value)]
    merged = found[0]
    for other in found[1:]:
        merged = _shared(merged, other)
    return merged or _spoiled([fact.degrees for fact in facts])


def _shared(one: Degrees, other: Degrees) -> Degrees:
    return {
        a | b: degree for a, degree in one.items() for b, power in other.items() if degree == power
    }


def _spoiled(found: Sequence[Degrees]) -> Degrees:
    """That the array depends on parameters, and does not scale with them."""
    return {slices: math.nan for degrees in found for slices in degrees}
