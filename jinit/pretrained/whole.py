"""Sources that can only read whole tensors: the last one is kept for more windows of it.

May import: numpy, and of `jinit.pretrained` binary, sources.
"""

from abc import abstractmethod

from jinit.pretrained.binary import aligned_empty
from jinit.pretrained.sources import Array, Source, Window

__all__ = ["WholeReads"]


class WholeReads(Source):
    """A source whose windows are cut from the whole tensor, each tensor being read once.

    Between two windows of a tensor that tensor is held, and no other.
    """

    fresh = True
    _held: tuple[str, Array] | None = None

    def _read(self, name: str, window: Window | None) -> Array:
        if window is None:
            self._held = None
            return self._whole(name)
        if self._held is None or self._held[0] != name:
            self._held = None  # let go before the next one is read
            self._held = (name, self._whole(name))
        cut = self._held[1][window]
        values = aligned_empty(cut.shape, cut.dtype)
        values[...] = cut
        return values

    @abstractmethod
    def _whole(self, name: str) -> Array:
        """Read a whole tensor."""

    def close(self) -> None:
        """Let go of what is held."""
        self._held = None
