"""Where weights come from: named tensors of known shapes, read one by one, whole or in windows.

May import: the standard library, numpy, `jinit.shown`, `jinit.pretrained.errors`; `open_source`
imports what it opens with, and `jinit.display` prints.
"""

import math
import operator
import os
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypeAlias

import numpy as np

from jinit.pretrained.errors import CheckpointError
from jinit.shown import Shown

__all__ = ["Array", "Progress", "Source", "TensorSpec", "Window", "open_source"]

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Window: TypeAlias = tuple[slice, ...]
Progress: TypeAlias = Callable[
    [str], object
]  # called with the name of each tensor, once it is read


@dataclass(frozen=True)
class TensorSpec:
    """What is known of a tensor before it is read.

    Attributes:
        shape: its whole shape.
        dtype: its dtype; those that NumPy lacks (bfloat16, 8-bit floats) are JAX's.

    >>> spec = TensorSpec((3, 4), np.dtype("float32"))
    >>> print(spec, spec.size, spec.nbytes)
    float32[3,4] 12 48
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes they take in memory."""
        return self.size * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{self.dtype.name}[{','.join(map(str, self.shape))}]"


class Source(Shown, Mapping[str, TensorSpec]):
    """Named tensors that can be read: a mapping of names to specs, in the order of the file.

    A context manager, which closes its files; prints as a table. Nothing is read before `read`.

    Attributes:
        description: what it is, for messages: the file's name and format.
        metadata: texts by name that the file has beside its tensors.
        fresh: whether arrays that are read are memory of their own, which JAX may take over as it
            is; others belong to the user, or are a file mapped into memory, and may change.
    """

    fresh: bool = False
    metadata: Mapping[str, str] = MappingProxyType({})

    def __init__(self, specs: Mapping[str, TensorSpec], description: str) -> None:
        self._specs = dict(specs)
        self.description = description

    def read(self, name: str, index: Window | None = None) -> Array:
        """Read one tensor, or a window of it; no other bytes, where the format allows.

        Args:
            name: one of the source's names.
            index: a slice for each axis, or for the leading ones, with steps of 1; None for all.

        Returns:
            The values, shape and dtype as the spec has them, read-only.

        Raises:
            KeyError: there is no such tensor.
            ValueError: `index` has more slices than the tensor has axes, or other steps.
            jinit.pretrained.CheckpointError: the bytes are not what the file says they are.
        """
        spec = self[name]
        window = None if index is None else _window(name, spec.shape, index)
        shape = spec.shape if window is None else tuple(cut.stop - cut.start for cut in window)
        wanted = TensorSpec(shape, spec.dtype)
        try:
            values = self._read(name, window).view()
        except MemoryError:
            reason = f"needs {spec.nbytes:,} bytes, more memory than there is"
            raise CheckpointError(self.description, reason, name) from None
        found = TensorSpec(values.shape, values.dtype)
        if found != wanted:
            reason = f"holds {found}, where {wanted} is announced"
            raise CheckpointError(self.description, reason, name)
        values.flags.writeable = False
        return values

    @abstractmethod
    def _read(self, name: str, window: Window | None) -> Array:
        """Read a tensor; windows have a start and a stop within the shape for each axis."""

    def close(self) -> None:
        """Close the files; nothing can be read afterwards."""

    @property
    def nbytes(self) -> int:
        """How many bytes all tensors take in memory."""
        return sum(spec.nbytes for spec in self._specs.values())

    def __getitem__(self, name: str) -> TensorSpec:
        if name not in self._specs:
            raise KeyError(f"{name!r} is no tensor of {self.description}{self._near(name)}")
        return self._specs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def __contains__(self, name: object) -> bool:
        return name in self._specs

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _near(self, name: str) -> str:
        import difflib

        close = difflib.get_close_matches(str(name), list(self._specs)[:10_000], n=1)
        return f"; did you mean {close[0]!r}?" if close else ""

    def __repr__(self) -> str:
        return f"<Source: {self.description}, {len(self)} tensors>"

    def _tables(self, width: int) -> Sequence[Any]:
        from jinit.display.checkpoints import source_table

        return [source_table(self)]


def open_source(source: Any) -> Source:
    """Open weights, whatever holds them.

    Args:
        source: a path to a file or a directory; a mapping of arrays, nested or flat, or another
            tree; a model that lives (an NNX or Equinox module, Linen's variables); or a source,
            which is returned as it is.

    Returns:
        The source. Names are those of the file; those of trees are joined by "/".

    Raises:
        FileNotFoundError: there is no such file.
        ModuleNotFoundError: the format needs a package that is not installed.
        TypeError: `source` has a leaf that is no array.
        jinit.pretrained.CheckpointError: the file is damaged, or of no known format.

    >>> source = open_source({"dense": {"kernel": np.zeros((784, 10), np.float32)}})
    >>> dict(source)
    {'dense/kernel': TensorSpec(shape=(784, 10), dtype=dtype('float32'))}
    >>> source.read("dense/kernel", (slice(0, 2), slice(4, 8))).shape
    (2, 4)
    """
    if isinstance(source, Source):
        return source
    if isinstance(source, (str, os.PathLike)):
        from jinit.pretrained.files import open_file

        return open_file(os.fspath(source))
    from jinit.pretrained.trees import TreeSource

    return TreeSource(source)


def _window(name: str, shape: tuple[int, ...], index: Sequence[slice]) -> Window:
    """The index with a start and a stop for every axis."""
    if len(index) > len(shape):
        raise ValueError(
            f"`index` (={index!r}) has {len(index)} slices; {name!r} has {len(shape)} axes"
        )
    full = [*index, *[slice(None)] * (len(shape) - len(index))]
    cuts = [_cut(name, extent, cut) for extent, cut in zip(shape, full, strict=True)]
    return tuple(cuts)


def _cut(name: str, extent: int, cut: slice) -> slice:
    start, stop, step = cut.indices(operator.index(extent))
    if step != 1:
        raise ValueError(f"`index` of {name!r} has a step of {step}; windows have steps of 1")
    return slice(start, max(start, stop))
