"""A 48-layer GPT-2-like Linen model of 380 M parameters, from nothing to weights in a new process.

Compiling counts, importing does not. torch builds and initializes the same model.

    python benchmarks/cold_start.py [--rounds 3] [--json cold_start.json]
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from measure import Ratio, main, ratios
from models import GPT2, TOKENS, torch_gpt2
from processes import child, in_processes, is_child, seconds

import jinit

LAYERS = 48
RULES = jinit.Rules(
    {
        "**/bias": jinit.zeros,
        "**/scale": jinit.ones,
        "**/*c_proj/kernel": lambda leaf: jinit.normal(0.02 / (2 * leaf.depth) ** 0.5),
        "**": jinit.normal(0.02),
    }
)


def ours(layers: int = LAYERS) -> Any:
    """Plan and draw."""
    target = jinit.with_inputs(GPT2(layers), TOKENS)
    return jinit.initialize(target, RULES, jax.random.key(0))


def flax(jit: bool) -> Any:
    """Flax's own `init`, with `jax.nn.initializers`."""
    init = jax.jit(GPT2(LAYERS).init) if jit else GPT2(LAYERS).init
    return init(jax.random.key(0), jnp.zeros(TOKENS.shape, TOKENS.dtype))


CONTENDERS = {
    "jinit": ours,
    "jax.jit(model.init)": functools.partial(flax, jit=True),
    "model.init, eager": functools.partial(flax, jit=False),
    "torch": lambda: torch_gpt2(LAYERS) and None,
    "jinit, 2 layers": functools.partial(ours, 2),
}
BARS = {"jax.jit(model.init)": 8.0, "model.init, eager": 2.0, "torch": 1.0}


def measure(rounds: int) -> list[Ratio]:
    """Times of new processes, and the programs that two and 48 layers compile."""
    found = in_processes(__file__, list(CONTENDERS), min(rounds, 5))
    deep, shallow = (found[name][0]["compiled"] for name in ("jinit", "jinit, 2 layers"))
    print(f"programs compiled by jinit: {shallow} for 2 layers, {deep} for {LAYERS}")
    times = seconds({name: runs for name, runs in found.items() if name != "jinit, 2 layers"})
    return ratios(f"{LAYERS} layers, cold", times, BARS)


if __name__ == "__main__":
    if is_child():
        child(CONTENDERS)
    else:
        main("Cold start of a GPT-2-like model, 380 M parameters", measure)
