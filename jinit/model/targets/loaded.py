"""Frameworks asked about only where they are loaded: no target can be of another.

May import: the standard library, jax.
"""

import sys
from typing import Any

import jax

__all__ = ["holds", "is_a", "is_loaded"]


def is_loaded(module: str) -> bool:
    """Whether a module has been imported, by whoever needed it."""
    return module in sys.modules


def is_a(thing: Any, *names: str) -> bool:
    """Whether `thing` is an instance of a class called so, such as "flax.linen.Module".

    >>> from jinit.model.targets.loaded import is_a
    >>> is_a(3, "builtins.int", "nowhere.Module")
    True
    """
    return any(isinstance(thing, cls) for cls in map(_class_called, names) if cls is not None)


def holds(tree: Any, *names: str) -> bool:
    """Whether `tree` is, or has among its nodes, an instance of a class called so."""
    classes = tuple(cls for cls in map(_class_called, names) if cls is not None)
    found = jax.tree.leaves(tree, is_leaf=lambda node: isinstance(node, classes))
    return any(isinstance(node, classes) for node in found)


def _class_called(name: str) -> type | None:
    module, _, attribute = name.rpartition(".")
    found = getattr(sys.modules.get(module), attribute, None)
    return found if isinstance(found, type) else None
