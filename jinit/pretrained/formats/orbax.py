"""Orbax checkpoints: directories of arrays, each of which TensorStore reads, whole or in windows.

May import: the standard library, numpy, and of `jinit.pretrained` binary, dtypes, errors, headers,
sources; tensorstore within functions.

Orbax itself reads whole trees, and where an array is damaged leaves reads behind that may end the
process; so its list of arrays is read here, and arrays one by one with the library it keeps them
by.

Reference: https://orbax.readthedocs.io, "Checkpoint Format Guide".
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jinit.pretrained.binary import aligned_empty, check_booleans
from jinit.pretrained.dtypes import DTYPES
from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.headers import as_shape, parse_json
from jinit.pretrained.sources import Array, Source, TensorSpec, Window

__all__ = ["OrbaxSource", "is_orbax"]

_TREE = "_METADATA"  # the file that lists the arrays of one tree
_STEP = "_CHECKPOINT_METADATA"  # the file of a whole checkpoint, which has one tree or several
_LARGEST = 100_000_000  # bytes of a list of arrays


class _Layout(NamedTuple):
    """How a tree keeps its arrays.

    Attributes:
        directory: where.
        driver: of TensorStore, for one array.
        joined: whether all arrays are in one database, rather than each in its directory.
        complete: whether every chunk is there, those of zeros included.
    """

    directory: Path
    driver: str
    joined: bool
    complete: bool

    def spec(self, name: str) -> dict[str, Any]:
        """How TensorStore opens an array."""
        base = {"driver": "file", "path": f"{self.directory}/"}
        if self.joined:
            store: dict[str, Any] = {"driver": "ocdbt", "base": base, "path": f"{name}/"}
        else:
            store = {**base, "path": f"{self.directory / name}/"}
        missing = {"fill_missing_data_reads": not self.complete}
        return {"driver": self.driver, "kvstore": store, **missing}


class OrbaxSource(Source):
    """One tree of arrays, Python's numbers among them; what is no number is left out."""

    fresh = True

    def __init__(self, path: str) -> None:
        directory = _tree_directory(Path(path).absolute(), path)
        layout, names = _listed(directory, path)
        self._path = path
        self._stores = {
            name: _opened(layout, kept_as, path, name) for name, kept_as in names.items()
        }
        specs = {name: _spec(store, path, name) for name, store in self._stores.items()}
        super().__init__(specs, f"{Path(path).name} (orbax)")

    def _read(self, name: str, window: Window | None) -> Array:
        import tensorstore

        spec, store = self[name], self._stores[name]
        if window is not None:
            store = store[window][tensorstore.d[:].translate_to[0]]
        values = aligned_empty(tuple(store.shape), spec.dtype)
        with _store_errors(self._path, name):
            tensorstore.array(values, copy=False, write=True).write(store).result()
        check_booleans(values, self._path)
        return values

    def close(self) -> None:
        """Let go of the arrays."""
        self._stores = {}


def is_orbax(directory: Path) -> bool:
    """Whether a directory is a checkpoint, or a manager's directory of them."""
    marks = (_TREE, _STEP, f"*/{_TREE}", f"*/{_STEP}")
    return any(next(directory.glob(mark), None) is not None for mark in marks)


def _tree_directory(directory: Path, path: str) -> Path:
    """The directory of the one tree that a checkpoint has."""
    if (directory / _TREE).is_file():
        return directory
    inside = sorted(child.name for child in directory.iterdir() if (child / _TREE).is_file())
    if len(inside) == 1:
        return directory / inside[0]
    steps = sorted(child.name for child in directory.iterdir() if (child / _STEP).is_file())
    if inside or steps:
        listed = ", ".join(str(Path(path) / name) for name in (inside or steps)[-3:])
        what = "trees" if inside else "checkpoints"
        raise CheckpointError(path, f"holds {what}; open one of them, such as {listed}")
    raise CheckpointError(path, f"has no {_TREE}; it is no Orbax checkpoint, or not finished")


def _listed(directory: Path, path: str) -> tuple[_Layout, dict[str, str]]:
    """How a tree keeps its arrays, and of each, by its name, what it is kept as."""
    file = directory / _TREE
    if file.stat().st_size > _LARGEST:
        raise CheckpointError(path, f"has a list of arrays of more than {_LARGEST:,} bytes")
    listed: Any = parse_json(file.read_bytes(), path, "list of arrays")
    tree = listed.get("tree_metadata") if isinstance(listed, dict) else None
    if not isinstance(tree, dict):
        raise CheckpointError(path, f"has no tree_metadata in its {_TREE}; it is damaged")
    layout = _Layout(
        directory,
        "zarr3" if listed.get("use_zarr3") is True else "zarr",
        listed.get("use_ocdbt") is not False,
        listed.get("store_array_data_equal_to_fill_value") is True,
    )
    names: dict[str, str] = {}
    for value in tree.values():
        keys = _keys(value, path)
        if keys is None:
            continue
        name = "/".join(keys)
        if name in names:
            raise CheckpointError(path, "is there twice, once by a key with a slash", name)
        names[name] = ".".join(keys)
        if not layout.joined and (".." in keys or set("".join(keys)) & set("/\\\0")):
            raise CheckpointError(path, "leads out of the checkpoint by its name", name)
    return layout, names


def _keys(value: Any, path: str) -> list[str] | None:
    """The keys of an array in its tree; None of what is no array of numbers."""
    try:
        keys = [str(key["key"]) for key in value["key_metadata"]]
        about = value["value_metadata"]
        left_out = about["skip_deserialize"] or about["value_type"] == "string"
    except (KeyError, TypeError):
        raise CheckpointError(path, f"has an entry in its {_TREE} that is damaged") from None
    return None if left_out else keys


def _opened(layout: _Layout, kept_as: str, path: str, name: str) -> Any:
    import tensorstore

    with _store_errors(path, name):
        return tensorstore.open(layout.spec(kept_as), open=True, read=True).result()


def _spec(store: Any, path: str, name: str) -> TensorSpec:
    dtype = DTYPES.get(np.dtype(store.dtype.numpy_dtype).name)
    if dtype is None:
        raise CheckpointError(path, f"has dtype {store.dtype.name}, which is none of numbers", name)
    return TensorSpec(as_shape([int(extent) for extent in store.shape], path, name), dtype)


@contextmanager
def _store_errors(path: str, tensor: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, KeyError, OSError, NotImplementedError) as error:
        first = str(error).strip().partition(" [")[0].partition("\n")[0]
        raise CheckpointError(path, f"is damaged, or not there: {first[:300]}", tensor) from error
