"""`.npy`: a header that names a dtype and a shape, then the values.

May import: the standard library, jax, numpy, and of `jinit.pretrained` binary, errors, headers,
sources.

Reference: NumPy Enhancement Proposal 1, "A Simple File Format for NumPy Arrays".
"""

import ast
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jinit.pretrained.binary import BinaryFile
from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.headers import as_shape
from jinit.pretrained.sources import Array, Source, TensorSpec, Window

__all__ = ["MAGIC", "NpyHeader", "NpySource", "npy_dtype", "parse_npy_header"]

MAGIC = b"\x93NUMPY"
# By version, how the length of the header is stored.
_LENGTHS = {b"\1\0": "<H", b"\2\0": "<I", b"\3\0": "<I"}
_LONGEST = 10_000  # bytes of a header; NumPy's own limit for files that are not trusted
_NUMBERS = re.compile(r"[<>|=][biufc]\d{1,2}")
_REFUSED = {
    "|O": ": pickled objects, which are never read",
    "|V1": ": 8 bits of some kind",
    "<V1": ": 8 bits of some kind",
}


class NpyHeader(NamedTuple):
    """What stands before the values.

    Attributes:
        spec: shape and dtype, as they are read.
        stored: the dtype as it is stored, perhaps with its bytes in reverse.
        fortran: whether columns lie one behind the other, not rows.
        length: bytes of the header, everything before the values.
    """

    spec: TensorSpec
    stored: np.dtype[Any]
    fortran: bool
    length: int

    def arranged(self, values: Array) -> Array:
        """The values, read as rows of the reversed shape where columns were stored."""
        values = values.T if self.fortran else values
        return values.astype(self.spec.dtype, copy=False)


class NpySource(Source):
    """One `.npy` file: a tensor, called as the file is."""

    fresh = True

    def __init__(self, path: str) -> None:
        self._file = BinaryFile(path)
        self._name = Path(path).stem
        try:
            self._header = self._parse(path)
        except BaseException:
            self._file.close()
            raise
        super().__init__({self._name: self._header.spec}, f"{Path(path).name} (npy)")

    def _parse(self, path: str) -> NpyHeader:
        position = 0

        def read(count: int) -> bytes:
            nonlocal position
            position += count
            return self._file.bytes_at(position - count, count)

        header = parse_npy_header(read, path, self._name)
        found, wanted = self._file.size - header.length, header.spec.nbytes
        if found != wanted:
            reason = f"takes {found:,} bytes, and {header.spec} needs {wanted:,}"
            raise CheckpointError(path, reason, self._name)
        return header

    def _read(self, name: str, window: Window | None) -> Array:
        header = self._header
        reverse = slice(None, None, -1 if header.fortran else None)
        stored = TensorSpec(header.spec.shape[reverse], header.stored)
        cut = None if window is None else window[reverse]
        return header.arranged(self._file.array_at(header.length, stored, cut))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def parse_npy_header(read: Callable[[int], bytes], file: str, tensor: str) -> NpyHeader:
    """Parse what `read(count)` gives, from the first byte on.

    Raises:
        jinit.pretrained.CheckpointError: it is no header, or that of a dtype that is not read.
    """
    start = read(len(MAGIC) + 2)
    if not start.startswith(MAGIC) or start[-2:] not in _LENGTHS:
        raise CheckpointError(file, "is no .npy array", tensor)
    width = _LENGTHS[start[-2:]]
    length_bytes = read(struct.calcsize(width))
    if len(length_bytes) < struct.calcsize(width):
        raise CheckpointError(file, "ends within its header", tensor)
    (length,) = struct.unpack(width, length_bytes)
    if length > _LONGEST:
        reason = f"has a header of {length:,} bytes; {_LONGEST:,} are allowed"
        raise CheckpointError(file, reason, tensor)
    content = read(length)
    if len(content) < length:
        raise CheckpointError(file, "ends within its header", tensor)
    fields = _fields(content, file, tensor)
    shape = as_shape(fields["shape"], file, tensor)
    stored = npy_dtype(fields["descr"], file, tensor)
    spec = TensorSpec(shape, stored.newbyteorder("="))
    total = len(start) + len(length_bytes) + length
    return NpyHeader(spec, stored, fields["fortran_order"], total)


def npy_dtype(descr: Any, file: str, tensor: str) -> np.dtype[Any]:
    """The dtype that a header names; two bytes of any kind, as NumPy writes it, are bfloat16.

    Raises:
        jinit.pretrained.CheckpointError: it is none of numbers.
    """
    if descr in ("<V2", "|V2"):
        return np.dtype(jnp.bfloat16)
    if isinstance(descr, str) and _NUMBERS.fullmatch(descr):
        try:
            dtype = np.dtype(descr)
        except TypeError:  # such as "<f3"
            dtype = np.dtype(object)
        if dtype.itemsize <= (16 if dtype.kind == "c" else 8) and not dtype.hasobject:
            return dtype
    why = _REFUSED.get(descr, "") if isinstance(descr, str) else ""
    reason = f"has dtype {descr!r:.60}{why}; those that can be read are of numbers"
    raise CheckpointError(file, reason, tensor)


def _fields(content: bytes, file: str, tensor: str) -> dict[str, Any]:
    try:
        tree = ast.parse(content.decode("utf-8").rstrip(" \n"), mode="eval").body
        fields = ast.literal_eval(tree)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise CheckpointError(file, "has a header that cannot be parsed", tensor) from None
    whole = isinstance(tree, ast.Dict) and len(tree.keys) == 3  # no key twice
    if not whole or set(fields) != {"descr", "fortran_order", "shape"}:
        raise CheckpointError(file, "has a header without descr, fortran_order and shape", tensor)
    if type(fields["fortran_order"]) is not bool or type(fields["shape"]) is not tuple:
        raise CheckpointError(file, "has a fortran_order or shape of the wrong type", tensor)
    return dict(fields)
