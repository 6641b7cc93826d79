"""A deep classifier of scikit-learn's digits that learns or not, before and after LSUV.

    python examples/lsuv.py [--depth 20] [--epochs 8]

Plain dense layers with SiLU, no normalization: from LeCun's initialization, the gain of which is
for no activation at all, the signal dies out on its way; one call of `jinit.lsuv` with a batch of
digits sets it right. Prints the report, the deviation of each layer before and after, and the
accuracy after equal training from both. Needs `pip install "jinit[demo]"`.
"""

import argparse
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

CLASSES, WIDTH, BATCH, RATE = 10, 64, 128, 3e-3


class Split(NamedTuple):
    """Images, flat and standardized, and their labels."""

    images: np.ndarray
    labels: np.ndarray


class Deep(nn.Module):
    """Dense layers with SiLU, one after another."""

    depth: int

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Logits; each layer's deviation is sown."""
        for layer in range(self.depth):
            images = nn.Dense(WIDTH, name=f"layer_{layer}")(images)
            self.sow("deviations", "layers", jnp.std(images))
            images = nn.silu(images)
        return nn.Dense(CLASSES, name="head")(images)


def load(seed: int) -> tuple[Split, Split]:
    """Two thirds of the digits to train on, and the rest."""
    images, labels = load_digits(return_X_y=True)
    images = ((images - images.mean()) / images.std()).astype(np.float32)
    parts = train_test_split(images, labels, train_size=2 / 3, stratify=labels, random_state=seed)
    return Split(parts[0], parts[2]), Split(parts[1], parts[3])


def train(model: Deep, variables: dict, data: Split, epochs: int, seed: int) -> dict:
    """Some epochs of Adam."""
    optimizer, steps = optax.adam(RATE), len(data.labels) // BATCH
    images, labels = jnp.asarray(data.images), jnp.asarray(data.labels)

    def loss(variables: dict, rows: jax.Array) -> jax.Array:
        logits = model.apply(variables, images[rows])
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels[rows]).mean()

    def step(carry: tuple, rows: jax.Array) -> tuple:
        variables, state = carry
        updates, state = optimizer.update(jax.grad(loss)(variables, rows), state)
        return (optax.apply_updates(variables, updates), state), None

    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(data.labels))[: steps * BATCH] for _ in range(epochs)]
    rows = jnp.asarray(np.stack(orders)).reshape(-1, BATCH)
    start = (variables, optimizer.init(variables))
    return jax.jit(lambda start: jax.lax.scan(step, start, rows)[0][0])(start)


def accuracy(model: Deep, variables: dict, data: Split) -> float:
    """The part of the images that are classified right."""
    logits = model.apply(variables, data.images)
    return float((np.asarray(logits).argmax(-1) == data.labels).mean())


def deviations(model: Deep, variables: dict, images: np.ndarray) -> np.ndarray:
    """The standard deviation of each layer's outcome."""
    _, sown = model.apply(variables, images, mutable=["deviations"])
    return np.asarray(sown["deviations"]["layers"])


def main() -> None:
    """Initialize, rescale, train both, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--depth", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    console = Console()
    training, held_out = load(options.seed)
    model, batch = Deep(options.depth), training.images[:256]
    drawn = model.init(jax.random.key(options.seed), batch)
    drawn = {"params": drawn["params"]}
    rescaled, report = jinit.lsuv(model, drawn, batch)
    console.print(report)

    table = Table(title=f"{options.depth} layers, held out", title_justify="left")
    for column in ("", "first layer", "middle", "last layer", "accuracy"):
        table.add_column(column, justify="right" if column else "left")
    for name, variables in (("LeCun", drawn), ("after LSUV", rescaled)):
        found = deviations(model, variables, held_out.images)
        places = (found[0], found[len(found) // 2], found[-1])
        trained = train(model, variables, training, options.epochs, options.seed)
        cells = [f"std {value:.2g}" for value in places]
        table.add_row(name, *cells, f"{accuracy(model, trained, held_out):.1%}")
    console.print(table)


if __name__ == "__main__":
    main()
