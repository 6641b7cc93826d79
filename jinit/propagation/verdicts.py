"""What a report says in words, and from which threshold on.

May import: the standard library, and of `jinit.propagation` faults, rows, spectrum, trends,
verdict.
"""

import math
from collections.abc import Iterator, Sequence

from jinit.propagation.faults import nonfinite, silent
from jinit.propagation.rows import Leaf, Row
from jinit.propagation.spectrum import Spectrum
from jinit.propagation.trends import Point, Trend, backward_points, fit_trend, forward_points, trunk
from jinit.propagation.verdict import SEVERITIES, Verdict, percent, told

__all__ = ["ALIKE", "NEAR", "SEVERE", "judge"]

NEAR = 10.0  # a factor from end to end that no one need care about
SEVERE = 1e6  # beyond it, float32 adds one end to the other without a trace
ALIKE = 0.95  # correlation above which inputs are nearly the same
SAME = 0.999  # and above which they are
THRESHOLDS = {"dead": (0.5, 0.9), "saturated": (0.5, 0.9)}  # shares: a warning, an error
MEAN = 0.9  # share of the mean square
UNEVEN = 1e4  # between gradients over weights of two layers
SPREAD = 100.0  # of the largest singular value over the median
KEPT = 3.0  # a factor from end to end within which a scale is kept


def judge(
    rows: Sequence[Row], leaves: Sequence[Leaf], spectrum: Spectrum | None
) -> tuple[Verdict, ...]:
    """All verdicts, the gravest first."""
    found = [*nonfinite(rows, leaves), *silent(rows, leaves)]
    noun, line = trunk(rows)
    ahead, back = forward_points(line), backward_points(line)
    head = None
    if noun == "layer" and _head_is_small(ahead):
        head = line[-1].path
        found.append(_small_head(*ahead[-2:]))
        ahead, back = ahead[:-1], back[1:]
    forward, backward = fit_trend(ahead, noun), fit_trend(back, noun)
    found += [*_scale(forward, "signal"), *_scale(backward, "gradient")]
    if not any(verdict.kind == "zero" for verdict in found):
        found += [*_gone(rows, "dead"), *_gone(rows, "saturated")]
    found += [*_collapse(rows, line, forward), *_mean(line)]
    if not any(verdict.kind.endswith("gradient") for verdict in found):
        found += _uneven(rows, [leaf for leaf in leaves if leaf.path != head])
    if spectrum is not None:
        found += _spectrum(spectrum)
    if not any(verdict.severity in ("error", "warning") for verdict in found):
        found.append(_fine(forward, backward))
    return tuple(sorted(found, key=lambda verdict: SEVERITIES.index(verdict.severity)))


def _head_is_small(points: Sequence[Point]) -> bool:
    """Whether the signal is kept up to the last layer, and shrinks there."""
    whole, before = fit_trend(points, "layer"), fit_trend(points[:-1], "layer")
    if whole is None or before is None or whole.steepest is None:
        return False
    at_the_end = whole.steepest[1] is points[-1]
    return at_the_end and whole.change < 1 / NEAR <= before.change <= NEAR


def _small_head(before: Point, head: Point) -> Verdict:
    text = (
        f"the last layer starts small: {told(head.value)} comes out of {head.name}, after "
        f"{told(before.value)} at {before.name}; gradients before it are as much smaller until it "
        "has grown"
    )
    return Verdict("small head", "note", text, (head.name,))


def _scale(trend: Trend | None, what: str) -> Iterator[Verdict]:
    """Vanishing and exploding."""
    if trend is None or 1 / NEAR <= trend.change <= NEAR:
        return
    shrinks = trend.change < 1
    severe = not 1 / SEVERE <= trend.change <= SEVERE
    first, last = trend.points[0], trend.points[-1]
    verb = "shrinks" if shrinks else "grows"
    back = " on the way back" if what == "gradient" else ""
    text = (
        f"the {what} {verb} {told(trend.rate)}x a {trend.noun}{back}: from {told(first.value)} at "
        f"{first.name} to {told(last.value)} at {last.name}"
    )
    if trend.steepest is not None:
        text += f", most of it between {' and '.join(p.name for p in trend.steepest)}"
    elif (trend.rate < 1) == shrinks and trend.rate != 1:
        depth = math.ceil(math.log(SEVERE) / abs(math.log(trend.rate)))
        end = "vanishes" if shrinks else "is a million times as large"
        text += f"; it {end} by {trend.noun} {depth}"
    kind = f"{'vanishing' if shrinks else 'exploding'} {what}"
    yield Verdict(kind, "error" if severe else "warning", text, (last.name, first.name))


