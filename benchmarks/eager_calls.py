"""One eager call on a small, already-seen shape, against the same call of jax.nn.initializers.

python benchmarks/eager_calls.py [--rounds 15] [--json eager.json]
"""

import time
from collections.abc import Callable
from typing import Any

import jax
from jax.nn import initializers
from measure import Ratio, main, ratios

import jinit

SHAPE, CALLS = (16, 16), 300
NAMES = ("he_normal", "he_uniform", "glorot_normal", "glorot_uniform", "normal", "truncated_normal")


def _per_call(draw: Callable[[], Any]) -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        out = draw()
    jax.block_until_ready(out)
    return (time.perf_counter() - start) / CALLS


def measure(rounds: int) -> list[Ratio]:
    """The mean of 300 calls a round, each dispatched eagerly."""
    key = jax.random.key(0)
    rows = []
    for name in NAMES:
        ours, theirs = getattr(jinit, name)(), getattr(initializers, name)()
        contenders = {
            "jinit": lambda init=ours: init(key, SHAPE),
            "jax": lambda init=theirs: init(key, SHAPE),
        }
        times: dict[str, list[float]] = {peer: [] for peer in contenders}
        for round_ in range(rounds + 1):
            for peer, draw in contenders.items():
                seconds = _per_call(draw)
                if round_:  # the first round compiles
                    times[peer].append(seconds)
        rows += ratios(name, times, {"jax": 5.0})
    return rows


if __name__ == "__main__":
    main("One eager call at 16 x 16", measure)
