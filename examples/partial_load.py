"""A net trained on five of scikit-learn's digits, loaded for all ten, with a head drawn anew.

    python examples/partial_load.py [--seeds 8] [--steps 60]

Trains a small convolutional net on the digits 0 to 4, saves it to a safetensors file, and loads it
into a net for all ten, of which it then sees two images each: the backbone is the file's, the
head, whose shape is another, is drawn by rules. Prints what became of every leaf, and the accuracy
of that start and of one drawn as a whole, after equal steps, on images that neither has seen. Needs
`pip install "jinit[demo]" safetensors`.
"""

import argparse
import tempfile
from pathlib import Path
from typing import NamedTuple

import flax.linen as nn
import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np
import optax
from rich.console import Console
from rich.table import Table
from safetensors.numpy import save_file
from sklearn.datasets import load_digits

import jinit

SHOTS, BATCH = 2, 64  # images of each digit that are seen later; batch size of the first training


class Data(NamedTuple):
    """Images (n, 8, 8, 1) in [0, 1], and their labels."""

    images: np.ndarray
    labels: np.ndarray


class Net(nn.Module):
    """Two convolutions and a dense layer, and a head."""

    classes: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Logits."""
        for features in (16, 32):
            x = nn.relu(nn.Conv(features, (3, 3))(x))
            x = nn.max_pool(x, (2, 2), (2, 2))
        x = nn.relu(nn.Dense(64, name="features")(x.reshape(x.shape[0], -1)))
        return nn.Dense(self.classes, name="head")(x)


RULES = jinit.Rules(
    {
        "**/bias": jinit.zeros,
        "head/kernel": jinit.lecun_normal(),
        "**/kernel": jinit.he_normal(),
    }
)


def target(classes: int) -> object:
    """The net, of which nothing but shapes is known so far."""
    return jinit.with_inputs(Net(classes), jax.ShapeDtypeStruct((1, 8, 8, 1), jnp.float32))


def digits() -> tuple[Data, Data]:
    """Half of the images for the first training, and half for what comes after."""
    images, labels = load_digits(return_X_y=True)
    scaled = (images / 16).astype(np.float32).reshape(-1, 8, 8, 1)
    order = np.random.default_rng(0).permutation(len(labels))
    halves = np.array_split(order, 2)
    return Data(scaled[halves[0]], labels[halves[0]]), Data(scaled[halves[1]], labels[halves[1]])


def fit(classes: int, params: dict, data: Data) -> dict:
    """Adam, a step for each batch of `data`."""
    model, optimizer = Net(classes), optax.adam(2e-3)

    def loss(params: dict, images: jax.Array, labels: jax.Array) -> jax.Array:
        logits = model.apply(params, images)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    def step(carry: tuple, batch: Data) -> tuple:
        params, state = carry
        updates, state = optimizer.update(jax.grad(loss)(params, *batch), state)
        return (optax.apply_updates(params, updates), state), None

    return jax.lax.scan(step, (params, optimizer.init(params)), data)[0][0]


def accuracy(params: dict, data: Data) -> float:
    """The share of images that are recognized."""
    classes = params["params"]["head"]["bias"].size
    return float((Net(classes).apply(params, data.images).argmax(-1) == data.labels).mean())


def pretrain(data: Data, path: Path, steps: int) -> float:
    """Train on the digits 0 to 4 and save; the accuracy on them."""
    data = Data(*(part[data.labels < 5] for part in data))
    rows = np.resize(np.random.default_rng(0).permutation(len(data.labels)), (steps, BATCH))
    params = jinit.initialize(target(5), RULES, jax.random.key(0))
    params = jax.jit(fit, static_argnums=0)(5, params, Data(*(part[rows] for part in data)))
    flat = flax.traverse_util.flatten_dict(params["params"], sep="/")
    save_file({name: np.asarray(value) for name, value in flat.items()}, path)
    return accuracy(params, data)


def split(data: Data, seed: int) -> tuple[Data, Data]:
    """A few images of each digit to train on; the rest."""
    order = np.random.default_rng(seed).permutation(len(data.labels))
    few = np.concatenate([order[data.labels[order] == label][:SHOTS] for label in range(10)])
    rest = np.setdiff1d(order, few)
    return Data(*(part[few] for part in data)), Data(*(part[rest] for part in data))


def compare(data: Data, path: Path, steps: int, seeds: int, console: Console) -> np.ndarray:
    """The accuracy (seed, start) after equal steps, of the net loaded and of one that is drawn."""
    starts, seen, unseen = [], [], []
    for seed in range(seeds):
        key = jax.random.key(seed + 1)
        loaded, report = jinit.load(
            target(10), path, rules=RULES, key=key, on_mismatch={"head/*": "draw"}
        )
        if seed == 0:
            console.print(report)
        few, rest = split(data, seed)
        starts += [loaded, jinit.initialize(target(10), RULES, key)]
        seen += [few] * 2
        unseen += [rest] * 2
    batches = jax.tree.map(lambda *parts: np.stack([np.stack([p] * steps) for p in parts]), *seen)
    stacked = jax.tree.map(lambda *parts: jnp.stack(parts), *starts)
    trained = jax.jit(jax.vmap(lambda params, data: fit(10, params, data)))(stacked, batches)
    rates = [accuracy(jinit.member(trained, i), rest) for i, rest in enumerate(unseen)]
    return np.array(rates).reshape(seeds, 2)


def show(rates: np.ndarray, steps: int, console: Console) -> None:
    """Both starts, and in how many seeds the first was the better one."""
    title = f"all ten digits, {SHOTS} images of each, {steps} steps"
    table = Table(title=title, title_justify="left")
    for column in ("start", "accuracy, mean", "lowest", "highest"):
        table.add_column(column, justify="left" if column == "start" else "right")
    for name, column in zip(("backbone loaded", "drawn as a whole"), rates.T, strict=True):
        table.add_row(
            name, *(f"{value:.1%}" for value in (column.mean(), column.min(), column.max()))
        )
    console.print(table)
    better = int((rates[:, 0] > rates[:, 1]).sum())
    console.print(f"the backbone loaded is better in {better} of {len(rates)} seeds")


def main() -> None:
    """Pretrain, load, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    console = Console()
    first, second = digits()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digits.safetensors"
        rate = pretrain(first, path, steps=150)
        console.print(f"digits 0 to 4: {rate:.1%} of those trained on after 150 steps\n")
        rates = compare(second, path, options.steps, options.seeds, console)
    show(rates, options.steps, console)


if __name__ == "__main__":
    main()
