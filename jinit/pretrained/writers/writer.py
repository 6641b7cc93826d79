"""What all writers do: say which tensors they cannot hold, write the bytes of the others.

May import: the standard library, numpy, and of `jinit.pretrained` errors, sources.
"""

from collections.abc import Collection, Iterable

import numpy as np

from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.sources import Array, Source

__all__ = ["check_dtypes", "nested", "raw_bytes"]


def check_dtypes(source: Source, allowed: Collection[str], format_name: str) -> None:
    """Raise for the first tensor of a dtype that a format lacks.

    Raises:
        jinit.pretrained.CheckpointError: there is one.
    """
    for name, spec in source.items():
        if spec.dtype.name not in allowed:
            reason = f"is {spec.dtype.name}, which {format_name} cannot hold; cast it first"
            raise CheckpointError(source.description, reason, name)


def raw_bytes(values: Array) -> memoryview:
    """The values as little-endian bytes, row by row."""
    flat = np.ascontiguousarray(values).reshape(-1)
    little = flat.astype(flat.dtype.newbyteorder("<"), copy=False)
    return memoryview(little.view(np.uint8))


def nested(names: Iterable[str], file: str) -> dict[str, object]:
    """Names with slashes as nested dicts, whose leaves are the names.

    Raises:
        jinit.pretrained.CheckpointError: a name is also the beginning of another.

    >>> nested(["a/kernel", "a/bias", "scale"], "model")
    {'a': {'kernel': 'a/kernel', 'bias': 'a/bias'}, 'scale': 'scale'}
    """
    tree: dict[str, object] = {}
    for name in names:
        *parents, last = name.split("/")
        node = tree
        for part in parents:
            below = node.setdefault(part, {})
            if not isinstance(below, dict):
                raise CheckpointError(file, f"would lie within tensor {below!r}", name)
            node = below
        if last in node:
            raise CheckpointError(file, "has its name from a group of tensors", name)
        node[last] = name
    return tree
