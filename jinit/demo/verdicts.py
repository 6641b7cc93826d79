"""Plain words for what was measured: the health of a signal, the outcome of a training run.

May import: the standard library, `jinit.propagation.verdicts`.
"""

import math
from collections.abc import Sequence

from jinit.propagation.verdicts import NEAR, SEVERE

__all__ = ["NEAR", "SEVERE", "health", "outcome"]


def health(first: float, last: float) -> str:
    """What became of a signal between the layer it enters and the last it reaches."""
    if not (math.isfinite(first) and math.isfinite(last)):
        return "overflowed"
    if first == last:
        return "steady" if first else "zero"
    change = _decades(last) - _decades(first)
    if abs(change) <= math.log10(NEAR):
        return "steady"
    severe = abs(change) > math.log10(SEVERE)
    if change < 0:
        return "vanished" if severe else "fading"
    return "exploded" if severe else "growing"


def _decades(value: float) -> float:
    return math.log10(value) if value else -math.inf


def outcome(losses: Sequence[float], accuracy: float, guessing: float, images: int) -> str:
    """Who learned: by accuracy on `images` held-out images, against a constant guess."""
    if not math.isfinite(losses[-1]):
        return "diverged"
    noise = math.sqrt(guessing * (1 - guessing) / images)
    if accuracy <= guessing + 3 * noise:
        return "just guessing"
    if accuracy < 0.5:
        return "barely learned"
    return "learned" if accuracy >= 0.9 else "learned in part"
