"""safetensors: a header in JSON, and after it the tensors, one behind the other.

May import: the standard library, jax, numpy, and of `jinit.pretrained` binary, errors, headers,
sources.

The header is read here rather than by the package, so that windows and whole tensors are copied
once, to where JAX uses them in place.

Reference: https://github.com/huggingface/safetensors, "Format".
"""

import struct
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jinit.pretrained.binary import BinaryFile
from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.headers import as_shape, parse_json
from jinit.pretrained.sources import Array, Source, TensorSpec, Window

__all__ = ["DTYPES", "METADATA", "SafetensorsSource"]

LARGEST_HEADER = 100_000_000  # bytes; the format's own limit
METADATA = "__metadata__"
DTYPES: dict[str, Any] = {
    "BOOL": np.bool_,
    "U8": np.uint8,
    "I8": np.int8,
    "F8_E5M2": jnp.float8_e5m2,
    "F8_E4M3": jnp.float8_e4m3fn,
    "F8_E8M0": jnp.float8_e8m0fnu,
    "F8_E4M3FNUZ": jnp.float8_e4m3fnuz,
    "F8_E5M2FNUZ": jnp.float8_e5m2fnuz,
    "I16": np.int16,
    "U16": np.uint16,
    "F16": np.float16,
    "BF16": jnp.bfloat16,
    "I32": np.int32,
    "U32": np.uint32,
    "F32": np.float32,
    "C64": np.complex64,
    "F64": np.float64,
    "I64": np.int64,
    "U64": np.uint64,
}


class _Entry(NamedTuple):
    """Where a tensor lies: bytes after the header."""

    start: int
    stop: int
    spec: TensorSpec


class SafetensorsSource(Source):
    """One safetensors file."""

    fresh = True

    def __init__(self, path: str) -> None:
        self._file = BinaryFile(path)
        try:
            self._data, header = _header(self._file)
            self.metadata = _metadata(header, path)
            self._entries = _entries(header, path, self._file.size - self._data)
        except BaseException:
            self._file.close()
            raise
        specs = {name: entry.spec for name, entry in self._entries.items()}
        super().__init__(specs, f"{Path(path).name} (safetensors)")

    def _read(self, name: str, window: Window | None) -> Array:
        entry = self._entries[name]
        return self._file.array_at(self._data + entry.start, entry.spec, window)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _header(file: BinaryFile) -> tuple[int, dict[str, Any]]:
    """Where the tensors begin, and what the header says of them."""
    if file.size < 8:
        raise CheckpointError(file.path, f"has {file.size} bytes, and a header takes more than 8")
    (length,) = struct.unpack("<Q", file.bytes_at(0, 8))
    if length > LARGEST_HEADER:
        raise CheckpointError(
            file.path, f"has a header of {length:,} bytes; {LARGEST_HEADER:,} are allowed"
        )
    if length > file.size - 8:
        raise CheckpointError(
            file.path,
            f"ends within its header: it has {file.size:,} bytes, and a header of {length:,}; it "
            "is cut off, download or write it again",
        )
    content = file.bytes_at(8, length)
    if content[:1] != b"{":
        raise CheckpointError(file.path, "has a header that does not begin with '{'")
    header: dict[str, Any] = parse_json(content, file.path, "header")
    return 8 + length, header


def _entries(header: dict[str, Any], path: str, available: int) -> dict[str, _Entry]:
    """The tensors in the order in which they lie, checked to be all there is after the header."""
    found = {name: _entry(name, value, path) for name, value in header.items()}
    entries = dict(sorted(found.items(), key=lambda item: item[1][:2]))
    end = 0
    for name, entry in entries.items():
        if entry.start != end:
            wrong = "overlaps the one before it" if entry.start < end else "leaves a gap before it"
            reason = f"begins at byte {entry.start:,} and {wrong}, which ends at {end:,}"
            raise CheckpointError(path, reason, name)
        end = entry.stop
    if end != available:
        more = "cut off, download or write it again" if end > available else "damaged"
        raise CheckpointError(
            path, f"has {available:,} bytes of tensors, and a header for {end:,}; it is {more}"
        )
    return entries


def _entry(name: str, value: Any, path: str) -> _Entry:
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise CheckpointError(path, "has no dtype, shape and data_offsets, and these alone", name)
    if not isinstance(value["dtype"], str) or value["dtype"] not in DTYPES:
        dtypes = ", ".join(DTYPES)
        reason = f"has dtype {value['dtype']!r:.60}; those that can be read are {dtypes}"
        raise CheckpointError(path, reason, name)
    spec = TensorSpec(as_shape(value["shape"], path, name), np.dtype(DTYPES[value["dtype"]]))
    start, stop = _offsets(value["data_offsets"], path, name)
    if stop - start != spec.nbytes:
        reason = f"takes {stop - start:,} bytes, and {spec} needs {spec.nbytes:,}"
        raise CheckpointError(path, reason, name)
    return _Entry(start, stop, spec)


def _offsets(value: Any, path: str, name: str) -> tuple[int, int]:
    if isinstance(value, list) and len(value) == 2 and all(type(each) is int for each in value):
        start, stop = value
        if 0 <= start <= stop:
            return start, stop
    reason = f"has data_offsets {value!r:.60}; they are two integers, a start and a later end"
    raise CheckpointError(path, reason, name)


def _metadata(header: dict[str, Any], path: str) -> dict[str, str]:
    """What the header has beside tensors, taken out of it."""
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise CheckpointError(path, f"has {METADATA} that are not texts by name")
    return metadata
