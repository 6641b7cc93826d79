"""Drawing a model again, everything compiled: a GPT-2-like Linen model against its jitted `init`.

python benchmarks/warm_redraw.py [--rounds 7] [--json warm_redraw.json]
"""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
from cold_start import RULES
from measure import Ratio, interleave, main, ratios
from models import GPT2, TOKENS

import jinit

LAYERS = 48


def measure(rounds: int) -> list[Ratio]:
    """A new key every time; the weights of the last time are let go first."""
    seeds = itertools.count()
    model = GPT2(LAYERS)
    plan = jinit.plan(jinit.with_inputs(model, TOKENS), RULES)
    tokens = jnp.zeros(TOKENS.shape, TOKENS.dtype)
    jitted = jax.jit(lambda key: model.init(key, tokens))

    def ours() -> Any:
        return plan.initialize(jax.random.key(next(seeds)))

    def theirs() -> Any:
        return jitted(jax.random.key(next(seeds)))

    contenders = {"jinit": ours, "jax.jit(model.init)": theirs}
    times = interleave(contenders, rounds=min(rounds, 9), warmup=1)
    return ratios(f"{LAYERS} layers, warm", times, {"jax.jit(model.init)": 2.5})


if __name__ == "__main__":
    main("Warm redraw of a GPT-2-like model, 380 M parameters", measure)
