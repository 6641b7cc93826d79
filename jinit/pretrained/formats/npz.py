"""`.npz`: a zip archive of `.npy` members.

May import: the standard library, numpy, and of `jinit.pretrained` binary, errors, sources, whole,
and npy.

Members carry checksums, which only whole members can be held against; so a window is cut from the
whole tensor. Nothing is ever extracted or unpickled.
"""

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np

from jinit.pretrained.binary import aligned_empty, check_booleans
from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.formats.npy import NpyHeader, parse_npy_header
from jinit.pretrained.sources import Array
from jinit.pretrained.whole import WholeReads

__all__ = ["NpzSource", "open_zip", "zip_errors"]

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_MOST_DEFLATED = 1032  # bytes that a byte of deflate can stand for, at most
_ENCRYPTED = 0x1
_CHUNK = 1 << 20
_SUFFIX = ".npy"
_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


class NpzSource(WholeReads):
    """One `.npz` file, stored or compressed."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._zip = open_zip(path)
        try:
            self._members = _members(self._zip, path)
            self._headers = {name: self._header(name) for name in self._members}
        except BaseException:
            self._zip.close()
            raise
        specs = {name: header.spec for name, header in self._headers.items()}
        super().__init__(specs, f"{Path(path).name} (npz)")

    def _header(self, name: str) -> NpyHeader:
        with self._opened(name) as file:
            header = parse_npy_header(file.read, self._path, name)
        found, wanted = self._members[name].file_size - header.length, header.spec.nbytes
        if found != wanted:
            reason = f"takes {found:,} bytes, and {header.spec} needs {wanted:,}"
            raise CheckpointError(self._path, reason, name)
        return header

    def _whole(self, name: str) -> Array:
        header = self._headers[name]
        values = aligned_empty((header.spec.nbytes,), np.dtype(np.uint8))
        with self._opened(name) as file:
            file.read(header.length)
            _fill(file, memoryview(values), self._path, name)
        shape = header.spec.shape[:: -1 if header.fortran else 1]
        stored = values.view(header.stored).reshape(shape)
        check_booleans(stored, self._path)
        return header.arranged(stored)

    @contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        with zip_errors(self._path, name), self._zip.open(self._members[name]) as file:
            yield file

    def close(self) -> None:
        """Close the archive."""
        super().close()
        self._zip.close()


@contextmanager
def zip_errors(path: str, tensor: str | None = None) -> Iterator[None]:
    """Say of what a damaged archive makes go wrong that the archive is damaged."""
    try:
        yield
    except CheckpointError:
        raise
    except _ERRORS as error:
        raise CheckpointError(path, f"is a damaged zip archive: {error}", tensor) from error


def open_zip(path: str) -> zipfile.ZipFile:
    """Open an archive and check that its members are what they can be.

    Raises:
        jinit.pretrained.CheckpointError: it is damaged, or made to exhaust who reads it.
    """
    with zip_errors(path):
        archive = zipfile.ZipFile(path)
        try:
            _check_archive(archive, path)
        except BaseException:
            archive.close()
            raise
    return archive


def _check_archive(archive: zipfile.ZipFile, path: str) -> None:
    """Raise for members that are named twice, overlap, are encrypted, or grow beyond reason."""
    seen: set[str] = set()
    end, before = 0, ""
    for member in sorted(archive.infolist(), key=lambda member: member.header_offset):
        name = member.filename
        if name in seen:
            raise CheckpointError(path, f"has two members called {name!r}")
        if member.header_offset < end:
            raise CheckpointError(path, f"has members {before!r} and {name!r} that overlap")
        if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
            raise CheckpointError(
                path, f"has a member {name!r} that is neither stored nor deflated in the clear"
            )
        if member.file_size > member.compress_size * _MOST_DEFLATED:
            raise CheckpointError(
                path,
                f"has a member {name!r} of {member.compress_size:,} bytes that claims to hold "
                f"{member.file_size:,}, more than deflate can",
            )
        seen.add(name)
        end, before = member.header_offset + member.compress_size, name


def _members(archive: zipfile.ZipFile, path: str) -> dict[str, zipfile.ZipInfo]:
    """The arrays of an archive by name, in its order."""
    members = {}
    for member in archive.infolist():
        name = member.filename
        if not name.endswith(_SUFFIX):
            raise CheckpointError(path, f"has a member {name!r}, which is no {_SUFFIX} array")
        if name.startswith("/") or ".." in PurePosixPath(name).parts or "\\" in name:
            raise CheckpointError(path, f"has a member {name!r}, a path out of the archive")
        members[name.removesuffix(_SUFFIX)] = member
    return members


def _fill(file: IO[bytes], buffer: memoryview, path: str, name: str) -> None:
    """Fill a buffer from a member, to its end, where its checksum is looked at."""
    done = 0
    while done < len(buffer):
        piece = file.read(min(_CHUNK, len(buffer) - done))
        if not piece:
            raise CheckpointError(path, f"ends {len(buffer) - done:,} bytes too early", name)
        buffer[done : done + len(piece)] = piece
        done += len(piece)
    if file.read(1):
        raise CheckpointError(path, "goes on after its last value", name)
