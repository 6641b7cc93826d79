"""What the rule of a leaf asks of its values.

May import: numpy, `jinit.core.laws`, `jinit.factory`, and of `jinit.model` rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jinit.core.laws import Constant, Law
from jinit.factory import Initializer
from jinit.model.rows import Row

__all__ = ["Asked", "asked_by"]


@dataclass(frozen=True)
class Asked:
    """What a leaf's rule asks.

    Attributes:
        law: the distribution of each weight; None where weights depend on each other.
        std: their standard deviation, one number or an array that broadcasts; None if unknown.
        random: whether a key decides the values.
    """

    law: Law | None
    std: Any
    random: bool


def asked_by(row: Row, *, repeated: bool) -> Asked | None:
    """What a row of a plan asks; nothing of a leaf that is kept, unless to be `repeated`."""
    init = row.init
    if not isinstance(init, Initializer):
        return Asked(None, None, False) if repeated else None
    law = init.law(row.leaf.shape, row.leaf.dtype)
    random = _is_random(init) and not isinstance(law, Constant)
    return Asked(law, row.std, random and (row.std is None or bool(np.any(row.std))))


def _is_random(init: Initializer) -> bool:
    """Whether a key decides what `init`, or any initializer that it holds, gives."""
    if init.scheme.keyless:
        return False
    held = [one for value in init.options.values() for one in _initializers(value)]
    return not held or any(map(_is_random, held))


def _initializers(value: Any) -> Sequence[Initializer]:
    """The initializers that an option holds: itself, or in a sequence."""
    values = value if isinstance(value, (list, tuple)) else (value,)
    return [one for one in values if isinstance(one, Initializer)]
