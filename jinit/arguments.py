"""Arguments of the command line, out of their text; each says what is wrong with it.

May import: the standard library.
"""

import argparse
import os
import re
from pathlib import Path

__all__ = ["figure_path", "integers", "names", "stride"]


def names(text: str) -> tuple[str, ...]:
    """Names with commas or spaces between, each once."""
    return tuple(dict.fromkeys(name for name in re.split(r"[,\s]+", text) if name))


def stride(text: str) -> int | tuple[int, ...]:
    """One stride, or one an axis."""
    strides = integers(text)
    return strides[0] if len(strides) == 1 else strides


def integers(text: str) -> tuple[int, ...]:
    """Integers with commas or spaces between, in brackets or not."""
    try:
        return tuple(int(part) for part in re.split(r"[,\s]+", text.strip(" ,()[]")))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be integers with spaces or commas between, such as 3,3,64,128"
        ) from None


def figure_path(text: str) -> Path:
    """Where a figure can be written."""
    path = Path(text)
    if path.suffix.lower() != ".png":
        raise argparse.ArgumentTypeError(f"{text!r} must end in .png")
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a directory; add a file name")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(
            f"{str(path.parent)!r} is not a directory; create it first, or choose another"
        )
    if not os.access(path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{str(path.parent)!r} cannot be written to")
    return path
