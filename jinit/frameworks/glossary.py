"""One name, what it means in each framework: a table whose figures the schemes themselves state.

May import: `jinit.core`, `jinit.axes`, `jinit.initializer`, `jinit.shown`, and of
`jinit.frameworks` names.
Renders through `jinit.display`, imported when asked for.
"""

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from jinit.axes import canonical_shape
from jinit.core.laws import Constant, Law, Normal, TruncatedNormal, Uniform
from jinit.frameworks.names import MATRICES, OTHER_NAMES, vocabulary
from jinit.initializer import Initializer
from jinit.shown import Shown

__all__ = ["Comparison", "Meaning", "compare"]

_KERNEL = (3, 3, 64, 128)
_MATRIX = (1000, 128)


class Meaning(NamedTuple):
    """What a name means in one framework.

    Attributes:
        framework: whose meaning it is; "jax" stands for `jax.nn.initializers` and Flax.
        init: the scheme.
        kind: "constant", "uniform", "normal", "cut normal" or "structured".
        std: standard deviation of the weights.
        low: lower end of their range; None where it is not known.
        high: upper end.
        ratio: `std` over that of JAX; None where JAX has no such name, or none of the spread.
    """

    framework: str
    init: Initializer
    kind: str
    std: float | None
    low: float | None
    high: float | None
    ratio: float | None

    @property
    def call(self) -> str:
        """The expression that makes the scheme."""
        return repr(self.init)

    @property
    def range(self) -> str:
        """Both ends of the range as text; empty where they are not known."""
        if self.low is None or self.high is None:
            return ""
        return "unbounded" if math.isinf(self.high) else f"{self.low:.3g} to {self.high:.3g}"


@dataclass(frozen=True)
class Comparison(Shown):
    """What one name means in each framework that has it; prints as a table.

    Attributes:
        name: the name.
        shape: shape of the kernel, `(*taps, in, out)`, whose figures are given.
        rows: one meaning a framework.
    """

    name: str
    shape: tuple[int, ...]
    rows: tuple[Meaning, ...]

    def __getitem__(self, framework: str) -> Meaning:
        """The meaning in one framework.

        Raises:
            KeyError: the framework has no such name.
        """
        for row in self.rows:
            if row.framework == framework:
                return row
        raise KeyError(f"{self.name!r} is no name of {framework!r}")

    def to_markdown(self) -> str:
        """The table in Markdown, for documentation."""
        head = ["| framework | call | law | std | of JAX's | range |", "|---|---|---|---|---|---|"]
        return "\n".join([*head, *map(_markdown_row, self.rows)])

    def _tables(self, width: int) -> Sequence[Any]:
        from jinit.display.frameworks import comparison_table

        return [comparison_table(self)]


def compare(name: str, *, shape: tuple[int, ...] | None = None) -> Comparison:
    """What `name` means in each framework: its law there, its spread, its range.

    Args:
        name: a scheme, "xavier_normal" or "truncated_normal", or a layer whose default start is
            meant, "linear", "conv_transpose" or "embedding".
        shape: the kernel `(*taps, in, out)` to compute the figures of; None is (3, 3, 64, 128),
            or (1000, 128) where a matrix is meant.

    Returns:
        The comparison; `print` it, or read its rows.

    Raises:
        ValueError: the name is unknown; the message lists those there are.

    >>> from jinit.frameworks import compare
    >>> table = compare("xavier_normal", shape=(300, 500))
    >>> print(f"{table['torch'].kind}, {table['jax'].kind}")
    normal, cut normal
    >>> print(f"{table['mxnet'].std:.4f} {table['jax'].std:.4f} {table['mxnet'].ratio:.4f}")
    0.0866 0.0500 1.7321
    """
    entries = vocabulary()
    named = OTHER_NAMES.get(name, name)
    if named not in entries:
        near = difflib.get_close_matches(str(name), [*entries, *OTHER_NAMES], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"`name` (={name!r}) must be one of {', '.join(map(repr, sorted(entries)))}{hint}"
        )
    usual = _MATRIX if named in MATRICES else _KERNEL
    shape = usual if shape is None else canonical_shape(shape)
    means = entries[named]
    reference = means["jax"].std(shape) if "jax" in means else None
    rows = (_meaning(framework, init, shape, reference) for framework, init in means.items())
    return Comparison(name, shape, tuple(rows))


def _meaning(
    framework: str, init: Initializer, shape: tuple[int, ...], reference: float | None
) -> Meaning:
    law, std = init.law(shape), init.std(shape)
    ratio = None if std is None or not reference else std / reference
    kind, low, high = _described(law)
    return Meaning(framework, init, kind, std, low, high, ratio)


def _described(law: Law | None) -> tuple[str, float | None, float | None]:
    if law is None:
        return "structured", None, None
    kind, ends = _LAWS[type(law)]
    low, high = ends(law)
    return kind, float(low), float(high)


_LAWS: Mapping[type, tuple[str, Callable[[Any], tuple[float, float]]]] = {
    Constant: ("constant", lambda law: (law.value, law.value)),
    Normal: ("normal", lambda law: (-math.inf, math.inf)),
    TruncatedNormal: (
        "cut normal",
        lambda law: (law.center + law.stddev * law.lower, law.center + law.stddev * law.upper),
    ),
    Uniform: ("uniform", lambda law: (law.scale * law.low, law.scale * law.high)),
}


def _markdown_row(row: Meaning) -> str:
    std = "" if row.std is None else f"{row.std:.4g}"
    ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
    return f"| {row.framework} | `{row.call}` | {row.kind} | {std} | {ratio} | {row.range} |"
