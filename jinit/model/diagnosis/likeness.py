"""Leaves, or slices of them, that hold the same numbers: equal, or from one key.

May import: numpy, and of `jinit.model.diagnosis` finding, subjects.

A key used twice gives the same first values whatever the shapes, up to a monotone function: other
scales, other dtypes, a uniform law where the other is normal. Where values rise and where they
fall therefore agrees to the bit. Sorted by that pattern, such leaves are neighbours, and only
neighbours are correlated: the work grows with the number of leaves, not with its square. Steps
from value to value are correlated rather than values, because parts of a leaf may have means of
their own, the same in every layer: gates of a recurrent layer, say.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from jinit.model.diagnosis.finding import Finding, listing
from jinit.model.diagnosis.subjects import Subject

__all__ = ["alike", "looks_drawn"]

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_LEAST = 8  # values below which likeness says nothing
_BITS = 256  # rises and falls that are compared
_WINDOW = 64  # of them, those that one sorting looks at
_STARTS = range(0, _BITS, 32)
_NEIGHBOURS = 2  # on each side
_CHUNK = 4096  # pairs correlated at once


@dataclass(frozen=True, eq=False)
class _Sample:
    """The first values of one slice, and what tells two slices of equal contents apart."""

    path: str
    values: Array
    contents: tuple[Any, ...]

    @property
    def steps(self) -> Array:
        """From value to value, in units of the largest value."""
        steps: Array = np.diff(self.values) / np.abs(self.values).max()
        return steps.astype(np.float32)

    @property
    def variety(self) -> float:
        """The share of values that repeat no earlier one, nor its opposite."""
        return len(np.unique(np.abs(self.values))) / len(self.values)


def alike(subjects: Sequence[Subject], chance: float) -> Iterator[Finding]:
    """Findings for slices of equal contents, and for slices that correlate.

    Args:
        subjects: the leaves, each with its reading.
        chance: probability that independent draws give any finding, at most.
    """
    groups: dict[tuple[Any, ...], list[_Sample]] = defaultdict(list)
    for sample in _samples(subjects):
        groups[sample.contents].append(sample)
    count = sum(map(len, groups.values()))
    chance /= max(count * (count - 1) / 2, 1)
    for group in groups.values():
        if len(group) > 1 and not _is_coincidence(group[0].values, chance):
            yield _equal(group)
    yield from _correlated([group[0] for group in groups.values()], chance)


def looks_drawn(values: Array) -> bool:
    """Whether values look random rather than computed.

    Computed ones (identities, position tables, state-space matrices) have few distinct values, or
    rise and fall in long runs: in random order two out of three inner values are turning points,
    with variance (16 n - 29) / 90; four deviations below that is not random.
    """
    steps = np.diff(values)
    steps = steps[steps != 0]
    if len(steps) < _LEAST - 1 or len(np.unique(values)) < min(17, len(values) * 3 // 4):
        return False
    turns = np.count_nonzero(np.diff(np.sign(steps)))
    n = len(steps) + 1
    return bool(turns > 2 * (n - 2) / 3 - 4 * np.sqrt((16 * n - 29) / 90))


def _samples(subjects: Sequence[Subject]) -> Iterator[_Sample]:
    for subject in subjects:
        reading = subject.reading
        for place in np.flatnonzero(~reading.constant):
            values = reading.prefix[place]
            if len(values) < _LEAST or not _comparable(subject, values):
                continue
            ends = reading.low[place], reading.high[place], reading.size
            contents = (*ends, values.tobytes())
            yield _Sample(subject.slice_path(place), values, contents)


def _comparable(subject: Subject, values: Array) -> bool:
    return looks_drawn(values) if subject.asked is None else subject.asked.random


def _equal(group: Sequence[_Sample]) -> Finding:
    first, *others = (sample.path for sample in group)
    return Finding("duplicate", first, f"equals {listing(others)}", others=tuple(others))


def _is_coincidence(values: Array, chance: float) -> bool:
    """Whether two draws give these values with a probability above `chance`.

    They agree in one place with the probability that two values of the sample are equal.
    """
    counts = np.unique(values, return_counts=True)[1]
    n = len(values)
    equal = 1 + (counts * (counts - 1)).sum() / 2
    return n * math.log(equal / (1 + n * (n - 1) / 2)) > math.log(chance)


def _correlated(samples: Sequence[_Sample], chance: float) -> Iterator[Finding]:
    if len(samples) < 2:
        return
    links = {(i, j): r for i, j, r in _linked(samples, chance)}
    for family in _families(links):
        first, *others = (samples[i].path for i in family)
        members = set(family)
        strongest = max((r for pair, r in links.items() if pair[0] in members), key=abs)
        detail = f"correlates with {listing(others)} (r = {strongest:.2f})"
        yield Finding("correlated", first, detail, others=tuple(others))


def _linked(samples: Sequence[_Sample], chance: float) -> Iterator[tuple[int, int, float]]:
    """Pairs that correlate more than independent draws do with probability `chance`."""
    lengths = np.array([len(sample.values) - 1 for sample in samples])
    steps = np.zeros((len(samples), lengths.max()), np.float32)
    for row, sample in zip(steps, samples, strict=True):
        row[: len(sample.values) - 1] = sample.steps
    variety = np.array([sample.variety for sample in samples])
    pairs = _neighbours(steps, lengths)
    for start in range(0, len(pairs), _CHUNK):
        one, other = pairs[start : start + _CHUNK].T
        r, worth = _correlate(steps[one], steps[other], np.minimum(lengths[one], lengths[other]))
        worth = worth * np.minimum(variety[one], variety[other])
        for i in np.flatnonzero(_beyond_chance(r, worth, chance)):
            yield int(one[i]), int(other[i]), float(r[i])


def _neighbours(steps: Array, lengths: Array) -> Array:
    """Pairs (i < j) that stand near each other when sorted by some part of their pattern."""
    rises = np.zeros((len(steps), _BITS + _WINDOW), bool)
    rises[:, : min(steps.shape[1], _BITS)] = steps[:, :_BITS] > 0
    found = [np.zeros((0, 2), np.intp)]
    for start in _STARTS:
        rows = np.flatnonzero(lengths >= max(start + 16, _LEAST - 1))
        window = rises[rows, start : start + _WINDOW]
        window = window ^ window[:, :1]  # a pattern and its opposite are one
        code = np.packbits(window, axis=1).view(">u8")[:, 0]
        order = rows[np.argsort(code, kind="stable")]
        found += [np.stack([order[:-k], order[k:]], 1) for k in range(1, _NEIGHBOURS + 1)]
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def _correlate(a: Array, b: Array, count: Array) -> tuple[Array, Array]:
    """Pearson's r of the first `count` steps of each row, and how many free values that is worth.

    Steps of independent values correlate by -1/2 with the next: 2/3 of their number. Heavy tails
    (most values zero, a few large) let few steps decide: by the kurtoses of both against 3 each.
    """
    (a, tail), (b, other_tail) = _standardized(a, count), _standardized(b, count)
    r = (a * b).sum(1) / count
    return r, count / 1.5 / np.maximum(tail * other_tail / 9, 1)


def _standardized(x: Array, count: Array) -> tuple[Array, Array]:
    count = count[:, None]
    inside = np.arange(x.shape[1]) < count
    mean = np.where(inside, x, 0).sum(1, keepdims=True) / count
    x = np.where(inside, x - mean, 0)
    variance = (x * x).sum(1, keepdims=True) / count
    x = x / np.sqrt(np.where(variance > 0, variance, 1))
    square = x * x
    return x, (square * square).sum(1) / count[:, 0]


def _beyond_chance(r: Array, size: Array, chance: float) -> Array:
    """Whether |r| over `size` pairs of independent normal values is less likely than `chance`.

    1 - r^2 follows a beta law, so that P(|r| > q) <= (1 - q^2)^(size/2 - 1) wherever that is small.
    """
    least = np.sqrt(1 - np.minimum(chance ** (2 / np.maximum(size - 2, 1e-3)), 1))
    found: Array = (np.abs(r) > least) & (size > 4)
    return found


def _families(links: dict[tuple[int, int], float]) -> list[list[int]]:
    """The connected components of a graph, members in order."""
    parent: dict[int, int] = {}

    def root(i: int) -> int:
        while parent.setdefault(i, i) != i:
            i = parent[i]
        return i

    for i, j in links:
        low, high = sorted((root(i), root(j)))
        parent[high] = low
    families: dict[int, list[int]] = defaultdict(list)
    for i in sorted(parent):
        families[root(i)].append(i)
    return list(families.values())
