"""Orthogonal matrices against jax.nn.initializers, torch and the speed of matrix products.

The limit is the time that 4/3 n^3 flops, the work of forming a Haar matrix from its reflectors,
take at the speed of one n x n matrix product, which is 2 n^3.

    python benchmarks/orthogonal.py [--rounds 9] [--json orthogonal.json]
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.nn import initializers
from measure import Ratio, interleave, main, ratios

import jinit

BARS = {"jax": 2.3, "torch": 1.3}
BATCH = (64, 256, 256)


def _torch(n: int) -> dict[str, Callable[[], Any]]:
    try:
        import torch
    except ImportError:
        return {}
    return {"torch": lambda: torch.nn.init.orthogonal_(torch.empty(n, n))}


def _square(n: int, rounds: int) -> list[Ratio]:
    key = jax.random.key(0)
    theirs = jax.jit(lambda key: initializers.orthogonal()(key, (n, n)))
    product = jax.jit(lambda a: a @ a)
    ones = jnp.ones((n, n))
    contenders = {
        "jinit": lambda: jinit.orthogonal(key, (n, n)),
        "jax": lambda: theirs(key),
        **_torch(n),
        "one n x n product": lambda: product(ones),
    }
    rows = ratios(f"{n} x {n}", interleave(contenders, rounds=rounds), BARS)
    # A product is 2 n^3 flops and the limit 4/3 n^3: two thirds of it.
    *peers, unit = rows
    scaled = {name: getattr(unit, name) * 2 / 3 for name in ("median", "low", "high")}
    limit = Ratio(unit.case, "4/3 n^3 flops at matmul speed", ours_ms=unit.ours_ms, **scaled)
    return [*peers, limit]


def _batched(rounds: int) -> list[Ratio]:
    keys = jax.random.split(jax.random.key(0), BATCH[0])
    theirs = jax.jit(jax.vmap(lambda key: initializers.orthogonal()(key, BATCH[1:])))
    init = jinit.orthogonal(in_axis=1, out_axis=2, batch_axis=0)
    contenders = {
        "jinit": lambda: init(jax.random.key(0), BATCH),
        "jax": lambda: theirs(keys),
    }
    return ratios("64 x 256 x 256", interleave(contenders, rounds=rounds), {"jax": 2.3})


def measure(rounds: int) -> list[Ratio]:
    """A batch of small matrices, and square ones of two sizes."""
    return [*_batched(rounds), *_square(1024, rounds), *_square(2048, rounds)]


if __name__ == "__main__":
    main("Haar orthogonal matrices, float32", measure)
