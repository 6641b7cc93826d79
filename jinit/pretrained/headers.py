"""JSON out of files that are not trusted: no key twice, no constants beyond JSON's, bounded depth.

May import: the standard library, `jinit.pretrained.errors`.
"""

import json
from typing import Any, NoReturn

from jinit.pretrained.errors import CheckpointError

__all__ = ["as_shape", "parse_json"]

_LARGEST = 2**63 - 1


def parse_json(content: bytes, file: str, what: str) -> Any:
    """Parse JSON strictly.

    Args:
        content: UTF-8.
        file: where it comes from, for messages.
        what: what it is there, for messages: "header".

    Raises:
        jinit.pretrained.CheckpointError: it is no JSON, or has a key twice.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in found if names.count(name) > 1)
            raise CheckpointError(file, f"has {twice[:200]!r} twice in its {what}")
        texts = [*found, *(value for value in found.values() if isinstance(value, str))]
        if not all(map(_is_whole, texts)):
            raise CheckpointError(file, f"has half of a character in its {what}; it is damaged")
        return found

    def refused(constant: str) -> NoReturn:
        raise CheckpointError(file, f"has {constant} in its {what}, which is no JSON")

    try:
        return json.loads(content.decode(), object_pairs_hook=unique, parse_constant=refused)
    except CheckpointError:
        raise
    except UnicodeDecodeError:
        raise CheckpointError(file, f"is not UTF-8 in its {what}; it is damaged") from None
    except RecursionError:
        raise CheckpointError(file, f"is nested too deeply in its {what}") from None
    except ValueError as error:  # numbers of thousands of digits included
        raise CheckpointError(file, f"is no JSON in its {what}: {error}") from None


def _is_whole(text: str) -> bool:
    """Whether a text can be written again: JSON's escapes may give halves of characters."""
    return text.isascii() or not any(0xD800 <= ord(letter) <= 0xDFFF for letter in text)


def as_shape(value: Any, file: str, tensor: str) -> tuple[int, ...]:
    """A shape out of a header: a list of integers of which none is negative.

    Raises:
        jinit.pretrained.CheckpointError: it is none, or larger than any memory.
    """
    if not isinstance(value, (list, tuple)) or len(value) > 64:
        raise CheckpointError(file, "has no list of at most 64 integers as its shape", tensor)
    size = 1
    for extent in value:
        if type(extent) is not int or extent < 0:
            raise CheckpointError(
                file, f"has {extent!r:.40} in its shape; extents are integers of at least 0", tensor
            )
        size *= max(extent, 1)
        if size > _LARGEST:
            raise CheckpointError(file, "has a shape of more than 2**63 values", tensor)
    return tuple(value)
