"""Writing Orbax checkpoints: one tree, nested by the slashes in names.

May import: the standard library, jax, of `jinit.pretrained` errors, sources, and writer; orbax
within functions.

Orbax takes the whole tree at once, so that all of it is in memory.
"""

import warnings
from pathlib import Path

import jax

from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.sources import Progress, Source
from jinit.pretrained.writers.writer import nested

__all__ = ["write_orbax"]


def write_orbax(source: Source, directory: Path, done: Progress) -> None:
    """Write a source into a directory that is not there yet."""
    import orbax.checkpoint as ocp  # type: ignore[import-untyped]

    _check(source)

    def read(name: str) -> object:
        values = source.read(name)
        done(name)
        return values

    tree = jax.tree.map(read, nested(source, source.description))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks on shardings, of which there are none
        with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as writer:
            writer.save(directory.absolute(), args=ocp.args.PyTreeSave(tree))


def _check(source: Source) -> None:
    """Raise for what Orbax cannot hold: arrays without values, names that differ in dots alone."""
    kept_as: dict[str, str] = {}
    for name, spec in source.items():
        if not spec.size:
            raise CheckpointError(source.description, f"is {spec}, which Orbax cannot hold", name)
        other = kept_as.setdefault(name.replace("/", "."), name)
        if other != name:
            reason = f"would be kept by the same name as tensor {other!r} in Orbax"
            raise CheckpointError(source.description, reason, name)
