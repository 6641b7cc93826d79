"""muP: the parametrization in which the best learning rate does not depend on the width.

May import: `jinit.checks`, `jinit.initializer`, `jinit.schemes`, and of `jinit.model` leaf,
planning, ruleset, rows; of `jinit.presets` flax, names, parametrization, pieces, rescaling, widths.
"""

import math
from collections.abc import Sequence
from typing import Any

from jinit.model.planning import Plan, plan
from jinit.model.rows import Row
from jinit.presets.flax import flax_default
from jinit.presets.names import QUERY
from jinit.presets.parametrization import Multipliers, Parametrization, Scaling
from jinit.presets.rescaling import exact_rules, pair_rows, rescaled, select_paths, together
from jinit.presets.widths import Width, compare_widths
from jinit.schemes.constants import zeros

__all__ = ["mup", "mup_scaling", "mup_start"]


def mup(
    base: Any,
    target: Any,
    rules: Any = None,
    *,
    readout: Any = None,
    absorb: bool = False,
    zero_readout: bool = False,
    zero_query: bool = False,
    query: Any = QUERY,
    **declared: Any,
) -> Parametrization:
    """muP: m times as wide, hidden weights have std over `sqrt(m)` and learning rate over m.

    With m the factor by which a leaf's inputs (for vectors: its entries) outnumber those in the
    base model:

    | leaf | std | output | rate, Adam | rate, SGD |
    |---|---|---|---|---|
    | input weights, embeddings, biases, norms | base | 1 | 1 | m |
    | hidden weights | base `/ sqrt(m)` | 1 | `1 / m` | `m_out / m` |
    | readout | base | `1 / m` | 1 | m |
    | readout, absorbed | base `/ m` | 1 | `1 / m` | `1 / m` |

    Which of these a leaf is follows from its shapes in the two models: what differs between them
    is a width. Tune the learning rate on a narrow model and use it on a wide one.

    Args:
        base: a narrow model of the same kind, abstract, in any form that `jinit.plan` takes; at
            its width nothing changes.
        target: the model to train.
        rules: the start in standard parametrization, whose laws in the base model are kept;
            by default `jinit.presets.flax_default()`.
        readout: patterns of the readouts, whose outputs the model multiplies, in place of all
            weights with growing inputs and constant outputs; the others of these are absorbed. May
            name an embedding's table that also serves as readout.
        absorb: put the readouts' multiplier into start and learning rate, so that the model need
            not be changed.
        zero_readout: start readouts at 0, which the authors recommend. In the base model itself,
            where nothing grows, `readout` has to name them.
        zero_query: start queries at 0, so that attention is uniform at first at any width.
        query: patterns of the query projections, which must be there under `zero_query`.
        **declared: what `jinit.plan` takes to know the leaves: `layouts`, `stacked`, `tied`, ...

    Returns:
        A `Parametrization`: rules, output multipliers and learning rates by path, and an
        optimizer by `optax(make_optimizer)`.

    Raises:
        ValueError: the models' leaves differ in other ways than by widths; every such leaf is
            named. Or `zero_readout` finds no readout.
        jinit.RuleError: `readout` or `query` hits nothing, or the rules do not fit.

    Attention is to divide its logits by the size of a head, not by its root, where that grows.

    >>> import jax, jinit
    >>> def shapes(width):
    ...     array = lambda *shape: jax.ShapeDtypeStruct(shape, "float32")
    ...     return {"a": {"kernel": array(8, width)}, "b": {"kernel": array(width, width)},
    ...             "c": {"kernel": array(width, 10)}}
    >>> wide = jinit.presets.mup(shapes(64), shapes(256))
    >>> wide.learning_rates()
    {'a/kernel': 1.0, 'b/kernel': 0.25, 'c/kernel': 1.0}
    >>> wide.output_multipliers["c/kernel"]
    0.25
    >>> [f"{row.std:.4f}" for row in jinit.plan(shapes(256), wide.rules)]
    ['0.3536', '0.0625', '0.1250']

    Reference: Yang et al. 2022 (arXiv:2203.03466); microsoft/mup, `init.py`, `layer.py`,
    `optim.py`. Readouts that are absorbed are the paper's parametrization without multipliers.

    Differences: microsoft/mup needs a third model to tell widths from other extents, and readouts
    of a class of their own.
    """
    rules = flax_default() if rules is None else rules
    narrow, wide = plan(base, rules, **declared), plan(target, rules, **declared)
    pairs = pair_rows(narrow, wide)
    widths = together(compare_widths, pairs)
    readouts = select_paths(wide, "mup", "readout", readout)
    queries = select_paths(wide, "mup", "query", query) if zero_query else set()
    empty = queries | (_zero_readouts(wide, widths, readouts) if zero_readout else set())
    scalings, values = {}, []
    for (row, other), width in zip(pairs, widths, strict=True):
        named = row.path in readouts
        multiplied = named or (readout is None and width.kind == "output" and not absorb)
        _check_absorbed(row, width, absorb and named)
        scalings[row.path] = mup_scaling(width, multiplied)
        start = mup_start(width, multiplied)
        values.append(zeros() if row.path in empty else rescaled(row, other, start))
    rules = exact_rules(wide, values, "mup")
    return Parametrization(rules, scalings, as_tree=wide.structure.as_mask)


def _zero_readouts(wide: Plan, widths: Sequence[Width], named: set[str]) -> set[str]:
    """Paths of the readouts: those that grow as such, or at the base's own width are named."""
    kinds = {row.path: width.kind for row, width in zip(wide, widths, strict=True)}
    found = {path for path, kind in kinds.items() if kind == "output"}
    if set(kinds.values()) == {"fixed"}:
        found = {path for path in named if wide[path].leaf.role != "embedding"}
    if not found:
        raise ValueError(
            "`zero_readout` finds no readout: no weight has more inputs than in the base model and "
            "as many outputs; at the base model's own width name it, such as "
            "readout='head/kernel'"
        )
    return found


def _check_absorbed(row: Row, width: Width, contradiction: bool) -> None:
    if contradiction:
        raise ValueError(
            f"`readout` names {row.leaf}, whose output the model multiplies, and `absorb` says "
            "that it multiplies nothing; give one of the two"
        )


def mup_start(width: Width, multiplied: bool) -> float:
    """The factor on the base model's standard deviation."""
    if width.kind == "hidden":
        return 1 / math.sqrt(width.inputs)
    return 1 / width.inputs if width.kind == "output" and not multiplied else 1.0


def mup_scaling(width: Width, multiplied: bool) -> Scaling:
    """Output multiplier and optimizer settings of a leaf of this width.

    Args:
        width: the leaf's.
        multiplied: whether the model multiplies the leaf's output.
    """
    into, out = width.inputs, width.outputs
    adam, sgd, multiplier = 1.0, out, 1.0
    if width.kind == "hidden":
        adam, sgd = 1 / into, out / into
    elif width.kind == "output":
        adam, sgd, multiplier = (1.0, into, 1 / into) if multiplied else (1 / into, 1 / into, 1.0)
    elif multiplied:  # the table of an embedding that is a readout too
        multiplier = 1 / out
    optimizers = {"adam": _at_rate(adam), "sgd": _at_rate(sgd)}
    return Scaling(width.kind, into, out, multiplier, optimizers)


def _at_rate(rate: float) -> Multipliers:
    return Multipliers(rate, 1 / rate)
