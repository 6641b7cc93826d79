"""A module together with inputs: what tells the shapes of a Linen or a Haiku model's parameters.

May import: the standard library, jax, and of `jinit.model.targets` arrays,
loaded, naming.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jax.interpreters.partial_eval import dce_jaxpr

from jinit.model.targets.arrays import is_abstract
from jinit.model.targets.loaded import is_a
from jinit.model.targets.naming import key_names

__all__ = ["TAKES_INPUTS", "ModuleWithInputs", "rest_program", "with_inputs"]

# What has no parameters, nor their shapes, until it is called.
TAKES_INPUTS = ("flax.linen.Module", "haiku.Transformed", "haiku.TransformedWithState")


@dataclass(frozen=True, eq=False)
class ModuleWithInputs:
    """A module and what it is called with, in place of its parameters.

    Attributes:
        module: a Linen module, or a Haiku transformed function.
        args: positional arguments of the call.
        kwargs: keyword arguments of the call.
        method: the method that is called, where it is not `__call__`.
        rngs: names of the random streams that the call needs.
    """

    module: Any
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    method: Any = None
    rngs: tuple[str, ...] = ("params",)

    def bind(self, call: Callable[..., Any]) -> tuple[Callable[..., Any], list[Any]]:
        """`call(key, *args, **kwargs)` as a function of the key and of arrays alone, and these.

        What is no array, such as `train=False`, stays as it is.
        """
        leaves, treedef = jax.tree.flatten((self.args, dict(self.kwargs)))
        places = [place for place, leaf in enumerate(leaves) if _is_dynamic(leaf)]

        def bound(key: Any, arrays: Sequence[Any]) -> Any:
            filled = list(leaves)
            for place, array in zip(places, arrays, strict=True):
                filled[place] = array
            args, kwargs = jax.tree.unflatten(treedef, filled)
            return call(key, *args, **kwargs)

        return bound, [leaves[place] for place in places]


def with_inputs(
    module: Any, *args: Any, method: Any = None, rngs: Sequence[str] = (), **kwargs: Any
) -> ModuleWithInputs:
    """A module and example inputs, where a model's parameters are called for.

    Linen modules and Haiku functions find the shapes of their parameters when they are called.
    Nothing is computed here: inputs may be `jax.ShapeDtypeStruct`, and arrays lend their shapes.

    Args:
        module: a Linen module, or what `hk.transform` or `hk.transform_with_state` returns.
        *args: what the module is called with: arrays, shapes of arrays, or anything that is no
            array, which is passed as it is.
        method: of a Linen module, the method to call instead of `__call__`.
        rngs: of a Linen module, names of random streams that the call needs beside "params", such
            as "dropout"; streams that are not named draw from "params".
        **kwargs: keyword arguments of the call, such as `train=False`.

    Returns:
        A target, for `jinit.plan`, `jinit.initialize` and the like.

    Raises:
        TypeError: `module` needs no inputs, or is no module; or `method` or `rngs` are given for
            a Haiku function.

    >>> import jax, jinit
    >>> from flax import linen as nn
    >>> target = jinit.with_inputs(nn.Dense(8), jax.ShapeDtypeStruct((1, 4), "float32"))
    >>> target.module.features
    8
    """
    if not is_a(module, *TAKES_INPUTS):
        raise TypeError(
            f"`module` (={type(module).__name__}) must be a Linen module or a Haiku transformed "
            "function; NNX and Equinox modules, and trees of parameters, are passed as they are"
        )
    if (method is not None or rngs) and not is_a(module, "flax.linen.Module"):
        raise TypeError(
            f"`method` (={method!r}) and `rngs` (={tuple(rngs)}) are for Linen modules; a Haiku "
            "function has one method and one stream, so leave them out"
        )
    names = tuple(dict.fromkeys(("params", *rngs)))
    return ModuleWithInputs(module, args, kwargs, method, names)


def rest_program(rest: Callable[[Any, Any], Any], arrays: Sequence[Any]) -> Callable[[Any], Any]:
    """`rest(key, arrays)` as a compiled function of the key: what a model has beside parameters.

    What it does not return, such as parameters, is never computed.

    Args:
        rest: what `init` returns, less the parameters.
        arrays: example inputs. Those of which only the shape is known must not matter.

    Returns:
        The function; it raises `ValueError` if its results depend on values that are not known.
    """
    program = jax.jit(rest)

    def rest_of(key: Any) -> Any:
        if any(map(is_abstract, arrays)):
            _check_independent(program.trace(key, arrays), arrays)
        return program(key, [_with_values(array) for array in arrays])

    return rest_of


def _check_independent(traced: Any, arrays: Sequence[Any]) -> None:
    paths = [path for path, _ in jax.tree_util.tree_flatten_with_path(traced.out_info)[0]]
    unknown = [is_abstract(array) for array in arrays]
    if not _depends(traced.jaxpr.jaxpr, [True] * len(paths), unknown):
        return
    dependent = [
        "/".join(key_names(path))
        for at, path in enumerate(paths)
        if _depends(traced.jaxpr.jaxpr, [place == at for place in range(len(paths))], unknown)
    ]
    raise ValueError(
        f"{', '.join(dependent)} depends on the values of the inputs, of which only the shape is "
        "given; pass arrays in place of jax.ShapeDtypeStruct"
    )


def _depends(jaxpr: Any, wanted: list[bool], unknown: Sequence[bool]) -> bool:
    """Whether the wanted outputs need one of the unknown among the last inputs."""
    _, used = dce_jaxpr(jaxpr, wanted)
    return any(map(operator.and_, used[len(used) - len(unknown) :], unknown))


def _with_values(array: Any) -> Any:
    return jnp.zeros(array.shape, array.dtype) if is_abstract(array) else array


def _is_dynamic(leaf: Any) -> bool:
    return isinstance(leaf, (jax.Array, jax.ShapeDtypeStruct)) or hasattr(leaf, "__array__")
