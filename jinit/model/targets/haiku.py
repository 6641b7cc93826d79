"""Haiku: a transformed function and inputs, traced for its parameters and the use of each.

May import: the standard library, haiku, jax, and of `jinit.model` structure, and of
`jinit.model.targets` inputs, naming, roles, trees, uses.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import haiku as hk
import jax

from jinit.axes import Shape
from jinit.model.structure import Structure
from jinit.model.targets.inputs import ModuleWithInputs, rest_program
from jinit.model.targets.naming import Path, sibling_shapes, split_names
from jinit.model.targets.roles import guess_use
from jinit.model.targets.trees import Known, describe_tree, flatten_tree, named_stack
from jinit.model.targets.uses import DENSE, Use, conv_transpose_use, conv_use, embedding_use

__all__ = ["describe_haiku"]

_DEPTHWISE = (hk.DepthwiseConv1D, hk.DepthwiseConv2D, hk.DepthwiseConv3D)


def describe_haiku(target: ModuleWithInputs, mesh: Any = None) -> Structure:
    """Take apart a Haiku function, whose parameters and modules follow from its inputs.

    Args:
        target: what `hk.transform` or `hk.transform_with_state` returned, and its inputs.
        mesh: the mesh of shardings that name axes only.

    Returns:
        The structure of what `init` returns: `rebuild` gives parameters, or parameters and state,
        and `rest_of` computes the state.
    """
    sights: dict[Path, list[_Sight]] = {}
    bound, arrays = target.bind(target.module.init)
    with hk.intercept_methods(_observer(sights)):
        made = jax.eval_shape(lambda arrays: bound(jax.random.key(0), arrays), arrays)
    has_state = isinstance(target.module, hk.TransformedWithState)
    params = made[0] if has_state else made
    shapes = flatten_tree(params).shapes()
    known = {parts: _recognize(parts, shape, sights) for parts, shape in shapes.items()}
    structure = describe_tree(params, mesh, known=known.get)
    return _with_state(structure, bound, arrays) if has_state else structure


class _Sight(NamedTuple):
    """A parameter as its own module sees it."""

    layer: str
    use: Use
    shape: Shape


def _observer(sights: dict[Path, list[_Sight]]) -> Callable[..., Any]:
    def observe(next_fun: Any, args: Any, kwargs: Any, context: Any) -> Any:
        out = next_fun(*args, **kwargs)
        if context.method_name not in ("__init__", "params_dict", "state_dict"):
            _note(context.module, sights)
        return out

    return observe


def _note(module: hk.Module, sights: dict[Path, list[_Sight]]) -> None:
    own = {
        name.rpartition("/")[2]: tuple(value.shape)
        for name, value in module.params_dict().items()
        if name.rpartition("/")[0] == module.module_name
    }
    for name, shape in own.items():
        use = _kernel_use(module, name, shape)
        use = use or guess_use(name, shape, sibling_shapes(own, name))
        path = split_names(module.module_name, name)
        sights.setdefault(path, []).append(_Sight(type(module).__name__, use, shape))


def _recognize(parts: Path, shape: Shape, sights: dict[Path, list[_Sight]]) -> Known | None:
    """What was seen of a parameter; in a `layer_stack`, modules forget the names around them."""
    stack = named_stack(parts)
    inside = max((at for at, part in enumerate(parts, 1) if named_stack((part,))), default=0)
    for sight in sights.get(parts[inside:], ()):
        if sight.shape == shape[len(stack) :]:
            return Known(sight.layer, sight.use, stack)
    return None


def _kernel_use(module: Any, name: str, shape: Shape) -> Use | None:
    if isinstance(module, hk.Embed) and name == "embeddings":
        return embedding_use(shape)
    if name != "w":
        return None
    if isinstance(module, hk.Linear):
        return DENSE
    if isinstance(module, hk.ConvND):
        groups, dilation = module.feature_group_count, module.lhs_dilation
        return conv_use(shape, groups=groups, stride=module.stride, input_dilation=dilation)
    if isinstance(module, hk.ConvNDTranspose):
        return conv_transpose_use(shape, stride=module.stride, layout="...OI")
    if isinstance(module, _DEPTHWISE):
        groups = shape[-1] // module.channel_multiplier
        return conv_use(shape, groups=groups, stride=module.stride)._replace(role="depthwise")
    return None


def _with_state(structure: Structure, bound: Callable[..., Any], arrays: Any) -> Structure:
    """The structure of parameters and state, from that of the parameters."""

    def rebuild(values: Sequence[Any], state: Any) -> Any:
        return structure.rebuild(values, None), state

    state_of = rest_program(lambda key, arrays: bound(key, arrays)[1], arrays)
    return Structure(structure.slots, rebuild, structure.as_mask, state_of)
