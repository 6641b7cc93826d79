"""Yang et al. 2022: under muP the best learning rate of a narrow net is that of a wide one.

    python examples/reproduce/mup_transfer.py [--fast] [--seeds 3] [--out FOLDER]

The paper trains transformers of widths 128 to 8,192; here they are nets of three hidden layers and
a head on digits, trained by Adam, of widths 64 to 2,048, several seeds each, but at 2,048 only one,
for time. What is compared is the training loss over the last steps. That wide nets in standard
parametrization stay behind even at their own best rate, as the paper has it, is not to be seen on
digits. Needs `pip install "jinit[demo]"`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import matplotlib.pyplot as plt
import numpy as np
import optax
from digits import CLASSES, Digits, load
from drawing import COLOURS, draw_band, draw_panels
from evidence import Finding, Source, parse_settings, publish
from matplotlib.axes import Axes
from networks import make_start
from numpy.typing import NDArray
from training import train_grid

import jinit

SOURCE = Source(
    "Yang et al. 2022, figure 1",
    "with Adam the best learning rate falls as nets get wider; under muP all widths share it",
)
BASE = 64
RULES = jinit.Rules({"head/kernel": jinit.lecun_normal(), "**": jinit.he_normal()})
# For each width and log2 of the rate: the loss over the last steps, seed by seed.
Losses = dict[int, NDArray[np.float32]]


class MLP(nn.Module):
    """Three hidden layers of ReLU and a linear head."""

    width: int

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Logits."""
        for layer in range(3):
            images = nn.relu(nn.Dense(self.width, use_bias=False, name=f"hidden_{layer}")(images))
        return nn.Dense(CLASSES, use_bias=False, name="head")(images)


def standard(width: int) -> tuple[jinit.Rules, Callable[[jax.Array], Any]]:
    """The rules of the start, and from a learning rate the optimizer."""
    del width
    return RULES, optax.adam


def mup(width: int) -> tuple[jinit.Rules, Callable[[jax.Array], Any]]:
    """The same under muP, which at the width of the base is the standard parametrization."""
    images = jax.ShapeDtypeStruct((1, 64), "float32")
    base, target = (jinit.with_inputs(MLP(each), images) for each in (BASE, width))
    made = jinit.presets.mup(base, target, RULES, absorb=True)
    return made.rules, lambda rate: made.optax(lambda by: optax.adam(rate * by.learning_rate))


def measure(kind: Callable[[int], Any], width: int, data: Digits, **sizes: Any) -> NDArray[Any]:
    """The loss over the last steps: (rate, seed); infinite where it is not finite."""
    model = MLP(width)
    rules, make_optimizer = kind(width)
    draw = make_start(model, rules)
    runs = train_grid(
        lambda params, images: model.apply({"params": params}, images),
        lambda key: draw(key)["params"],
        data,
        make_optimizer,
        **sizes,
    )
    return np.nan_to_num([each.loss[:, -1] for each in runs], nan=np.inf)


def best_exponents(losses: Losses, exponents: Sequence[int]) -> list[int]:
    """Width by width, log2 of the rate with the least loss of the median seed."""
    return [exponents[np.median(each, 1).argmin()] for each in losses.values()]


def listed(values: Sequence[int]) -> str:
    """The numbers, with commas."""
    return ", ".join(map(str, values))


def draw_curves(axes: Axes, losses: Losses, exponents: Sequence[int]) -> None:
    """Loss over rate, one band a width, the best rate marked."""
    tones = plt.get_cmap("viridis")(np.linspace(0.3, 0.88, len(losses)))
    for (width, each), best, tone in zip(
        losses.items(), best_exponents(losses, exponents), tones, strict=True
    ):
        draw_band(axes, exponents, each.T, str(width), tone)
        least = np.median(each, 1).min()
        axes.plot(best, least, "*", color=tone, markersize=13)
    axes.set(xlabel="log2 of Adam's learning rate", yscale="log")


def judge(losses: dict[str, Losses], exponents: Sequence[int]) -> list[Finding]:
    """What the paper says, and what came out."""
    widths = list(losses["muP"])
    best = {name: best_exponents(each, exponents) for name, each in losses.items()}
    octaves, fall = np.log2(widths[-1] / BASE), best["standard"][0] - best["standard"][-1]
    # At the narrow net's best rate, the median seed of every width; and the wide one's at its own.
    carried = {
        name: [float(np.median(by[width][exponents.index(best[name][0])])) for width in widths]
        for name, by in losses.items()
    }
    excess = {
        name: carried[name][-1] / np.median(by[widths[-1]], 1).min() for name, by in losses.items()
    }
    return [
        Finding(
            f"best log2 rate, widths {listed(widths)}, standard",
            "falls; by theory an octave a doubling",
            f"{listed(best['standard'])}; {fall / octaves:.1f} octaves a doubling",
            bool(fall >= octaves / 2),
        ),
        Finding(
            "the same, muP; within an octave",
            "shared by all widths",
            listed(best["muP"]),
            bool(np.ptp(best["muP"]) <= 1),
        ),
        Finding(
            f"loss at width {widths[-1]} and the rate tuned at {BASE}, over that at its own best; "
            "muP under 2, standard over 2",
            "muP: about 1, the rate transfers; standard: far above",
            f"muP {excess['muP']:.2f}, standard {excess['standard']:.1f}",
            bool(excess["muP"] < 2 < excess["standard"]),
        ),
        Finding(
            f"loss at the rate tuned at {BASE}, width by width, muP",
            "wider is better",
            ", ".join(f"{loss:.3f}" for loss in carried["muP"]),
            bool(carried["muP"][-1] < carried["muP"][0]),
        ),
    ]


def main() -> None:
    """Train every width at every rate in both parametrizations, and judge."""
    settings = parse_settings(__doc__, seeds=3)
    data = load()
    widths = (BASE, 512) if settings.fast else (BASE, 128, 256, 512, 1024, 2048)
    exponents = range(-11, -5) if settings.fast else range(-14, -5)
    losses: dict[str, Losses] = {}
    for name, kind in {"standard": standard, "muP": mup}.items():
        losses[name] = {
            width: measure(
                kind,
                width,
                data,
                rates=[2.0**exponent for exponent in exponents],
                seeds=1 if width == 2048 else settings.seeds,
                steps=150,
                batch=32,
                points=10,
            )
            for width in widths
        }
    title = "Tuned narrow, trained wide: under muP the best rate stays"
    figure, panels = draw_panels(3, title=title)
    panels[0].sharey(panels[1])
    for axes, each in zip(panels, losses.values(), strict=False):
        draw_curves(axes, each, exponents)
    panels[0].set(title="standard", ylabel="training loss, last 15 steps")
    panels[1].set(title="muP")
    panels[1].legend(title="width", ncols=2)
    for (name, each), colour in zip(losses.items(), COLOURS, strict=False):
        best = best_exponents(each, exponents)
        panels[2].plot(widths, best, "o-", color=colour, label=name)
    panels[2].set_xscale("log", base=2)
    panels[2].set(xlabel="width", xticks=widths, xticklabels=widths)
    panels[2].set(title="the best rate", ylabel="log2 of it", yticks=exponents)
    panels[2].legend()
    publish("mup_transfer", SOURCE, judge(losses, exponents), figure, settings)


if __name__ == "__main__":
    main()
