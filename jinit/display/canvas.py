"""The figure that all figures are drawn on.

May import: matplotlib.
"""

import io
from typing import Any

from matplotlib.figure import Figure

__all__ = ["Picture"]


class Picture(Figure):
    """A figure that a notebook shows as a picture, whether pyplot has been imported or not.

    >>> Picture(figsize=(1, 1))._repr_png_()[1:4]
    b'PNG'
    """

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        options: dict[str, Any] = {} if self.get_layout_engine() else {"bbox_inches": "tight"}
        self.savefig(content, format="png", **options)
        return content.getvalue()
