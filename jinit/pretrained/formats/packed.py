"""The grammar of msgpack, walked through once: where arrays lie, and none of their values.

May import: the standard library, numpy, and of `jinit.pretrained` binary, dtypes, errors, headers,
sources.

In Flax's files arrays are extensions of type 1, scalars of type 3, and each of these is three
things: shape, name of the dtype, bytes.

Reference: https://github.com/msgpack/msgpack/blob/master/spec.md.
"""

import struct
from typing import Any, NamedTuple

import numpy as np

from jinit.pretrained.binary import BinaryFile
from jinit.pretrained.dtypes import DTYPES
from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.headers import as_shape
from jinit.pretrained.sources import TensorSpec

__all__ = ["NDARRAY", "Stored", "unpack_places"]

NDARRAY, COMPLEX, SCALAR = 1, 2, 3  # types of extensions

_DEEPEST = 64
_MOST_NODES = 1_000_000
_LONGEST_NAME = 10_000  # bytes
_AHEAD = 1 << 16  # bytes read at once

# First bytes and what follows them: how the length is stored.
_STRINGS = {0xD9: ">B", 0xDA: ">H", 0xDB: ">I"}
_BYTES = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I"}
_ARRAYS = {0xDC: ">H", 0xDD: ">I"}
_MAPS = {0xDE: ">H", 0xDF: ">I"}
_EXTENSIONS = {0xC7: ">B", 0xC8: ">H", 0xC9: ">I"}
_FIXED_EXTENSIONS = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
_NUMBERS = {
    0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I",
    0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
}  # fmt: skip


class Stored(NamedTuple):
    """An array: where its bytes begin."""

    start: int
    spec: TensorSpec


def unpack_places(file: BinaryFile) -> dict[str, Any]:
    """The file's maps, with `Stored` in place of arrays, and None of texts and bytes.

    Raises:
        jinit.pretrained.CheckpointError: it is damaged, or nested beyond any model.
    """
    return _Walk(file).tree()


class _Walk:
    """One pass over a file, which remembers where the arrays lie and reads none of them."""

    def __init__(self, file: BinaryFile) -> None:
        self._file = file
        self._position = 0
        self._nodes = 0
        self._ahead = b""
        self._ahead_from = 0

    def tree(self) -> dict[str, Any]:
        """The file's content, from its first byte to its last."""
        node = self._node(0)
        if not isinstance(node, dict):
            raise self._wrong("is no map of arrays")
        if self._position != self._file.size:
            raise self._wrong(f"goes on after its end, at byte {self._position:,}")
        return node

    def _node(self, depth: int) -> Any:
        self._nodes += 1
        if self._nodes > _MOST_NODES or depth > _DEEPEST:
            raise self._wrong(f"has over {_MOST_NODES:,} nodes, or is over {_DEEPEST} deep")
        tag = self._take(1)[0]
        if (count := self._count(tag, 0x80, 0xF0, _MAPS)) is not None:
            return self._map(count, depth)
        if (count := self._count(tag, 0x90, 0xF0, _ARRAYS)) is not None:
            return {str(place): self._node(depth + 1) for place in range(count)}
        if tag in _EXTENSIONS or tag in _FIXED_EXTENSIONS:
            return self._extension(tag)
        return self._scalar(tag)

    def _map(self, count: int, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for _ in range(count):
            key = self._text()
            if key in found:
                raise self._wrong(f"has {key!r} twice in one map")
            found[key] = self._node(depth + 1)
        return found

    def _scalar(self, tag: int) -> Any:
        """A number or constant; nothing for texts and bytes."""
        if tag < 0x80:
            return tag
        if tag >= 0xE0:
            return tag - 0x100
        if tag in _CONSTANTS:
            return _CONSTANTS[tag]
        if tag in _NUMBERS:
            return self._number(_NUMBERS[tag])
        if (length := self._count(tag, 0xA0, 0xE0, _STRINGS)) is not None:
            self._decoded(length)
        elif tag in _BYTES:
            self._skip(self._number(_BYTES[tag]))
        else:
            raise self._wrong(f"has {tag:#x}, which begins nothing, at byte {self._position - 1:,}")
        return None

    def _extension(self, tag: int) -> Any:
        length = _FIXED_EXTENSIONS.get(tag) or self._number(_EXTENSIONS[tag])
        kind, end = self._number(">b"), self._position + length
        if end > self._file.size:
            raise self._wrong("ends within an array; it is cut off, download or write it again")
        if kind in (NDARRAY, SCALAR):
            stored = self._array()
            if self._position != end:
                raise self._wrong(f"has an array that does not fill its place, at byte {end:,}")
            return stored
        if kind != COMPLEX:
            raise self._wrong(f"has an extension of type {kind}; Flax's are 1, 2 and 3")
        self._skip(length)
        return None

    def _array(self) -> Stored:
        """An array's shape and dtype, and where its bytes begin, which are passed over."""
        if self._take(1) != b"\x93":  # three things
            raise self._wrong("has an array without shape, dtype and bytes")
        extents = self._count(self._take(1)[0], 0x90, 0xF0, _ARRAYS)
        if extents is None or extents > _DEEPEST:
            raise self._wrong("has an array without a shape")
        where = f"at byte {self._position:,}"
        shape = as_shape(
            [self._scalar(self._take(1)[0]) for _ in range(extents)], self._file.path, where
        )
        spec = TensorSpec(shape, self._dtype(self._text()))
        length = self._count(self._take(1)[0], 0xA0, 0xE0, _STRINGS | _BYTES)
        if length != spec.nbytes:
            raise self._wrong(f"has {length} bytes for {spec}, {where}")
        start = self._position
        self._skip(length)
        return Stored(start, spec)

    def _dtype(self, name: str) -> np.dtype[Any]:
        if name not in DTYPES:
            raise self._wrong(f"has an array of dtype {name!r:.60}, which is none of numbers")
        return DTYPES[name]

    def _text(self) -> str:
        length = self._count(self._take(1)[0], 0xA0, 0xE0, _STRINGS | _BYTES)
        if length is None or length > _LONGEST_NAME:
            raise self._wrong("has a name that is no text, or too long")
        return self._decoded(length)

    def _decoded(self, length: int) -> str:
        try:
            return self._take(length).decode()
        except UnicodeDecodeError:
            raise self._wrong("has a text that is not UTF-8") from None

    def _count(self, tag: int, fixed: int, mask: int, longer: dict[int, str]) -> int | None:
        """The length that a first byte, or what follows it, gives; None for other first bytes."""
        if tag & mask == fixed:
            return tag & ~mask & 0xFF
        return self._number(longer[tag]) if tag in longer else None

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _take(self, count: int) -> bytes:
        start = self._position - self._ahead_from
        if not 0 <= start <= start + count <= len(self._ahead):
            ahead = min(max(count, _AHEAD), self._file.size - self._position)
            self._ahead = self._file.bytes_at(self._position, max(ahead, count))
            self._ahead_from, start = self._position, 0
        self._position += count
        return self._ahead[start : start + count]

    def _skip(self, count: int) -> None:
        self._position += count
        if self._position > self._file.size:
            raise self._wrong("is cut off; download or write it again")

    def _wrong(self, reason: str) -> CheckpointError:
        return CheckpointError(self._file.path, reason)
