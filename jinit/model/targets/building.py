"""Functions that build a model, traced for its shapes and run for what is no parameter of it.

May import: the standard library, jax, and of `jinit.model` structure, and of
`jinit.model.targets` loaded, trees, and equinox and nnx where they are loaded.
"""

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax

from jinit.model.structure import Structure
from jinit.model.targets.loaded import holds
from jinit.model.targets.trees import describe_tree

__all__ = ["NNX", "describe_built"]

# What holds NNX's variables: modules, and other objects of theirs.
NNX = ("flax.nnx.Module", "flax.nnx.Pytree")


def describe_built(build: Callable[[], Any], mesh: Any = None) -> Structure:
    """Take apart what a function of no arguments builds, without building it.

    Its parameters are never computed, as long as nothing else depends on them: the function is
    traced for their shapes, and what is no parameter comes from a program without them.

    Args:
        build: returns an NNX or an Equinox module, or a tree of arrays.
        mesh: the mesh that names in the model's metadata refer to, set while it is built.

    Returns:
        The structure of what `build` returns.

    Raises:
        TypeError: `build` needs arguments.
    """
    _check_no_arguments(build)
    put_together: list[Callable[[Any], Any]] = []

    def arrays() -> Any:
        taken, again = _take_apart(build())
        put_together[:] = [again]
        return taken

    with _set(mesh):
        shapes = jax.eval_shape(arrays)
    model = put_together[0](shapes)
    if holds(model, *NNX):
        return _describe_nnx(build, model, mesh)
    if holds(model, "equinox.Module"):
        return _describe_equinox(build, model, mesh)
    return describe_tree(model, mesh)


def _check_no_arguments(build: Callable[..., Any]) -> None:
    needed = [
        parameter.name
        for parameter in _parameters(build)
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if needed:
        raise TypeError(
            f"`target` (={build!r}) needs {', '.join(needed)}; a function that builds a model "
            "takes no arguments, such as lambda: Model(rngs=nnx.Rngs(0))"
        )


def _parameters(build: Callable[..., Any]) -> list[inspect.Parameter]:
    """What a call takes; of a class, what it is made of, whatever its metaclass says."""
    if isinstance(build, type):
        made: Any = build
        return list(inspect.signature(made.__init__).parameters.values())[1:]
    try:
        return list(inspect.signature(build).parameters.values())
    except ValueError:  # some builtins have none
        return []


def _take_apart(model: Any) -> tuple[Any, Callable[[Any], Any]]:
    """The arrays of a model as a tree, and what makes a model of such a tree."""
    if holds(model, *NNX):
        from flax import nnx

        graphdef, state = nnx.split(model)
        return state, lambda filled: nnx.merge(graphdef, filled)
    if holds(model, "equinox.Module"):
        import equinox as eqx

        arrays, static = eqx.partition(model, eqx.is_array)
        return arrays, lambda filled: eqx.combine(filled, static)
    return model, lambda filled: filled


def _describe_nnx(build: Callable[[], Any], model: Any, mesh: Any) -> Structure:
    from flax import nnx

    from jinit.model.targets.nnx import describe_nnx

    rest = jax.jit(lambda: nnx.split(build(), nnx.Param, ...)[2:])
    return describe_nnx(model, mesh, rest_of=_without_key(rest, mesh))


def _describe_equinox(build: Callable[[], Any], model: Any, mesh: Any) -> Structure:
    from jinit.model.targets.equinox import describe_equinox, other_arrays

    rest = jax.jit(lambda: other_arrays(build()))
    return describe_equinox(model, mesh, rest_of=_without_key(rest, mesh))


def _without_key(rest: Callable[[], Any], mesh: Any) -> Callable[[Any], Any]:
    def rest_of(key: Any) -> Any:
        with _set(mesh):
            return rest()

    return rest_of


def _set(mesh: Any) -> AbstractContextManager[Any]:
    """The context in which a model is built: NNX lays variables out as soon as it makes them."""
    if mesh is None:
        return nullcontext()
    try:
        return jax.set_mesh(mesh)
    except ValueError:  # under a trace, where only the abstract mesh can be set
        return jax.sharding.use_abstract_mesh(mesh.abstract_mesh)
