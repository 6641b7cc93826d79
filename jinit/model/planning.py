"""Plans: what each leaf of a model will get, decided and checked before anything is allocated.

May import: jax, `jinit.core`, `jinit.factory`, `jinit.shown`, and of `jinit.model` adapting,
declaring, drawing, leaf, paths, rows, ruleset, selectors, structure, values, targets;
`jinit.display` as a plan is shown.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from jinit.core.inputs import check_key
from jinit.factory import Initializer
from jinit.model.adapting import adapt
from jinit.model.declaring import (
    declare_layouts,
    declare_shardings,
    declare_stacks,
    declare_ties,
    declare_usage,
)
from jinit.model.drawing import Job, draw_leaves
from jinit.model.leaf import Leaf, as_leaves
from jinit.model.paths import KEY_SCHEME, derive_keys, path_words
from jinit.model.rows import Row
from jinit.model.ruleset import Rule, RuleError, Rules, as_rules
from jinit.model.selectors import as_selector
from jinit.model.structure import Structure
from jinit.model.values import Keep, as_value, keep
from jinit.shown import Result

__all__ = ["Plan", "decide_rows", "plan", "rest_key"]


# Folded into the key for what is no parameter, so that it is independent of every leaf's.
_REST = 0x72657374


def rest_key(key: Any) -> Any:
    """The key of what a model defines beside its parameters, from the model's key."""
    return jax.random.fold_in(key, _REST)


def _own(leaf: Leaf) -> Any:
    return leaf.sharding


