"""Weights drawn in bfloat16 by `jax.nn.initializers`: 12 layers of ReLU lose most of their signal.

    python examples/reproduce/bfloat16_relu.py [--fast] [--seeds 3] [--out FOLDER]

`jax.random` makes a bfloat16 of 7 random bits: 128 values, whose mean is some -0.02 standard
deviations. What ReLU lets through is never negative, so that the mean adds up over a layer's
inputs, and the wider the layer, the further all of its units fall beneath zero. jinit draws in
float32 and rounds once. Narrower layers lose less, and those of tanh nothing; and what is lost is
mostly scale, which a greater learning rate makes up for: nets so wide do learn in the end. All is
computed and trained in float32, and only the start differs. Needs `pip install "jinit[demo]"`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from digits import CLASSES, load
from drawing import COLOURS, draw_band, draw_panels
from evidence import Finding, Source, parse_settings, publish
from training import Runs, best, decaying_sgd, train_grid

import jinit

SOURCE = Source(
    "jax pull request 26974 (2025), and He et al. 2015",
    "a uniform draw takes one of 2^mantissa values, in bfloat16 2^7; from He's start the second"
    " moment is the same in every layer",
)
DEPTH, WIDTHS, TRAINED, RATES = 12, (128, 256, 512, 1024, 2048), 1024, (1e-3, 3e-3, 1e-2)
SCHEMES = {"jax": jax.nn.initializers.he_normal(), "jinit": jinit.he_normal()}


class MLP(nn.Module):
    """Layers whose weights are drawn in bfloat16; without biases.

    Attributes:
        width: units of each hidden layer.
        scheme: initializer of every kernel.
        activation: elementwise function after each hidden layer.
    """

    width: int
    scheme: Callable[..., jax.Array]
    activation: Callable[[jax.Array], jax.Array] = jax.nn.relu

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Logits; the second moment of every hidden layer's outcome is sown."""
        dense = partial(
            nn.Dense,
            use_bias=False,
            kernel_init=self.scheme,
            param_dtype="bfloat16",
            dtype="float32",
        )
        for _ in range(DEPTH):
            x = dense(self.width)(x)
            self.sow("intermediates", "moments", jnp.mean(x**2))
            x = self.activation(x)
        return dense(CLASSES)(x)

    def start(self, key: jax.Array) -> Any:
        """The variables as Flax draws them, in float32 from here on."""
        drawn = self.init(key, jnp.zeros((1, 64)))["params"]
        return {"params": jax.tree.map(lambda leaf: leaf.astype("float32"), drawn)}


def main() -> None:
    """Draw, follow the signal through nets of every width, train, and judge."""
    settings = parse_settings(__doc__, seeds=3, fast_seeds=1)
    data = load()
    widths, rates, steps = (WIDTHS[1::3], RATES[::2], 40) if settings.fast else (WIDTHS, RATES, 60)
    keys = jax.random.split(jax.random.key(0), settings.seeds)

    signals, tanh, runs = {}, {}, {}
    for name, scheme in SCHEMES.items():
        signals[name] = {width: follow(MLP(width, scheme), keys, data.images) for width in widths}
        tanh[name] = follow(MLP(WIDTHS[-1], scheme, jnp.tanh), keys, data.images)
        model = MLP(TRAINED, scheme)
        sizes = {"rates": rates, "seeds": settings.seeds, "steps": steps, "batch": 64}
        runs[name] = train_grid(model.apply, model.start, data, decaying_sgd(steps), **sizes)

    figure, (signal, width, learning) = draw_panels(
        3, title="Drawn in bfloat16 by jax, 12 layers of ReLU lose most of their signal"
    )
    layers = np.arange(1, DEPTH + 1)
    for name, colour in zip(SCHEMES, COLOURS, strict=False):
        draw_band(signal, layers, signals[name][WIDTHS[-1]], name, colour)
        deepest = np.stack([signals[name][each][:, -1] for each in widths], axis=1)
        draw_band(width, widths, deepest, name, colour)
        slow = runs[name][0]
        draw_band(learning, slow.steps, slow.accuracy, name, colour)
    signal.set(xlabel=f"layer, of {WIDTHS[-1]} units", yscale="log")
    signal.set(ylabel="second moment, of that in layer 1")
    width.set(xlabel="units of each layer", xscale="log", yscale="log")
    width.set_xticks(widths, widths, minor=False)
    width.set_xticks([], minor=True)
    width.set(ylabel=f"the same in layer {DEPTH}")
    learning.set(xlabel=f"step, {TRAINED} units, rate {rates[0]:g}", ylim=(0, 1))
    learning.set(ylabel="accuracy, held out")
    signal.legend()
    publish("bfloat16_relu", SOURCE, judge(signals, tanh, runs, steps), figure, settings)


