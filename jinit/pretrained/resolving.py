"""What will become of all leaves, decided and checked before anything is read.

May import: the standard library, jax, numpy, of `jinit.model` leaf, and of `jinit.pretrained`
adapters, decisions, leaves, matching, policies, recipes, report, sources.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from jinit.model.leaf import Leaf
from jinit.pretrained.adapters.adapter import Adapter
from jinit.pretrained.adapters.factors import LowRank
from jinit.pretrained.decisions import Decision
from jinit.pretrained.leaves import Model, Wanted
from jinit.pretrained.matching import Matched
from jinit.pretrained.policies import Choice, Policy
from jinit.pretrained.recipes import Recipe, dtype_of, shape_of, tensors_of
from jinit.pretrained.report import LoadReport
from jinit.pretrained.sources import Source, TensorSpec

__all__ = ["Policies", "Resolution", "Split", "resolve"]


@dataclass(frozen=True)
class Policies:
    """The user's choices: for leaves without a tensor, with one that does not fit, with any."""

    on_missing: Policy
    on_mismatch: Policy
    adapt: Policy


@dataclass(frozen=True)
class Split:
    """A kernel that is loaded, and two leaves that are made of it, by their paths."""

    kernel: str
    a: str
    b: str
    law: LowRank


@dataclass
class Resolution:
    """What becomes of all leaves.

    Attributes:
        decisions: by path, in the model's order.
        report: the same, for the user.
        splits: kernels with factors made of them.
        ties: by path, what else the source has for a leaf that is one array with others.
    """

    decisions: dict[str, Decision]
    report: LoadReport
    splits: list[Split] = field(default_factory=list)
    ties: dict[str, list[Recipe]] = field(default_factory=dict)

    def of(self, *outcomes: str) -> list[Decision]:
        """The decisions of some outcomes, those that follow another left out."""
        return [
            decision
            for decision in self.decisions.values()
            if decision.outcome in outcomes and decision.shared_with is None
        ]


def resolve(
    model: Model, matched: Matched, source: Source, policies: Policies, ignored: set[str]
) -> Resolution:
    """Decide what becomes of each leaf.

    Args:
        model: the target.
        matched: what its leaves are made of.
        source: the tensors.
        policies: the user's choices.
        ignored: names of tensors that may be left over.
    """
    owners = _owners(model, matched)
    decisions: dict[str, Decision] = {}
    for one in model.wanted:
        if owners.get(one.path, one.path) == one.path:
            decisions[one.path] = _decide(one, matched, source, policies)
    splits = _split_all(model, decisions, policies.on_missing)
    ties: dict[str, list[Recipe]] = {}
    for one in model.wanted:
        owner = owners.get(one.path, one.path)
        if owner != one.path:
            decisions[one.path] = replace(decisions[owner], wanted=one, shared_with=owner)
            if one.path in matched.recipes and decisions[owner].recipe is not None:
                ties.setdefault(owner, []).append(matched.recipes[one.path])
    ordered = {one.path: decisions[one.path] for one in model.wanted}
    taken = matched.used()
    used = {t.name for d in ordered.values() if d.recipe is not None for t in tensors_of(d.recipe)}
    aside = (set(matched.ignored) | ignored | taken) - used
    report = LoadReport(
        rows=tuple(decision.row() for decision in ordered.values()),
        description=source.description,
        used=tuple(name for name in source if name in used),
        ignored=tuple(name for name in source if name in aside),
        unexpected=tuple(name for name in source if name not in used | aside),
    )
    return Resolution(ordered, report, splits, ties)


def _owners(model: Model, matched: Matched) -> dict[str, str]:
    """By path, the leaf that stands for all that are one array with it: one that has a tensor."""
    groups: dict[Any, list[str]] = {}
    for one in model.wanted:
        if one.leaf.slot.shared is not None:
            groups.setdefault(one.leaf.slot.shared, []).append(one.path)
    owners: dict[str, str] = {}
    for paths in groups.values():
        found = [path for path in paths if path in matched.recipes]
        owners |= dict.fromkeys(paths, min(found or paths))
    return owners


def _decide(one: Wanted, matched: Matched, source: Source, policies: Policies) -> Decision:
    recipe = matched.recipes.get(one.path)
    if recipe is None:
        return _absent(one, policies.on_missing.of(one.leaf))
    try:
        made = TensorSpec(shape_of(recipe, source), dtype_of(recipe, source))
    except ValueError as error:
        return _unfit(one, policies, recipe, None, str(error))
    if not _converts(made.dtype, one.leaf.dtype):
        return _unfit(one, policies, recipe, made, f"{made.dtype.name} would be cast")
    forced = matched.adapters.get(one.path) or policies.adapt.of(one.leaf)
    if isinstance(forced, Adapter):
        return _adapted(one, recipe, made, forced, None)
    if made.shape == one.leaf.shape:
        return Decision(one, "loaded", recipe, made)
    return _unfit(one, policies, recipe, made, "", matched.hints.get(one.path, ""))


