"""CompleteP: muP over widths, and residual branches divided by the depth.

May import: the standard library, `jinit.checks`, and of `jinit.model` leaf, planning, rows; of
`jinit.presets` flax, parametrization, rescaling, width, widths.
"""

import functools
from collections.abc import Sequence
from typing import Any

from jinit.checks import check_number, check_positive
from jinit.model.leaf import Leaf
from jinit.model.planning import plan
from jinit.model.rows import Row
from jinit.presets.flax import flax_default
from jinit.presets.parametrization import Multipliers, Parametrization, Scaling
from jinit.presets.rescaling import exact_rules, pair_rows, rescaled, select_paths, together
from jinit.presets.width import mup_scaling, mup_start
from jinit.presets.widths import Width, compare_widths

__all__ = ["completep"]


def completep(
    base: Any,
    target: Any,
    rules: Any = None,
    *,
    alpha: float = 1.0,
    readout: Any = None,
    width: float | None = None,
    depth: float | None = None,
    blocks: Any = None,
    **declared: Any,
) -> Parametrization:
    """CompleteP: muP over widths, and branches and their rates that go with the depth.

    With m the factor by which a leaf's inputs outnumber those in the base model, m_N that of the
    model's width and m_L that of its depth, under Adam:

    | leaf | std | output | rate | decay | epsilon |
    |---|---|---|---|---|---|
    | hidden weights | base `/ sqrt(m)` | 1 | `d / m` | m | `e / m_N` |
    | input weights, biases, norms | base | 1 | d | 1 | `e / m_N` |
    | readout | base | `1 / m` | d | 1 | `e / m_N` |

    d is `m_L^(alpha - 1)` and e is `m_L^-alpha` in blocks; outside of them both are 1.

    For transformers whose learning rate is to carry over to deeper models as well as wider ones.
    The model multiplies each residual branch by `residual_multiplier = m_L^-alpha`.

    Args:
        base: a narrow and shallow model of the same kind, in any form that `jinit.plan` takes.
        target: the model to train.
        rules: the start in standard parametrization, whose laws in the base model are kept, and
            which must not scale with depth; by default `jinit.presets.flax_default()`.
        alpha: from 1/2, the older depth-muP, to 1.
        readout: patterns of the readouts, whose outputs the model multiplies, in place of all
            weights with growing inputs and constant outputs.
        width: m_N, where leaves do not all grow by one factor.
        depth: m_L, where the numbers of blocks do not tell.
        blocks: patterns of the leaves that residual branches hold, in place of all that are in
            numbered blocks, or in a stack, of which there are more than in the base model.
        **declared: what `jinit.plan` takes to know the leaves: `layouts`, `stacked`, `tied`, ...

    Returns:
        A `Parametrization` for Adam: rules, output and residual multipliers, and settings of the
        optimizer by path; `optax(make_optimizer)` hands `make_optimizer` all three of them.

    Raises:
        ValueError: `alpha` is not in [1/2, 1]; the models' leaves differ in other ways than by
            widths and blocks; width or depth is not one factor and not given.
        jinit.RuleError: `readout` or `blocks` hits nothing, or the rules do not fit.

    Attention is to divide its logits by the size of a head, not by its root.

    >>> import jax, jinit
    >>> def shapes(width, depth):
    ...     array = lambda *shape: jax.ShapeDtypeStruct(shape, "float32")
    ...     blocks = {f"h_{i}": {"w": {"kernel": array(width, width)}} for i in range(depth)}
    ...     return {"embed": {"embedding": array(50, width)}, **blocks}
    >>> large = jinit.presets.completep(shapes(64, 2), shapes(256, 8))
    >>> large.residual_multiplier
    0.25
    >>> large.multipliers()["h_5/w/kernel"]
    Multipliers(learning_rate=0.25, weight_decay=4.0, epsilon=0.0625)

    Reference: Dey et al. 2025 (arXiv:2505.01618); the authors' code, EleutherAI/nanoGPT-mup.
    """
    _check_alpha(alpha)
    rules = flax_default() if rules is None else rules
    narrow, wide = plan(base, rules, **declared), plan(target, rules, **declared)
    pairs = pair_rows(narrow, wide, depth_too=True)
    widths = together(functools.partial(compare_widths, depth_too=True), pairs)
    deeper = [_growth(row.leaf, other.leaf) for row, other in pairs]
    m_width, m_depth = _one_width(widths, width), _one_depth(deeper, depth)
    readouts = select_paths(wide, "completep", "readout", readout)
    branches = select_paths(wide, "completep", "blocks", blocks, vectors=True)
    branches = branches or _branches(pairs, deeper, depth)
    scalings, values = {}, []
    for (row, other), grown in zip(pairs, widths, strict=True):
        multiplied = row.path in readouts or (readout is None and grown.kind == "output")
        branch = m_depth if row.path in branches else 1.0
        scalings[row.path] = _scaling(grown, multiplied, m_width, branch, alpha)
        values.append(rescaled(row, other, mup_start(grown, multiplied)))
    return Parametrization(
        exact_rules(wide, values, "completep"), scalings, m_depth**-alpha, wide.structure.as_mask
    )


def _check_alpha(alpha: float) -> None:
    check_number("alpha", alpha)
    if not 0.5 <= alpha <= 1:
        raise ValueError(f"`alpha` (={alpha}) must lie in [0.5, 1]")


def _scaling(
    grown: Width, multiplied: bool, m_width: float, branch: float, alpha: float
) -> Scaling:
    """The scaling of muP under Adam, with the depth's part in rate and epsilon."""
    scaling = mup_scaling(grown, multiplied)
    by = scaling.optimizers["adam"]
    adam = Multipliers(
        by.learning_rate * branch ** (alpha - 1), by.weight_decay, branch**-alpha / m_width
    )
    return scaling._replace(optimizers={"adam": adam})


def _one_width(widths: Sequence[Width], given: float | None) -> float:
    """The factor by which the model has grown in width."""
    if given is not None:
        return float(check_positive("width", given))
    inner = {w.inputs for w in widths if w.kind in ("hidden", "output")}
    factors = sorted(inner or {w.outputs for w in widths if w.kind != "fixed"} or {1.0})
    if len(factors) > 1:
        raise ValueError(
            f"leaves have grown by different factors ({', '.join(map(str, factors))}); give "
            "`width`, that of the residual stream"
        )
    return factors[0]


def _growth(leaf: Leaf, base: Leaf) -> float:
    """How many times as many blocks there are, of those that a leaf is in."""
    return leaf.depth / base.depth if leaf.in_block and base.in_block else 1.0


def _one_depth(deeper: Sequence[float], given: float | None) -> float:
    """The factor by which the model has grown in depth."""
    if given is not None:
        return float(check_positive("depth", given))
    factors = sorted(set(deeper) - {1.0}) or [1.0]
    if len(factors) > 1:
        found = ", ".join(map(str, factors))
        raise ValueError(
            f"blocks have grown in number by different factors ({found}); give `depth`"
        )
    return factors[0]


def _branches(
    pairs: Sequence[tuple[Row, Row]], deeper: Sequence[float], given: float | None
) -> set[str]:
    """The paths of the leaves in blocks of which there are more; of those in any, if none have."""
    rows = [row for row, _ in pairs]
    grown = {row.path for row, factor in zip(rows, deeper, strict=True) if factor != 1.0}
    found = grown or {row.path for row in rows if row.leaf.in_block}
    if given not in (None, 1) and not found:
        raise ValueError("no leaf is in a numbered block or a stack; say by `blocks` which are")
    return found
