"""Results that show themselves: as tables on terminals and in notebooks, as text, and as JSON.

May import: the standard library, NumPy; `jinit.display` as a result is shown.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

__all__ = ["Result", "Shown", "json_ready"]


class Shown:
    """What prints as a table: by rich on a terminal, as text elsewhere, as HTML in a notebook."""

    _text_width: ClassVar[int] = 200  # characters that text may take

    def _tables(self, width: int) -> Sequence[Any]:
        """What rich prints, one below the other, in so many characters."""
        raise NotImplementedError

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        yield from self._tables(options.max_width)

    def __str__(self) -> str:
        from jinit.display.rendering import as_text

        width = self._text_width
        return "\n\n".join(as_text(table, width) for table in self._tables(width))

    def _repr_html_(self) -> str:
        from jinit.display.rendering import as_html

        return "".join(map(as_html, self._tables(self._text_width)))


class Result(Shown):
    """What was found out or decided: shown as a table, kept as JSON."""

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description."""
        raise NotImplementedError

    def to_json(self, indent: int | None = None) -> str:
        """The description as JSON text; infinities and NaN, which JSON has not, are text."""
        return json.dumps(json_ready(self.to_config()), indent=indent, allow_nan=False)


def json_ready(value: Any) -> Any:
    """Mappings and sequences as JSON has them, and text for numbers that it has not.

    >>> json_ready({"spread": (1.0, float("inf"))})
    {'spread': [1.0, 'inf']}
    """
    if isinstance(value, Mapping):
        return {name: json_ready(each) for name, each in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return json_ready(value.tolist())
    if isinstance(value, list | tuple):
        return [json_ready(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
