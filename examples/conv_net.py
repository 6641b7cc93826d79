"""A residual convolutional net, initialized as a whole by rules and trained on digits.

    python examples/conv_net.py [--blocks 12] [--rate 0.5] [--epochs 4]

Five rules serve a net of any depth. One of them starts the last norm of every block at zero, so
that the block begins as its input alone; the same net is started without it too. Prints the plan of
two blocks, how the signal fares in training mode from both starts, and how they train on
scikit-learn's digits. Batch statistics are among the variables that `initialize` returns.
With few blocks and a small rate (`--blocks 4 --rate 0.01`) that rule only slows the start.
`jinit.presets.resnet(zero_init_residual=True)` is torchvision's form of such rules.
Needs `pip install "jinit[demo]"`.
"""

import argparse
import functools
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

CLASSES, BATCH = 10, 64
Norm = functools.partial(nn.BatchNorm, momentum=0.9)  # soon up to date in a short training


class Block(nn.Module):
    """Two convolutions, each with a norm, added to the input or to a projection of it."""

    features: int
    stride: int = 1

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """The stream after the block."""
        strides = (self.stride, self.stride)
        y = nn.Conv(self.features, (3, 3), strides, use_bias=False)(x)
        y = nn.relu(Norm(use_running_average=not train)(y))
        y = nn.Conv(self.features, (3, 3), use_bias=False)(y)
        y = Norm(use_running_average=not train)(y)
        if x.shape != y.shape:
            x = nn.Conv(self.features, (1, 1), strides, use_bias=False, name="projection")(x)
            x = Norm(use_running_average=not train, name="projection_norm")(x)
        return nn.relu(x + y)


class ResNet(nn.Module):
    """A stem, blocks of which the middle one halves the image, and a head."""

    blocks: int

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Logits."""
        x = nn.Conv(16, (3, 3), use_bias=False, name="stem")(x)
        x = nn.relu(Norm(use_running_average=not train, name="stem_norm")(x))
        for i in range(self.blocks):
            half = i == self.blocks // 2
            features = 16 if i < self.blocks // 2 else 32
            x = Block(features, stride=1 + half, name=f"block_{i}")(x, train)
        return nn.Dense(CLASSES, name="head")(x.mean(axis=(1, 2)))


RULES = jinit.Rules(
    {
        "**/bias": jinit.zeros,
        "block_*/BatchNorm_1/scale": jinit.zeros,  # a branch's end: the block starts as its input
        jinit.by_role("norm_scale"): jinit.ones,
        jinit.by_role("conv"): jinit.he_normal(mode="fan_out"),
        "head/kernel": jinit.lecun_normal(),
    }
)
ONES = RULES.override({"block_*/BatchNorm_1/scale": jinit.ones})
STARTS = {"branch ends at one": ONES, "branch ends at zero": RULES}


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
    model: ResNet, variables: Any, data: Digits, rate: float, epochs: int
) -> tuple[Any, list[float]]:
    """The variables after some epochs of SGD with momentum, and the mean loss of each epoch."""
    images, labels = jnp.asarray(data.images), jnp.asarray(data.labels)
    optimizer = optax.sgd(rate, momentum=0.9)

    @jax.jit
    def step(variables: Any, state: Any, rows: np.ndarray) -> tuple[Any, Any, jax.Array]:
        def loss(params: Any) -> tuple[jax.Array, Any]:
            logits, updated = model.apply(
                {**variables, "params": params}, images[rows], train=True, mutable=["batch_stats"]
            )
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels[rows])
            return losses.mean(), updated

        params = variables["params"]
        (value, updated), gradients = jax.value_and_grad(loss, has_aux=True)(params)
        updates, state = optimizer.update(gradients, state)
        return {**updated, "params": optax.apply_updates(params, updates)}, state, value

    state, losses, rng = optimizer.init(variables["params"]), [], np.random.default_rng(0)
    for _ in range(epochs):
        seen = []
        order = rng.permutation(len(labels))
        for rows in order[: len(order) // BATCH * BATCH].reshape(-1, BATCH):
            variables, state, value = step(variables, state, rows)
            seen.append(value)
        losses.append(float(np.mean(seen)))
    return variables, losses


def main() -> None:
    """Plan, look at the signal, train from each start."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--blocks", type=int, default=12)
    parser.add_argument("--rate", type=float, default=0.5)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if min(options.blocks, options.epochs) < 1:
        parser.error("--blocks and --epochs must be at least 1")

    console, data, key = Console(), load(), jax.random.key(options.seed)
    image = jax.ShapeDtypeStruct((1, 8, 8, 1), jnp.float32)
    console.print(jinit.plan(jinit.with_inputs(ResNet(blocks=2), image), RULES), "", sep="\n")

    model = ResNet(options.blocks)
    target = jinit.with_inputs(model, image)

    def in_training(variables: Any, images: jax.Array) -> jax.Array:
        return model.apply(variables, images, train=True, mutable=["batch_stats"])[0]

    console.print(jinit.compare(target, STARTS, data.images[:256], apply=in_training, key=key))

    title = f"\ndigits, {options.blocks} blocks, SGD at {options.rate:g}: loss by epoch"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("start", *(str(1 + epoch) for epoch in range(options.epochs)), "accuracy"):
        table.add_column(column, justify="left" if column == "start" else "right")
    for name, rules in STARTS.items():
        variables = jinit.initialize(target, rules, key)
        trained, losses = train(model, variables, data, options.rate, options.epochs)
        guesses = model.apply(trained, data.held_out_images).argmax(axis=-1)
        accuracy = (guesses == data.held_out_labels).mean()
        table.add_row(name, *(f"{loss:.3f}" for loss in losses), f"{accuracy:.1%}")
    console.print(table)


if __name__ == "__main__":
    main()
