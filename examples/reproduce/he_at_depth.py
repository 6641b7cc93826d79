"""He et al. 2015: at 30 layers of ReLU the net learns from He's start and not from Xavier's.

    python examples/reproduce/he_at_depth.py [--fast] [--seeds 5] [--out FOLDER]

The paper trains convolutions on ImageNet; here it is 128 dense units a layer on digits, by SGD with
momentum at the best learning rate of a grid. Nets so small can leave Xavier's plateau in the end
(of 64 units, some do within 600 steps); what is compared is where they are by the time that all
from He's start have learned. Needs `pip install "jinit[demo]"`.
"""

import jax
import numpy as np
from digits import load
from drawing import COLOURS, draw_band, draw_panels
from evidence import Finding, Source, parse_settings, publish
from networks import DeepMLP, make_start
from training import Runs, best, decaying_sgd, train_grid

import jinit

SOURCE = Source(
    "He et al. 2015, section 2.2 and figure 3",
    "30 layers of ReLU converge from He's initialization; from Xavier's, learning stalls",
)
DEPTH, WIDTH, RATES = 30, 128, (1e-3, 3e-3, 1e-2, 3e-2)
SCHEMES = {"He": jinit.he_normal, "Xavier": jinit.xavier_normal}


def main() -> None:
    """Train from both starts, and judge."""
    settings = parse_settings(__doc__, seeds=5)
    data, model = load(), DeepMLP(DEPTH, WIDTH, jax.nn.relu)
    steps, rates = (200, RATES[1:3]) if settings.fast else (400, RATES)
    keys = jax.random.split(jax.random.key(0), settings.seeds)

    runs: dict[str, Runs] = {}
    deviations = {}
    for name, scheme in SCHEMES.items():
        start = make_start(model, {"**/kernel": scheme, "**/bias": jinit.zeros})
        sizes = {"rates": rates, "seeds": settings.seeds, "steps": steps}
        runs[name] = best(train_grid(model.apply, start, data, decaying_sgd(steps), **sizes))

        def measure(key, start=start):
            _, sown = model.apply(start(key), data.images, mutable=["intermediates"])
            return sown["intermediates"]["outcomes"][0].std((1, 2))

        deviations[name] = np.asarray(jax.lax.map(jax.jit(measure), keys))

    he, xavier = (runs[name].final() for name in SCHEMES)
    kept = np.median(deviations["He"][:, -1] / deviations["He"][:, 0])
    smaller = np.median(deviations["Xavier"][:, -1] / deviations["He"][:, -1])
    theory = 2 ** (-DEPTH / 2)
    findings = [
        Finding(
            f"accuracy after {steps} steps, He, worst seed: over 60 %",
            "converges",
            f"{he.min():.1%} at rate {runs['He'].rate:g}",
            bool(he.min() > 0.6),
        ),
        Finding(
            f"accuracy after {steps} steps, Xavier, best seed: under 30 %",
            "stalls",
            f"{xavier.max():.1%} at rate {runs['Xavier'].rate:g}",
            bool(xavier.max() < 0.3),
        ),
        Finding(
            "std of layer 30 over that of layer 1, He, median: within a factor of 3",
            "1",
            f"{kept:.2f}",
            bool(abs(np.log(kept)) < np.log(3)),
        ),
        Finding(
            "std of layer 30, Xavier over He, median: within a factor of 2",
            f"1 / sqrt(2)^{DEPTH} = {theory:.1e}",
            f"{smaller:.1e}",
            bool(abs(np.log(smaller / theory)) < np.log(2)),
        ),
    ]

    figure, (learning, signal) = draw_panels(2, title="30 layers of ReLU learn from He's start")
    for (name, each), colour in zip(runs.items(), COLOURS, strict=False):
        draw_band(learning, each.steps, each.accuracy, f"{name}, rate {each.rate:g}", colour)
        draw_band(signal, np.arange(1, DEPTH + 1), deviations[name], name, colour)
    learning.set(xlabel="step", ylabel="accuracy, held out", ylim=(0, 1))
    signal.set(xlabel="layer", ylabel="std of its outcome, untrained", yscale="log")
    learning.legend()
    publish("he_at_depth", SOURCE, findings, figure, settings)


if __name__ == "__main__":
    main()
