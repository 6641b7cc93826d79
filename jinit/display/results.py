"""Tables of the demo: the signal at each layer, and what training made of each start.

May import: rich, and of `jinit.display` columns, numbers.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rich.table import Table
from rich.text import Text

from jinit.display.columns import plain_table
from jinit.display.numbers import short

__all__ = [
    "OutcomeRow",
    "Profile",
    "SignalRow",
    "facts",
    "headline",
    "outcome_table",
    "signal_table",
]

_GOOD = ("learned", "steady")
_MIDDLING = ("barely learned", "fading", "growing", "learned in part")

_TREND = 8  # characters
_TREND_BARS = "▁▂▃▄▅▆▇"
_TREND_FLOOR = -6.0  # one bar a decade, from 1e-6 to 10
_SHARE = 16  # characters

_LAYOUT: Mapping[str, Any] = {"title_style": "bold", "caption_style": "dim"}


class Profile(NamedTuple):
    """Root mean squares from the first layer to the last, and one word for them."""

    values: Sequence[float]
    word: str


class SignalRow(NamedTuple):
    """One scheme's signal in both directions."""

    name: str
    forward: Profile
    backward: Profile


class OutcomeRow(NamedTuple):
    """What one scheme's training came to."""

    name: str
    learning_rate: float
    loss: float
    accuracy: float
    word: str


def headline(text: str) -> Text:
    """A title for everything that follows."""
    return Text(text, "bold underline")


def facts(entries: Mapping[str, str]) -> Table:
    """A list of names with what each is."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    for name, text in entries.items():
        grid.add_row(name, Text(text))
    return grid


def signal_table(rows: Sequence[SignalRow], layers: Sequence[int], caption: str) -> Table:
    """Values at `layers` (counted from 1), their trend over all layers, a word; two lines each."""
    table = plain_table(title="Signal at initialization", caption=caption, padding=0, **_LAYOUT)
    table.add_column("scheme", style="bold", overflow="fold")
    table.add_column("at layer", no_wrap=True)
    for layer in layers:
        table.add_column(str(layer), justify="right", no_wrap=True, min_width=6)
    table.add_column("trend", no_wrap=True)
    table.add_column("", no_wrap=True)
    for row in rows:
        lines = [_profile_cells(profile, layers) for profile in (row.forward, row.backward)]
        cells = [Text("\n").join(pair) for pair in zip(*lines, strict=True)]
        table.add_row(row.name, "forward\nbackward", *cells)
    return table


def _profile_cells(profile: Profile, layers: Sequence[int]) -> list[Text]:
    values = [short(profile.values[layer - 1]) for layer in layers]
    style = _style(profile.word)
    return [Text(cell, style) for cell in (*values, _trend(profile.values), profile.word)]


def outcome_table(rows: Sequence[OutcomeRow], caption: str) -> Table:
    """One row a scheme: learning rate, training loss, held-out accuracy with a bar, verdict."""
    table = plain_table(title="After training", caption=caption, **_LAYOUT)
    table.add_column("scheme", style="bold", overflow="fold")
    for heading in ("rate", "loss"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("held-out accuracy", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for row in rows:
        style = _style(row.word)
        share = f"{row.accuracy:>4.0%} {'━' * round(row.accuracy * _SHARE)}"
        cells = (Text(share, style), Text(row.word, style))
        table.add_row(row.name, f"{row.learning_rate:g}", f"{row.loss:.3f}", *cells)
    return table


def _style(word: str) -> str:
    """A colour for a word; the word itself says as much without one."""
    if word in _GOOD:
        return "green"
    return "yellow" if word in _MIDDLING else "red"


def _trend(values: Sequence[float]) -> str:
    """The values from the first layer to the last as bars, on a logarithmic scale."""
    count = min(_TREND, len(values))
    picked = (values[round(i * (len(values) - 1) / max(count - 1, 1))] for i in range(count))
    return "".join(_trend_bar(value) for value in picked)


def _trend_bar(value: float) -> str:
    if not math.isfinite(value):
        return "!"
    if value == 0:
        return "·"
    decade = math.floor(math.log10(value) - _TREND_FLOOR)
    return _TREND_BARS[min(max(decade, 0), len(_TREND_BARS) - 1)]
