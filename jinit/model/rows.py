"""A row of a plan: what one leaf gets.

May import: jax, numpy, `jinit.factory`, `jinit.fans`, and of `jinit.model` leaf, values.
"""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jinit.factory import Initializer
from jinit.fans import Fans
from jinit.model.leaf import Leaf
from jinit.model.values import Keep

__all__ = ["Row"]


@dataclass(frozen=True)
class Row:
    """What one leaf gets.

    Attributes:
        leaf: the leaf.
        rule: the rule that it follows, as text.
        scheme: what the rule gives: a scheme, or `jinit.keep`.
        init: the scheme fitted to the leaf: its fans, axes and stack.
        std: standard deviation (root mean square where the mean is 0 and weights depend on each
            other) of its weights, one number or one for each stacked layer; None where unknown.
        shared_with: path of the leaf whose values it shares, if it is not drawn itself.
        measured: standard deviation of the weights drawn, after `initialize(..., report=True)`.
        z: how many standard errors the measured one is off.
    """

    leaf: Leaf
    rule: str
    scheme: Initializer | Keep
    init: Initializer | Keep
    std: Any = None
    shared_with: str | None = None
    measured: float | None = None
    z: float | None = None

    @property
    def path(self) -> str:
        """The leaf's path."""
        return self.leaf.path

    @property
    def drawn(self) -> bool:
        """Whether the leaf is drawn: neither kept nor shared."""
        return self.shared_with is None and not isinstance(self.init, Keep)

    @property
    def fans(self) -> Fans | None:
        """Connections of one layer's weight, where known."""
        try:
            return self.leaf.fans
        except ValueError:
            return None

    @property
    def nbytes(self) -> int:
        """Bytes of the whole leaf."""
        return self.leaf.size * self.leaf.dtype.itemsize

    @property
    def shard_nbytes(self) -> int:
        """Bytes on one device."""
        sharding = self.leaf.sharding
        if not isinstance(sharding, jax.sharding.Sharding):
            return self.nbytes
        shape = sharding.shard_shape(self.leaf.shape)
        return int(np.prod(shape, dtype=np.int64)) * self.leaf.dtype.itemsize

    def to_config(self) -> dict[str, Any]:
        """A JSON-ready description."""
        sharding = self.leaf.sharding
        return {
            "path": self.path,
            "shape": list(self.leaf.shape),
            "dtype": self.leaf.dtype.name,
            "sharding": None if sharding is None else str(getattr(sharding, "spec", sharding)),
            "layer": self.leaf.layer,
            "role": self.leaf.role,
            "stack": list(self.leaf.stack),
            "fans": None if self.fans is None else list(self.fans),
            "rule": self.rule,
            "scheme": repr(self.scheme),
            "drawn_by": repr(self.init),
            "std": None if self.std is None else np.asarray(self.std).reshape(-1).tolist(),
            "bytes": self.nbytes,
            "shared_with": self.shared_with,
            "measured_std": self.measured,
            "z": self.z,
        }
