"""Which format a file has, by its content; its name is not trusted.

May import: the standard library, and of `jinit.pretrained` errors, sources, and formats as they are
needed.
"""

from pathlib import Path

from jinit.pretrained.errors import CheckpointError
from jinit.pretrained.sources import Source

__all__ = ["open_file"]


def open_file(path: str) -> Source:
    """Open a checkpoint, a file or a directory."""
    if not Path(path).exists():
        raise FileNotFoundError(f"there is no file {path!r}")
    raise CheckpointError(path, "is of no known format")
