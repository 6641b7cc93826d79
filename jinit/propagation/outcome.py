"""A model's outcome, taken apart as its program gives it and put together again for a loss.

May import: jax, `jinit.model.targets.arrays`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax

from jinit.model.targets.arrays import is_array

__all__ = ["Outcome"]


class Outcome:
    """The structure of what a function returned last, and what in it is no array."""

    def __init__(self) -> None:
        self._structure: Any = None
        self._fixed: list[Any] = []

    def watching(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose outcome is looked at whenever it is called."""

        def watched(*args: Any, **kwargs: Any) -> Any:
            outcome = function(*args, **kwargs)
            leaves, self._structure = jax.tree.flatten(outcome)
            self._fixed = [_ARRAY if is_array(leaf) else leaf for leaf in leaves]
            return outcome

        return watched

    def close(self, arrays: Sequence[Any]) -> Any:
        """The outcome with these arrays in it."""
        given = iter(arrays)
        leaves = [next(given) if leaf is _ARRAY else leaf for leaf in self._fixed]
        return jax.tree.unflatten(self._structure, leaves)


_ARRAY = object()
