"""Writing Flax's msgpack: maps nested by the slashes in names, one array after the other.

May import: the standard library, numpy, of `jinit.pretrained` sources, formats.msgpack and
formats.packed, and
writer.
"""

import struct
from typing import IO, Any

from jinit.pretrained.formats.msgpack import CHUNKED, CHUNKS, LONGEST_CHUNK, SHAPE
from jinit.pretrained.formats.packed import NDARRAY
from jinit.pretrained.sources import Array, Progress, Source
from jinit.pretrained.writers.writer import nested, raw_bytes

__all__ = ["write_msgpack"]


def write_msgpack(source: Source, file: IO[bytes], done: Progress) -> None:
    """Write a source as `flax.serialization.msgpack_serialize` would write its tree."""

    def write(node: Any) -> None:
        if not isinstance(node, dict):
            _write_tensor(source.read(node), file)
            done(node)
            return
        file.write(_map(len(node)))
        for key, below in node.items():
            file.write(_text(key))
            write(below)

    write(nested(source, source.description))


def _write_tensor(values: Array, file: IO[bytes]) -> None:
    if values.nbytes <= LONGEST_CHUNK:
        _write_array(values, file)
        return
    flat, step = values.reshape(-1), LONGEST_CHUNK // values.dtype.itemsize
    starts = range(0, flat.size, step)
    file.write(_map(3) + _text(CHUNKED) + b"\xc3" + _text(SHAPE) + _map(values.ndim))
    for axis, extent in enumerate(values.shape):
        file.write(_text(str(axis)) + _integer(extent))
    file.write(_text(CHUNKS) + _map(len(starts)))
    for place, start in enumerate(starts):
        file.write(_text(str(place)))
        _write_array(flat[start : start + step], file)


def _write_array(values: Array, file: IO[bytes]) -> None:
    shape = bytes([0xDC]) + struct.pack(">H", values.ndim)
    shape += b"".join(_integer(extent) for extent in values.shape)
    content = raw_bytes(values)
    head = b"\x93" + shape + _text(values.dtype.name) + b"\xc6" + struct.pack(">I", len(content))
    file.write(b"\xc9" + struct.pack(">Ib", len(head) + len(content), NDARRAY) + head)
    file.write(content)


def _map(count: int) -> bytes:
    return b"\xdf" + struct.pack(">I", count)


def _text(text: str) -> bytes:
    content = text.encode()
    return b"\xdb" + struct.pack(">I", len(content)) + content


def _integer(value: int) -> bytes:
    return b"\xcf" + struct.pack(">Q", value)
