"""Xiao et al. 2018: gradients cross 10,000 plain tanh convolutions from delta-orthogonal kernels.

    python examples/reproduce/ten_thousand_layers.py [--fast] [--seeds 3] [--out FOLDER]

The paper trains 10,000 wide layers on MNIST and CIFAR-10. Here only the gradient is taken at that
depth, and 300 and 1,000 layers are trained, on digits. With 8 channels, Gaussian kernels fail at
smaller depths than they do with many. Needs `pip install "jinit[demo]"`.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from digits import CLASSES, Digits, load
from drawing import COLOURS, draw_band, draw_panels
from evidence import Finding, Source, parse_settings, publish
from matplotlib.figure import Figure
from networks import make_start
from numpy.typing import NDArray
from training import Runs, best, train_grid

import jinit

SOURCE = Source(
    "Xiao et al. 2018, figure 1",
    "plain tanh CNNs of 10,000 layers train from delta-orthogonal kernels at criticality",
)
DEEPEST, CHANNELS, RATES = 10_000, 8, (1e-3, 1e-2, 1e-1)
ALIVE = "delta-orthogonal"

# Criticality where inputs stay apart over all these layers; a fan-in counts nine taps, of which
# the mask leaves the one at the centre.
CRITICAL = jinit.theory.critical_for_depth("tanh", DEEPEST)
CENTRE = np.pad([[True]], 1)[..., None, None]
GAUSSIAN = jinit.variance_scaling(9 * CRITICAL.sigma_w**2, "fan_in", "normal")
BIASES = {"head/bias": jinit.zeros, "**/bias": jinit.normal(CRITICAL.sigma_b)}
HEAD = {"head/kernel": jinit.lecun_normal}
STARTS = {
    ALIVE: HEAD | BIASES | {"**/kernel": jinit.delta_orthogonal(CRITICAL.sigma_w)},
    "delta-Gaussian": HEAD | BIASES | {"**/kernel": jinit.masked(GAUSSIAN, CENTRE)},
    "LeCun": {"**/kernel": jinit.lecun_normal, "**/bias": jinit.zeros},
}
Gradients = dict[str, NDArray[np.float32]]


@jax.checkpoint
def convolve(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """A 3 x 3 convolution, zeros outside, as one product: quicker for images of few pixels."""
    height, width = images.shape[1:3]
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    taps = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return jnp.concatenate(taps, axis=-1) @ kernel.reshape(-1, kernel.shape[-1])


class PlainCNN(nn.Module):
    """`depth` convolutions of tanh, scanned, over 4 x 4 patches of the digits; a linear head."""

    depth: int

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Logits."""
        convolution = partial(
            nn.Conv,
            CHANNELS,
            (3, 3),
            conv_general_dilated=lambda images, kernel, *_, **__: convolve(images, kernel),
        )
        patches = images.reshape(-1, 4, 2, 4, 2).swapaxes(2, 3).reshape(-1, 4, 4, 4)
        x = jnp.tanh(convolution(name="first")(patches))
        stack = nn.scan(
            lambda layer, x: (jnp.tanh(layer(x)), None),
            variable_axes={"params": 0},
            split_rngs={"params": True},
            length=self.depth - 1,
        )
        x, _ = stack(convolution(name="hidden"), x)
        return nn.Dense(CLASSES, name="head")(x.reshape(len(x), -1))


@jax.jit
def measure_gradient(variables: Any, images: jax.Array, labels: jax.Array) -> jax.Array:
    """The largest entry of the gradient of every layer's kernel, at `DEEPEST` layers.

    Not its norm, whose squares would underflow sooner.
    """

    def loss(variables: Any) -> jax.Array:
        logits = PlainCNN(DEEPEST).apply(variables, images)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    gradient = jax.grad(loss)(variables)["params"]
    kernels = gradient["first"]["kernel"][None], gradient["hidden"]["kernel"]
    return jnp.concatenate([jnp.abs(kernel).max((1, 2, 3, 4)) for kernel in kernels])


