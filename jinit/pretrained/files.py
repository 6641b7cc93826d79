"""Which format a file has: its content says so, its name does not.

May import: the standard library, and of `jinit.pretrained` errors, extras, sources, and formats as
they are needed.
"""

import importlib
from pathlib import Path
from typing import NamedTuple

from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.extras import require
from jinit.pretrained.sources import Source

__all__ = ["FORMATS", "file_format", "open_file"]


class _Reader(NamedTuple):
    """The class that reads a format, its module in `formats`, and the package it needs."""

    module: str
    name: str
    needs: str | None = None


_READERS = {
    "safetensors": _Reader("safetensors", "SafetensorsSource"),
    "npz": _Reader("npz", "NpzSource"),
    "npy": _Reader("npy", "NpySource"),
    "msgpack": _Reader("msgpack", "MsgpackSource"),
    "hdf5": _Reader("keras", "KerasSource", "h5py"),
    "torch": _Reader("torch", "TorchSource", "torch"),
    "orbax": _Reader("orbax", "OrbaxSource", "tensorstore"),
}
FORMATS = tuple(_READERS)
_INDEX = "index"  # of a checkpoint in several files

# A pickle of the number that files from before torch 1.6 begin with.
_LEGACY_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_STARTS = {
    b"\x93NUMPY": "npy",
    b"\x89HDF\r\n\x1a\n": "hdf5",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    _LEGACY_TORCH: "torch",
}
# What is handed out in place of weights, by its first bytes.
_OTHERS = {
    b"version https://git-lfs": "is a pointer of Git LFS in place of the file; run `git lfs pull`",
    b"<!doctype html": "is a web page in place of the file; download the file itself",
    b"<html": "is a web page in place of the file; download the file itself",
    b"\x1f\x8b": "is compressed by gzip; unpack it first",
    b"(\xb5/\xfd": "is compressed by zstd; unpack it first",
    b"GGUF": "is a GGUF file, which is not read; convert it to safetensors first",
}
_PICKLES = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))
# In a directory, what is looked for first; each stands for the whole model.
_IN_DIRECTORIES = (
    "*.safetensors.index.json",
    "*.safetensors",
    "*.bin.index.json",
    "*.bin",
    "*.msgpack",
    "*.weights.h5",
    "*.npz",
)


def open_file(path: str) -> Source:
    """Open a checkpoint, a file or a directory.

    Raises:
        FileNotFoundError: there is none.
        ModuleNotFoundError: its format needs a package that is not installed.
        jinit.pretrained.CheckpointError: it is damaged, or of no known format.
    """
    place = Path(path)
    if not place.exists():
        raise FileNotFoundError(f"there is no file {path!r}")
    if place.is_dir():
        return _open_directory(place)
    found = file_format(path)
    if found == _INDEX:
        from jinit.pretrained.formats.sharded import ShardedSource

        return ShardedSource(path, _open_shard)
    return _open_as(found, path)


def _open_as(found: str, path: str) -> Source:
    reader = _READERS[found]
    if reader.needs is not None:
        require(reader.needs, f"reading {Path(path).name!r} ({found})")
    module = importlib.import_module(f"jinit.pretrained.formats.{reader.module}")
    opened: Source = getattr(module, reader.name)(path)
    return opened


def file_format(path: str) -> str:
    """The format of a file by its first bytes: one of `FORMATS`, or "index".

    Raises:
        jinit.pretrained.CheckpointError: it is none of them.
    """
    if not Path(path).is_file():
        raise CheckpointError(path, "is no regular file")
    with open(path, "rb") as file:
        start = file.read(64)
    for known, name in _STARTS.items():
        if start.startswith(known):
            return _zip_format(path) if name == "zip" else name
    for known, reason in _OTHERS.items():
        if start.lower().startswith(known.lower()):
            raise CheckpointError(path, reason)
    if start.startswith(_PICKLES):
        raise CheckpointError(
            path,
            "is a pickle, which can run any code as it is read, and is never read; where you "
            "trust it, load it and save its arrays as safetensors",
        )
    return _by_shape(path, start)


def _by_shape(path: str, start: bytes) -> str:
    """The format of a file whose first bytes are no signature."""
    if start[8:9] == b"{" and start[6:8] == b"\0\0":  # a length below 2**48, then JSON
        return "safetensors"
    if start.lstrip()[:1] == b"{":
        return _INDEX
    if start[:1] and (0x80 <= start[0] <= 0x8F or start[0] in (0xDE, 0xDF)):
        return "msgpack"
    if path.endswith(".safetensors") and start:
        return "safetensors"  # which says what is wrong with it
    what = "is empty" if not start else f"begins with {start[:8]!r}"
    raise CheckpointError(path, f"{what}; it is of no known format, which are {_listed()}")


def _zip_format(path: str) -> str:
    """Whether an archive is NumPy's or PyTorch's."""
    from jinit.pretrained.formats.npz import open_zip

    with open_zip(path) as archive:
        names = archive.namelist()
    if any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        return "torch"
    if "model.weights.h5" in names:
        raise CheckpointError(path, "is a .keras archive; unzip it and open its model.weights.h5")
    return "npz"


def _open_directory(directory: Path) -> Source:
    from jinit.pretrained.formats.orbax import is_orbax

    if is_orbax(directory):
        return _open_as("orbax", str(directory))
    for pattern in _IN_DIRECTORIES:
        found = sorted(directory.glob(pattern))
        if len(found) > 1:
            names = ", ".join(file.name for file in found[:5])
            raise CheckpointError(directory, f"has several checkpoints; open one of {names}")
        if found:
            return open_file(str(found[0]))
    raise CheckpointError(directory, f"has no checkpoint in it; formats are {_listed()}")


def _listed() -> str:
    return ", ".join(FORMATS)


def _open_shard(path: str) -> Source:
    found = file_format(path)
    if found not in ("safetensors", "torch"):
        raise CheckpointError(path, f"is of format {found}; indices are of safetensors or torch")
    return _open_as(found, path)
