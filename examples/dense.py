"""A perceptron in Flax, an initializer for each of its layers, trained on digits.

    python examples/dense.py [--layers 8] [--epochs 8]

A scheme of jinit is what `kernel_init` takes. The same network learns scikit-learn's digits from
five of them. For each: the standard deviation of a hidden kernel, and of the signal that reaches
the head before any training; the mean loss of the first epoch and of the last; the accuracy on
digits held out. Needs `pip install "jinit[demo]"`.
"""

import argparse
from typing import Any, NamedTuple

import flax.linen as nn
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
SCHEMES = (
    jinit.normal(0.02),
    jinit.lecun_normal(),  # what Flax draws unless told otherwise
    jinit.glorot_uniform(),
    jinit.he_normal(),
    jinit.orthogonal("relu"),
)


class Perceptron(nn.Module):
    """Hidden layers that start from `kernel_init`, and a head that starts small."""

    layers: int
    kernel_init: jinit.Initializer

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Logits."""
        for _ in range(self.layers):
            x = nn.relu(nn.Dense(WIDTH, kernel_init=self.kernel_init)(x))
        return nn.Dense(CLASSES, kernel_init=jinit.normal(0.01), name="head")(x)


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


def train(model: nn.Module, params: Any, data: Digits, epochs: int) -> tuple[Any, list[float]]:
    """The parameters after some epochs of Adam, and the mean loss of each epoch."""
    optimizer = optax.adam(RATE)

    @jax.jit
    def step(params: Any, state: Any, rows: np.ndarray) -> tuple[Any, Any, jax.Array]:
        def loss(params: Any) -> jax.Array:
            logits = model.apply(params, images[rows])
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels[rows]).mean()

        value, gradients = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(gradients, state)
        return optax.apply_updates(params, updates), state, value

    images, labels = jax.numpy.asarray(data.images), jax.numpy.asarray(data.labels)
    state, losses, rng = optimizer.init(params), [], np.random.default_rng(0)
    for _ in range(epochs):
        seen = []
        order = rng.permutation(len(labels))
        for rows in order[: len(order) // BATCH * BATCH].reshape(-1, BATCH):
            params, state, value = step(params, state, rows)
            seen.append(value)
        losses.append(float(np.mean(seen)))
    return params, losses


def main() -> None:
    """Initialize, look, train, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if min(options.layers, options.epochs) < 1:
        parser.error("--layers and --epochs must be at least 1")

    data = load()
    title = f"digits, {options.layers} hidden layers"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("kernel_init", no_wrap=True)
    for column in ("std", "signal", "loss 1", f"loss {options.epochs}", "accuracy"):
        table.add_column(column, justify="right")
    for scheme in SCHEMES:
        model = Perceptron(options.layers, kernel_init=scheme)
        params = model.init(jax.random.key(options.seed), data.images)
        report = jinit.propagate(model, params, data.images[:256])
        trained, losses = train(model, params, data, options.epochs)
        guesses = model.apply(trained, data.held_out_images).argmax(axis=-1)
        table.add_row(
            str(scheme),
            f"{scheme.std((WIDTH, WIDTH)):.3f}",
            f"{report.of_kind('activation')[-1].forward.std:.2g}",
            f"{losses[0]:.3f}",
            f"{losses[-1]:.3f}",
            f"{(guesses == data.held_out_labels).mean():.1%}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
