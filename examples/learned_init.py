"""Scales learned before training, on a residual network without normalization.

    python examples/learned_init.py [--optimizer adam] [--blocks 8] [--steps 200] [--figure a.png]

Trains the network on scikit-learn's digits for one epoch, from He's initialization as it is, with
its residual branches scaled down by a rule, and with scales learned by `jinit.gradinit` and
`jinit.metainit`; prints the loss over that epoch and the accuracy after it. The rule is free, and
as good where it is known and the learning rate suits it; learning costs some epochs and knows
neither. With `--optimizer sgd` GradInit alone finds a start that does not diverge.
Needs `pip install "jinit[demo]"`.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import jinit

WIDTH, CLASSES, BATCH = 64, 10, 64
LEARNING_RATE = {"adam": 1e-3, "sgd": 0.1}


class Residual(nn.Module):
    """Blocks of two layers, added to what they are given; nothing is normalized."""

    blocks: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Logits."""
        x = nn.Dense(WIDTH, name="stem")(x)
        for i in range(self.blocks):
            hidden = nn.relu(nn.Dense(WIDTH, name=f"up_{i}")(x))
            x = x + nn.Dense(WIDTH, name=f"down_{i}")(hidden)
        return nn.Dense(CLASSES, name="head")(x)


class Split(NamedTuple):
    """Images to train on and images held out, standardized, with their labels."""

    images: np.ndarray
    labels: np.ndarray
    held_out_images: np.ndarray
    held_out_labels: np.ndarray

    def epoch(self, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Every image once, in whole batches."""
        order = np.random.default_rng(seed).permutation(len(self.labels))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            yield self.images[rows], self.labels[rows]


class Run(NamedTuple):
    """One epoch from some start: losses by step, accuracy after, seconds spent on the start."""

    name: str
    losses: np.ndarray
    accuracy: float
    seconds: float


def load(seed: int) -> Split:
    """Four fifths of the digits to train on, the rest to look at."""
    images, labels = load_digits(return_X_y=True)
    images = ((images - images.mean()) / images.std()).astype(np.float32)
    parts = train_test_split(images, labels, test_size=0.2, stratify=labels, random_state=seed)
    return Split(parts[0], parts[2], parts[1], parts[3])


def endless(data: Split, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Epoch after epoch, each in an order of its own."""
    while True:
        yield from data.epoch(seed)
        seed += 1


def train_an_epoch(
    variables: Any, loss: Callable[..., Any], optimizer: optax.GradientTransformation, data: Split
) -> tuple[Any, np.ndarray]:
    """The variables after an epoch, and the loss of each step."""

    @jax.jit
    def step(variables: Any, state: Any, batch: Any) -> tuple[Any, Any, jax.Array]:
        value, gradient = jax.value_and_grad(loss)(variables, batch)
        updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(variables, updates), state, value

    state, losses = optimizer.init(variables), []
    for batch in data.epoch(seed=0):
        variables, state, value = step(variables, state, batch)
        losses.append(float(value))
    return variables, np.array(losses)


def rules(blocks: int, *, scaled: bool) -> jinit.Rules:
    """He's initialization; if asked, each branch gives `1 / blocks` of its variance."""
    down = jinit.he_normal(gain=blocks**-0.5) if scaled else jinit.he_normal()
    return jinit.Rules(
        {"**/bias": jinit.zeros, "down_*/kernel": down, "**/kernel": jinit.he_normal()}
    )


def show(runs: list[Run], optimizer: str, console: Console) -> None:
    """A row for each start."""
    rate = LEARNING_RATE[optimizer]
    table = Table(title=f"one epoch of {optimizer} at {rate:g}", title_justify="left")
    table.add_column("start", no_wrap=True)
    for column in ("first loss", "mean loss", "last loss", "accuracy", "seconds before"):
        table.add_column(column, justify="right")
    for run in runs:
        seen = (run.losses[0], run.losses.mean(), run.losses[-1])
        losses = (f"{loss:.3g}" for loss in seen)
        table.add_row(run.name, *losses, f"{run.accuracy:.1%}", f"{run.seconds:.1f}")
    console.print(table)
    plain, learned = runs[0].losses.mean(), runs[2].losses.mean()
    console.print(f"the first epoch's mean loss: He {plain:.3g}, with GradInit {learned:.3g}")


def main() -> None:
    """Initialize, learn scales, train, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--optimizer", choices=sorted(LEARNING_RATE), default="adam")
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--figure", help="where to save what GradInit saw")
    options = parser.parse_args()

    console, data, model = Console(), load(options.seed), Residual(options.blocks)
    rate = LEARNING_RATE[options.optimizer]
    target = jinit.with_inputs(model, jax.ShapeDtypeStruct((1, data.images.shape[1]), jnp.float32))
    key = jax.random.key(options.seed)

    def loss(variables: Any, batch: Any) -> jax.Array:
        logits = model.apply(variables, batch[0])
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean()

    def run(name: str, start: Callable[[], Any]) -> Run:
        began = time.perf_counter()
        variables = jax.block_until_ready(start())
        seconds = time.perf_counter() - began
        optimizer = getattr(optax, options.optimizer)(rate)
        variables, losses = train_an_epoch(variables, loss, optimizer, data)
        guesses = model.apply(variables, data.held_out_images).argmax(axis=-1)
        return Run(name, losses, float((guesses == data.held_out_labels).mean()), seconds)

    def he(*, scaled: bool = False) -> Any:
        return jinit.initialize(target, rules(options.blocks, scaled=scaled), key)

    def learned(learn: Callable[..., Any], **settings: Any) -> Any:
        batches = endless(data, seed=1)
        variables, report = learn(loss, he(), batches, steps=options.steps, **settings)
        console.print(report)
        if options.figure and learn is jinit.gradinit:
            report.plot().savefig(options.figure)
        return variables

    gradinit_settings = {"optimizer": options.optimizer, "eta": rate, "learning_rate": 0.05}
    runs = [
        run("He", he),
        run("He, branches by a rule", lambda: he(scaled=True)),
        run("He, then GradInit", lambda: learned(jinit.gradinit, **gradinit_settings)),
        run("He, then MetaInit", lambda: learned(jinit.metainit, learning_rate=0.03)),
    ]
    show(runs, options.optimizer, console)


if __name__ == "__main__":
    main()
