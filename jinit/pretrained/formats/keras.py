"""Keras' `.weights.h5`: the datasets of an HDF5 file, each under its path.

May import: the standard library, jax, numpy, and of `jinit.pretrained` binary, errors, sources;
h5py within functions.

HDF5 files may point to other files, and to themselves, and ask for code to be loaded that undoes
their compression; here these are errors.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from jinit.pretrained.binary import aligned_empty, check_booleans
from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.sources import Array, Source, TensorSpec, Window

__all__ = ["KerasSource"]

# deflate, shuffle, checksum and LZF, which grow at most so; h5py has them without plugins.
_FILTERS = {1, 2, 3, 32000}
_MOST_DEFLATED = 1032
_DEEPEST = 64


class KerasSource(Source):
    """One HDF5 file; datasets that hold no numbers are left out."""

    fresh = True

    def __init__(self, path: str) -> None:
        import h5py  # type: ignore[import-untyped]

        self._path = path
        with _h5_errors(path):
            self._file = h5py.File(path, "r")
        try:
            with _h5_errors(path):
                self._datasets = dict(_walk(self._file, (), path, {_address(self._file)}))
                specs = {name: _spec(each, path, name) for name, each in self._datasets.items()}
        except BaseException:
            self._file.close()
            raise
        super().__init__(specs, f"{Path(path).name} (hdf5)")

    def _read(self, name: str, window: Window | None) -> Array:
        dataset, spec = self._datasets[name], self[name]
        shape = spec.shape if window is None else tuple(cut.stop - cut.start for cut in window)
        values = aligned_empty(shape, spec.dtype)
        with _h5_errors(self._path, name):
            if values.size:
                into = values.view(dataset.dtype) if dataset.dtype.kind == "V" else values
                dataset.read_direct(into, source_sel=... if window is None else window)
        check_booleans(values, self._path)
        return values

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextmanager
def _h5_errors(path: str, tensor: str | None = None) -> Iterator[None]:
    try:
        yield
    except CheckpointError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError) as error:
        first = str(error).strip().partition("\n")[0]
        raise CheckpointError(path, f"is a damaged HDF5 file: {first}", tensor) from error


def _walk(
    group: Any, parts: tuple[str, ...], path: str, above: set[int]
) -> Iterator[tuple[str, Any]]:
    """The datasets of numbers in a group and those below it, by their paths."""
    import h5py

    if len(parts) > _DEEPEST:
        raise CheckpointError(path, f"is nested more than {_DEEPEST} deep")
    for key in group:
        name = "/".join((*parts, key))
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise CheckpointError(path, "is a link to another place, which is not followed", name)
        node = group[key]
        if isinstance(node, h5py.Group):
            address = _address(node)
            if address in above:
                raise CheckpointError(path, "is a group that holds itself", name)
            yield from _walk(node, (*parts, key), path, above | {address})
        elif isinstance(node, h5py.Dataset) and _dtype(node) is not None:
            yield name, node


def _address(node: Any) -> int:
    import h5py

    return int(h5py.h5g.get_objinfo(node.id).objno[0])


def _dtype(dataset: Any) -> np.dtype[Any] | None:
    """The dtype of a dataset of numbers; None for others.

    Two bytes of no known kind are bfloat16, as Keras has them; it says so in an attribute too, but
    attributes are where a damaged file makes HDF5 take gigabytes.
    """
    stored: np.dtype[Any] = dataset.dtype
    if stored.kind == "V" and stored.itemsize == 2 and stored.names is None:
        return np.dtype(jnp.bfloat16)
    if stored.kind in "biufc" and stored.itemsize <= (16 if stored.kind == "c" else 8):
        return stored.newbyteorder("=")
    return None


def _spec(dataset: Any, path: str, name: str) -> TensorSpec:
    if dataset.is_virtual or dataset.external:
        raise CheckpointError(path, "has its values in another file, which is not opened", name)
    plist = dataset.id.get_create_plist()
    filters = {plist.get_filter(place)[0] for place in range(plist.get_nfilters())}
    if filters - _FILTERS:
        reason = f"is compressed by filters {sorted(filters - _FILTERS)}; use gzip, LZF or none"
        raise CheckpointError(path, reason, name)
    if dataset.shape is None:
        raise CheckpointError(path, "has no shape", name)
    dtype = _dtype(dataset)
    assert dtype is not None
    spec = TensorSpec(tuple(dataset.shape), dtype)
    stored = min(dataset.id.get_storage_size(), Path(path).stat().st_size)
    if spec.nbytes > stored * (_MOST_DEFLATED if filters else 1):
        reason = f"claims to be {spec}, and is stored in {stored:,} bytes"
        raise CheckpointError(path, reason, name)
    return spec
