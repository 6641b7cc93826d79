"""Paths of parameters: names out of key paths, and the neighbours of a parameter by name.

May import: the standard library, `jinit.axes`, and of `jinit.model.targets` uses.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from jinit.axes import Shape
from jinit.model.targets.uses import without_axes

__all__ = ["Path", "families", "key_names", "last_name", "sibling_shapes", "split_names"]

Path: TypeAlias = tuple[str, ...]


def key_names(path: Sequence[Any]) -> Path:
    """The names of a JAX key path: keys, attributes and numbers."""
    return split_names(*(_key_name(key) for key in path))


def split_names(*names: Any) -> Path:
    """Names, those that hold slashes split at them, as Haiku's modules are called.

    >>> split_names("mlp/~/linear_0", "w")
    ('mlp', '~', 'linear_0', 'w')
    """
    return tuple(part for name in names for part in str(name).split("/"))


def last_name(path: Path) -> str:
    """What a parameter is called in its layer; nothing, where it is all there is."""
    return path[-1] if path else ""


def families(shapes: Mapping[Path, Shape]) -> dict[Path, dict[str, Shape]]:
    """Shapes by the path of their layer, and by their names in it."""
    layers: dict[Path, dict[str, Shape]] = {}
    for path, shape in shapes.items():
        layers.setdefault(path[:-1], {})[last_name(path)] = shape
    return layers


def sibling_shapes(family: Mapping[str, Shape], name: str, stack: Shape = ()) -> dict[str, Shape]:
    """Shapes of a layer's other parameters, without stacked axes."""
    return {other: without_axes(shape, stack) for other, shape in family.items() if other != name}


def _key_name(key: Any) -> str:
    for attribute in ("key", "name", "idx"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)
