"""Draws of 4096 x 4096 float32 against jitted jax.nn.initializers, torch, NumPy and jnp.full.

python benchmarks/draws.py [--rounds 15] [--json draws.json]
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import initializers
from measure import Ratio, interleave, main, ratios

import jinit

SHAPE = (4096, 4096)


def jax_contenders() -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """Per law: jinit's draw, and JAX's in one jitted program."""
    key = jax.random.key(0)
    pairs = {
        "uniform": (jinit.he_uniform(), initializers.he_uniform()),
        "normal": (jinit.normal(0.02), initializers.normal(0.02)),
        "truncated normal": (jinit.he_normal(), initializers.he_normal()),
    }
    made = {}
    for law, (ours, theirs) in pairs.items():
        jitted = jax.jit(lambda key, theirs=theirs: theirs(key, SHAPE))
        made[law] = (lambda ours=ours: ours(key, SHAPE), lambda jitted=jitted: jitted(key))
    return made


def torch_contenders() -> dict[str, Callable[[], Any]]:
    """torch.nn.init on all threads, allocation included as it is for JAX; none without torch."""
    try:
        import torch
    except ImportError:
        return {}
    init, empty = torch.nn.init, lambda: torch.empty(SHAPE)
    return {
        "uniform": lambda: init.kaiming_uniform_(empty()),
        "normal": lambda: init.normal_(empty(), 0.0, 0.02),
        "truncated normal": lambda: init.trunc_normal_(empty(), 0.0, 0.02, -0.04, 0.04),
    }


def numpy_contenders() -> dict[str, Callable[[], Any]]:
    """NumPy's generator, in float32; it has no truncated normal."""
    generator = np.random.default_rng(0)
    return {
        "uniform": lambda: generator.random(SHAPE, np.float32) * np.float32(0.1),
        "normal": lambda: generator.standard_normal(SHAPE, np.float32) * np.float32(0.02),
    }


BARS = {
    "uniform": {"jax, jitted": 5.0, "torch": 2.0},
    "normal": {"jax, jitted": 3.0, "torch": 1.2},
    "truncated normal": {"jax, jitted": 3.0, "torch": 10.0},
}


def measure(rounds: int) -> list[Ratio]:
    """Every law against every peer. The last one, filling memory, bounds them all."""
    fill = jax.jit(lambda value: jnp.full(SHAPE, value))
    torch, numpy = torch_contenders(), numpy_contenders()
    rows = []
    for law, (ours, theirs) in jax_contenders().items():
        contenders = {"jinit": ours, "jax, jitted": theirs}
        if law in torch:
            contenders["torch"] = torch[law]
        if law in numpy:
            contenders["numpy"] = numpy[law]
        contenders["jnp.full (the limit)"] = lambda: fill(np.float32(1))
        rows += ratios(law, interleave(contenders, rounds=rounds), BARS[law])
    return rows


if __name__ == "__main__":
    main("Drawing 4096 x 4096 float32", measure)
