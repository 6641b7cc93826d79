"""Mishkin & Matas 2016: one pass of LSUV is a start for a deep net of any activation.

    python examples/reproduce/lsuv_at_depth.py [--fast] [--seeds 3] [--out FOLDER]

A start by formula is made for one activation: He's for ReLU, and LeCun's, Flax's default, for none
at all. LSUV measures instead. The paper trains FitNets, thin convolutions, on CIFAR-10; here they
are 20 dense layers on digits, without normalization, trained by SGD with momentum at the best
learning rate of a grid. At 50 layers such nets do not learn from LSUV either: unit variance of a
layer as a whole does not keep inputs apart. Needs `pip install "jinit[demo]"`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from digits import Digits, load
from drawing import COLOURS, draw_band, draw_panels
from evidence import Finding, Source, parse_settings, publish
from matplotlib.figure import Figure
from networks import DeepMLP, make_start
from numpy.typing import NDArray
from training import Runs, best, train_grid

import jinit

SOURCE = Source(
    "Mishkin and Matas 2016, abstract",
    "whatever the activation, very deep nets learn from layers scaled to unit variance, as well as "
    "from standard starts or better",
)
DEPTH, WIDTH, BATCH = 20, 64, 256
FORMULAS = {"LeCun": jinit.lecun_normal, "He": jinit.he_normal}


def maxout(pairs: jax.Array) -> jax.Array:
    """The greater of every two units."""
    return pairs.reshape(*pairs.shape[:-1], -1, 2).max(-1)


ACTIVATIONS = {
    "ReLU": jax.nn.relu,
    "tanh": jnp.tanh,
    "SiLU": jax.nn.silu,
    "GELU": jax.nn.gelu,
    "maxout": maxout,
}


class Measured(NamedTuple):
    """Of one activation, by start: training, the layers' deviations; and what LSUV reported."""

    runs: dict[str, Runs]
    deviations: dict[str, NDArray[np.float32]]
    report: jinit.LsuvReport


def rescale(model: DeepMLP, draw: Callable[[jax.Array], Any], data: Digits, key: jax.Array) -> Any:
    """LSUV as published, from orthonormal kernels and one batch: variables and report."""
    batch = data.images[:BATCH]
    return jinit.lsuv(model, draw(key), batch, orthonormal=True, key=key, verify=True)


def measure(activation: Callable[[jax.Array], jax.Array], data: Digits, **sizes: Any) -> Measured:
    """Train from every start."""
    model = DeepMLP(DEPTH, 2 * WIDTH if activation is maxout else WIDTH, activation)
    starts = {
        name: make_start(model, {"**/kernel": scheme, "**/bias": jinit.zeros})
        for name, scheme in FORMULAS.items()
    }
    lsuv = partial(rescale, model, starts["LeCun"], data)
    starts["LSUV"] = lambda key: lsuv(key)[0]

    @jax.jit
    def deviations(variables: Any) -> jax.Array:
        _, sown = model.apply(variables, data.held_out_images, mutable=["intermediates"])
        return sown["intermediates"]["outcomes"][0].std((1, 2))

    optimizer = partial(optax.sgd, momentum=0.9)
    key = jax.random.key(0)
    return Measured(
        {
            name: best(train_grid(model.apply, draw, data, optimizer, **sizes))
            for name, draw in starts.items()
        },
        {name: np.asarray(deviations(draw(key))) for name, draw in starts.items()},
        lsuv(key)[1],
    )


def judge(measured: dict[str, Measured]) -> list[Finding]:
    """What the paper says, and what came out."""

    def accuracies(start: str, of: Callable[[Any], Any]) -> dict[str, float]:
        return {name: float(of(each.runs[start].final())) for name, each in measured.items()}

    def listed(values: dict[str, float], form: str = ".1%") -> str:
        return ", ".join(f"{name} {value:{form}}" for name, value in values.items())

    worst = accuracies("LSUV", np.min)
    formulas = {name: accuracies(name, np.max) for name in FORMULAS}
    medians = accuracies("LSUV", np.median)
    ahead = {
        name: medians[name] - max(accuracies(formula, np.median)[name] for formula in FORMULAS)
        for name in measured
    }
    reports = {name: each.report for name, each in measured.items()}
    counts = {
        (each.passes, sum(np.size(row.scale) for row in each.rows)) for each in reports.values()
    }
    off = max(each.deviation for each in reports.values())
    return [
        Finding(
            "accuracy, LSUV, worst seed",
            "learns with every activation",
            listed(worst),
            min(worst.values()) > 0.8,
        ),
        *(
            Finding(
                f"accuracy, {name}, best seed; with one activation or more under 65%",
                "a formula is made for one activation",
                listed(each),
                min(each.values()) < 0.65,
            )
            for name, each in formulas.items()
        ),
        Finding(
            "median accuracy, LSUV less the best formula; at most 3 points behind",
            "better or equal",
            listed(ahead, "+.1%"),
            min(ahead.values()) > -0.03,
        ),
        Finding(
            "forward passes, and how far std is from 1 after them, all activations",
            "several a layer, until within a tolerance",
            ", ".join(f"{passes} for {layers} layers" for passes, layers in sorted(counts))
            + f", {off:.0e}",
            {passes for passes, _ in counts} == {1} and off < 1e-3,
        ),
    ]


def draw(measured: dict[str, Measured]) -> Figure:
    """The layers' deviations before and after, and learning from every start."""
    starts = ("LeCun", "He", "LSUV")
    title = "One pass of LSUV suits every activation; a formula does not"
    figure, (signal, *learning) = draw_panels(1 + len(starts), title=title)
    figure.set_size_inches(16, 4)
    for (name, each), colour in zip(measured.items(), COLOURS, strict=False):
        layers = np.arange(1, DEPTH + 1)
        signal.plot(layers, each.deviations["LeCun"], color=colour, label=name)
        signal.plot(layers, each.deviations["LSUV"], "--", color=colour)
        for axes, start in zip(learning, starts, strict=True):
            runs = each.runs[start]
            draw_band(axes, runs.steps, runs.accuracy, name, colour)
    signal.set(title="LeCun, and after LSUV (dashed)", yscale="log")
    signal.set(xlabel="layer", ylabel="std of its outcome, untrained")
    for axes, start in zip(learning, starts, strict=True):
        axes.set(title=start, xlabel="step", ylim=(0, 1))
    learning[0].set_ylabel("accuracy, held out")
    signal.legend()
    return figure


def main() -> None:
    """Train every activation from every start, and judge."""
    settings = parse_settings(__doc__, seeds=3)
    data = load()
    names = ("GELU", "maxout") if settings.fast else tuple(ACTIVATIONS)
    rates = (1e-2,) if settings.fast else (1e-5, 1e-3, 1e-2, 3e-2)
    sizes = {"rates": rates, "seeds": settings.seeds, "steps": 300 if settings.fast else 500}
    measured = {name: measure(ACTIVATIONS[name], data, **sizes) for name in names}
    publish("lsuv_at_depth", SOURCE, judge(measured), draw(measured), settings)


if __name__ == "__main__":
    main()
