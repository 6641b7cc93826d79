"""Writing `.npz`: one member after the other, stored.

May import: the standard library, jax, numpy, of `jinit.pretrained` dtypes, errors, sources, and
writer.
"""

import zipfile
from pathlib import PurePosixPath
from typing import IO

import jax.numpy as jnp
import numpy as np

from jinit.pretrained.dtypes import DTYPES, JAX_ONLY
from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.sources import Progress, Source
from jinit.pretrained.writers.writer import check_dtypes

__all__ = ["write_npz"]

_DTYPES = DTYPES.keys() - JAX_ONLY | {"bfloat16"}


def write_npz(source: Source, file: IO[bytes], done: Progress) -> None:
    """Write a source; bfloat16 as the two bytes that NumPy makes of it."""
    check_dtypes(source, _DTYPES, "npz")
    _check_names(source)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name in source:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                values = source.read(name)
                as_numpy = values.view("V2") if values.dtype == jnp.bfloat16 else values
                np.lib.format.write_array(member, np.asarray(as_numpy), allow_pickle=False)
            done(name)


def _check_names(source: Source) -> None:
    for name in source:
        if not name or name.startswith("/") or ".." in PurePosixPath(name).parts or "\\" in name:
            reason = "cannot be a member's name in an archive, being a path out of it"
            raise CheckpointError(source.description, reason, name)
