"""A checkpoint in another format.

May import: the standard library, `jinit.checks`, of `jinit.model` diagnosis.finding, and of
`jinit.pretrained` errors, extras, sources, and writers as they are needed; `jinit.display` prints.
"""

import importlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinit.checks import check_choice
from jinit.model.diagnosis.finding import count_noun
from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.extras import require
from jinit.pretrained.sources import Progress, Source, open_source

__all__ = ["WRITTEN", "Converted", "convert", "format_of"]

WRITTEN = ("msgpack", "npz", "orbax", "safetensors")  # formats that can be written
_SUFFIXES = {
    ".safetensors": "safetensors",
    ".npz": "npz",
    ".msgpack": "msgpack",
    ".orbax": "orbax",
    "": "orbax",  # a directory
}


@dataclass(frozen=True)
class Converted:
    """What `convert` wrote.

    Attributes:
        path: where.
        format: in which format.
        tensors: how many tensors.
        nbytes: how many bytes of values.
    """

    path: str
    format: str
    tensors: int
    nbytes: int

    def __str__(self) -> str:
        from jinit.display.numbers import size

        count = count_noun(self.tensors, "tensor")
        return f"{self.path} ({self.format}): {count}, {size(self.nbytes)}"


def convert(
    source: Any,
    destination: str | os.PathLike[str],
    *,
    format: str | None = None,
    overwrite: bool = False,
    progress: Progress = lambda name: None,
) -> Converted:
    """Write weights, whatever holds them, as a checkpoint of another format.

    Names, shapes, dtypes and values stay what they are. Tensors are read and written one by one,
    except to Orbax, which takes all of them at once. Until everything is written, nothing is at the
    destination, or what was there before.

    Args:
        source: what `jinit.pretrained.open_source` opens: a file, a tree, a live model.
        destination: the file, or Orbax's directory.
        format: "msgpack", "npz", "orbax" or "safetensors"; by the destination's suffix if None,
            where no suffix means Orbax.
        overwrite: whether to replace what is at the destination.
        progress: called with the name of each tensor, once it is read.

    Returns:
        What was written.

    Raises:
        FileExistsError: there is something at the destination.
        ValueError: the format is unknown.
        jinit.pretrained.CheckpointError: the source is damaged, or has a tensor that the format
            cannot hold: of its dtype, or by its name.

    >>> import numpy as np, pathlib, tempfile
    >>> tree = {"dense": {"kernel": np.ones((2, 3), np.float32)}}
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = pathlib.Path(directory, "model.safetensors")
    ...     print(convert(tree, path).nbytes, list(open_source(path)))
    24 ['dense/kernel']
    """
    path = Path(destination)
    name = format_of(path) if format is None else format
    check_choice("format", name, WRITTEN)
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"there is something at {str(path)!r}; choose another name, or overwrite=True "
            "(--overwrite on the command line)"
        )
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"there is no directory {str(path.parent)!r}; create it first")
    opened = open_source(source)
    try:
        with _beside(path) as partial:
            _write(opened, partial, name, progress)
            _check_written(opened, partial, path)
        return Converted(str(path), name, len(opened), opened.nbytes)
    finally:
        if opened is not source:
            opened.close()


def format_of(path: Path) -> str:
    """The format that a destination's suffix asks for.

    Raises:
        ValueError: it asks for none that is written.

    >>> format_of(Path("model.npz"))
    'npz'
    """
    if path.suffix not in _SUFFIXES:
        known = ", ".join(suffix for suffix in _SUFFIXES if suffix)
        raise ValueError(
            f"{path.name!r} has suffix {path.suffix!r}, which is no format that is written; use "
            f"one of {known}, or name the format"
        )
    return _SUFFIXES[path.suffix]


def _write(source: Source, path: Path, name: str, progress: Progress) -> None:
    if name == "orbax":
        require("orbax.checkpoint", "writing Orbax checkpoints")
    write = getattr(importlib.import_module(f"jinit.pretrained.writers.{name}"), f"write_{name}")
    if name == "orbax":
        write(source, path, progress)
        return
    with path.open("wb") as file:
        write(source, file, progress)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A place beside `path` that takes its place in the end, if nothing goes wrong."""
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.absolute().parent) as place:
        partial = Path(place, path.name)
        yield partial
        if path.is_dir():
            shutil.rmtree(path)
        partial.replace(path)


def _check_written(source: Source, partial: Path, path: Path) -> None:
    """Raise unless what was written announces what was read."""
    with open_source(partial) as written:
        if dict(written) != dict(source):
            raise CheckpointError(path, f"is not what {source.description} is; it was not kept")
