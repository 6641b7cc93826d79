"""Haiku: initializers in layers, and a model initialized as a whole by rules.

    python examples/with_haiku.py [--layers 10] [--epochs 4]

A plain convolutional net with ReLU, without norms or residual branches. Haiku's own start is a
truncated normal that is neither widened for the cut nor scaled for ReLU, and dies out with depth.
Where a layer takes an initializer, one line hands it Haiku's key; the model as a whole takes rules.
Prints the plan, how the signal fares from three starts, and how each trains on scikit-learn's
digits. Needs `pip install "jinit[demo]" dm-haiku`.
"""

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import optax
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import jinit

CHANNELS, CLASSES, BATCH, RATE = 16, 10, 64, 1e-3


def keyed(init: jinit.Initializer) -> Callable[..., jax.Array]:
    """An initializer as Haiku calls it, with a shape and a dtype; the key is Haiku's next."""
    return lambda shape, dtype: init(hk.next_rng_key(), shape, dtype)


def network(layers: int) -> hk.Transformed:
    """Logits of images (batch, 8, 8, 1)."""

    def read(x: jax.Array) -> jax.Array:
        for i in range(layers):
            x = jax.nn.relu(hk.Conv2D(CHANNELS, 3, name=f"conv_{i}")(x))
        head = hk.Linear(CLASSES, w_init=keyed(jinit.lecun_normal()), name="head")
        return head(hk.Flatten()(x))

    return hk.without_apply_rng(hk.transform(read))


def rules(conv: jinit.Initializer) -> jinit.Rules:
    """A scheme for convolutions; Haiku calls kernels `w` and biases `b`."""
    return jinit.Rules({"**/b": jinit.zeros, "conv_*/w": conv, "head/w": jinit.lecun_normal()})


STARTS = {
    "He": rules(jinit.he_normal()),
    "delta-orthogonal": rules(jinit.delta_orthogonal("relu")),
}


class Digits(NamedTuple):
    """Images (n, 8, 8, 1), standardized, and their labels: to train on, and held out."""

    images: np.ndarray
    held_out_images: np.ndarray
    labels: np.ndarray
    held_out_labels: np.ndarray


def load() -> Digits:
    """Three quarters of the digits to train on."""
    images, labels = load_digits(return_X_y=True)
    images = ((images - images.mean()) / images.std()).astype(np.float32).reshape(-1, 8, 8, 1)
    return Digits(*train_test_split(images, labels, stratify=labels, random_state=0))


def train(
    model: hk.Transformed, params: hk.Params, data: Digits, epochs: int
) -> tuple[hk.Params, list[float]]:
    """The parameters after some epochs of Adam, and the mean loss of each."""
    images, labels = jnp.asarray(data.images), jnp.asarray(data.labels)
    optimizer = optax.adam(RATE)

    @jax.jit
    def step(params: hk.Params, state: Any, rows: jax.Array) -> tuple[hk.Params, Any, jax.Array]:
        def loss(params: hk.Params) -> jax.Array:
            logits = model.apply(params, images[rows])
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels[rows]).mean()

        value, gradients = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(gradients, state)
        return optax.apply_updates(params, updates), state, value

    state, losses, rng = optimizer.init(params), [], np.random.default_rng(0)
    for _ in range(epochs):
        order, seen = rng.permutation(len(labels)), []
        for rows in order[: len(order) // BATCH * BATCH].reshape(-1, BATCH):
            params, state, value = step(params, state, rows)
            seen.append(value)
        losses.append(float(np.mean(seen)))
    return params, losses


def main() -> None:
    """Plan, train from each start, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--layers", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if min(options.layers, options.epochs) < 1:
        parser.error("--layers and --epochs must be at least 1")

    console, data, key = Console(), load(), jax.random.key(options.seed)
    model = network(options.layers)
    target = jinit.with_inputs(model, data.images)
    console.print(jinit.plan(target, STARTS["delta-orthogonal"]), "", sep="\n")

    starts = {
        "Haiku": model.init(key, data.images),
        **{name: jinit.initialize(target, rules, key) for name, rules in STARTS.items()},
    }
    console.print(jinit.compare(target, starts, data.images[:256], apply=model.apply))

    title = f"\ndigits, {options.layers} convolutions: loss by epoch"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("start", *(str(1 + epoch) for epoch in range(options.epochs)), "accuracy"):
        table.add_column(column, justify="left" if column == "start" else "right")
    for name, params in starts.items():
        trained, losses = train(model, params, data, options.epochs)
        guesses = model.apply(trained, data.held_out_images).argmax(axis=-1)
        accuracy = (guesses == data.held_out_labels).mean()
        table.add_row(name, *(f"{loss:.3f}" for loss in losses), f"{accuracy:.1%}")
    console.print(table)


if __name__ == "__main__":
    main()
