"""Checks that options share: each returns the value it checked, or says what is allowed.

May import: jax and numpy only. Traced values pass: their value is not known yet.
"""

import difflib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

__all__ = ["check_choice", "check_integer", "check_non_negative", "check_number", "check_positive"]


def check_choice(name: str, value: Any, allowed: Sequence[str]) -> Any:
    """`value`, if it is one of `allowed`."""
    if value in allowed:
        return value
    near = difflib.get_close_matches(str(value).lower(), allowed, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(
        f"`{name}` (={value!r}) must be one of {', '.join(map(repr, sorted(allowed)))}{hint}"
    )


def check_number(name: str, value: Any) -> Any:
    """`value`, if it is a finite number, or an array of them."""
    if isinstance(value, jax.core.Tracer):
        return value
    if isinstance(value, (bool, str)) or not _is_numeric(value):
        raise TypeError(f"`{name}` (={value!r}) must be a number, or an array of numbers")
    if not np.all(np.isfinite(value)):
        raise ValueError(f"`{name}` (={value!r}) must be finite")
    return value


def check_non_negative(name: str, value: Any) -> Any:
    """`value`, if it is a finite number >= 0, or an array of them."""
    return _check_sign(name, value, lambda x: x >= 0, ">= 0")


def check_positive(name: str, value: Any) -> Any:
    """`value`, if it is a finite number > 0, or an array of them."""
    return _check_sign(name, value, lambda x: x > 0, "> 0")


def check_integer(name: str, value: Any, *, least: int = 1) -> int:
    """`value`, if it is an int that is at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"`{name}` (={value!r}) must be an int")
    if value < least:
        raise ValueError(f"`{name}` (={value}) must be at least {least}")
    return value


def _check_sign(name: str, value: Any, holds: Any, allowed: str) -> Any:
    check_number(name, value)
    if not isinstance(value, jax.core.Tracer) and not np.all(holds(np.asarray(value))):
        raise ValueError(f"`{name}` (={value!r}) must be {allowed}")
    return value


def _is_numeric(value: Any) -> bool:
    return isinstance(value, (int, float, complex)) or np.asarray(value).dtype.kind in "iufc"
