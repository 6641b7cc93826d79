"""Flax Linen: a module and inputs, traced for the shapes of its variables and the use of each.

May import: the standard library, flax, jax, and of `jinit.model` structure, and of
`jinit.model.targets` inputs, linen_layers, naming, trees, uses.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.core.meta import AxisMetadata

from jinit.axes import Shape
from jinit.model.structure import Structure
from jinit.model.targets.inputs import ModuleWithInputs, rest_program
from jinit.model.targets.linen_layers import linen_use
from jinit.model.targets.naming import Path, split_names
from jinit.model.targets.trees import PARAMS, Known, describe_variables, flatten_tree
from jinit.model.targets.uses import Use, stacked_axes

__all__ = ["describe_linen"]

# Ends the names of what is put beside parameters to see where lifted transformations stack them.
_TRAIL = "__axes"


def describe_linen(target: ModuleWithInputs, mesh: Any = None) -> Structure:
    """Take apart a Linen module, whose shapes and layers follow from its inputs.

    The module is traced once, while every method tells which module it is of and which shapes its
    parameters have there: inside `nn.scan` and `nn.vmap` those of one layer.

    Args:
        target: the module and its inputs.
        mesh: the mesh that names on `nn.Partitioned` refer to.

    Returns:
        The structure of `module.init(...)`; `rebuild` gives such variables, boxes kept, and
        `rest_of` computes the collections other than `params`.
    """
    sights: dict[Path, _Sight] = {}
    with nn.intercept_methods(_observer(sights)):
        variables = _trace(target)
    shapes = flatten_tree(variables.get(PARAMS, {})).shapes()
    stacks = _stacks(target, shapes, sights)
    known = {parts: sights[parts].known(stacks[parts]) for parts in shapes if parts in sights}
    others = [name for name in variables if name != PARAMS]
    return describe_variables(
        variables, mesh, known=known.get, rest_of=_rest_of(target) if others else None
    )


class _Sight(NamedTuple):
    """A parameter as its own module sees it."""

    layer: str
    use: Use
    shape: Shape

    def known(self, stack: Shape | None) -> Known:
        """What is known of the parameter, stacked so; None if it is not a stack of such."""
        return Known(self.layer, Use(self.use.role) if stack is None else self.use, stack or ())


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Trail(AxisMetadata[Any]):
    """A stand-in for a parameter, that remembers the axes it is stacked along."""

    value: Any
    added: tuple[int, ...] = field(default=(), metadata={"static": True})

    def unbox(self) -> Any:
        return self.value

    def replace_boxed(self, val: Any) -> "_Trail":
        return replace(self, value=val)

    def add_axis(self, index: int, params: Any) -> "_Trail":
        return replace(self, added=(*self.added, index))

    def remove_axis(self, index: int, params: Any) -> "_Trail":
        return replace(self, added=self.added[:-1])

    def stack(self) -> Shape:
        """The axes that were added, of the shape that has them all."""
        stacked = [False] * (self.value.ndim - len(self.added))
        for index in self.added:
            stacked.insert(index if index >= 0 else len(stacked) + 1 + index, True)
        return tuple(axis for axis, is_new in enumerate(stacked) if is_new)


def _trace(target: ModuleWithInputs) -> Any:
    """The variables that the module would be initialized to, as shapes."""
    bound, arrays = target.bind(_initializer(target))
    return jax.eval_shape(lambda arrays: bound(jax.random.key(0), arrays), arrays)


def _initializer(target: ModuleWithInputs) -> Any:
    def init(key: Any, *args: Any, **kwargs: Any) -> Any:
        others = target.rngs[1:]
        streams = {name: jax.random.fold_in(key, at) for at, name in enumerate(others, 1)}
        return target.module.init({PARAMS: key, **streams}, *args, method=target.method, **kwargs)

    return init


def _rest_of(target: ModuleWithInputs) -> Callable[[Any], Any]:
    """What computes every collection but the parameters."""
    bound, arrays = target.bind(_initializer(target))

    def rest(key: Any, arrays: Any) -> Any:
        variables = bound(key, arrays)
        return {name: variables[name] for name in variables if name != PARAMS}

    return rest_program(rest, arrays)


def _observer(sights: dict[Path, _Sight], *, trails: bool = False) -> Any:
    """An interceptor that notes each parameter once its module has made it."""

    def observe(next_fun: Any, args: Any, kwargs: Any, context: Any) -> Any:
        out = next_fun(*args, **kwargs)
        module = context.module
        shapes = _own_shapes(module)
        for name in shapes:
            parts = split_names(*module.path, name)
            if parts not in sights:
                use = linen_use(module, name, shapes, args, kwargs)
                sights[parts] = _Sight(type(module).__name__, use, shapes[name])
        if trails:
            _leave_trails(module, shapes)
        return out

    return observe


def _own_shapes(module: Any) -> dict[str, Shape]:
    """Shapes of a module's own parameters, those of its submodules left out."""
    if module.scope is None:
        return {}
    params: Mapping[str, Any] = module.variables.get(PARAMS, {})
    values = {
        name: jax.tree.leaves(value)
        for name, value in params.items()
        if not isinstance(value, Mapping) and not name.endswith(_TRAIL)
    }
    return {name: tuple(arrays[0].shape) for name, arrays in values.items() if len(arrays) == 1}


def _leave_trails(module: Any, shapes: Mapping[str, Shape]) -> None:
    if module.scope.is_mutable_collection(PARAMS):
        for name, shape in shapes.items():
            if not module.scope.has_variable(PARAMS, name + _TRAIL):
                module.scope.put_variable(PARAMS, name + _TRAIL, _Trail(jnp.zeros(shape)))


def _stacks(
    target: ModuleWithInputs, shapes: Mapping[Path, Shape], sights: Mapping[Path, _Sight]
) -> dict[Path, Shape | None]:
    """The stacked axes of each parameter, where it is a stack of what its module sees."""
    choices = {
        parts: stacked_axes(shape, sights[parts].shape)
        for parts, shape in shapes.items()
        if parts in sights
    }
    trails = _trails(target) if any(len(found) > 1 for found in choices.values()) else {}
    return {
        parts: trails.get(parts, found[0]) if found else None for parts, found in choices.items()
    }


def _trails(target: ModuleWithInputs) -> dict[Path, Shape]:
    """The stacked axes as the transformations name them, at the price of another trace.

    Shapes alone leave them open where there are as many layers as a layer has features.
    """
    with nn.intercept_methods(_observer({}, trails=True)):
        variables = _trace(target)
    flat = jax.tree_util.tree_flatten_with_path(
        variables.get(PARAMS, {}), is_leaf=lambda node: isinstance(node, _Trail)
    )[0]
    return {
        split_names(*(key.key for key in path[:-1]), path[-1].key[: -len(_TRAIL)]): leaf.stack()
        for path, leaf in flat
        if isinstance(leaf, _Trail)
    }
