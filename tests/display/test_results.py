import io
import math

from rich.console import Console

from jinit.display.results import OutcomeRow, Profile, SignalRow, outcome_table, signal_table


def rendered(table, *, colour=False, width=80):
    text = io.StringIO()
    system = "truecolor" if colour else None
    Console(file=text, width=width, force_terminal=colour, color_system=system).print(table)
    return text.getvalue()


ROWS = [
    SignalRow("a", Profile([1.0, 1.1, 0.95], "steady"), Profile([1.0, 1e-4, 0.0], "fading")),
    SignalRow("b", Profile([1.0, 1e4, math.inf], "overflowed"), Profile([0.0] * 3, "zero")),
]


def test_signal_table_shows_the_layers_asked_for():
    lines = rendered(signal_table(ROWS, [1, 3], "a caption")).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["scheme", "at", "layer", "1", "3", "trend"],
        [lines[2].strip()],
        ["a", "forward", "1", "0.95", "▇▇▆", "steady"],
        ["backward", "1", "0", "▇▃·", "fading"],
        ["b", "forward", "1", "inf", "▇▇!", "overflowed"],
        ["backward", "0", "0", "···", "zero"],
        ["a", "caption"],
    ]


def test_colour_only_repeats_the_word():
    plain = rendered(signal_table(ROWS, [1, 2], ""))
    coloured = rendered(signal_table(ROWS, [1, 2], ""), colour=True)
    assert "\x1b[32m" in coloured  # green for the steady one
    assert "\x1b[31m" in coloured  # red for those lost
    assert "\x1b" not in plain
    assert "\x1b[33m" in coloured  # yellow for what is on its way
    for row in ROWS:
        assert row.forward.word in plain
        assert row.backward.word in plain


def test_long_names_fold_and_numbers_stay_whole():
    profile = Profile([4.3e-5] * 30, "overflowed")
    row = SignalRow("scaled_uniform_orthogonal", profile, profile)
    text = rendered(signal_table([row], [1, 8, 16, 23, 30], ""))
    assert "…" not in text
    assert text.count("4.3e-5") == 10
    assert len(text.splitlines()) == 5


def test_outcome_table_has_bars_as_long_as_shares():
    rows = [OutcomeRow("a", 3e-4, 0.1234, 1.0, "learned"), OutcomeRow("b", 1e-3, 2.3, 0.25, "x")]
    text = rendered(outcome_table(rows, "a caption"))
    a, b = (next(line for line in text.splitlines() if line.startswith(name)) for name in "ab")
    assert a.split() == ["a", "0.0003", "0.123", "100%", "━" * 16, "learned"]
    assert b.split() == ["b", "0.001", "2.300", "25%", "━" * 4, "x"]
