"""Faults of one leaf's own values: never drawn, not finite, blank, coarse.

May import: jax, numpy, and of `jinit.model.diagnosis` finding, likeness, readings, subjects.
"""

from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np

from jinit.model.diagnosis.finding import Finding, count_noun, listing, number
from jinit.model.diagnosis.likeness import looks_drawn
from jinit.model.diagnosis.readings import PREFIX, count_nonfinite
from jinit.model.diagnosis.subjects import Subject, epsilon, has_16_bits

__all__ = ["absent", "blank", "coarse", "nonfinite"]

_LEAST_ZERO = 8  # values of a slice that chance does not make all zero ...
_LEAST_CONSTANT = 32  # ... nor all equal, random signs included
_LEAST_COARSE = 16  # times 1 / eps: values enough for chance to outnumber intended repeats
_COARSE = 2.4  # times as often as chance has it, do two values agree
_CERTAIN = 5.0  # standard errors of a mean that are worth a word


def absent(subject: Subject) -> Iterator[Finding]:
    """A leaf without values, or with another shape than planned."""
    if subject.value is None:
        shape = ",".join(map(str, subject.leaf.shape))
        yield Finding("undrawn", subject.path, f"{subject.dtype.name}[{shape}] has no values")
    elif subject.planned is not None:
        found, planned = tuple(subject.value.shape), subject.planned
        yield Finding("shape", subject.path, f"has the shape {found}, planned is {planned}")


def nonfinite(subject: Subject) -> Iterator[Finding]:
    """NaN or infinities."""
    if subject.reading.finite:
        return
    nans, infinities = count_nonfinite(subject.value)
    seen = [f"{nans:,} NaN"] * (nans > 0) + [f"{infinities:,} infinite"] * (infinities > 0)
    total = count_noun(subject.value.size, "value")
    yield Finding("nonfinite", subject.path, f"{' and '.join(seen)} among {total}")


def blank(subject: Subject) -> Iterator[Finding]:
    """Slices that are zero throughout, or one other value, and should be random."""
    asked, reading = subject.asked, subject.reading
    if not (subject.is_weight if asked is None else asked.random):
        return
    severity = "warning" if asked is None else "error"
    if reading.size >= _LEAST_ZERO and reading.zero.any():
        yield _blank("zero", subject, reading.zero, severity)
    other = reading.constant & ~reading.zero
    if reading.size >= _LEAST_CONSTANT and other.any():
        yield _blank("constant", subject, other, severity)


def _blank(kind: str, subject: Subject, slices: Any, severity: str) -> Finding:
    reading = subject.reading
    places = np.flatnonzero(slices)
    value = number(reading.low[places[0]])
    if len(places) == len(slices):
        what = f"all {count_noun(reading.size * len(slices), 'value')}"
    else:
        paths = listing([subject.slice_path(place) for place in places])
        what = f"{paths}, of {count_noun(len(slices), 'slice')},"
    return Finding(kind, subject.path, f"{what} are {value}" + _asked(subject), severity)


def _asked(subject: Subject) -> str:
    if subject.asked is None or subject.asked.std is None:
        return ""
    return f"; its rule asks std {number(float(np.mean(subject.asked.std)))}"


def coarse(subject: Subject) -> Iterator[Finding]:
    """A draw made in a low precision rather than rounded to it.

    `jax.random` makes a bfloat16 of 7 random bits: 128 values, off centre, whose equal steps leave
    out most of what floating point has near zero. Two of its values agree 8 times as often as two
    of a rounded normal draw do; 5 times where the law is uniform, 3 times where it is positive too.
    Rounding to 8 bits leaves so few values that this says nothing.
    """
    dtype, sample = subject.dtype, subject.reading.sample
    if not has_16_bits(dtype) or not _is_random(subject):
        return
    atoms = (sample == 0) | (sample == sample.min()) | (sample == sample.max())  # as clipping makes
    repeated = np.append(sample[1:] == sample[:-1], False)  # as sub-pixel kernels are
    values = np.sort(sample[~atoms & ~repeated])
    if len(values) < _LEAST_COARSE / epsilon(dtype):
        return
    repeats = np.unique(values, return_counts=True)[1]
    agreement = (repeats * (repeats - 1)).sum() / (len(values) * (len(values) - 1))
    if agreement > _COARSE * _chance_agreement(values, dtype):
        different = len(np.unique(sample))
        seen = f"only {different:,} different values among {len(sample):,} of {dtype.name}"
        yield Finding("coarse", subject.path, seen + _bias(subject), "warning")


def _chance_agreement(values: Any, dtype: Any) -> float:
    """Probability that two draws of the smooth law behind sorted values round to one value.

    In each of 32 parts of equal probability, the spacing of floating point over the part's width.
    """
    info = jnp.finfo(dtype)  # type: ignore[no-untyped-call]
    eps, least = float(info.eps), float(info.smallest_subnormal)
    total = 0.0
    for part in np.array_split(values, 32):
        spacing = np.maximum(np.ldexp(eps, np.frexp(part)[1] - 1), least).mean()
        width = max(part[-1] - part[0], spacing)
        total += (len(part) / len(values)) ** 2 * spacing / width
    return total


def _is_random(subject: Subject) -> bool:
    if subject.asked is not None:
        return subject.asked.random
    return looks_drawn(subject.reading.sample[:PREFIX])


def _bias(subject: Subject) -> str:
    """How far the mean is off zero, where it is far and the law may be centred."""
    reading = subject.reading
    mean, std = reading.mean.mean(), np.sqrt((reading.std**2).mean())
    errors = mean / std * np.sqrt(reading.size * len(reading.mean))
    if abs(errors) < _CERTAIN or abs(mean) > std / 2:
        return ""
    return f", mean {mean / std:+.3f} std ({abs(errors):.0f} standard errors off 0)"
