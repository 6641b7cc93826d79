"""Files of raw bytes: exact reads, and arrays that lie in them, whole or in windows.

May import: the standard library, numpy, and of `jinit.pretrained` errors, sources.

What is read is copied once, from the system's cache into memory that JAX can take over without
another copy. Nothing that is returned is backed by the file, which others may truncate or write to.
"""

import functools
import math
import mmap
import os
import threading
from typing import Any

import numpy as np

from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.sources import Array, TensorSpec, Window

__all__ = ["BinaryFile", "aligned_empty", "check_booleans"]

_ALIGNMENT = 64  # bytes; what XLA asks of a buffer on the CPU that it does not copy


class BinaryFile:
    """A file that is read at given places, by any thread.

    Attributes:
        path: its path.
        size: its length in bytes, as it was opened.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115  kept until it is closed
        self.size = os.fstat(self._file.fileno()).st_size
        self._lock = threading.Lock()
        self._map: mmap.mmap | None = None

    def close(self) -> None:
        """Close it."""
        if self._map is not None:
            self._map.close()
        self._file.close()

    def __del__(self) -> None:
        if hasattr(self, "_map"):
            self.close()

    def bytes_at(self, start: int, count: int) -> bytes:
        """Return exactly `count` bytes from `start` on."""
        self._check_within(start, count)
        found = bytearray(count)
        self._fill(memoryview(found), start)
        return bytes(found)

    def array_at(self, start: int, spec: TensorSpec, window: Window | None = None) -> Array:
        """Return the array, or a window of it, whose bytes begin at `start`, row by row."""
        self._check_within(start, spec.nbytes)
        shape = spec.shape if window is None else tuple(cut.stop - cut.start for cut in window)
        values = aligned_empty(shape, spec.dtype)
        if values.size:
            self._copy(values, start, spec, window)
        check_booleans(values, self.path)
        return values

    def _copy(self, values: Array, start: int, spec: TensorSpec, window: Window | None) -> None:
        first = _first_of_run(spec.shape, window)
        if first is not None:
            start += first * spec.dtype.itemsize
            self._fill(memoryview(values.reshape(-1).view(np.uint8)), start)
            return
        with self._lock:
            stored = self._mapped(start, spec.nbytes).view(spec.dtype).reshape(spec.shape)
            values[...] = stored[window]
            del stored
            self._release()

    def _fill(self, buffer: memoryview, start: int) -> None:
        """Fill a buffer from a place of the file."""
        done = 0
        while done < len(buffer):
            count = self._read_into(buffer[done:], start + done)
            if not count:
                raise CheckpointError(self.path, f"was cut off at {start + done:,} bytes")
            done += count

    def _read_into(self, buffer: memoryview, start: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), [buffer], start)
        with self._lock:
            self._file.seek(start)
            return self._file.readinto(buffer) or 0

    def _mapped(self, start: int, count: int) -> Array:
        """Some bytes of the file as they lie; for windows that are not one run of bytes."""
        if self.size > os.fstat(self._file.fileno()).st_size:
            raise CheckpointError(self.path, "has been cut off since it was opened")
        if self._map is None:
            self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        return np.frombuffer(self._map, np.uint8, count, start)

    def _release(self) -> None:
        """Take pages that were mapped off this process's account."""
        if self._map is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)

    def _check_within(self, start: int, count: int) -> None:
        if not 0 <= start <= start + count <= self.size:
            raise CheckpointError(
                self.path,
                f"has {self.size:,} bytes, and should have {count:,} from {start:,} on; it is cut "
                "off or damaged, download or write it again",
            )


def aligned_empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return an array without values, at a place where JAX need not copy it to use it.

    Raises:
        MemoryError: there cannot be so much.
    """
    count = math.prod(shape) * dtype.itemsize
    if count > _memory():  # which the system might promise, and end the process later
        raise MemoryError
    raw = np.empty(count + _ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + count].view(dtype).reshape(shape)


@functools.cache
def _memory() -> float:
    """Bytes of memory that this machine has; infinite where it does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return math.inf


def check_booleans(values: Array, file: str) -> None:
    """Raise unless booleans are stored as 0 and 1; others would be neither."""
    if values.dtype == np.bool_ and values.size and values.view(np.uint8).max() > 1:
        raise CheckpointError(file, "has booleans other than 0 and 1; it is damaged")


def _first_of_run(shape: tuple[int, ...], window: Window | None) -> int | None:
    """The first value of a window whose values lie in one run; None where they do not."""
    if window is None:
        return 0
    first, row, partial = 0, 1, False
    for extent, cut in zip(reversed(shape), reversed(window), strict=True):
        length = cut.stop - cut.start
        if partial and length > 1:
            return None
        partial |= length < extent
        first += cut.start * row
        row *= extent
    return first
