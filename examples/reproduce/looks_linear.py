"""Balduzzi et al. 2017: 200 layers of rectifiers learn from a start that looks linear.

    python examples/reproduce/looks_linear.py [--fast] [--seeds 3] [--out FOLDER]

Concatenated ReLUs (CReLU) over mirrored kernels are a linear net to begin with: the gradients by
all inputs agree, where those of other starts come to look like white noise. The paper trains
convolutions on CIFAR-10; here it is dense layers on digits, by Adam, with as many weights a layer
for ReLU as for CReLU. Needs `pip install "jinit[demo]"`.
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
from training import Runs, best, train_grid

import jinit

SOURCE = Source(
    "Balduzzi et al. 2017",
    "gradients shatter with depth; looks-linear initialization prevents it, and 200 layers of"
    " rectifiers learn without skip connections",
)
DEPTH, RATES = 200, (1e-4, 3e-4, 1e-3)


def crelu(x: jax.Array) -> jax.Array:
    """What is positive of x, beside what is negative."""
    return jax.nn.relu(jnp.concatenate([x, -x], axis=-1))


class Case(NamedTuple):
    """A network and the rules of its kernels; biases start at 0."""

    model: DeepMLP
    kernels: dict[str, jinit.Initializer]


CRELU, RELU = DeepMLP(DEPTH, 64, crelu), DeepMLP(DEPTH, 90, jax.nn.relu)
LOOKS_LINEAR = "CReLU, looks linear"
CASES = {
    LOOKS_LINEAR: Case(
        CRELU,
        {
            "**/first/kernel": jinit.orthogonal(),
            "**/kernel": jinit.looks_linear(position="last"),
        },
    ),
    "CReLU, He": Case(CRELU, {"**/kernel": jinit.he_normal()}),
    "ReLU, He": Case(RELU, {"**/kernel": jinit.he_normal()}),
    "ReLU, orthogonal": Case(RELU, {"**/kernel": jinit.orthogonal("relu")}),
}


def main() -> None:
    """Train from every start, compare gradients, and judge."""
    settings = parse_settings(__doc__, seeds=3)
    data = load()
    steps, rates = (30, RATES[1:2]) if settings.fast else (100, RATES)
    sizes = {"rates": rates, "seeds": settings.seeds, "steps": steps}
    keys = jax.random.split(jax.random.key(0), settings.seeds)
    shares = np.linspace(0, 1, 41)
    images = data.images[0] + shares[:, None] * (data.images[1] - data.images[0])

    runs: dict[str, Runs] = {}
    alike = {}
    for name, (model, kernels) in CASES.items():
        start = make_start(model, {**kernels, "**/bias": jinit.zeros})
        runs[name] = best(train_grid(model.apply, start, data, optax.adam, **sizes))
        alike[name] = np.stack([compare_gradients(model, start(key), images) for key in keys])

    figure, (learning, gradients) = draw_panels(
        2, title="200 layers of rectifiers learn from a start that looks linear"
    )
    for name, colour in zip(CASES, COLOURS, strict=False):
        each = runs[name]
        draw_band(learning, each.steps, each.accuracy, f"{name}, rate {each.rate:g}", colour)
        draw_band(gradients, shares, alike[name], name, colour)
    learning.set(xlabel="step", ylabel="accuracy, held out", ylim=(0, 1))
    gradients.set(xlabel="share of the way from one image to another", ylim=(-0.5, 1.05))
    gradients.set(ylabel="cosine of the gradients, untrained")
    figure.legend(*learning.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    publish("looks_linear", SOURCE, judge(runs, alike, steps), figure, settings)


@partial(jax.jit, static_argnums=0)
def compare_gradients(model: DeepMLP, variables: Any, images: jax.Array) -> jax.Array:
    """The cosine of the gradient of a logit by each image with that by the first."""

    def logit(image: jax.Array) -> jax.Array:
        return model.apply(variables, image[None])[0, 0]

    found = jax.vmap(jax.grad(logit))(images)
    lengths = jnp.linalg.norm(found, axis=1)
    return found @ found[0] / (lengths * lengths[0])


def judge(runs: dict[str, Runs], alike: dict[str, np.ndarray], steps: int) -> list[Finding]:
    """What was seen, start by start."""
    worst, others = runs[LOOKS_LINEAR].final().min(), [name for name in CASES if "He" in name]
    findings = [
        Finding(
            f"accuracy after {steps} steps, {LOOKS_LINEAR}, worst seed: over 80 %",
            "learns",
            f"{worst:.1%} at rate {runs[LOOKS_LINEAR].rate:g}",
            bool(worst > 0.8),
        )
    ]
    for name in list(CASES)[1:]:
        greatest = runs[name].final().max()
        findings.append(
            Finding(
                f"the same, {name}, best seed: under 60 %",
                "hardly learns",
                f"{greatest:.1%} at rate {runs[name].rate:g}",
                bool(greatest < 0.6),
            )
        )
    least = alike[LOOKS_LINEAR].min()
    far = max(np.median(np.abs(alike[name][:, 20:])) for name in others)
    findings += [
        Finding(
            f"cosine of the gradients at two inputs, {LOOKS_LINEAR}, least: over 0.999",
            "1: the net is linear",
            f"{least:.5f}",
            bool(least > 0.999),
        ),
        Finding(
            "its size where they are far apart, He, median: under 0.5",
            "white noise",
            f"{far:.2f}",
            bool(far < 0.5),
        ),
    ]
    return findings


if __name__ == "__main__":
    main()
