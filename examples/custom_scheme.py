"""A scheme of one's own: written, tested for its law, composed, and used in a model by a rule.

    python examples/custom_scheme.py [--epochs 4]

The scheme is the signed Kaiming constant of Ramanujan et al. 2020 (arXiv:1911.13299): every weight
is plus or minus the standard deviation of He's law, so that a kernel is one number, and a bit a
weight. For jinit any function (key, shape, dtype) -> array is an initializer. A frozen dataclass
that can be called is one with options, and a value: it compares, hashes, pickles and prints; by its
method `std` plans show what it draws. `jinit.per_leaf` lets rules hand it the fans that a layer
has, and go to JSON. The script checks what the scheme promises (the exit status is 1 if that
fails), makes others of it, and trains on scikit-learn's digits. Needs `pip install "jinit[demo]"`.
"""

import argparse
import json
import math
import pickle
import sys
from dataclasses import dataclass
from typing import Any, NamedTuple

import flax.linen as nn
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

CLASSES, BATCH, RATE = 10, 64, 1e-3


@dataclass(frozen=True)
class SignedConstant:
    """Signed constant: `W = +-gain / sqrt(fan_in)`, either sign with probability 1/2.

    Args:
        gain: of the activation that follows.
        fan_in: where the shape does not tell it: of grouped, einsum and stacked layers.
    """

    gain: float = math.sqrt(2)
    fan_in: float | None = None

    def __call__(self, key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        """Draw: one random bit a weight."""
        return self.std(shape) * jax.random.rademacher(key, shape, dtype)

    def std(self, shape: tuple[int, ...]) -> float:
        """The magnitude of every weight."""
        fan_in = jinit.compute_fans(shape).fan_in if self.fan_in is None else self.fan_in
        return self.gain / math.sqrt(fan_in)


def check_law(console: Console, key: jax.Array) -> bool:
    """Whether every weight has the one magnitude, and the signs are those of a fair coin."""
    table = Table(title="The law", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("shape", "dtype", "magnitude", "expected", "share of +", "standard errors"):
        table.add_column(column, justify="left" if column in ("shape", "dtype") else "right")
    init, passed = jinit.from_function(SignedConstant()), True
    for shape in ((512, 256), (3, 3, 32, 64)):
        for dtype in (jnp.float32, jnp.bfloat16):  # which is handed float32, and rounded once
            weights = init(key, shape, dtype)
            expected = jnp.asarray(init.std(shape), dtype)
            share = float((weights > 0).mean())
            errors = (share - 0.5) / (0.5 / math.sqrt(weights.size))
            passed &= bool((abs(weights) == expected).all()) and abs(errors) < 5
            sizes = (f"{abs(weights).max():.5f}", f"{expected:.5f}")
            signs = (f"{share:.4f}", f"{errors:+.1f}")
            table.add_row("x".join(map(str, shape)), weights.dtype.name, *sizes, *signs)
    console.print(table)
    return passed


def check_values(console: Console) -> bool:
    """Whether the scheme survives pickle, and rules that use it JSON."""
    init = jinit.from_function(SignedConstant(gain=1.0))
    pickled = pickle.loads(pickle.dumps(init)) == init
    config = json.loads(json.dumps(STARTS["signed constant"].to_config()))
    restored = jinit.Rules.from_config(config) == STARTS["signed constant"]
    console.print(f"{init}: {'equal' if pickled else 'not equal'} after pickle")
    console.print(f"its rules: {'equal' if restored else 'not equal'} after JSON")
    return pickled and restored


def show_composed(console: Console, key: jax.Array) -> None:
    """What combinators make of it: five layers in one array, with the fans of one layer."""
    init, shape = SignedConstant(), (5, 64, 64)
    made = {
        "itself": init,
        "stacked": jinit.stacked(init),
        "scaled, stacked": jinit.stacked(jinit.scaled(init, 0.25)),
        "masked, stacked": jinit.stacked(jinit.masked(init, np.tril(np.ones((64, 64))))),
        "split, stacked": jinit.stacked(jinit.split(init, parts=2, axis=0)),
    }
    table = Table(title="\nComposed", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("scheme", "shape", "magnitude", "zeros"):
        table.add_column(column, justify="left" if column == "scheme" else "right")
    for name, one in made.items():
        weights = one(key, shape, jnp.float32)
        seen = (f"{abs(weights).max():.4f}", f"{(weights == 0).mean():.1%}")
        table.add_row(name, "x".join(map(str, shape)), *seen)
    console.print(table)


class Net(nn.Module):
    """A convolution, a depthwise one, of which no shape tells the fans, a dense layer, a head."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Logits."""
        x = nn.relu(nn.Conv(32, (3, 3), name="conv")(x))
        x = nn.relu(nn.Conv(32, (3, 3), feature_group_count=32, name="depthwise")(x))
        x = nn.max_pool(x, (2, 2), (2, 2)).reshape(x.shape[0], -1)
        x = nn.relu(nn.Dense(64, name="dense")(x))
        return nn.Dense(CLASSES, name="head")(x)


@jinit.per_leaf
def signed_constant(leaf: jinit.Leaf, *, gain: float = math.sqrt(2)) -> SignedConstant:
    """The scheme with the fans that the leaf's layer has; by its name rules go to JSON and back."""
    return SignedConstant(gain, leaf.fans.fan_in)


def rules(kernel: Any) -> jinit.Rules:
    """One value for all kernels but the head's."""
    return jinit.Rules(
        {"**/bias": jinit.zeros, "head/kernel": jinit.lecun_normal(), "**/kernel": kernel}
    )


STARTS = {"He": rules(jinit.he_normal()), "signed constant": rules(signed_constant())}


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


def train(params: Any, data: Digits, epochs: int) -> tuple[Any, list[float]]:
    """The parameters after some epochs of Adam, and the mean loss of each."""
    images, labels = jnp.asarray(data.images), jnp.asarray(data.labels)
    optimizer = optax.adam(RATE)

    @jax.jit
    def step(params: Any, state: Any, rows: np.ndarray) -> tuple[Any, Any, jax.Array]:
        def loss(params: Any) -> jax.Array:
            logits = Net().apply(params, images[rows])
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


def main() -> int:
    """Check, compose, plan, train; the exit status is 0 if all that is promised holds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.epochs < 1:
        parser.error("--epochs must be at least 1")

    console, data, key = Console(), load(), jax.random.key(options.seed)
    passed = check_law(console, key) & check_values(console)
    show_composed(console, key)

    target = jinit.with_inputs(Net(), jax.ShapeDtypeStruct((1, 8, 8, 1), jnp.float32))
    console.print(jinit.plan(target, STARTS["signed constant"]))

    title = "\ndigits: loss by epoch"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("kernels", *(str(1 + epoch) for epoch in range(options.epochs)), "accuracy"):
        table.add_column(column, justify="left" if column == "kernels" else "right")
    for name, start in STARTS.items():
        params, losses = train(jinit.initialize(target, start, key), data, options.epochs)
        guesses = Net().apply(params, data.held_out_images).argmax(axis=-1)
        accuracy = (guesses == data.held_out_labels).mean()
        table.add_row(name, *(f"{loss:.3f}" for loss in losses), f"{accuracy:.1%}")
    console.print(table)
    console.print(f"the scheme {'keeps' if passed else 'breaks'} what it promises")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
