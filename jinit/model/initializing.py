"""Initializing a whole model: plan it, draw it, and if asked say what was drawn.

May import: jax, `jinit.core`, and of `jinit.model` measuring, paths, planning.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax

from jinit.core.inputs import check_key
from jinit.model.measuring import measured_rows
from jinit.model.paths import KEY_SCHEME
from jinit.model.planning import Plan, plan

__all__ = ["initialize"]


def initialize(
    target: Any,
    rules: Any,
    key: Any,
    *,
    usage: Mapping[str, Any] | None = None,
    mesh: Any = None,
    shardings: Any = None,
    stacked: Mapping[Any, Any] | None = None,
    layouts: Mapping[Any, str] | None = None,
    tied: Sequence[Sequence[Any]] = (),
    only: Any = None,
    report: bool = False,
    key_scheme: int = KEY_SCHEME,
) -> Any:
    """Draw every leaf of a model by rules: plan it (`jinit.plan`), then draw it.

    Each leaf's key follows from `key` and the leaf's path alone, so that adding, removing or
    reordering leaves leaves the others' values as they were. Leaves with shardings are drawn shard
    by shard, each device its own, with the same values on every mesh. Inside a `jit` of yours it
    works as well, on an abstract target.

    Args:
        target: a tree of arrays or `jax.ShapeDtypeStruct`; a Linen module with its inputs
            (`jinit.with_inputs`); an NNX or Equinox module, abstract or not; or a function of no
            arguments that makes one of these.
        rules: `jinit.Rules`, or what makes them: a mapping, pairs, or one scheme for all leaves.
        key: a PRNG key.
        usage: how the model uses its parameters (`jinit.trace`), by path; goes before what layers
            tell.
        mesh: the mesh that PartitionSpecs and the model's own axis names refer to.
        shardings: a sharding or PartitionSpec for all leaves, a function of the leaf, or a mapping
            of selectors to them, or a tree of them; None leaves what the model asks for.
        stacked: by selector, how many leading axes (or which axes) hold layers stacked by hand.
        layouts: by selector, the axes of kernels that only you know: "HWIO", "btd,dhk->bthk".
        tied: groups of paths that share one array, where the tree does not show it.
        only: selector, or several, of the leaves to draw; the others are kept.
        report: also measure what was drawn.
        key_scheme: version of the derivation of keys from paths.

    Returns:
        The model, of the same kind as the target: a tree, Linen variables, a new module. With
        `only=`, also the mask of the leaves that were drawn, for the optimizer's state. With
        `report=True`, also the plan, with the spread measured and its z-score.

    Raises:
        jinit.RuleError: a rule hits no leaf, or a leaf follows no rule.
        ValueError: as for `jinit.plan`; or a report is asked for under a trace.

    >>> import jax, jinit
    >>> params = {"Dense_0": {"kernel": jax.ShapeDtypeStruct((784, 512), "float32"),
    ...                       "bias": jax.ShapeDtypeStruct((512,), "float32")}}
    >>> rules = {"**/bias": jinit.zeros, "**/kernel": jinit.he_normal()}
    >>> drawn = jinit.initialize(params, rules, jax.random.key(0))
    >>> print(f"{drawn['Dense_0']['kernel'].std():.4f}")
    0.0505
    """
    check_key(key)
    if report and isinstance(key, jax.core.Tracer):
        raise ValueError(
            "`report` measures weights, which have no values under a trace; leave it out here, and "
            "use jinit.check on what the jitted function returns"
        )
    made = plan(
        target,
        rules,
        usage=usage,
        mesh=mesh,
        shardings=shardings,
        stacked=stacked,
        layouts=layouts,
        tied=tied,
        only=only,
        key_scheme=key_scheme,
    )
    values = made.draw(made.leaf_keys(key))
    model = made.assemble(key, values)
    extras: list[Any] = [] if only is None else [made.mask]
    if report:
        extras.append(_reported(made, values))
    return (model, *extras) if extras else model


def _reported(made: Plan, values: Sequence[Any]) -> Plan:
    return made.with_rows(measured_rows(made.rows, values))
