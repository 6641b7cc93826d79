"""Writing safetensors: the header, from the specs alone, then one tensor after the other.

May import: the standard library, numpy, of `jinit.pretrained` sources and formats.safetensors, and
writer.
"""

import json
import struct
from typing import IO

import numpy as np

from jinit.pretrained.formats.safetensors import DTYPES, METADATA
from jinit.pretrained.sources import Progress, Source
from jinit.pretrained.writers.writer import check_dtypes, raw_bytes

__all__ = ["write_safetensors"]

_NAMES = {np.dtype(dtype).name: name for name, dtype in DTYPES.items()}
_ALIGNMENT = 8


def write_safetensors(source: Source, file: IO[bytes], done: Progress) -> None:
    """Write a source; wider dtypes first, so that each value lies at a multiple of its size."""
    check_dtypes(source, _NAMES, "safetensors")
    names = sorted(source, key=lambda name: -source[name].dtype.itemsize)
    header: dict[str, object] = {METADATA: dict(source.metadata)} if source.metadata else {}
    end = 0
    for name in names:
        spec, start = source[name], end
        end += spec.nbytes
        dtype, shape = _NAMES[spec.dtype.name], list(spec.shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    content = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    content += b" " * (-len(content) % _ALIGNMENT)
    file.write(struct.pack("<Q", len(content)) + content)
    for name in names:
        file.write(raw_bytes(source.read(name)))
        done(name)