class Plan(Result, Sequence[Row]):
    """What every leaf of a model gets: rows in the model's order, and the draw itself.

    Made by `jinit.plan`. Prints as a table; `plan["path/of/leaf"]` is a leaf's row.
    """

    def __init__(
        self, structure: Structure, rows: Sequence[Row], key_scheme: int = KEY_SCHEME
    ) -> None:
        self.structure = structure
        self.rows = tuple(rows)
        self.key_scheme = key_scheme
        self._by_path = {row.path: row for row in self.rows}

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, str):
            return self.rows[index]
        if index not in self._by_path:
            near = ", ".join(map(repr, list(self._by_path)[:5]))
            raise KeyError(f"no leaf has the path {index!r}; paths are such as {near}")
        return self._by_path[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Plan):
            return NotImplemented
        return self.to_config() == other.to_config()

    __hash__ = None  # type: ignore[assignment]

    @property
    def totals(self) -> dict[str, int]:
        """Leaves, weights and bytes: of the model, of one device's shards, and of what is drawn."""
        own = [row for row in self.rows if row.shared_with is None]
        return {
            "leaves": len(self.rows),
            "drawn": sum(row.drawn for row in self.rows),
            "kept": sum(isinstance(row.init, Keep) for row in self.rows),
            "shared": len(self.rows) - len(own),
            "weights": sum(row.leaf.size for row in own),
            "bytes": sum(row.nbytes for row in own),
            "bytes_per_device": sum(row.shard_nbytes for row in own),
        }

    @property
    def mask(self) -> Any:
        """True for leaves that are drawn: the mask for optimizer states to reset."""
        return self.structure.as_mask([not isinstance(row.init, Keep) for row in self.rows])

    # Drawing.

    def initialize(self, key: Any) -> Any:
        """Draw: the model, of the same kind as the target.

        Args:
            key: a PRNG key; each leaf's own key follows from it and the leaf's path.
        """
        check_key(key)
        return self.assemble(key, self.draw(self.leaf_keys(key)))

    def leaf_keys(self, key: Any) -> list[Any]:
        """The key of every leaf, in the model's order."""
        return derive_keys(key, [row.leaf.parts for row in self.rows], self.key_scheme)

    def draw(
        self, keys: Sequence[Any], *, size: int | None = None, spread: Callable[[Leaf], Any] = _own
    ) -> list[Any]:
        """The value of every leaf, drawn from its key or kept, in the model's order.

        Args:
            keys: a key for each leaf; for an ensemble arrays of keys, one a member.
            size: how many members an ensemble has.
            spread: the sharding of a leaf's values.
        """
        places = [place for place, row in enumerate(self.rows) if row.drawn]
        jobs = [_job(self.rows[place], spread) for place in places]
        drawn = draw_leaves(jobs, [keys[place] for place in places], members=size is not None)
        values = {self.rows[p].path: value for p, value in zip(places, drawn, strict=True)}
        for row in self.rows:
            if isinstance(row.init, Keep):
                values[row.path] = _kept(row, size, spread)
        return [values[row.shared_with or row.path] for row in self.rows]

    def assemble(self, key: Any, values: Sequence[Any], size: int | None = None) -> Any:
        """The model with these values of its parameters, and what else it defines."""
        rest_of = self.structure.rest_of
        if rest_of is None:
            return self.structure.rebuild(values, None)
        key = rest_key(key)
        if size is None:
            return self.structure.rebuild(values, rest_of(key))
        members = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(size))
        return self.structure.rebuild(values, jax.vmap(rest_of)(members))

    def with_rows(self, rows: Sequence[Row]) -> "Plan":
        """The same plan with other rows."""
        return Plan(self.structure, rows, self.key_scheme)

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description."""
        rows = [row.to_config() for row in self.rows]
        return {"key_scheme": self.key_scheme, "totals": self.totals, "leaves": rows}

    def _tables(self, width: int) -> Sequence[Any]:
        from jinit.display.models import plan_table

        return [plan_table(self, width)]

    def __repr__(self) -> str:
        totals = self.totals
        drawn = f"{totals['drawn']} of {totals['leaves']} leaves drawn"
        return f"<Plan: {drawn}, {totals['weights']} weights>"


def _job(row: Row, spread: Callable[[Leaf], Any]) -> Job:
    assert isinstance(row.init, Initializer)
    return Job(row.init, row.leaf.shape, row.leaf.dtype, spread(row.leaf))


def _kept(row: Row, size: int | None, spread: Callable[[Leaf], Any]) -> Any:
    value, sharding = row.leaf.slot.value, spread(row.leaf)
    if size is not None:
        value = jnp.broadcast_to(value, (size, *row.leaf.shape))
    moved = isinstance(sharding, jax.sharding.Sharding) and sharding != getattr(
        value, "sharding", None
    )
    return jax.device_put(value, sharding) if moved else value


def plan(
    target: Any,
    rules: Any,
    *,
    usage: Mapping[str, Any] | None = None,
    mesh: Any = None,
    shardings: Any = None,
    stacked: Mapping[Any, Any] | None = None,
    layouts: Mapping[Any, str] | None = None,
    tied: Sequence[Sequence[Any]] = (),
    only: Any = None,
    key_scheme: int = KEY_SCHEME,
) -> Plan:
    """Decide what each leaf of a model gets, before anything is allocated.

    Args:
        target: a tree of arrays or `jax.ShapeDtypeStruct`; a Linen module with its inputs
            (`jinit.with_inputs`); an NNX or Equinox module, abstract or not; or a function of no
            arguments that makes one of these.
        rules: `jinit.Rules`, or what makes them: a mapping, pairs, or one scheme for all leaves.
        usage: how the model uses its parameters (`jinit.trace`), by path; goes before what layers
            tell.
        mesh: the mesh that PartitionSpecs and the model's own axis names refer to.
        shardings: a sharding or PartitionSpec for all leaves, a function of the leaf, or a mapping
            of selectors to them, or a tree of them; None leaves what the model asks for.
        stacked: by selector, how many leading axes (or which axes) hold layers stacked by hand.
        layouts: by selector, the axes of kernels that only you know: "HWIO", "btd,dhk->bthk".
        tied: groups of paths that share one array, where the tree does not show it.
        only: selector, or several, of the leaves to draw; the others are kept.
        key_scheme: version of the derivation of keys from paths.

    Returns:
        The plan.

    Raises:
        jinit.RuleError: a rule hits no leaf, or a leaf follows no rule.
        ValueError: a scheme does not fit its leaf, shared leaves follow different rules, or a leaf
            without a value is to be kept; every such leaf is named.

    >>> import jax, jinit
    >>> params = {"Dense_0": {"kernel": jax.ShapeDtypeStruct((784, 512), "float32"),
    ...                       "bias": jax.ShapeDtypeStruct((512,), "float32")}}
    >>> plan = jinit.plan(params, {"**/bias": jinit.zeros, "**/kernel": jinit.he_normal()})
    >>> plan["Dense_0/kernel"].fans, f"{plan['Dense_0/kernel'].std:.4f}"
    (Fans(fan_in=784, fan_out=512), '0.0505')
    """
    from jinit.model.targets.dispatch import describe_target

    path_words((), key_scheme)
    structure = describe_target(target, mesh=mesh)
    slots = list(structure.slots)
    for declared, declare in _declarations(usage, stacked, layouts, tied):
        slots = declare(slots, declared) if declared else slots
    slots = declare_shardings(slots, shardings, mesh)
    rows = decide_rows(as_leaves(slots), rules, only)
    return Plan(replace(structure, slots=tuple(slots)), rows, key_scheme)


def _declarations(
    usage: Any, stacked: Any, layouts: Any, tied: Any
) -> list[tuple[Any, Callable[..., Any]]]:
    return [
        (usage, declare_usage),
        (stacked, declare_stacks),
        (layouts, declare_layouts),
        (tied, declare_ties),
    ]


def decide_rows(leaves: Sequence[Leaf], rules: Any, only: Any = None) -> list[Row]:
    """A row for each leaf by rules, as `plan` takes them; raises what `plan` raises."""
    return _share(_decide(leaves, _assigned(as_rules(rules), leaves, only)))


def _assigned(rules: Rules, leaves: Sequence[Leaf], only: Any) -> list[Rule]:
    """The rule of each leaf; what `only` leaves out is kept."""
    if only is None:
        return [rule for rule in rules.assign(leaves) if rule is not None]
    several = isinstance(only, Sequence) and not isinstance(only, str)
    selectors = [as_selector(one) for one in (only if several else [only])]
    for selector in selectors:
        if not any(selector(leaf) for leaf in leaves):
            paths = ", ".join(repr(leaf.path) for leaf in leaves[:5])
            raise RuleError(f"`only` (={selector!r}) selects no leaf; paths are such as {paths}")
    kept = Rule(as_selector("**"), keep, optional=True, source="only")
    wanted = [any(selector(leaf) for selector in selectors) for leaf in leaves]
    assigned = rules.assign(leaves, wanted)
    return [
        rule if want and rule is not None else kept
        for rule, want in zip(assigned, wanted, strict=True)
    ]


def _decide(leaves: Sequence[Leaf], rules: Sequence[Rule]) -> list[Row]:
    """A row for each leaf; what goes wrong is collected, so that one run shows all of it."""
    rows, problems = [], []
    for leaf, rule in zip(leaves, rules, strict=True):
        try:
            rows.append(_row(leaf, rule))
        except (ValueError, TypeError) as error:
            problems.append(f"{_subject(leaf, error)} (rule {rule})")
    if problems:
        shown = "\n".join(problems[:8])
        rest = f"\nand {len(problems) - 8} more" if len(problems) > 8 else ""
        raise ValueError(f"rules that do not fit their leaves:\n{shown}{rest}")
    return rows


def _subject(leaf: Leaf, error: Exception) -> str:
    """What went wrong, with the leaf in front if the message does not begin with it."""
    text = str(error)
    return text if text.startswith(str(leaf)) else f"{leaf}: {text}"


def _row(leaf: Leaf, rule: Rule) -> Row:
    value = rule.value
    while not isinstance(value, (Initializer, Keep)):
        value = as_value(value(leaf))
    if isinstance(value, Keep):
        if leaf.slot.value is None:
            raise ValueError(
                "it is to be kept and has no value; give a scheme, or a model that has values"
            )
        return Row(leaf, str(rule), keep, keep)
    init = adapt(value, leaf)
    return Row(leaf, str(rule), value, init, init.std(leaf.shape, leaf.dtype))


def _share(rows: Sequence[Row]) -> list[Row]:
    """Of leaves that are one array the first by name is drawn; they must agree."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        if row.leaf.slot.shared is not None:
            groups.setdefault(row.leaf.slot.shared, []).append(row)
    owners: dict[str, str] = {}
    for group in groups.values():
        _check_agreement(group)
        owner = min(row.path for row in group)
        owners |= {row.path: owner for row in group if row.path != owner}
    return [replace(row, shared_with=owners.get(row.path)) for row in rows]


def _check_agreement(group: Sequence[Row]) -> None:
    first = group[0]
    for other in group[1:]:
        if other.scheme != first.scheme:
            raise RuleError(
                f"{first.path} and {other.path} are one array, and rules disagree: {first.rule} "
                f"gives {first.scheme!r}, {other.rule} gives {other.scheme!r}; put a rule before "
                "them that selects both, or give both the same scheme"
            )
