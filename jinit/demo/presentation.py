"""The performance: measures, trains, and shows what came of it, in tables and one figure.

May import: rich, numpy, `jinit.demo`, `jinit.display`.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.text import Text

from jinit.demo.comparison import Comparison
from jinit.demo.data import Digits
from jinit.demo.settings import Settings
from jinit.demo.signal import Signal
from jinit.demo.starts import Start
from jinit.demo.training import BATCH, LEARNING_RATES, Run
from jinit.demo.verdicts import NEAR, SEVERE, health, outcome
from jinit.display.figures import Panel, comparison_figure
from jinit.display.numbers import short
from jinit.display.progress import progress_bar
from jinit.display.results import (
    OutcomeRow,
    Profile,
    SignalRow,
    facts,
    headline,
    outcome_table,
    signal_table,
)

__all__ = ["perform"]

_SHOWN_LAYERS = 5


def perform(comparison: Comparison, out: Path, console: Console) -> None:
    """Run the whole demonstration on `console`, and write its figure to `out`."""
    settings = comparison.settings
    digits = comparison.digits
    console.print(headline(_TITLE), "", facts(_setting(settings, digits)), sep="\n")
    signals = comparison.signals()
    layers = _shown_layers(settings.depth)
    console.print("", signal_table(_signal_rows(signals), layers, _SIGNAL_CAPTION), sep="\n")
    with progress_bar(console, "training", comparison.ticks) as tick:
        runs = comparison.train(tick)
    console.print("", outcome_table(_outcome_rows(runs, digits), _caption(digits)), sep="\n")
    panels = _panels(signals, runs, digits.guessing)
    title = f"{_size(settings)}, no normalization, no skips"
    comparison_figure(panels, title).savefig(out)
    console.print("", Text(f"Figure written to {out}"), sep="\n", soft_wrap=True)


_TITLE = "Which start lets the signal through a deep network?"
_SIGNAL_CAPTION = (
    "Root mean square over a batch, of the pre-activations (forward) and of the gradient of the "
    f"loss with respect to them (backward). steady: the ends differ by a factor of {NEAR:g} at "
    f"most; fading, growing: of {short(SEVERE)}; vanished, exploded: of more."
)


def _setting(settings: Settings, digits: Digits) -> dict[str, str]:
    rates = ", ".join(f"{rate:g}" for rate in LEARNING_RATES)
    return {
        "network": f"Flax MLP, {_size(settings)}; no normalization, no skips, biases 0",
        "data": f"scikit-learn's digits, {len(digits.labels)} images to learn from, "
        f"{len(digits.held_out_labels)} held out",
        "training": f"Adam, {settings.steps} steps of {BATCH} images, the same for every scheme, "
        f"at learning rates {rates}; each shows the rate with its lowest training loss",
        **{name: _described(start, settings.width) for name, start in settings.starts.items()},
    }


def _described(start: Start, width: int) -> str:
    std = start.hidden.std((width, width))
    return f"{start.hidden!r}" + ("" if std is None else f", std {short(std)} in hidden layers")


def _caption(digits: Digits) -> str:
    return f"The best constant guess is right on {digits.guessing:.0%} of the held-out images."


def _size(settings: Settings) -> str:
    layers = "layer" if settings.depth == 1 else "layers"
    return f"{settings.depth} hidden {layers} of {settings.width}, {settings.activation}"


def _shown_layers(depth: int) -> list[int]:
    """A few layers from the first to the last, counted from 1."""
    return sorted({round(layer) for layer in np.linspace(1, depth, _SHOWN_LAYERS)})


def _signal_rows(signals: Mapping[str, Signal]) -> list[SignalRow]:
    return [
        SignalRow(
            name,
            Profile(forward, health(forward[0], forward[-1])),
            Profile(backward, health(backward[-1], backward[0])),
        )
        for name, (forward, backward) in signals.items()
    ]


def _outcome_rows(runs: Mapping[str, Run], digits: Digits) -> list[OutcomeRow]:
    held_out = len(digits.held_out_labels)
    return [
        OutcomeRow(
            name,
            run.learning_rate,
            run.losses[-1],
            run.accuracies[-1],
            outcome(run.losses, run.accuracies[-1], digits.guessing, held_out),
        )
        for name, run in runs.items()
    ]


def _panels(
    signals: Mapping[str, Signal], runs: Mapping[str, Run], guessing: float
) -> tuple[Panel, Panel, Panel]:
    layers = {name: range(1, len(signal.forward) + 1) for name, signal in signals.items()}
    forward = {name: (layers[name], signal.forward) for name, signal in signals.items()}
    backward = {name: (layers[name], signal.backward) for name, signal in signals.items()}
    curves = {name: (run.steps, run.accuracies) for name, run in runs.items()}
    return (
        Panel("Forward: rms of pre-activations", "layer", forward),
        Panel("Backward: rms of gradients", "layer, last to first", backward, falling=True),
        Panel("Held-out accuracy", "training step", curves, level=guessing),
    )
