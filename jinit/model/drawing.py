"""Drawing many leaves with few programs: names never reach the compiler, and sizes seldom do.

May import: jax, numpy, `jinit.core`, `jinit.factory`, and of `jinit.model` compiling, paths.

- Leaves of one law, shape, dtype and sharding run one program; keys and scales are its arguments.
- Small leaves run one program for each class of sizes: element i of a draw depends on the key and
  i alone, so a leaf is the beginning of a longer draw, cut to its shape.
- What must be compiled is compiled in parallel.
- Under a trace equal leaves are drawn in one loop, so that a model's `jit` stays short.
"""

import functools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jinit.core.draw import place, prepare
from jinit.factory import Elementwise, Initializer
from jinit.model.compiling import compile_together
from jinit.model.paths import is_threefry

__all__ = ["Job", "draw_leaves"]

Shape: TypeAlias = tuple[int, ...]
DType: TypeAlias = np.dtype[Any]
Runner: TypeAlias = Callable[..., Any]

_SMALL = 2**20  # elements up to which leaves share programs by size
_TOGETHER = 2**26  # elements drawn at once under a trace: what that may cost in memory


class Job(NamedTuple):
    """One leaf to draw."""

    init: Initializer
    shape: Shape
    dtype: DType
    sharding: Any = None


class _Call(NamedTuple):
    """A program that draws a leaf, its parameters, and what is then done with the result.

    Calls of equal `program`, `shape`, `dtype` and `sharding` run the same compiled code.
    """

    program: Callable[..., Any]
    parameters: Any
    shape: Shape
    dtype: DType
    sharding: Any
    cut: Shape | None = None

    @property
    def placed(self) -> tuple[Any, ...]:
        """What the compiled code depends on."""
        return self.program, self.shape, self.dtype, self.sharding

    @property
    def packed(self) -> bool:
        """Whether the parameters are one vector of numbers, so that calls can be stacked."""
        return isinstance(self.parameters, np.ndarray)


def draw_leaves(jobs: Sequence[Job], keys: Sequence[Any], *, members: bool = False) -> list[Any]:
    """The values of leaves, each from its own key.

    Args:
        jobs: what to draw.
        keys: a key for each; pairs of Threefry words in host memory, or keys.
        members: whether each key is an array of keys, one for each member of an ensemble.
    """
    traced = any(isinstance(key, jax.core.Tracer) for key in keys[:1])
    flat = not (traced or members) and all(_kind_of(key) != "states" for key in keys[:1])
    calls = [_as_call(job, flat=flat) for job in jobs]
    if traced and not members:
        return _draw_traced(calls, jobs, keys)
    ready = [
        None if call is None else (_runner_of(call, key, members), (key, call.parameters))
        for call, key in zip(calls, keys, strict=True)
    ]
    if not traced:
        compile_together([one for one in ready if one is not None])
    drawn = [
        _build(job, key, members) if one is None else one[0](*one[1])
        for one, job, key in zip(ready, jobs, keys, strict=True)
    ]
    return [
        value if call is None or call.cut is None else _cut(value, shape=call.cut)
        for call, value in zip(calls, drawn, strict=True)
    ]


def _as_call(job: Job, *, flat: bool) -> _Call | None:
    """How an elementwise leaf is drawn; None where the scheme builds it itself."""
    recipe = job.init.recipe
    if not isinstance(recipe, Elementwise):
        return None
    shape, dtype = job.shape, job.dtype
    program, parameters = prepare(recipe.law(shape, dtype), shape, dtype)
    call = _Call(program, parameters, shape, dtype, job.sharding)
    size = int(np.prod(shape, dtype=np.int64))
    if flat and call.packed and job.sharding is None and 0 < size <= _SMALL:
        return call._replace(shape=(_class_of(size),), cut=shape)
    return call


