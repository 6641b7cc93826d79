"""What has been worked out for a function, kept as long as the function lives.

May import: jax, NumPy, and of `jinit.model.targets` arrays, loaded.

As under `jax.jit`, a function is taken to do the same whenever it is called with inputs of the same
structure, shapes and dtypes.
"""

import inspect
import weakref
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import jax
import numpy as np

from jinit.model.targets.arrays import is_array
from jinit.model.targets.loaded import is_a

__all__ = ["remembered", "structure_of"]

Found = TypeVar("Found")
_MOST = 8  # structures of inputs kept for one function
_KNOWN: "weakref.WeakKeyDictionary[Any, dict[Hashable, Any]]" = weakref.WeakKeyDictionary()


def remembered(function: Any, key: Hashable | None, make: Callable[[], Found]) -> Found:
    """What `make()` returns, or has returned for the same function and key."""
    anchor, name = _anchor(function)
    try:
        known = _KNOWN.setdefault(anchor, {})
        hash(key)
    except TypeError:  # an object that no weak reference can be made to, or that has no hash
        return make()
    if key is None:
        return make()
    if (name, key) not in known:
        if len(known) >= _MOST:
            known.pop(next(iter(known)))
        known[name, key] = make()
    return known[name, key]  # type: ignore[no-any-return]


def _anchor(function: Any) -> tuple[Any, Hashable]:
    """What lives as long as a function, and which of its functions it is."""
    if is_a(function, "haiku.Transformed", "haiku.TransformedWithState"):
        return function.apply, None
    if inspect.ismethod(function):
        return function.__self__, function.__func__
    return function, None


def structure_of(tree: Any) -> Hashable | None:
    """All of a tree but the values of its arrays; None if that has no hash."""
    leaves, treedef = jax.tree.flatten(tree)
    first: dict[int, int] = {}
    told: list[tuple[Any, ...]] = []
    for number, leaf in enumerate(leaves):
        if is_array(leaf):
            same = first.setdefault(id(leaf), number) if isinstance(leaf, jax.Array) else number
            sharding = _sharding_of(leaf)
            told.append((np.shape(leaf), str(leaf.dtype), same, sharding))
        else:
            told.append((type(leaf), leaf))
    key = (treedef, tuple(told), jax.config.jax_enable_x64)
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _sharding_of(leaf: Any) -> Any:
    sharding = getattr(leaf, "sharding", None)
    return sharding if sharding is not None and len(sharding.device_set) > 1 else None
