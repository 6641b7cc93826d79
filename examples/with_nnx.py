"""Flax NNX: initializers in the layers, and a module initialized as a whole by rules.

    python examples/with_nnx.py [--blocks 6] [--epochs 5]

An NNX module is built with its weights: its layers take schemes as `kernel_init`. Where a module is
someone else's, or is to be tried from several starts, `jinit.initialize` takes the function that
builds it, draws every leaf by rules, and gives the module back; what is no parameter, such as
dropout's stream, is as the module defines it. The same laws by both ways, and NNX's own, train on
scikit-learn's digits: the signal that reaches the head at first, the loss, the accuracy.
Needs `pip install "jinit[demo]"`.
"""

import argparse
from typing import NamedTuple

import jax
import numpy as np
import optax
from flax import nnx
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import jinit

PIXELS, WIDTH, CLASSES, BATCH, RATE = 64, 64, 10, 64, 1e-3


class Block(nnx.Module):
    """A perceptron of one hidden layer, added to its input."""

    def __init__(self, *, branch_end: jinit.Initializer, rngs: nnx.Rngs) -> None:
        he = jinit.he_normal(nonlinearity="gelu")
        self.up = nnx.Linear(WIDTH, 2 * WIDTH, kernel_init=he, rngs=rngs)
        self.down = nnx.Linear(2 * WIDTH, WIDTH, kernel_init=branch_end, rngs=rngs)
        self.dropout = nnx.Dropout(0.1, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """The stream after the block."""
        return x + self.dropout(self.down(nnx.gelu(self.up(x))))


class Residual(nnx.Module):
    """A stem, blocks without normalization, and a head."""

    def __init__(self, blocks: int, *, rngs: nnx.Rngs) -> None:
        # The sum of many branches keeps its size if each gives its share of the variance.
        branch_end = jinit.lecun_normal(gain=blocks**-0.5)
        self.stem = nnx.Linear(PIXELS, WIDTH, rngs=rngs)
        self.blocks = nnx.List([Block(branch_end=branch_end, rngs=rngs) for _ in range(blocks)])
        self.head = nnx.Linear(WIDTH, CLASSES, kernel_init=jinit.zeros, rngs=rngs)

    def features(self, x: jax.Array) -> jax.Array:
        """What the head reads."""
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return x

    def __call__(self, x: jax.Array) -> jax.Array:
        """Logits."""
        return self.head(self.features(x))


RULES = jinit.Rules(
    {
        "**/bias": jinit.zeros,
        "head/kernel": jinit.zeros,
        "**/up/kernel": jinit.he_normal(nonlinearity="gelu"),
        "**/down/kernel": lambda leaf: jinit.lecun_normal(gain=leaf.depth**-0.5),
        "stem/kernel": jinit.lecun_normal(),
    }
)


class Digits(NamedTuple):
    """Images, standardized, and their labels: to train on, and held out."""

    images: np.ndarray
    held_out_images: np.ndarray
    labels: np.ndarray
    held_out_labels: np.ndarray


def load() -> Digits:
    """Three quarters of the digits to train on."""
    images, labels = load_digits(return_X_y=True)
    images = ((images - images.mean()) / images.std()).astype(np.float32)
    return Digits(*train_test_split(images, labels, stratify=labels, random_state=0))


@nnx.jit
def step(model: Residual, optimizer: nnx.Optimizer, x: jax.Array, y: jax.Array) -> jax.Array:
    """One update, in place; the loss before it."""

    def loss(model: Residual) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(model(x), y).mean()

    value, gradients = nnx.value_and_grad(loss)(model)
    optimizer.update(model, gradients)
    return value


def train(model: Residual, data: Digits, epochs: int) -> list[float]:
    """Some epochs of Adam, in place; the mean loss of each."""
    model.train()
    optimizer = nnx.Optimizer(model, optax.adam(RATE), wrt=nnx.Param)
    losses, rng = [], np.random.default_rng(0)
    for _ in range(epochs):
        order = rng.permutation(len(data.labels))
        batches = order[: len(order) // BATCH * BATCH].reshape(-1, BATCH)
        seen = [step(model, optimizer, data.images[rows], data.labels[rows]) for rows in batches]
        losses.append(float(np.mean(seen)))
    model.eval()
    return losses


def main() -> None:
    """Build, initialize, look, train."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--blocks", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if min(options.blocks, options.epochs) < 1:
        parser.error("--blocks and --epochs must be at least 1")

    console, data, key = Console(), load(), jax.random.key(options.seed)

    def build() -> Residual:
        return Residual(options.blocks, rngs=nnx.Rngs(options.seed))

    console.print(jinit.plan(build, RULES))
    models = {
        "by its layers": build(),
        "by rules": jinit.initialize(build, RULES, key),
        "by NNX's defaults": jinit.initialize(build, jinit.presets.flax_default(), key),
    }

    title = f"\ndigits, {options.blocks} blocks"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("initialized", "signal", "epoch 1", f"epoch {options.epochs}", "accuracy"):
        table.add_column(column, justify="left" if column == "initialized" else "right")
    for name, model in models.items():
        model.eval()
        signal = float(model.features(data.images).std())
        losses = train(model, data, options.epochs)
        accuracy = (model(data.held_out_images).argmax(axis=-1) == data.held_out_labels).mean()
        seen = (f"{losses[0]:.3f}", f"{losses[-1]:.3f}", f"{accuracy:.1%}")
        table.add_row(name, f"{signal:.2f}", *seen)
    console.print(table)


if __name__ == "__main__":
    main()