def _gone(rows: Sequence[Row], what: str) -> Iterator[Verdict]:
    """Dead units, or saturated entries."""
    least, grave = THRESHOLDS[what]
    shares = [(getattr(row.forward, what) or 0.0, row) for row in rows]
    found = [(share, row) for share, row in shares if share >= least]
    if not found:
        return
    share, worst = max(found, key=lambda pair: pair[0])
    here = f"{worst.name} ({worst.operation})"
    text = {
        "dead": f"{percent(share)} of the units after {here} are dead: 0 for every input",
        "saturated": f"{percent(share)} of what comes out after {here} is saturated, with slopes "
        "under 5% of the largest",
    }[what]
    others = [row.name for _, row in found if row is not worst]
    if others:
        text += f"; {percent(least)} or more at {len(others)} other{'s' * (len(others) > 1)}"
    yield Verdict(what, "error" if share >= grave else "warning", text, (worst.name, *others))


def _collapse(rows: Sequence[Row], line: Sequence[Row], forward: Trend | None) -> Iterator[Verdict]:
    """Inputs that become the same."""
    known = [(row, row.forward.correlation) for row in (*rows[:1], *line)]
    seen = [(row, c) for row, c in known if c is not None and row.kind != "output"]
    if not seen:
        return
    (first, start), (last, end) = seen[0], seen[-1]
    if start >= ALIKE:
        text = (
            f"the inputs are alike to begin with (correlation {_near_one(start)}); subtract their "
            "mean, or pass more varied ones"
        )
        yield Verdict("alike inputs", "note", text, (first.name,))
    elif end >= ALIKE:
        there = next(row for row, c in seen if c >= ALIKE)
        text = (
            f"inputs become indistinguishable: their correlation, {start:.2g} at {first.name}, is "
            f"{_near_one(end)} at {last.name} and passes {ALIKE:g} at layer {there.layer}"
        )
        if forward is not None and 1 / KEPT <= forward.change <= KEPT:
            text += (
                ". The variance is kept all the same, so that rescaling weights (as LSUV does) "
                "will not help: residual branches or normalization do, or weights and activations "
                "that keep angles (looks_linear, orthogonal at the edge of chaos, tat_slope)"
            )
        severity = "error" if end >= SAME else "warning"
        yield Verdict("collapse", severity, text, (there.name, last.name))


def _near_one(c: float) -> str:
    """Digits enough to tell a correlation from 1."""
    if c < 0.995:
        return f"{c:.2f}"
    return f"{c:.4f}" if c < 0.9999 else "over 0.9999"


def _mean(line: Sequence[Row]) -> Iterator[Verdict]:
    """Units whose means outweigh what varies, where correlations do not tell already."""
    untold = [row for row in line if row.forward.correlation is None]
    found = [(row, row.forward.mean_share or 0.0) for row in untold]
    found = [(row, share) for row, share in found if share >= MEAN]
    if found:
        row, share = max(found, key=lambda pair: pair[1])
        text = (
            f"the units' means make up {percent(share)} of the mean square at {row.name}: what "
            "varies is small beside them"
        )
        yield Verdict("mean", "warning", text, tuple(row.name for row, _ in found))


def _uneven(rows: Sequence[Row], leaves: Sequence[Leaf]) -> Iterator[Verdict]:
    """Layers that learn at very unlike paces."""
    layers = {row.path for row in rows if row.kind == "linear"}
    ratios = [(leaf.ratio, leaf.name) for leaf in leaves if leaf.path in layers and leaf.ratio]
    if len(ratios) < 2:
        return
    (low, slow), (high, fast) = min(ratios), max(ratios)
    if high / low >= UNEVEN:
        text = (
            f"gradients are uneven: over the weight's own size, {told(high)} at {fast} and "
            f"{told(low)} at {slow}"
        )
        yield Verdict("uneven", "warning", text, (slow, fast))


def _spectrum(spectrum: Spectrum) -> Iterator[Verdict]:
    """Directions that come through a hundred times as large as others."""
    median = spectrum.quantile(0.5)
    if spectrum.largest > 0 and median <= spectrum.largest / SPREAD:
        text = (
            "the Jacobian from inputs to outputs is badly conditioned: half of its singular values "
            f"are {told(median)} or less, and the largest is {told(spectrum.largest)}"
        )
        yield Verdict("spectrum", "warning", text)


def _fine(forward: Trend | None, backward: Trend | None) -> Verdict:
    parts = [
        f"{told(trend.rate)}x a {trend.noun} {way}"
        for trend, way in ((forward, "forwards"), (backward, "back"))
        if trend is not None
    ]
    told_rates = f": {', '.join(parts)}" if parts else ""
    return Verdict("fine", "fine", f"the signal passes{told_rates}")
