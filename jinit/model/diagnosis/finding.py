"""Findings: what can be wrong with parameters, and what to do about it.

May import: the standard library.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["ADVICE", "Finding", "count_noun", "listing", "number"]

_LISTED = 3  # paths that a sentence names before it counts the rest

ADVICE: Mapping[str, str] = MappingProxyType(
    {
        "undrawn": "draw it (jinit.initialize), or load it",
        "shape": "plan the model that these parameters belong to",
        "nonfinite": "draw it again; look for an overflow in its dtype, or a fan of 0 in its rule",
        "zero": "draw it; if meant, give it the rule jinit.zeros and pass the plan, or `ignore` it",
        "constant": "draw it; if meant, give it a rule jinit.constant and pass the plan, or "
        "`ignore` it",
        "duplicate": "draw each from a key of its own; to share weights on purpose, use one array",
        "correlated": "draw each from a key of its own (jax.random.split, or fold_in of the path)",
        "coarse": "draw in float32 and cast once, as jinit's schemes do",
        "rounded": "keep it in that dtype",
        "std": "compare the fans and the stacked axes that its rule assumes with the layer's",
        "mean": "compare the law of its rule with the code that drew it",
        "lora": "start one factor random and the other at zero",
    }
)


@dataclass(frozen=True)
class Finding:
    """One thing that looks wrong.

    Attributes:
        kind: one of "coarse", "constant", "correlated", "duplicate", "lora", "mean",
            "nonfinite", "rounded", "shape", "std", "undrawn", "zero".
        path: the leaf, its slice in brackets where it is about one: `layers/kernel[3]`.
        detail: what was seen, in words.
        severity: "error" for what no one means, "warning" for what someone may.
        others: paths of the other leaves or slices that it is about.
    """

    kind: str
    path: str
    detail: str
    severity: str = "error"
    others: tuple[str, ...] = ()

    @property
    def advice(self) -> str:
        """What to do about it."""
        return ADVICE[self.kind]


def listing(names: Sequence[str]) -> str:
    """A few names, and how many more there are.

    >>> listing(["a", "b"]), listing(["a", "b", "c", "d", "e"])
    ('a and b', 'a, b, c and 2 more')
    """
    shown = list(names[:_LISTED])
    if len(names) > _LISTED:
        shown.append(f"{len(names) - _LISTED} more")
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def count_noun(count: int, noun: str) -> str:
    """A count with its noun: `1 leaf`, `2 leaves`.

    >>> count_noun(1, "leaf"), count_noun(2, "leaf"), count_noun(1234, "value")
    ('1 leaf', '2 leaves', '1,234 values')
    """
    plural = "leaves" if noun == "leaf" else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}"


def number(value: float) -> str:
    """Three digits."""
    return f"{value:.3g}"
