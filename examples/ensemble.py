"""An ensemble of perceptrons on scikit-learn's digits, initialized and trained under `vmap`.

    python examples/ensemble.py [--members 16] [--epochs 40]

Prints the accuracy of the members and of their mean, how well their confidence is calibrated, and
whether their disagreement tells where they are wrong. Needs `pip install "jinit[demo]"`.
"""

import argparse
import itertools
from typing import NamedTuple

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

CLASSES, BATCH = 10, 64


class Split(NamedTuple):
    """Images, flat and scaled to [0, 1], and their labels."""

    images: np.ndarray
    labels: np.ndarray


class Perceptron(nn.Module):
    """Two hidden layers of 64 units."""

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Logits."""
        for _ in range(2):
            images = nn.relu(nn.Dense(64)(images))
        return nn.Dense(CLASSES)(images)


RULES = jinit.Rules(
    {
        "**/bias": jinit.zeros,
        "Dense_2/kernel": jinit.lecun_normal(),
        "**/kernel": jinit.he_normal(),
    }
)


def load(seed: int) -> tuple[Split, Split]:
    """A third of the digits to train on, so that there is something to be unsure of; the rest."""
    images, labels = load_digits(return_X_y=True)
    images = images.astype(np.float32) / 16
    parts = train_test_split(images, labels, train_size=1 / 3, stratify=labels, random_state=seed)
    train_images, test_images, train_labels, test_labels = parts
    return Split(train_images, train_labels), Split(test_images, test_labels)


def train(params: dict, data: Split, epochs: int, key: jax.Array) -> dict:
    """Every member for some epochs of Adam, each on batches in an order of its own."""
    model, optimizer = Perceptron(), optax.adam(3e-3)
    size = jax.tree.leaves(params)[0].shape[0]
    steps = len(data.labels) // BATCH

    def loss(one: dict, rows: jax.Array) -> jax.Array:
        logits = model.apply(one, jnp.asarray(data.images)[rows])
        labels = jnp.asarray(data.labels)[rows]
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    def step(carry: tuple, rows: jax.Array) -> tuple:
        one, state = carry
        updates, state = optimizer.update(jax.grad(loss)(one, rows), state)
        return (optax.apply_updates(one, updates), state), None

    def fit(one: dict, key: jax.Array) -> dict:
        orders = jax.vmap(lambda key: jax.random.permutation(key, len(data.labels)))
        rows = orders(jax.random.split(key, epochs))[:, : steps * BATCH].reshape(-1, BATCH)
        return jax.lax.scan(step, (one, optimizer.init(one)), rows)[0][0]

    return jax.jit(jax.vmap(fit))(params, jax.random.split(key, size))


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error: mean distance of confidence and accuracy over bins."""
    places = np.clip((confidence * bins).astype(int), 0, bins - 1)
    gaps = [
        abs(confidence[places == b].mean() - right[places == b].mean()) * (places == b).mean()
        for b in range(bins)
        if (places == b).any()
    ]
    return float(sum(gaps))


def report(members: np.ndarray, labels: np.ndarray, console: Console) -> None:
    """What single members and their mean know, from probabilities (member, image, class)."""
    mean = members.mean(axis=0)
    table = Table(title="digits, held out", title_justify="left")
    for column in ("", "accuracy", "log loss", "calibration error"):
        table.add_column(column, justify="left" if not column else "right")
    alone = [scores(one, labels) for one in members]
    table.add_row("one member (mean)", *(f"{value:.3f}" for value in np.mean(alone, axis=0)))
    table.add_row(f"mean of {len(members)}", *(f"{value:.3f}" for value in scores(mean, labels)))
    console.print(table)

    disagreement = (members.argmax(-1) != mean.argmax(-1)).mean(axis=0)
    wrong = mean.argmax(-1) != labels
    console.print("\nmembers that disagree with the majority, and how often it is wrong then:")
    edges = (0.0, 1e-9, 0.1, 0.25, 0.5, 1.0)
    for low, high in itertools.pairwise(edges):
        chosen = (disagreement >= low) & (disagreement < high)
        if chosen.any():
            name = "none" if high == 1e-9 else f"up to {high:.0%}"
            console.print(
                f"  {name:>10}: {chosen.sum():5d} images, {wrong[chosen].mean():6.1%} wrong"
            )


def scores(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float, float, float]:
    """Accuracy, log loss and calibration error."""
    right = probabilities.argmax(-1) == labels
    picked = np.maximum(probabilities[np.arange(len(labels)), labels], 1e-9)
    return right.mean(), -np.log(picked).mean(), calibration_error(probabilities.max(-1), right)


def main() -> None:
    """Initialize, train, report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--members", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    console = Console()
    training, held_out = load(options.seed)
    target = jinit.with_inputs(Perceptron(), jax.ShapeDtypeStruct((1, 64), jnp.float32))
    console.print(jinit.plan(target, RULES))
    key = jax.random.key(options.seed)
    ensemble = jinit.ensemble(target, RULES, key, options.members)
    ensemble = train(ensemble, training, options.epochs, jax.random.fold_in(key, 10**6))
    logits = jax.vmap(Perceptron().apply, in_axes=(0, None))(ensemble, held_out.images)
    report(np.asarray(jax.nn.softmax(logits)), held_out.labels, console)


if __name__ == "__main__":
    main()
