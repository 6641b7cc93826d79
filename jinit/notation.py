"""Kernel notation: layout strings ("HWIO") and einsum strings ("btd,dhk->bthk") read as axes.

May import: the standard library and `jinit.axes`.
"""

import string
from collections import Counter
from typing import NamedTuple

from jinit.axes import Axes, Shape

__all__ = ["einsum_axes", "layout_axes"]

_SPATIAL = frozenset("DHW" + string.digits)
_ELLIPSIS = "..."


def layout_axes(shape: Shape, layout: str) -> Axes:
    """Return the axes that a layout such as "HWIO", "OIDHW" or "...IO" names.

    Use it for kernels whose storage order is known by name. `I` is the axis that the layer
    contracts and `O` the one it produces, whatever the order; `B` marks an axis of independent
    kernels (experts, stacked layers) and may repeat; `D`, `H`, `W` and digits are spatial, and
    one `...` stands for any number of spatial axes.

    Args:
        shape: The kernel's shape.
        layout: One letter an axis.

    Returns:
        The roles of the axes.

    Raises:
        ValueError: `I` or `O` is missing or repeated, a letter is unknown, or the number of
            letters differs from the number of axes.

    >>> layout_axes((128, 64, 3, 3), "OIHW")
    Axes(in_axis=(1,), out_axis=(0,), batch_axis=())
    >>> layout_axes((8, 3, 64, 128), "B...IO").batch_axis
    (0,)
    """
    _check_layout(layout)
    entries = _expand(layout, shape, f"`layout` (={layout!r})")
    return Axes(_where(entries, {"I"}), _where(entries, {"O"}), _where(entries, {"B"}))


def einsum_axes(shape: Shape, einsum: str) -> Axes:
    """Return the axes of the kernel in a two-operand einsum, by what becomes of each letter.

    Use it for projections written as an einsum. A letter that the kernel shares with the other
    operand is contracted if the result lacks it, and otherwise a batch of independent kernels; a
    letter that the kernel shares with the result alone is produced; a letter of the kernel alone
    is summed over for every connection, as a receptive field is.

    Args:
        shape: The kernel's shape. It belongs to the second operand, or to the first where only
            the first has as many axes.
        einsum: Operands, "->" and result; an ellipsis is allowed.

    Returns:
        The roles of the kernel's axes.

    Raises:
        ValueError: The string is not of the form "a,b->c", repeats a letter within a term, sums a
            letter of the input alone (its extent, hence the fan, cannot be known from the
            kernel), or has no operand with as many axes as `shape`.

    >>> einsum_axes((512, 8, 64), "btd,dhk->bthk")
    Axes(in_axis=(0,), out_axis=(1, 2), batch_axis=())
    >>> einsum_axes((16, 512, 2048), "ebd,edf->ebf").batch_axis
    (0,)
    """
    terms = _parse_einsum(einsum, shape)
    _check_einsum(einsum, terms)
    entries = _expand(terms.kernel, shape, f"`einsum` (={einsum!r})")
    other, result = set(_split(terms.other)), set(_split(terms.result))
    return Axes(
        _where(entries, other - result),
        _where(entries, result - other),
        _where(entries, other & result),
    )


class _Terms(NamedTuple):
    other: str
    kernel: str
    result: str


def _parse_einsum(einsum: str, shape: Shape) -> _Terms:
    text = "".join(einsum.split())
    operands, arrow, result = text.partition("->")
    if not arrow or operands.count(",") != 1:
        raise ValueError(
            f"`einsum` (={einsum!r}) must have two operands and an explicit result, "
            "such as 'btd,dhk->bthk'."
        )
    first, second = operands.split(",")
    for term in (first, second, result):
        _check_term(einsum, term)
    if _fits(second, shape):
        return _Terms(first, second, result)
    if _fits(first, shape):
        return _Terms(second, first, result)
    raise ValueError(
        f"`einsum` (={einsum!r}) has no operand for the {len(shape)}-D shape {shape}: "
        f"{first!r} and {second!r} differ from it in the number of axes."
    )


def _check_term(einsum: str, term: str) -> None:
    letters = term.replace(_ELLIPSIS, "", 1)
    repeated = _repeated(letters)
    if repeated:
        raise ValueError(
            f"`einsum` (={einsum!r}) repeats {repeated!r} in {term!r}; a kernel's fans need each "
            "letter at most once in a term."
        )
    unknown = sorted(set(letters) - set(string.ascii_letters))
    if unknown:
        raise ValueError(
            f"`einsum` (={einsum!r}) contains {unknown[0]!r}; axes are named by the letters "
            "a-z and A-Z, and at most one '...' a term."
        )


def _check_einsum(einsum: str, terms: _Terms) -> None:
    other, kernel, result = (set(_split(term)) for term in terms)
    orphans = sorted(result - other - kernel)
    if orphans:
        raise ValueError(
            f"`einsum` (={einsum!r}) has {orphans[0]!r} in its result and in no operand; "
            "drop it or add it to an operand."
        )
    alone = sorted(other - kernel - result)
    if alone:
        raise ValueError(
            f"`einsum` (={einsum!r}) sums {alone[0]!r} of the input alone, so each output has as "
            "many more connections as that axis is long, which the kernel's shape does not tell. "
            f"Sum the input over {alone[0]!r} first, or pass `fans=`."
        )


def _check_layout(layout: str) -> None:
    letters = layout.replace(_ELLIPSIS, "", 1)
    unknown = sorted(set(letters) - _SPATIAL - set("BIO"))
    if unknown:
        raise ValueError(
            f"`layout` (={layout!r}) contains {unknown[0]!r}; allowed are B (batch), I (input), "
            "O (output), the spatial D, H, W and digits, and one '...', as in 'HWIO'."
        )
    counts = Counter(letters)
    if counts["I"] != 1 or counts["O"] != 1:
        raise ValueError(
            f"`layout` (={layout!r}) must name I (input) and O (output) exactly once each; "
            "for several input or output axes pass `in_axis` and `out_axis`."
        )
    repeated = _repeated(letters.replace("B", ""))
    if repeated:
        raise ValueError(
            f"`layout` (={layout!r}) repeats {repeated!r}; only B may stand for several axes."
        )


def _expand(term: str, shape: Shape, label: str) -> list[str]:
    """Split a term into one entry an axis, its ellipsis repeated as often as `shape` asks."""
    entries = _split(term)
    if not _fits(term, shape):
        raise ValueError(
            f"{label} names {len(entries)} axes, but the shape {shape} has {len(shape)}; "
            "name every axis once, or use '...' for the rest."
        )
    if _ELLIPSIS not in entries:
        return entries
    at = entries.index(_ELLIPSIS)
    return entries[:at] + [_ELLIPSIS] * (len(shape) - len(entries) + 1) + entries[at + 1 :]


def _fits(term: str, shape: Shape) -> bool:
    entries = _split(term)
    if _ELLIPSIS in entries:
        return len(shape) >= len(entries) - 1
    return len(shape) == len(entries)


def _split(term: str) -> list[str]:
    before, dots, after = term.partition(_ELLIPSIS)
    return [*before, *([_ELLIPSIS] if dots else []), *after]


def _where(entries: list[str], wanted: set[str]) -> Shape:
    return tuple(axis for axis, entry in enumerate(entries) if entry in wanted)


def _repeated(letters: str) -> str:
    """Return the first letter that occurs more than once, or the empty string."""
    return next((letter for letter in letters if letters.count(letter) > 1), "")
