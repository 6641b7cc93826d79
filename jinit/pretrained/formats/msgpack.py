"""Flax's msgpack (`flax.serialization.to_bytes`): arrays in nested maps.

May import: the standard library, and of `jinit.pretrained` binary, errors, headers, sources, whole,
and packed.

The file is walked through once for where its arrays lie, and these are read from there when they
are asked for; unpacking it would take as much memory again as all of them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from jinit.pretrained.binary import BinaryFile, aligned_empty
from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.formats.packed import Stored, unpack_places
from jinit.pretrained.headers import as_shape
from jinit.pretrained.sources import Array, TensorSpec, Window
from jinit.pretrained.whole import WholeReads

__all__ = ["CHUNKED", "CHUNKS", "LONGEST_CHUNK", "SHAPE", "MsgpackSource"]

CHUNKED, CHUNKS, SHAPE = "__msgpack_chunked_array__", "chunks", "shape"
LONGEST_CHUNK = 2**30  # bytes; a larger array is in several


class _Chunked(NamedTuple):
    """An array whose values lie in several others."""

    chunks: tuple[Stored, ...]
    spec: TensorSpec


class MsgpackSource(WholeReads):
    """One msgpack file; what is no array in it is left out."""

    def __init__(self, path: str) -> None:
        self._file = BinaryFile(path)
        try:
            self._stored = dict(_named(unpack_places(self._file), (), path))
        except BaseException:
            self._file.close()
            raise
        specs = {name: stored.spec for name, stored in self._stored.items()}
        super().__init__(specs, f"{Path(path).name} (msgpack)")

    def _read(self, name: str, window: Window | None) -> Array:
        stored = self._stored[name]
        if isinstance(stored, Stored):
            return self._file.array_at(stored.start, stored.spec, window)
        return super()._read(name, window)

    def _whole(self, name: str) -> Array:
        stored = self._stored[name]
        assert isinstance(stored, _Chunked)
        values, done = aligned_empty(stored.spec.shape, stored.spec.dtype), 0
        flat = values.reshape(-1)
        for chunk in stored.chunks:
            flat[done : done + chunk.spec.size] = self._file.array_at(*chunk)
            done += chunk.spec.size
        return values

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._file.close()


def _named(node: Any, parts: tuple[str, ...], path: str) -> Iterator[tuple[str, Stored | _Chunked]]:
    """The arrays below a node of the tree, by their paths."""
    seen: set[str] = set()
    for name, stored in _leaves(node, parts, path):
        if name in seen:
            raise CheckpointError(path, "is there twice, once by a name with a slash", name)
        seen.add(name)
        yield name, stored


def _leaves(
    node: Any, parts: tuple[str, ...], path: str
) -> Iterator[tuple[str, Stored | _Chunked]]:
    name = "/".join(parts)
    if isinstance(node, Stored):
        yield name, node
    elif isinstance(node, dict) and CHUNKED in node:
        yield name, _joined(node, path, name)
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, (*parts, key), path)


def _joined(node: dict[str, Any], path: str, name: str) -> _Chunked:
    """The array that a map of chunks stands for."""
    chunks, extents = _numbered(node.get(CHUNKS)), _numbered(node.get(SHAPE))
    if not chunks or not all(isinstance(c, Stored) and len(c.spec.shape) == 1 for c in chunks):
        raise CheckpointError(path, "is in chunks that are no flat arrays", name)
    dtypes = {chunk.spec.dtype for chunk in chunks}
    spec = TensorSpec(as_shape(extents, path, name), chunks[0].spec.dtype)
    if len(dtypes) > 1 or sum(chunk.spec.size for chunk in chunks) != spec.size:
        raise CheckpointError(path, f"is in chunks that do not make up {spec}", name)
    return _Chunked(tuple(chunks), spec)


def _numbered(node: Any) -> list[Any]:
    """The values of a map with the keys "0", "1", ...; nothing of another."""
    keys = list(map(str, range(len(node)))) if isinstance(node, dict) else []
    return [node[key] for key in keys] if set(keys) == set(node or ()) else []
