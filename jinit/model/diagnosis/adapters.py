"""Low-rank adapters: pairs of factors whose product should start at zero and be able to leave it.

May import: numpy, and of `jinit.model.diagnosis` finding, subjects.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from jinit.model.diagnosis.finding import Finding
from jinit.model.diagnosis.subjects import Subject

__all__ = ["factor_of", "faulty_pairs"]

# `lora_a`, `lora_B`, `lora_down`, `lora_embedding_A`, but not `lora_alpha`.
_FACTOR = re.compile(r"(.*lora(?:_embedding)?[_.]?)(a|b|down|up)((?![a-z]).*)", re.IGNORECASE)
_FIRST = ("a", "down")


def factor_of(path: str) -> tuple[str, bool] | None:
    """The pair that a path belongs to, and whether it is the first factor; None for other leaves.

    >>> factor_of("attn/q/lora_A/kernel"), factor_of("attn/q/lora_alpha")
    (('attn/q/lora_*/kernel', True), None)
    """
    found = _FACTOR.fullmatch(path)
    if found is None:
        return None
    return f"{found[1]}*{found[3]}", found[2].lower() in _FIRST


def faulty_pairs(subjects: Sequence[Subject]) -> Iterator[Finding]:
    """Pairs of which both factors are zero, or neither."""
    firsts, seconds = _factors(subjects, True), _factors(subjects, False)
    for pair in firsts:
        if pair in seconds:
            yield from _fault(firsts[pair], seconds[pair])


def _factors(subjects: Sequence[Subject], first: bool) -> dict[str, Subject]:
    named = ((factor_of(subject.path), subject) for subject in subjects)
    return {found[0]: s for found, s in named if found is not None and found[1] is first}


def _fault(a: Subject, b: Subject) -> Iterator[Finding]:
    zero: Any = a.reading.zero
    other: Any = b.reading.zero
    if zero.shape != other.shape:
        zero, other = zero.all(), other.all()
    pair = {"path": a.path, "others": (b.path,)}
    if (zero & other).any():
        detail = f"it and {b.path} are both zero: neither gets a gradient"
        yield Finding("lora", detail=detail, **pair)  # type: ignore[arg-type]
    elif not (zero | other).all() and not (a.asked and b.asked):
        detail = f"neither it nor {b.path} is zero: the adapted model is not the model"
        yield Finding("lora", detail=detail, severity="warning", **pair)  # type: ignore[arg-type]
