"""Tallec & Ollivier 2018: an LSTM with chrono biases learns to add over 200 steps.

    python examples/reproduce/chrono_lstm.py [--fast] [--seeds 3] [--out FOLDER]

The adding problem: of a sequence of numbers between 0 and 1 two are marked, one in each half, and
their sum is asked for at the end. To answer 1 always has an error of 1/6. The paper trains 128
units by RMSprop; here they are 64, trained by Adam at the better of two learning rates. Every batch
is new. Needs `pip install "jinit[demo]"`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from drawing import COLOURS, draw_band, draw_panels
from evidence import Finding, Source, parse_settings, publish
from numpy.typing import NDArray
from training import measured_every

import jinit

SOURCE = Source(
    "Tallec and Ollivier 2018, experiments on the adding problem",
    "with chrono biases, LSTMs learn long dependencies much sooner than with usual ones",
)
UNITS, BATCH, CHANCE = 64, 32, 1 / 6


class LSTM(nn.Module):
    """One layer of LSTM, and a number read from its last state."""

    @nn.compact
    def __call__(self, sequences: jax.Array) -> jax.Array:
        """The answer to each sequence: (batch, step, 2) to (batch,)."""

        def step(recurrent: nn.Module, state: Any, driven: jax.Array) -> tuple[Any, None]:
            hidden, cell = state
            i, f, g, o = jnp.split(driven + recurrent(hidden), 4, -1)
            cell = nn.sigmoid(f) * cell + nn.sigmoid(i) * jnp.tanh(g)
            return (nn.sigmoid(o) * jnp.tanh(cell), cell), None

        driven = nn.Dense(4 * UNITS, name="inputs")(sequences)
        recurrent = nn.Dense(4 * UNITS, use_bias=False, name="recurrent")
        over_time = nn.scan(
            step, variable_broadcast="params", split_rngs={"params": False}, in_axes=1
        )
        silence = jnp.zeros((len(sequences), UNITS))
        (hidden, _), _ = over_time(recurrent, (silence, silence), driven)
        return nn.Dense(1, name="head")(hidden)[:, 0]


class Learned(NamedTuple):
    """Training from several starts (axis 0) at one rate: mean error up to each of `steps`."""

    rate: float
    steps: NDArray[np.int64]
    error: NDArray[np.float32]


def pose(key: jax.Array, length: int) -> tuple[jax.Array, jax.Array]:
    """A batch of sequences, numbers and marks, and what each adds up to."""
    keys, half, time = jax.random.split(key, 3), length // 2, jnp.arange(length)
    numbers = jax.random.uniform(keys[0], (BATCH, length))
    early = jax.random.randint(keys[1], (BATCH, 1), 0, half)
    late = jax.random.randint(keys[2], (BATCH, 1), half, length)
    marks = ((time == early) | (time == late)).astype(jnp.float32)
    return jnp.stack([numbers, marks], -1), (numbers * marks).sum(-1)


def train(
    bias: Any, length: int, *, rates: Sequence[float], seeds: int, steps: int, points: int = 20
) -> list[Learned]:
    """Every rate, from several starts, which differ from scheme to scheme by the bias alone."""
    model, stride = LSTM(), measured_every(steps, points)
    target = jinit.with_inputs(model, jax.ShapeDtypeStruct((1, length, 2), jnp.float32))
    rules = {
        "inputs/bias": bias,
        "**/bias": jinit.zeros,
        "recurrent/kernel": jinit.block_orthogonal,
        "**/kernel": jinit.lecun_normal,
    }
    draw = jinit.plan(target, rules).initialize

    def loss(params: Any, key: jax.Array) -> jax.Array:
        sequences, sums = pose(key, length)
        return jnp.mean((model.apply(params, sequences) - sums) ** 2)

    def run(rate: jax.Array, params: Any, order: jax.Array) -> jax.Array:
        optimizer = optax.adam(rate)

        def step(carry: Any, key: jax.Array) -> tuple[Any, jax.Array]:
            params, state = carry
            error, gradients = jax.value_and_grad(loss)(params, key)
            updates, state = optimizer.update(gradients, state)
            return (optax.apply_updates(params, updates), state), error

        keys = jax.random.split(order, steps)
        errors = jax.lax.scan(step, (params, optimizer.init(params)), keys)[1]
        return errors.reshape(-1, stride).mean(1)

    keys = jax.vmap(jax.random.split)(jax.random.split(jax.random.key(0), seeds))
    starts = jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(draw, keys[:, 0]))
    run_all = jax.jit(lambda rate: jax.lax.map(lambda each: run(rate, *each), (starts, keys[:, 1])))
    marks = stride * np.arange(1, steps // stride + 1)
    return [Learned(rate, marks, np.asarray(run_all(rate))) for rate in rates]


def remembers(bias: Any) -> NDArray[np.float32]:
    """Unit by unit, in rising order, the steps over which an undriven cell forgets."""
    forget = bias(jax.random.key(0), (4 * UNITS,)).reshape(4, UNITS)[1]
    return np.sort(1 + np.exp(forget))


def main() -> None:
    """Train from three biases, and judge."""
    settings = parse_settings(__doc__, seeds=3)
    length = 150 if settings.fast else 200
    steps, rates = (220, (1e-2,)) if settings.fast else (600, (1e-3, 3e-3))
    biases = {
        "chrono": jinit.chrono_bias(length),
        "forget gate 1": jinit.lstm_bias(1.0),
        "zeros": jinit.zeros(),
    }

    sizes = {"rates": rates, "seeds": settings.seeds, "steps": steps}
    learned = {
        name: min(
            train(bias, length, **sizes), key=lambda each: float(np.median(each.error[:, -1]))
        )
        for name, bias in biases.items()
    }
    error = {name: each.error[:, -1] for name, each in learned.items()}
    findings = [
        Finding(
            f"mean squared error after {steps} steps, chrono, worst seed; under 1/3 of chance",
            f"learns soon; chance is {CHANCE:.3f}",
            f"{error['chrono'].max():.3f} at rate {learned['chrono'].rate:g}",
            bool(error["chrono"].max() < CHANCE / 3),
        ),
        *(
            Finding(
                f"the same, {name}, best seed; over 4/5 of chance",
                "learns later",
                f"{error[name].min():.3f} at rate {learned[name].rate:g}",
                bool(error[name].min() > 0.8 * CHANCE),
            )
            for name in biases
            if name != "chrono"
        ),
    ]

    title = f"Biases that remember {length} steps learn to add over {length}"
    figure, (learning, memory) = draw_panels(2, title=title)
    for (name, bias), colour in zip(biases.items(), COLOURS, strict=False):
        draw_band(learning, learned[name].steps, learned[name].error, name, colour)
        memory.plot(np.arange(1, UNITS + 1), remembers(bias), color=colour, label=name)
    learning.axhline(CHANCE, color="0.5", linestyle="--", linewidth=1, label="chance")
    learning.set(xlabel="step", ylabel="mean squared error", yscale="log")
    memory.set(xlabel="unit", ylabel="steps that it remembers, untrained")
    learning.legend()
    publish("chrono_lstm", SOURCE, findings, figure, settings)


if __name__ == "__main__":
    main()