def _class_of(size: int) -> int:
    """The size that is drawn: powers of two, and above 2^14 quarters between them.

    >>> [_class_of(size) for size in (1, 257, 5000, 20000, 70000)]
    [256, 512, 8192, 20480, 81920]
    """
    bits = (size - 1).bit_length()
    step = 1 << max(bits - 3, 0) if size > 2**14 else 1 << bits
    return max(256, -(-size // step) * step)


# --- one leaf ---------------------------------------------------------------------------------


def _runner_of(call: _Call, key: Any, members: bool) -> Runner:
    mesh = jax.sharding.get_abstract_mesh()
    return _runner(*call.placed, _kind_of(key), members, mesh)


def _kind_of(key: Any) -> str:
    """What a key is: "words" in host memory, or a key of a generator of "counters" or "states"."""
    if isinstance(key, np.ndarray):
        return "words"
    return "counters" if is_threefry(key) else "states"


@functools.lru_cache(maxsize=4096)
def _runner(
    program: Runner,
    shape: Shape,
    dtype: DType,
    sharding: Any,
    kind: str,
    members: bool,
    mesh: Any,  # part of the cache's key: what a PartitionSpec means depends on it
) -> Runner:
    def run(key: Any, parameters: Any) -> Any:
        return program(_as_key(key, kind), parameters, shape=shape, dtype=dtype, window=None)

    return _placed(_over_members(run, kind) if members else run, sharding)


def _as_key(key: Any, kind: str) -> Any:
    return (
        jax.random.wrap_key_data(jnp.asarray(key), impl="threefry2x32") if kind == "words" else key
    )


@functools.partial(jax.jit, static_argnames="shape")
def _cut(flat: Array, *, shape: Shape) -> Array:
    return flat[: int(np.prod(shape))].reshape(shape)


def _placed(run: Runner, sharding: Any) -> Runner:
    return jax.jit(run) if sharding is None else place(run, sharding)


def _over_members(run: Runner, kind: str) -> Runner:
    """`run` for every member's key: at once, or one after the other.

    Only counter-based generators give under `vmap` what they give alone.
    """
    if kind != "states":
        return jax.vmap(run, in_axes=(0, None))
    return lambda keys, parameters: jax.lax.map(lambda key: run(key, parameters), keys)


def _build(job: Job, key: Any, members: bool) -> Any:
    kind = _kind_of(key)
    if not members and job.sharding is None:
        return job.init(_as_key(key, kind), job.shape, job.dtype)
    if members and not isinstance(key, jax.core.Tracer):
        # One by one: batched matrix products round differently, and members would too.
        alone = job._replace(sharding=None)
        stack = jnp.stack([_build(alone, one, members=False) for one in key])
        return stack if job.sharding is None else jax.device_put(stack, job.sharding)
    return _builder(job, kind, members, jax.sharding.get_abstract_mesh())(key, ())


@functools.lru_cache(maxsize=1024)
def _builder(job: Job, kind: str, members: bool, mesh: Any) -> Runner:
    def run(key: Any, _: Any) -> Any:
        return job.init(_as_key(key, kind), job.shape, job.dtype)

    return _placed(_over_members(run, kind) if members else run, job.sharding)


# --- under a trace ----------------------------------------------------------------------------


def _draw_traced(
    calls: Sequence[_Call | None], jobs: Sequence[Job], keys: Sequence[Any]
) -> list[Any]:
    values: list[Any] = [None] * len(jobs)
    for places in _alike(calls):
        first = calls[places[0]]
        if first is None or len(places) == 1:
            (place_,) = places
            job = jobs[place_]
            values[place_] = job.init(keys[place_], job.shape, job.dtype, job.sharding)
            continue
        drawn = _together(first, [calls[i] for i in places], [keys[i] for i in places])
        for row, place_ in enumerate(places):
            values[place_] = drawn[row]
    return values


def _alike(calls: Sequence[_Call | None]) -> Iterator[list[int]]:
    """Places of calls that can be drawn together, in groups that are not too large."""
    groups: dict[Any, list[int]] = defaultdict(list)
    for place_, call in enumerate(calls):
        alone = call is None or not call.packed or call.sharding is not None
        groups[place_ if alone else call.placed].append(place_)  # type: ignore[union-attr]
    for places in groups.values():
        call = calls[places[0]]
        most = 1 if call is None else max(1, _TOGETHER // max(1, int(np.prod(call.shape))))
        yield from (places[i : i + most] for i in range(0, len(places), most))


def _together(first: _Call, calls: Sequence[Any], keys: Sequence[Any]) -> Any:
    def run(key: Any, parameters: Any) -> Any:
        return first.program(key, parameters, shape=first.shape, dtype=first.dtype, window=None)

    parameters = np.stack([call.parameters for call in calls])
    # A loop: out of one large draw, the compiler would fuse the whole into every leaf's slice.
    return jax.lax.map(lambda one: run(*one), (jnp.stack(keys), parameters))
