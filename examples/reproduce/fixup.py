"""Zhang et al. 2019: 100 residual blocks without normalization learn fast from Fixup's start.

    python examples/reproduce/fixup.py [--fast] [--seeds 3] [--out FOLDER]

The paper trains convolutional ResNets on CIFAR-10 and ImageNet; here blocks hold two dense layers
and read digits. Every start is one of the same network, with Fixup's scalars, trained by SGD with
momentum at each learning rate of a grid. Needs `pip install "jinit[demo]"`.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from digits import CLASSES, load
from drawing import COLOURS, draw_band, draw_panels
from evidence import Finding, Source, parse_settings, publish
from matplotlib.figure import Figure
from networks import make_start
from training import Runs, best, train_grid

import jinit

SOURCE = Source(
    "Zhang, Dauphin and Ma 2019",
    "deep residual networks learn without normalization, as fast as with it, from Fixup's start",
)
BLOCKS, WIDTH, RATES = 100, 64, (1e-3, 1e-2, 1e-1, 1.0)

LAST, BRANCH, MULTIPLIER = "blocks/last/kernel", "blocks/first/kernel", "blocks/multiplier"
HE = jinit.Rules({"**/kernel": jinit.he_normal, MULTIPLIER: jinit.ones, "**/*bias*": jinit.zeros})
STARTS = {
    "Fixup": jinit.presets.fixup(last=LAST, branch=BRANCH, multiplier=MULTIPLIER),
    "SkipInit": jinit.presets.skipinit(HE, gain=MULTIPLIER),
    "last layers 0": HE.override({LAST: jinit.zeros}),
    "1 / sqrt(blocks)": jinit.presets.depth_scaled(HE, branches=1, residual=[LAST]),
    "He": HE,
}


class Block(nn.Module):
    """A branch of two layers, with a scalar bias before each layer and each activation."""

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, None]:
        """What the next block takes in, and nothing to be collected."""

        def bias(name: str) -> jax.Array:
            return self.param(name, nn.initializers.zeros, ())

        y = nn.Dense(WIDTH, use_bias=False, name="first")(x + bias("bias_1"))
        y = nn.relu(y + bias("bias_2")) + bias("bias_3")
        y = nn.Dense(WIDTH, use_bias=False, name="last")(y)
        multiplier = self.param("multiplier", nn.initializers.ones, ())
        return nn.relu(x + multiplier * y + bias("bias_4")), None


class ResidualNet(nn.Module):
    """`BLOCKS` blocks, scanned, between a stem and a linear head."""

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Logits."""
        x = nn.relu(nn.Dense(WIDTH, name="stem")(images))
        stack = nn.scan(
            Block, variable_axes={"params": 0}, split_rngs={"params": True}, length=BLOCKS
        )
        x, _ = stack(name="blocks")(x)
        return nn.Dense(CLASSES, name="head")(x)


def make_optimizer(rate: jax.Array) -> optax.GradientTransformation:
    """SGD with momentum; scalars, one in each block, learn at a tenth of the rate, as there."""
    rates = {"weights": rate, "scalars": rate / 10}
    return optax.partition(
        {name: optax.sgd(each, momentum=0.9) for name, each in rates.items()},
        lambda params: jax.tree.map(
            lambda leaf: "scalars" if leaf.shape == (BLOCKS,) else "weights", params
        ),
    )


def largest_rate(grid: list[Runs]) -> float:
    """The largest rate from which every seed learns; 0 if there is none."""
    return max((runs.rate for runs in grid if runs.final().min() > 0.5), default=0.0)


def main() -> None:
    """Train from every start at every rate, and judge."""
    settings = parse_settings(__doc__, seeds=3, fast_seeds=1)
    data, model = load(), ResidualNet()
    sizes = {"seeds": settings.seeds, "steps": 40 if settings.fast else 200, "batch": 64}

    grids: dict[str, list[Runs]] = {}
    logits = {}
    for name, rules in STARTS.items():
        start = make_start(model, rules)
        grids[name] = train_grid(model.apply, start, data, make_optimizer, rates=RATES, **sizes)
        logits[name] = float(jnp.abs(model.apply(start(jax.random.key(0)), data.images)).max())

    findings = judge(grids, logits)
    publish("fixup", SOURCE, findings, draw_figure(grids), settings)


def judge(grids: dict[str, list[Runs]], logits: dict[str, float]) -> list[Finding]:
    """What the paper says, and what came out."""
    learned = best(grids["Fixup"])
    exploded = np.array([runs.loss[:, 0] for runs in grids["He"]])
    largest = {name: largest_rate(grid) for name, grid in grids.items()}
    rivals = max(largest[name] for name in ("last layers 0", "1 / sqrt(blocks)", "He"))
    return [
        Finding(
            "largest logit before training, He and Fixup",
            "explodes with depth, and 0",
            f"{logits['He']:.0e}, and {logits['Fixup']:g}",
            logits["He"] > 1e12 and logits["Fixup"] == 0,
        ),
        Finding(
            f"loss of the first {learned.steps[0]} steps, He, every rate and seed",
            "explodes",
            f"{exploded.mean():g}",
            not np.isfinite(exploded).any(),
        ),
        Finding(
            "accuracy, Fixup, worst seed",
            "trains",
            f"{learned.final().min():.1%} at rate {learned.rate:g}",
            bool(learned.final().min() > 0.9),
        ),
        Finding(
            f"largest rate of {', '.join(f'{rate:g}' for rate in RATES)} from which every seed "
            "learns: Fixup's above those of the last three",
            "Fixup's is that of normalized networks, 0.1",
            ", ".join(f"{name}: {rate or 'none'}" for name, rate in largest.items()),
            largest["Fixup"] > rivals,
        ),
        Finding(
            "the same of SkipInit (De and Smith 2020)",
            "(another paper's)",
            f"{largest['SkipInit']:g}",
            largest["SkipInit"] > rivals,
        ),
    ]


def draw_figure(grids: dict[str, list[Runs]]) -> Figure:
    """Accuracy over the rates, and over the steps at each start's best rate."""
    figure, (rates, learning) = draw_panels(
        2,
        title=f"{BLOCKS} blocks without normalization: Fixup and SkipInit bear the largest rates",
        share_y=True,
    )
    for (name, grid), colour in zip(grids.items(), COLOURS, strict=False):
        ends = np.stack([runs.final() for runs in grid], axis=1)
        draw_band(rates, RATES, ends, name, colour)
        at_best = best(grid)
        draw_band(learning, at_best.steps, at_best.accuracy, f"{name}, at {at_best.rate:g}", colour)
    for panel in (rates, learning):
        panel.lines[1].set_linestyle("--")  # SkipInit's lines lie on Fixup's.
    rates.set(xlabel="learning rate", ylabel="accuracy, held out", xscale="log", ylim=(0, 1))
    learning.set(xlabel="step, at each start's best rate")
    learning.legend()
    return figure


if __name__ == "__main__":
    main()