def train(name: str, depth: int, data: Digits, rates: Sequence[float], **sizes: int) -> Runs:
    """Training from a start at its best rate, by SGD with momentum."""
    model, optimizer = PlainCNN(depth), partial(optax.sgd, momentum=0.9)
    start = make_start(model, STARTS[name])
    grid = train_grid(
        model.apply, start, data, optimizer, rates=rates, batch=32, points=10, **sizes
    )
    return best(grid)


def main() -> None:
    """Take gradients at the greatest depth, train at lesser ones, and judge."""
    settings = parse_settings(__doc__, seeds=3, fast_seeds=1)
    data = load()
    depth, deeper, steps = (100, 300, 40) if settings.fast else (300, 1000, 100)
    sizes = {"seeds": settings.seeds, "steps": steps}

    gradients = {}
    for name, rules in STARTS.items():
        draw = make_start(PlainCNN(DEEPEST), rules)
        starts = (draw(jax.random.key(seed)) for seed in range(settings.seeds))
        gradients[name] = np.stack(
            [measure_gradient(start, data.images[:8], data.labels[:8]) for start in starts]
        )
    runs = {(name, depth): train(name, depth, data, RATES, **sizes) for name in STARTS}
    runs[ALIVE, deeper] = train(ALIVE, deeper, data, RATES[:1], **sizes)

    figure = draw_figure(gradients, runs)
    publish("ten_thousand_layers", SOURCE, judge(gradients, runs), figure, settings)


def judge(gradients: Gradients, runs: dict[tuple[str, int], Runs]) -> list[Finding]:
    """What the paper says, and what came out."""
    alive = gradients[ALIVE]
    return [
        Finding(
            f"largest entry of the gradient in each of {DEEPEST:,} layers, {ALIVE}",
            "neither vanishes nor explodes",
            f"{alive.min():.2g} to {alive.max():.2g}, all seeds",
            bool(alive.min() > 1e-4 and alive.max() < 1e2),
        ),
        *(
            Finding(
                f"the same in the first layer, {name}",
                "loses isometry with depth",
                f"{entries[:, 0].max():g} in float32, all seeds, as in "
                f"{(entries == 0).mean():.0%} of the layers",
                not entries[:, 0].any(),
            )
            for name, entries in gradients.items()
            if name != ALIVE
        ),
        *(
            Finding(
                f"accuracy, {depth:,} layers, {name}, worst seed",
                "up to 10,000 layers train",
                f"{each.final().min():.1%} at rate {each.rate:g}",
                bool(each.final().min() > 0.6),
            )
            if name == ALIVE
            else Finding(
                f"accuracy, {depth:,} layers, {name}, best seed",
                "(of wider networks only)",
                f"{each.final().max():.1%} at rate {each.rate:g}",
                bool(each.final().max() < 0.3),
            )
            for (name, depth), each in runs.items()
        ),
    ]


def draw_figure(gradients: Gradients, runs: dict[tuple[str, int], Runs]) -> Figure:
    """Gradients over the layers, with zero on the axis, and learning over the steps."""
    figure, (signal, learning) = draw_panels(
        2, title="10,000 tanh layers: gradients arrive from delta-orthogonal kernels alone"
    )
    layers = np.arange(0, DEEPEST, DEEPEST // 100)
    for (name, entries), colour in zip(gradients.items(), COLOURS, strict=False):
        draw_band(signal, layers + 1, entries[:, layers], name, colour)
    for ((name, depth), each), colour in zip(runs.items(), COLOURS, strict=False):
        label = f"{name}, {depth:,} layers"
        draw_band(learning, each.steps, each.accuracy, label, colour)
    # Linear below the least normal number of float32, so that zero has a place.
    signal.set_yscale("symlog", linthresh=1e-38)
    signal.set(xlabel="layer", ylabel="largest entry of the gradient", ylim=(-2e-39, 1e3))
    signal.set_yticks([0, 1e-36, 1e-24, 1e-12, 1])
    learning.set(xlabel="step", ylabel="accuracy, held out", ylim=(0, 1))
    learning.legend()
    return figure


if __name__ == "__main__":
    main()
