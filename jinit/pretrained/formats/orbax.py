"""Orbax checkpoints: directories, of which one array at a time is restored.

May import: the standard library, jax, numpy, and of `jinit.pretrained` errors, sources, whole;
orbax within functions.

Reference: https://orbax.readthedocs.io.
"""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import jax
import numpy as np

from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.sources import Array, TensorSpec
from jinit.pretrained.whole import WholeReads

__all__ = ["OrbaxSource", "is_orbax", "orbax_errors"]

Keys: TypeAlias = tuple[str | int, ...]

_TREE = "_METADATA"  # the file that lists the arrays of one tree
_STEP = "_CHECKPOINT_METADATA"  # the file of a whole checkpoint, which has one tree or several


def is_orbax(directory: Path) -> bool:
    """Whether a directory is a checkpoint, or a manager's directory of them."""
    marks = (_TREE, _STEP, f"*/{_TREE}", f"*/{_STEP}")
    return any(next(directory.glob(mark), None) is not None for mark in marks)


class OrbaxSource(WholeReads):
    """One tree of arrays, Python's numbers among them; what is no number is left out."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._tree = _tree_directory(Path(path).absolute(), path)
        with orbax_errors(path):
            import orbax.checkpoint as ocp  # type: ignore[import-untyped]

            self._checkpointer = ocp.Checkpointer(ocp.PyTreeCheckpointHandler())
            metadata: Any = self._checkpointer.metadata(self._tree)
            self._metadata = getattr(metadata.item_metadata, "tree", metadata.item_metadata)
            if self._metadata is None:  # which Orbax only remarks upon
                reason = "cannot be read by Orbax: its list of arrays, or one of them, is damaged"
                raise CheckpointError(path, reason)
            leaves = dict(_leaves(self._metadata, ()))
        self._keys = {"/".join(map(str, keys)): keys for keys in leaves}
        if len(self._keys) < len(leaves):
            raise CheckpointError(path, "has two arrays of one name, one by a key with a slash")
        specs = {
            name: TensorSpec(tuple(leaves[keys].shape), np.dtype(leaves[keys].dtype))
            for name, keys in self._keys.items()
        }
        super().__init__(specs, f"{Path(path).name} (orbax)")

    def _whole(self, name: str) -> Array:
        import orbax.checkpoint as ocp

        keys = self._keys[name]
        alone = all(isinstance(key, str) for key in keys)
        item = _nested(keys, 0) if alone else self._all_but(keys)
        as_numpy = ocp.RestoreArgs(restore_type=np.ndarray)
        restore_args = jax.tree.map(lambda leaf: as_numpy, item)
        with orbax_errors(self._path, name):
            args = ocp.args.PyTreeRestore(item, restore_args, partial_restore=alone)
            restored: Any = self._checkpointer.restore(self._tree, args=args)
        for key in keys:
            restored = restored[key]
        return np.asarray(restored)

    def _all_but(self, keys: Keys) -> Any:
        """The whole tree, of which everything but one array is asked not to be read."""
        import orbax.checkpoint as ocp

        def pick(node: Any, below: Keys) -> Any:
            if isinstance(node, dict):
                return {key: pick(value, (*below, key)) for key, value in node.items()}
            if isinstance(node, (list, tuple)):
                return [pick(value, (*below, place)) for place, value in enumerate(node)]
            return 0 if below == keys else ocp.PLACEHOLDER

        return pick(self._metadata, ())

    def close(self) -> None:
        """Let go of the checkpoint."""
        super().close()
        self._checkpointer.close()


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


@contextmanager
def orbax_errors(path: str, tensor: str | None = None, verb: str = "read") -> Iterator[None]:
    """Say of whatever goes wrong where it did; Orbax's own remarks are left out."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (CheckpointError, ModuleNotFoundError):
        raise
    except Exception as error:  # whatever the content makes go wrong
        first = str(error).strip().partition("\n")[0]
        reason = f"cannot be {verb} by Orbax: {first[:300]}"
        raise CheckpointError(path, reason, tensor) from error
    finally:
        logger.setLevel(level)


def _leaves(node: Any, keys: Keys) -> Iterator[tuple[Keys, Any]]:
    """The arrays and numbers of a tree of metadata, each with its keys."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, (*keys, key))
    elif isinstance(node, (list, tuple)):
        for place, value in enumerate(node):
            yield from _leaves(value, (*keys, place))
    elif getattr(node, "dtype", None) is not None and getattr(node, "shape", None) is not None:
        yield keys, node


def _nested(keys: Sequence[Any], leaf: Any) -> Any:
    for key in reversed(keys):
        leaf = {key: leaf}
    return leaf