def _absent(one: Wanted, choice: Choice | None) -> Decision:
    """A leaf without a tensor."""
    missing = Decision(one, "missing", reason="missing")
    if isinstance(choice, LowRank):  # decided with its kernel
        return replace(missing, problem=f"{one.leaf} has no kernel to be a factor of, for {choice}")
    if choice == "draw" and one.is_parameter:
        return replace(missing, outcome="drawn")
    if choice in ("draw", "keep"):
        return _kept(missing)
    return replace(missing, problem=f"{one.leaf} has no tensor")


def _kept(decision: Decision) -> Decision:
    """A leaf that stays as the model has it, or as it computes it."""
    one = decision.wanted
    if one.value is None and one.is_parameter:
        return replace(
            decision,
            problem=f"{one.leaf} is to be kept and has no value; draw it, or give a model that "
            "has values",
        )
    return replace(decision, outcome="kept", recipe=None, made=None)


def _unfit(
    one: Wanted,
    policies: Policies,
    recipe: Recipe,
    made: TensorSpec | None,
    why: str,
    hint: str = "",
) -> Decision:
    """A leaf whose tensor does not fit."""
    choice = policies.on_mismatch.of(one.leaf)
    unfit = Decision(one, "mismatched", recipe, made, reason="mismatched")
    if choice == "draw" and one.is_parameter:
        return replace(unfit, outcome="drawn", recipe=None, made=None)
    if choice in ("draw", "keep"):
        return _kept(unfit)
    if isinstance(choice, Adapter) and made is not None and not why:
        return _adapted(one, recipe, made, choice, "mismatched")
    shown = f"{recipe} makes {made}" if made is not None else str(recipe)
    how = f" by {recipe.how}" if recipe.how and made is not None else ""
    told = "".join(f"{sign} {text}" for sign, text in ((":", why), (";", hint)) if text)
    return replace(unfit, problem=f"{one.leaf}, and {shown}{how}{told}")


def _adapted(
    one: Wanted, recipe: Recipe, made: TensorSpec, adapter: Adapter, reason: str | None
) -> Decision:
    adapted = Decision(one, "adapted", recipe, made, adapter, reason)
    try:
        adapter.check(made.shape, one.leaf)
    except ValueError as error:
        return replace(adapted, outcome="mismatched", problem=f"{one.leaf}, {adapter}: {error}")
    return adapted


def _converts(old: np.dtype[Any], new: np.dtype[Any]) -> bool:
    """Whether values of one dtype may become another's: numbers of the same kind, or wider."""
    for kind in (jnp.floating, jnp.complexfloating):
        if jnp.issubdtype(new, kind) and jnp.issubdtype(old, jnp.floating):
            return True
    return bool(
        jnp.issubdtype(new, jnp.complexfloating) and jnp.issubdtype(old, jnp.complexfloating)
    ) or bool(np.can_cast(old, new, "safe"))


# --- kernels and their low-rank factors -------------------------------------------------------


def _split_all(model: Model, decisions: dict[str, Decision], policy: Policy) -> list[Split]:
    """Kernels whose factors are to be made of them; their decisions are put right."""
    splits = []
    for one in model.wanted:
        law = policy.of(one.leaf)
        decision = decisions.get(one.path)
        if not isinstance(law, LowRank) or decision is None or decision.reason != "missing":
            continue
        if one.leaf.name != "lora_a":
            continue
        kernel, b = _kernel_of(one, model), model.by_path.get(_beside(one, "lora_b"))
        if kernel is None or b is None or decisions[kernel.path].recipe is None:
            continue
        problem = _rank_problem(law, kernel.leaf, one.leaf, b.leaf)
        splits.append(Split(kernel.path, one.path, b.path, law))
        for factor in (one, b):
            decisions[factor.path] = _factor(factor, decisions[kernel.path], law, problem)
        if law.changes_kernel and problem is None:
            before = decisions[kernel.path]
            decisions[kernel.path] = replace(before, outcome="adapted", how=repr(law))
    return splits


def _factor(one: Wanted, kernel: Decision, law: LowRank, problem: str | None) -> Decision:
    if problem is not None:
        return Decision(one, "missing", reason="missing", problem=problem)
    if not law.changes_kernel:
        return Decision(one, "drawn", reason="missing", how=repr(law))
    return Decision(one, "adapted", kernel.recipe, reason="missing", how=repr(law))


def _rank_problem(law: LowRank, kernel: Leaf, a: Leaf, b: Leaf) -> str | None:
    try:
        law.check(kernel.shape, a.shape, b.shape)
    except ValueError as error:
        return f"{a}, {law}: {error}"
    return None


def _beside(one: Wanted, *names: str) -> str:
    return "/".join((*one.leaf.parts[:-1], *names))


def _kernel_of(one: Wanted, model: Model) -> Wanted | None:
    """The kernel that a factor adapts: beside it, in the base module, in the module around."""
    around = "/".join((*one.leaf.parts[:-2], "kernel"))
    for path in (_beside(one, "kernel"), _beside(one, "base_module", "kernel"), around):
        if path in model.by_path:
            return model.by_path[path]
    return None
