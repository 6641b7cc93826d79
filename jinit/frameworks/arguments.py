"""Checks of arguments by the names that a framework gives them.

May import: `jinit.checks`.
"""

from typing import Any

from jinit.checks import check_number

__all__ = ["check_ends"]


def check_ends(**ends: Any) -> None:
    """Raise unless the first of two ends, given by name, is below the second.

    >>> check_ends(a=0.0, b=1.0)
    """
    for name, value in ends.items():
        check_number(name, value)
    (first, low), (second, high) = ends.items()
    numbers = isinstance(low, (int, float)) and isinstance(high, (int, float))
    if numbers and not low < high:
        raise ValueError(f"`{first}` (={low}) must be below `{second}` (={high})")
