"""A character-level language model of scanned blocks, initialized as GPT-2 and trained on text.

    python examples/transformer.py [--layers 3] [--steps 300]

The text is the language reference that Python's `help` reads from. The blocks are one `nn.scan`,
so that each kernel is a stack; `jinit.presets.gpt2` divides the projections that write to the
residual stream by the depth's root, which it reads from the stack. Prints the plan, a report of
the signal before training, and the loss before and after, beside Flax's own start. A model that
knows nothing yet should lose log(vocabulary) a character; GPT-2's start is close to that, and the
exit status is 1 if it is not. Needs `pip install "jinit[demo]"`.
"""

import argparse
import math
import sys
from pydoc_data.topics import topics
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import jinit

WIDTH, HEADS, LENGTH, BATCH, RATE = 64, 4, 64, 32, 3e-3
# How far from log(vocabulary) GPT-2's first loss may be: a head that is the embedding expects the
# character it has just read, and some are indeed repeated.
CLOSE = 0.1


class Mlp(nn.Module):
    """Out to four times the width, and back."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """What is added to the stream."""
        return nn.Dense(WIDTH, name="down")(nn.gelu(nn.Dense(4 * WIDTH, name="up")(x)))


class Block(nn.Module):
    """Attention and a perceptron, each on a normalized copy of the stream."""

    @nn.compact
    def __call__(self, x: jax.Array, mask: jax.Array) -> tuple[jax.Array, None]:
        """The stream after the block."""
        attend = nn.MultiHeadDotProductAttention(HEADS, name="attn")
        x = x + attend(nn.LayerNorm(name="ln_1")(x), mask=mask)
        return x + Mlp(name="mlp")(nn.LayerNorm(name="ln_2")(x)), None


class Decoder(nn.Module):
    """Blocks in one scan, and a head that is the embedding."""

    vocabulary: int
    layers: int

    @nn.compact
    def __call__(self, tokens: jax.Array) -> jax.Array:
        """Logits of the next character at every place."""
        embed = nn.Embed(self.vocabulary, WIDTH, name="wte")
        places = nn.Embed(LENGTH, WIDTH, name="wpe")(jnp.arange(tokens.shape[1]))
        blocks = nn.scan(
            Block,
            variable_axes={"params": 0},
            split_rngs={"params": True},
            in_axes=nn.broadcast,
            length=self.layers,
        )
        x, _ = blocks(name="h")(embed(tokens) + places[None], nn.make_causal_mask(tokens))
        return embed.attend(nn.LayerNorm(name="ln_f")(x))


class Text(NamedTuple):
    """Text as numbers of characters: to train on, and held out."""

    train: np.ndarray
    held_out: np.ndarray
    vocabulary: int


def load() -> Text:
    """The text of Python's help, a tenth of it held out."""
    text = " ".join("\n".join(topics.values()).split())  # indents teach nothing
    characters = sorted(set(text))
    tokens = np.array([characters.index(c) for c in text], np.int32)
    cut = len(tokens) * 9 // 10
    return Text(tokens[:cut], tokens[cut:], len(characters))


def windows(tokens: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Random pieces of the text, one character longer than what the model reads."""
    starts = np.random.default_rng(seed).integers(0, len(tokens) - LENGTH, count)
    return tokens[starts[:, None] + np.arange(LENGTH + 1)]


def loss(model: Decoder, params: Any, pieces: jax.Array) -> jax.Array:
    """Mean cross entropy of the next character, in nats."""
    logits = model.apply(params, pieces[:, :-1])
    return optax.softmax_cross_entropy_with_integer_labels(logits, pieces[:, 1:]).mean()


def train(model: Decoder, params: Any, text: Text, steps: int) -> Any:
    """The parameters after some steps of Adam, warmed up."""
    optimizer = optax.adam(optax.warmup_cosine_decay_schedule(0.0, RATE, steps // 10, steps))
    pieces = windows(text.train, steps * BATCH, seed=0).reshape(steps, BATCH, LENGTH + 1)

    def step(carry: tuple[Any, Any], batch: jax.Array) -> tuple[tuple[Any, Any], None]:
        params, state = carry
        gradients = jax.grad(lambda params: loss(model, params, batch))(params)
        updates, state = optimizer.update(gradients, state)
        return (optax.apply_updates(params, updates), state), None

    run = jax.jit(lambda start, pieces: jax.lax.scan(step, start, pieces)[0][0])
    return run((params, optimizer.init(params)), jnp.asarray(pieces))


def main() -> int:
    """Plan, report, train; the exit status is 0 if GPT-2's first loss is what it should be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if min(options.layers, options.steps) < 1:
        parser.error("--layers and --steps must be at least 1")

    console, text, key = Console(), load(), jax.random.key(options.seed)
    model = Decoder(text.vocabulary, options.layers)
    target = jinit.with_inputs(model, jax.ShapeDtypeStruct((1, LENGTH), jnp.int32))
    starts = {"Flax's defaults": jinit.presets.flax_default(), "GPT-2": jinit.presets.gpt2()}
    console.print(jinit.plan(target, starts["GPT-2"]), "", sep="\n")

    pieces = jnp.asarray(windows(text.held_out, 256, seed=1))
    params = {name: jinit.initialize(target, rules, key) for name, rules in starts.items()}
    report = jinit.propagate(model, params["GPT-2"], pieces[:32, :-1])
    console.print(report, "", sep="\n")

    title = f"nats a character, held out; log({text.vocabulary}) = {math.log(text.vocabulary):.3f}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("start", "before training", f"after {options.steps} steps"):
        table.add_column(column, justify="left" if column == "start" else "right")
    before = {name: float(loss(model, start, pieces)) for name, start in params.items()}
    for name, start in params.items():
        after = loss(model, train(model, start, text, options.steps), pieces)
        table.add_row(name, f"{before[name]:.3f}", f"{after:.3f}")
    console.print(table)

    apart = before["GPT-2"] - math.log(text.vocabulary)
    is_close = abs(apart) < CLOSE
    console.print(f"GPT-2's first loss is {'' if is_close else 'not '}close to log(vocabulary)")
    return 0 if is_close else 1


if __name__ == "__main__":
    sys.exit(main())
