"""Equinox: modules that take no initializer, initialized by rules all the same.

    python examples/with_equinox.py [--layers 10] [--epochs 6]

Equinox' layers draw their own weights, uniform in +-1 / sqrt(inputs), whatever activation follows;
with ReLU each passes a sixth of the signal's second moment. `jinit.initialize` takes the function
that builds a module, draws every leaf by rules, and gives the module back. Prints the plan, how the
signal fares from Equinox' own start and from two by rules, and how they train on scikit-learn's
digits. Needs `pip install "jinit[demo]" equinox`.
"""

import argparse
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
import optax
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import jinit

WIDTH, CLASSES, BATCH, RATE = 64, 10, 64, 1e-3


class Perceptron(eqx.Module):
    """Hidden layers with ReLU, and a head."""

    hidden: list[eqx.nn.Linear]
    head: eqx.nn.Linear

    def __init__(self, layers: int, key: jax.Array) -> None:
        *keys, last = jax.random.split(key, layers + 1)
        self.hidden = [eqx.nn.Linear(WIDTH, WIDTH, key=one) for one in keys]
        self.head = eqx.nn.Linear(WIDTH, CLASSES, key=last)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Logits of one image."""
        for layer in self.hidden:
            x = jax.nn.relu(layer(x))
        return self.head(x)


def rules(hidden: jinit.Initializer) -> jinit.Rules:
    """A scheme for hidden layers, and LeCun for the head; Equinox calls kernels `weight`."""
    return jinit.Rules(
        {
            "**/bias": jinit.zeros,
            "hidden/*/weight": hidden,
            "head/weight": jinit.lecun_normal(),
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


OPTIMIZER = optax.adam(RATE)


@eqx.filter_jit
def step(model: Perceptron, state: Any, x: jax.Array, y: jax.Array) -> tuple:
    """The model and the optimizer's state after one update, and the loss before it."""

    def loss(model: Perceptron) -> jax.Array:
        logits = jax.vmap(model)(x)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    value, gradients = eqx.filter_value_and_grad(loss)(model)
    updates, state = OPTIMIZER.update(gradients, state)
    return eqx.apply_updates(model, updates), state, value


def train(model: Perceptron, data: Digits, epochs: int) -> tuple[Perceptron, list[float]]:
    """The model after some epochs of Adam, and the mean loss of each."""
    state = OPTIMIZER.init(eqx.filter(model, eqx.is_inexact_array))
    losses, rng = [], np.random.default_rng(0)
    for _ in range(epochs):
        order, seen = rng.permutation(len(data.labels)), []
        for rows in order[: len(order) // BATCH * BATCH].reshape(-1, BATCH):
            model, state, value = step(model, state, data.images[rows], data.labels[rows])
            seen.append(value)
        losses.append(float(np.mean(seen)))
    return model, losses


def main() -> None:
    """Plan, look at the signal, train from each start."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--layers", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if min(options.layers, options.epochs) < 1:
        parser.error("--layers and --epochs must be at least 1")

    console, data, key = Console(), load(), jax.random.key(options.seed)

    def build() -> Perceptron:
        return Perceptron(options.layers, key)

    he, orthogonal = rules(jinit.he_normal()), rules(jinit.orthogonal("relu"))
    console.print(jinit.plan(build, he), "", sep="\n")
    starts = {
        "Equinox": build(),
        "He": jinit.initialize(build, he, key),
        "orthogonal": jinit.initialize(build, orthogonal, key),
    }

    def on_a_batch(model: Perceptron, images: jax.Array) -> jax.Array:
        return jax.vmap(model)(images)

    console.print(jinit.compare(build, starts, data.images[:256], apply=on_a_batch))

    title = f"\ndigits, {options.layers} hidden layers: loss by epoch"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("start", *(str(1 + epoch) for epoch in range(options.epochs)), "accuracy"):
        table.add_column(column, justify="left" if column == "start" else "right")
    for name, model in starts.items():
        trained, losses = train(model, data, options.epochs)
        guesses = on_a_batch(trained, data.held_out_images).argmax(axis=-1)
        accuracy = (guesses == data.held_out_labels).mean()
        table.add_row(name, *(f"{loss:.3f}" for loss in losses), f"{accuracy:.1%}")
    console.print(table)


if __name__ == "__main__":
    main()