def follow(model: MLP, keys: jax.Array, images: jax.Array) -> np.ndarray:
    """The second moments of hidden layers' outcomes, of the first layer's; seed by seed."""
    moments = []
    for key in keys:
        _, sown = model.apply(model.start(key), images[:64], mutable=["intermediates"])
        moments.append(np.stack(sown["intermediates"]["moments"]))
    return np.stack(moments) / np.stack(moments)[:, :1]


def describe(scheme: Callable[..., jax.Array]) -> tuple[int, float]:
    """How many values a matrix in bfloat16 holds, and their mean over their std."""
    weights = np.asarray(scheme(jax.random.key(0), (2048, 2048), jnp.bfloat16), np.float64)
    return len(np.unique(weights)), float(weights.mean() / weights.std())


def last(moments: np.ndarray) -> float:
    """The median of the last layer's."""
    return float(np.median(moments[:, -1]))


def judge(
    signals: dict[str, dict[int, np.ndarray]],
    tanh: dict[str, np.ndarray],
    runs: dict[str, list[Runs]],
    steps: int,
) -> list[Finding]:
    """What was seen of jax's draws and of jinit's; of several seeds the median, unless said."""
    drawn, mean = "values that 2048 x 2048 weights take", "their mean over their std"
    (few, biased), (many, centred) = (describe(scheme) for scheme in SCHEMES.values())
    findings = [
        Finding(f"{drawn}, jax: 128", "2^7 = 128", f"{few:,}", few == 128),
        Finding(f"{mean}, jax: under -0.01", "0", f"{biased:.4f}", biased < -0.01),
        Finding(f"{drawn}, jinit: over 1,000", "-", f"{many:,}", many > 1000),
        Finding(f"{mean}, jinit: within 0.0025", "0", f"{centred:.4f}", abs(centred) < 0.0025),
    ]

    narrow, wide = min(signals["jax"]), WIDTHS[-1]
    small, lost = last(signals["jax"][narrow]), last(signals["jax"][wide])
    kept = last(signals["jinit"][wide])
    odd = last(tanh["jax"]) / last(tanh["jinit"])
    what = f"second moment in layer {DEPTH}, of that in layer 1"
    best_jax, worst_jinit = runs["jax"][0].final().max(), runs["jinit"][0].final().min()
    findings += [
        Finding(f"{what}, jinit, {wide} units: 0.2 to 5", "1", f"{kept:.2f}", 0.2 < kept < 5),
        Finding("the same, jax: under 0.05", "1", f"{lost:.4f}", lost < 0.05),
        Finding(
            f"the same, jax, {narrow} units: over 10 times that",
            "1",
            f"{small:.2f}",
            small > 10 * lost,
        ),
        Finding(
            f"jax over jinit, tanh, {wide} units: 0.8 to 1.25", "1", f"{odd:.2f}", 0.8 < odd < 1.25
        ),
        Finding(
            f"accuracy after {steps} steps at rate {runs['jax'][0].rate:g}, best seed of jax and"
            " worst of jinit: 20 % between them",
            "-",
            f"{best_jax:.1%} and {worst_jinit:.1%}",
            bool(best_jax < worst_jinit - 0.2),
        ),
    ]
    for name, tuned in ((name, best(tried)) for name, tried in runs.items()):
        least = tuned.final().min()
        measured = f"{least:.1%} at rate {tuned.rate:g}"
        text = f"the same at the best rate, {name}, worst seed: over 60 %"
        findings.append(Finding(text, "-", measured, bool(least > 0.6)))
    return findings


if __name__ == "__main__":
    main()
