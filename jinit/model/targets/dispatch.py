"""Which adapter takes a target apart: frameworks are imported only where they already are.

May import: the standard library, jax, and of `jinit.model` structure, and of
`jinit.model.targets` everything, frameworks' adapters where these are loaded.
"""

from typing import Any

import jax

from jinit.model.structure import Structure
from jinit.model.targets.building import NNX, describe_built
from jinit.model.targets.inputs import TAKES_INPUTS, ModuleWithInputs
from jinit.model.targets.loaded import holds, is_a
from jinit.model.targets.trees import describe_tree

__all__ = ["describe_target"]


def describe_target(target: Any, mesh: Any = None, *, shapes_alone: bool = False) -> Structure:
    """Take a target apart, whatever it is.

    Args:
        target: a tree of arrays or of `jax.ShapeDtypeStruct`; Linen's variables; what
            `jinit.with_inputs` returns; an NNX or an Equinox module, concrete or abstract, or a
            container of modules; what `nnx.state` returns; or a function of no arguments that
            builds a module or a tree.
        mesh: the mesh that names in the model's metadata refer to.
        shapes_alone: whether what is no parameter may be abstract too, since the caller has values
            for it.

    Returns:
        The target's parameters, and how to put it together again.

    Raises:
        TypeError: the target, or one of its leaves, is of no kind that can be initialized.
        ValueError: something that is no parameter is abstract, and only the model can compute it.

    >>> structure = describe_target({"layer": {"kernel": jax.ShapeDtypeStruct((4, 8), "float32")}})
    >>> slot = structure.slots[0]
    >>> slot.parts, slot.role, slot.axes.in_axis
    (('layer', 'kernel'), 'dense', (0,))
    """
    if isinstance(target, ModuleWithInputs):
        return _describe_with_inputs(target, mesh)
    if is_a(target, *TAKES_INPUTS):
        raise TypeError(
            f"`target` is a {type(target).__name__}, whose parameters depend on its inputs; pass "
            "jinit.with_inputs(module, *inputs), where inputs may be jax.ShapeDtypeStruct"
        )
    if is_a(target, "flax.nnx.State"):
        from jinit.model.targets.nnx import describe_nnx_state

        return describe_nnx_state(target, mesh, shapes_alone=shapes_alone)
    if holds(target, *NNX):
        from jinit.model.targets.nnx import describe_nnx

        return describe_nnx(target, mesh, shapes_alone=shapes_alone)
    if holds(target, "equinox.Module"):
        from jinit.model.targets.equinox import describe_equinox

        return describe_equinox(target, mesh)
    if callable(target) and jax.tree_util.all_leaves([target]):
        return describe_built(target, mesh)
    return describe_tree(target, mesh, shapes_alone=shapes_alone)


def _describe_with_inputs(target: ModuleWithInputs, mesh: Any) -> Structure:
    if is_a(target.module, "flax.linen.Module"):
        from jinit.model.targets.linen import describe_linen

        return describe_linen(target, mesh)
    from jinit.model.targets.haiku import describe_haiku

    return describe_haiku(target, mesh)
