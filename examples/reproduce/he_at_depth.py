"""He et al. 2015: at 30 layers of ReLU the net learns from He's start and not from Xavier's.

    python examples/reproduce/he_at_depth.py [--fast] [--seeds 5] [--out FOLDER]

The paper trains convolutions on ImageNet; here they are dense layers of 64 units on digits, trained
by SGD with momentum at the best learning rate of a grid. Needs `pip install "jinit[demo]"`.
"""

from functools import partial

import jax
import numpy as np
import optax
from digits import load
from drawing import COLOURS, draw_band, draw_panels
from evidence import Finding, Source, parse_settings, publish
from networks import DeepMLP, make_start
from training import Runs, best, train_grid

import jinit

SOURCE = Source(
    "He et al. 2015, section 2.2 and figure 3",
    "30 layers of ReLU converge from He's initialization; from Xavier's, learning stalls",
)
DEPTH, WIDTH, RATES = 30, 64, (1e-3, 1e-2, 1e-1)
SCHEMES = {"He": jinit.he_normal, "Xavier": jinit.xavier_normal}


def main() -> None:
    """Train from both starts, and judge."""
    settings = parse_settings(__doc__, seeds=5)
    data, model = load(), DeepMLP(DEPTH, WIDTH, jax.nn.relu)
    steps = 200 if settings.fast else 600

    runs: dict[str, Runs] = {}
    deviations = {}
    for name, scheme in SCHEMES.items():
        start = make_start(model, {"**/kernel": scheme, "**/bias": jinit.zeros})
        optimizer = partial(optax.sgd, momentum=0.9)
        sizes = {"seeds": settings.seeds, "steps": steps}
        runs[name] = best(train_grid(model.apply, start, data, optimizer, rates=RATES, **sizes))
        _, sown = model.apply(start(jax.random.key(0)), data.images, mutable=["intermediates"])
        deviations[name] = np.asarray(sown["intermediates"]["outcomes"][0].std((1, 2)))

    he, xavier = (runs[name].final() for name in SCHEMES)
    shrinks = deviations["Xavier"][-1] / deviations["Xavier"][0]
    findings = [
        Finding(
            "accuracy, He, worst seed",
            "converges",
            f"{he.min():.1%} at rate {runs['He'].rate:g}",
            bool(he.min() > 0.8),
        ),
        Finding(
            "accuracy, Xavier, best seed",
            "stalls",
            f"{xavier.max():.1%} at rate {runs['Xavier'].rate:g}",
            bool(xavier.max() < 0.2),
        ),
        Finding(
            "std of the last layer over that of the first, Xavier",
            f"1 / sqrt(2)^{DEPTH - 1} = {0.5 ** ((DEPTH - 1) / 2):.1e}",
            f"{shrinks:.1e}",
            bool(abs(np.log(shrinks * 2 ** ((DEPTH - 1) / 2))) < np.log(3)),
        ),
    ]

    figure, (learning, signal) = draw_panels(2, title="30 layers of ReLU learn from He's start")
    for (name, each), colour in zip(runs.items(), COLOURS, strict=False):
        draw_band(learning, each.steps, each.accuracy, name, colour)
        signal.plot(np.arange(1, DEPTH + 1), deviations[name], color=colour, label=name)
    learning.set(xlabel="step", ylabel="accuracy, held out", ylim=(0, 1))
    signal.set(xlabel="layer", ylabel="std of its outcome, untrained", yscale="log")
    learning.legend()
    publish("he_at_depth", SOURCE, findings, figure, settings)


if __name__ == "__main__":
    main()
