"""Whether leaves follow the laws of their rules, beyond what chance allows.

May import: numpy, `jinit.core.laws`, and of `jinit.model.diagnosis` asked, finding, subjects.

Tails are bounded by Chernoff's inequality, which holds for few values as for many and for levels
that no table reaches. For a normal sample P(s^2 / sigma^2 beyond q) <= exp(-n/2 (q - 1 - ln q)) and
P(|mean| > z sigma / sqrt n) <= 2 exp(-z^2 / 2). Flatter laws stay below; for heavier tails n
becomes 2 n / (kurtosis - 1), that of the normal sample with as uncertain a variance.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from jinit.core.laws import Constant
from jinit.model.diagnosis.asked import Asked
from jinit.model.diagnosis.finding import Finding, number
from jinit.model.diagnosis.subjects import Subject, epsilon

__all__ = ["off_rule"]

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

# Weights that depend on each other may repeat, 16 times in a sub-pixel kernel of ratio 4, and their
# variance is what it is in a large kernel: a row of zeros is a tenth of ten rows.
_REPEATS = 16
_NOMINAL = 0.1


def off_rule(subjects: Sequence[Subject], chance: float) -> Iterator[Finding]:
    """Findings for leaves whose mean or standard deviation is not what their rules ask.

    Args:
        subjects: the leaves, each with its reading.
        chance: probability that draws by the rules give any finding, at most.
    """
    chance /= 2 * max(sum(len(subject.reading.mean) for subject in subjects), 1)
    for subject in subjects:
        if subject.asked is None or not subject.reading.size:
            continue
        if isinstance(subject.asked.law, Constant):
            yield from _off_constant(subject, subject.asked.law)
        elif subject.asked.random and not subject.reading.constant.all():
            yield from _off_std(subject, subject.asked, chance)
            yield from _off_mean(subject, subject.asked, chance)


def _off_constant(subject: Subject, law: Constant) -> Iterator[Finding]:
    reading, value = subject.reading, np.asarray(law.value)
    if value.ndim or value.dtype.kind == "c":
        return
    value = value.astype(subject.dtype).astype(np.float64)
    if (reading.low == value).all() and (reading.high == value).all():
        return
    low, high = number(reading.low.min()), number(reading.high.max())
    seen = low if low == high else f"{low} to {high}"
    detail = f"{seen}; its rule asks {number(float(value))} throughout"
    yield Finding("mean" if low == high else "std", subject.path, detail)


def _off_std(subject: Subject, asked: Asked, chance: float) -> Iterator[Finding]:
    std = _by_slice(asked.std, subject)
    if std is None:
        return
    reading = subject.reading
    repeats, slack = (1, 0.0) if asked.law else (_REPEATS, _NOMINAL)
    freedom = 2 * max(reading.size - 1, 0) / (np.maximum(reading.kurtosis, 3) - 1) / repeats
    ratio = np.where(std > 0, reading.std / np.where(std > 0, std, 1), 1)
    divergence = _divergence(ratio**2, slack + _rounding(subject))
    surprise = freedom / 2 * divergence * ~reading.constant
    worst = int(np.argmax(surprise))
    if surprise[worst] > math.log(2 / chance):
        errors = abs(ratio[worst] - 1) * math.sqrt(2 * freedom[worst])
        yield Finding(
            "std",
            subject.slice_path(worst),
            f"{number(reading.std[worst])}, {number(ratio[worst])} times what its rule asks "
            f"({number(std[worst])}); {errors:.0f} standard errors off",
        )


def _divergence(q: Array, slack: float) -> Array:
    """Return q - 1 - ln q, once `q` is moved towards 1 by `slack`."""
    q = np.where(q > 1, np.maximum(q - slack, 1), np.minimum(q + slack, 1))
    return q - 1 - np.log(np.maximum(q, np.finfo(np.float64).tiny))


def _off_mean(subject: Subject, asked: Asked, chance: float) -> Iterator[Finding]:
    std = _by_slice(asked.std, subject)
    if std is None or asked.law is None or subject.dtype.kind == "c":
        return
    reading = subject.reading
    mean = _by_slice(asked.law.mean(), subject, power=1)
    distance = np.abs(reading.mean - mean)
    distance = np.maximum(distance - _rounding(subject) * (std + np.abs(mean)), 0)
    errors = distance / np.where(std > 0, std, math.inf) * math.sqrt(reading.size)
    errors = errors * ~reading.constant
    worst = int(np.argmax(errors))
    if errors[worst] ** 2 / 2 > math.log(2 / chance):
        yield Finding(
            "mean",
            subject.slice_path(worst),
            f"{number(reading.mean[worst])}, where its rule asks {number(mean[worst])} with std "
            f"{number(std[worst])}; {errors[worst]:.0f} standard errors off",
        )


def _rounding(subject: Subject) -> float:
    """What rounding to the leaf's dtype may change moments by, relatively."""
    return epsilon(subject.dtype) ** 2


def _by_slice(parameter: Any, subject: Subject, power: int = 2) -> Any:
    """A parameter of the law for each slice; root mean square (or mean) where it varies in one.

    Of complex values the parts are measured, each with half the variance.
    """
    if parameter is None:
        return None
    reading, stack = subject.reading, subject.stack
    ndim = len(subject.value.shape)
    full = np.asarray(parameter, np.float64)
    full = full.reshape((1,) * (ndim - full.ndim) + full.shape)
    rest = tuple(axis for axis in range(ndim) if axis not in stack)
    each = np.broadcast_to((full**power).mean(axis=rest), reading.extents).reshape(-1)
    each = each ** (1 / power)
    return each / math.sqrt(2) if subject.dtype.kind == "c" else each
