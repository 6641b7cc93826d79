"""Zhang et al. 2022: 100 layers learn once the slope of leaky ReLU is tailored to the depth (TAT).

    python examples/reproduce/tailored_activations.py [--fast] [--seeds 3] [--out FOLDER]

Over many ReLUs the signals of all inputs become alike, and SGD cannot tell them apart; the slope
that lets inputs of correlation 0 end up at 0.9 is `jinit.theory.tat_slope`. The paper trains
convolutions on ImageNet, mostly by K-FAC; here it is 100 dense units a layer on digits, by SGD
with momentum, and by Adam, which helps ReLU. Needs `pip install "jinit[demo]"`.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from digits import load
from drawing import COLOURS, draw_band, draw_panels
from evidence import Finding, Source, parse_settings, publish
from networks import DeepMLP, make_start
from training import Runs, best, decaying_sgd, train_grid

import jinit

SOURCE = Source(
    "Zhang et al. 2022, Deep Learning without Shortcuts",
    "without skips or normalization, a leaky ReLU of tailored slope learns where ReLU at the edge"
    " of chaos falls behind with depth",
)
DEPTH, WIDTH, CORRELATION = 100, 100, 0.9
SLOPE = jinit.theory.tat_slope(DEPTH, CORRELATION)
SGD_RATES, ADAM_RATES = (1e-3, 3e-3, 1e-2), (1e-4, 3e-4, 1e-3)


class Case(NamedTuple):
    """An activation and the rule of all kernels; biases start at 0."""

    slope: float
    kernel: jinit.Initializer

    @property
    def model(self) -> DeepMLP:
        """The network."""
        activation = partial(jax.nn.leaky_relu, negative_slope=self.slope)
        return DeepMLP(DEPTH, WIDTH, activation)


TAILORED = f"leaky ReLU of slope {SLOPE:.3f}"
CASES = {
    TAILORED: Case(SLOPE, jinit.orthogonal(jinit.calculate_gain("leaky_relu", SLOPE))),
    "ReLU, orthogonal": Case(0.0, jinit.orthogonal("relu")),
    "ReLU, Gaussian": Case(0.0, jinit.he_normal(distribution="normal")),
}


def main() -> None:
    """Train from every start by both optimizers, follow correlations, and judge."""
    settings = parse_settings(__doc__, seeds=3, fast_seeds=1)
    data = load()
    steps, grid = (80, slice(1, 2)) if settings.fast else (120, slice(None))
    keys = jax.random.split(jax.random.key(0), settings.seeds)
    optimizers = {"SGD": (decaying_sgd(steps), SGD_RATES), "Adam": (optax.adam, ADAM_RATES)}
    sizes = {"seeds": settings.seeds, "steps": steps}

    runs: dict[tuple[str, str], Runs] = {}
    correlations = {}
    for name, case in CASES.items():
        start = make_start(case.model, {"**/kernel": case.kernel, "**/bias": jinit.zeros})
        for optimizer, (make, rates) in optimizers.items():
            tried = train_grid(case.model.apply, start, data, make, rates=rates[grid], **sizes)
            runs[name, optimizer] = best(tried)
        correlations[name] = np.stack([correlate(case.model, start(key)) for key in keys])

    figure, panels = draw_panels(3, title=f"{DEPTH} layers learn when the slope is tailored")
    for name, colour in zip(CASES, COLOURS, strict=False):
        for optimizer, axes in zip(optimizers, panels, strict=False):
            each = runs[name, optimizer]
            draw_band(axes, each.steps, each.accuracy, f"{name}, rate {each.rate:g}", colour)
        draw_band(panels[2], np.arange(1, DEPTH + 1), correlations[name], name, colour)
        panels[2].plot(np.arange(1, DEPTH + 1), predict(CASES[name].slope), "--", color=colour)
    for optimizer, axes in zip(optimizers, panels, strict=False):
        axes.set(xlabel=f"step of {optimizer}", ylabel="accuracy, held out", ylim=(0, 1))
    panels[2].set(xlabel="layer", ylabel="correlation of inputs, untrained", ylim=(-0.05, 1.05))
    panels[2].plot([], [], "--", color="0.5", label="in theory")
    figure.legend(*panels[2].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    publish("tailored_activations", SOURCE, judge(runs, correlations, steps), figure, settings)


@partial(jax.jit, static_argnums=0)
def correlate(model: DeepMLP, variables: Any) -> jax.Array:
    """The mean cosine of the outcomes of orthogonal inputs, layer by layer."""
    inputs = 8 * jinit.orthogonal(jax.random.key(1), (32, 64))
    _, sown = model.apply(variables, inputs, mutable=["intermediates"])
    outcomes = sown["intermediates"]["outcomes"][0]
    units = outcomes / jnp.linalg.norm(outcomes, axis=-1, keepdims=True)
    cosines = units @ units.swapaxes(1, 2)
    return (cosines.sum((1, 2)) - 32) / (32 * 31)


def predict(slope: float) -> list[float]:
    """The same in the limit of width."""
    found = [0.0]
    for _ in range(DEPTH - 1):
        found.append(jinit.theory.leaky_relu_correlation(found[-1], slope))
    return found


def judge(
    runs: dict[tuple[str, str], Runs], correlations: dict[str, np.ndarray], steps: int
) -> list[Finding]:
    """What was seen, start by start."""
    tailored, *others = CASES
    findings = []
    for optimizer in ("SGD", "Adam"):
        worst = runs[tailored, optimizer].final().min()
        findings.append(
            Finding(
                f"accuracy after {steps} steps of {optimizer}, {tailored}, worst seed: over 80 %",
                "learns",
                f"{worst:.1%} at rate {runs[tailored, optimizer].rate:g}",
                bool(worst > 0.8),
            )
        )
        for name in others:
            greatest = runs[name, optimizer].final().max()
            findings.append(
                Finding(
                    f"the same, {name}, best seed: 15 % less or lower",
                    "learns less well",
                    f"{greatest:.1%} at rate {runs[name, optimizer].rate:g}",
                    bool(greatest < worst - 0.15),
                )
            )
    for name, least, most in ((tailored, 0.8, 0.95), ("ReLU, orthogonal", 0.98, 1.0)):
        seen, theory = np.median(correlations[name][:, -1]), predict(CASES[name].slope)[-1]
        findings.append(
            Finding(
                f"correlation in layer {DEPTH}, {name}, median: {least} to {most}",
                f"{theory:.3f}",
                f"{seen:.3f}",
                bool(least < seen < most),
            )
        )
    return findings


if __name__ == "__main__":
    main()
