"""Loading: a model's leaves from a checkpoint's tensors, all of it or nothing.

May import: the standard library, `jinit.core.inputs`, of `jinit.model` planning, values, and
everything of `jinit.pretrained`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jinit.core.inputs import check_key
from jinit.model.planning import Plan, rest_key
from jinit.model.values import Keep
from jinit.pretrained.drawing import plan_drawn
from jinit.pretrained.filling import fill
from jinit.pretrained.leaves import Model, describe_model
from jinit.pretrained.patterns import as_matching
from jinit.pretrained.policies import as_policy, ignored_names
from jinit.pretrained.problems import raise_problems
from jinit.pretrained.report import LoadReport
from jinit.pretrained.resolving import Policies, Resolution, resolve
from jinit.pretrained.sources import open_source

__all__ = ["load"]


def load(
    target: Any,
    source: Any,
    *,
    match: Any = None,
    rules: Any = None,
    key: Any = None,
    on_missing: Any = "error",
    on_unexpected: Any = "error",
    on_mismatch: Any = "error",
    adapt: Mapping[Any, Any] | None = None,
    dtype: Any = None,
    shardings: Any = None,
    mesh: Any = None,
    stacked: Mapping[Any, Any] | None = None,
    layouts: Mapping[Any, str] | None = None,
    usage: Mapping[str, Any] | None = None,
) -> tuple[Any, LoadReport]:
    """Load a model's weights, and draw by rules what the checkpoint lacks: all of it, or an error.

    Every leaf is accounted for, and so is every tensor. By default a leaf without a tensor, a
    tensor without a leaf and a tensor that does not fit are errors, all of them reported at once,
    before anything is read. A leaf that is loaded is never drawn. Tensors are read one by one, and
    with shardings each device reads its own part, where the way into the leaf allows.

    Leaves are the model's parameters, and its statistics: what else it keeps in floating point, as
    "batch_stats/BatchNorm_0/mean".

    Args:
        target: what `jinit.initialize` takes: a tree of arrays or shapes, a Linen module with its
            inputs (`jinit.with_inputs`), an NNX or Equinox module, a function that makes one.
        source: a path to a checkpoint, a mapping of arrays, another model, or what
            `jinit.pretrained.open_source` returned.
        match: how tensors and leaves correspond: None for equal names;
            `jinit.pretrained.torch_to_flax(pairs)`; or pairs, tried in order, of a pattern on names
            and a template of paths: `{"h.*.fc.weight": ("h_{1}/fc/kernel", transpose())}`.
        rules: what leaves that are to be drawn get, as in `jinit.initialize`.
        key: a PRNG key, for what is drawn; each leaf's follows from its path.
        on_missing: for leaves without a tensor "error", "draw" (statistics: as the model defines
            them), "keep" the target's own value, or `jinit.pretrained.low_rank(...)` for factors;
            or a mapping of selectors (`jinit.Rules`) to these.
        on_unexpected: for tensors that no leaf takes "error" or "ignore", or a mapping of patterns
            on names to these.
        on_mismatch: for leaves whose tensor has another shape "error", "draw", "keep" or an
            adapter, such as `jinit.pretrained.grow_rows()`, or a function of the array and the
            leaf; or a mapping of selectors to these.
        adapt: by selector, an adapter that is applied even where shapes are equal.
        dtype: of all floating leaves; None for each leaf's own.
        shardings: as in `jinit.plan`; None for what the model asks for.
        mesh: the mesh that PartitionSpecs and the model's own axis names refer to.
        stacked: by selector, how many leading axes hold layers stacked by hand.
        layouts: by selector, the axes of kernels that only you know, such as "HWIO".
        usage: how the model uses its parameters (`jinit.trace`), by path.

    Returns:
        The model, of the same kind as the target, and the report.

    Raises:
        jinit.pretrained.LoadError: the checkpoint and the model do not fit; its `report` says
            what would have become of every leaf.
        jinit.RuleError: a selector selects no leaf, or a rule and the model do not fit.
        jinit.pretrained.CheckpointError: the checkpoint is damaged.
        ValueError: an option is none of those allowed; something is to be drawn without a key; or
            values do not fit a narrower dtype.

    >>> import jax, numpy as np, jinit
    >>> saved = {"body": {"kernel": np.eye(4, dtype=np.float32)}}
    >>> model = {"body": {"kernel": jax.ShapeDtypeStruct((4, 4), "float32")},
    ...          "head": {"kernel": jax.ShapeDtypeStruct((4, 2), "float32")}}
    >>> params, report = jinit.load(model, saved, rules=jinit.lecun_normal(),
    ...                             key=jax.random.key(0), on_missing={"head/*": "draw"})
    >>> report
    <LoadReport: 2 leaves: 1 loaded, 1 drawn>
    """
    if key is not None:
        check_key(key)
    names = ("on_missing", "on_mismatch", "adapt")
    policies = Policies(*map(as_policy, names, (on_missing, on_mismatch, adapt)))
    matching = as_matching(match)
    model = describe_model(
        target,
        mesh=mesh,
        shardings=shardings,
        stacked=stacked,
        layouts=layouts,
        usage=usage,
        dtype=dtype,
    )
    for policy in (policies.on_missing, policies.on_mismatch, policies.adapt):
        policy.check(model.wanted)
    opened = open_source(source)
    try:
        matched = matching.match(model.wanted, opened)
        left = set(opened) - matched.used()
        ignored = left & ignored_names(on_unexpected, list(opened))
        resolution = resolve(model, matched, opened, policies, ignored)
        raise_problems(resolution, matched.problems, opened)
        plan = _checked_plan(model, resolution, rules, key)
        computes_rest = _check_rest(model, resolution, key)
        values = fill(model, resolution, opened, plan, key)
        made = _rebuilt(model, values, key, computes_rest=computes_rest)
        return made, _with_schemes(resolution.report, plan)
    finally:
        if opened is not source:
            opened.close()


def _checked_plan(model: Model, resolution: Resolution, rules: Any, key: Any) -> Plan | None:
    """The plan of what is drawn by rules, checked with all else that drawing needs."""
    factors = {path for split in resolution.splits for path in (split.a, split.b)}
    decided = resolution.decisions.values()
    drawn = [d.path for d in decided if d.outcome == "drawn" and d.path not in factors]
    shown = ", ".join(drawn[:5]) + (f" and {len(drawn) - 5} more" if len(drawn) > 5 else "")
    if drawn and rules is None:
        raise ValueError(f"`rules` are needed, to draw {shown}")
    plan = None if rules is None else plan_drawn(model, rules, drawn)
    needing = [d.path for d in resolution.of("adapted") if d.adapter and d.adapter.needs_key]
    needing += [split.a for split in resolution.splits if split.law.needs_key]
    if key is None and (drawn or needing):
        raise ValueError(f"`key` is needed, to draw {shown or ', '.join(needing[:5])}")
    return plan


def _with_schemes(report: LoadReport, plan: Plan | None) -> LoadReport:
    """The report, with what drawn leaves were drawn by; rules may say that one is kept."""
    rows = {} if plan is None else {row.path: row for row in plan.rows}
    told = []
    for row in report:
        if row.path in rows:
            outcome = "kept" if isinstance(rows[row.path].init, Keep) else "drawn"
            row = replace(row, outcome=outcome, how=repr(rows[row.path].scheme))
        told.append(row)
    return replace(report, rows=tuple(told))


def _check_rest(model: Model, resolution: Resolution, key: Any) -> bool:
    """Whether what is no parameter, or some of it, has to be computed as the model defines it."""
    unknown = model.unknown({one.path for one in resolution.of("loaded", "adapted")})
    if unknown:
        raise ValueError(
            f"{', '.join(unknown)} are shapes without values, no parameters, and not in the "
            "checkpoint, so that only the model can compute them; pass jinit.with_inputs(module, "
            "*inputs), or a function that builds the model, in its place"
        )
    if model.rest is None or model.structure.rest_of is None:
        return False
    kept = [one.path for one in resolution.of("kept") if not one.wanted.is_parameter]
    if not kept and model.completes_rest:
        return False
    if key is None:
        shown = ", ".join(kept[:5]) or "what the model keeps beside its parameters and statistics"
        raise ValueError(f"`key` is needed, to compute {shown} as the model defines it")
    return True


def _rebuilt(model: Model, values: dict[str, Any], key: Any, *, computes_rest: bool) -> Any:
    rest = None
    if computes_rest:
        assert model.structure.rest_of is not None
        rest = model.structure.rest_of(rest_key(key))
    return model.rebuild(values, rest)
