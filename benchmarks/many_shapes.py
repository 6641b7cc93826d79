"""Fifty leaves of fifty shapes, in a new process, against eager `jax.nn.initializers`.

python benchmarks/many_shapes.py [--rounds 5] [--json many_shapes.json]
"""

from typing import Any

import jax
from jax.nn import initializers
from measure import Ratio, main, ratios
from processes import child, in_processes, is_child, seconds

import jinit

SIZES = {
    "small": [(64 + index, 32 + 2 * index) for index in range(50)],
    "large": [(512 + 8 * index, 512 + 16 * index) for index in range(50)],
}


def ours(size: str) -> Any:
    """One call for the tree."""
    tree = {f"w{i}": jax.ShapeDtypeStruct(shape, "float32") for i, shape in enumerate(SIZES[size])}
    return jinit.initialize(tree, jinit.he_normal(), jax.random.key(0))


def jax_eager(size: str) -> Any:
    """One call a leaf."""
    init, keys = initializers.he_normal(), jax.random.split(jax.random.key(0), 50)
    return [init(key, shape) for key, shape in zip(keys, SIZES[size], strict=True)]


CONTENDERS = {
    f"{side}, {size}": lambda run=run, size=size: run(size)
    for size in SIZES
    for side, run in (("jinit", ours), ("jax eager", jax_eager))
}


def measure(rounds: int) -> list[Ratio]:
    """New processes, taking turns."""
    times = seconds(in_processes(__file__, list(CONTENDERS), min(rounds, 7)))
    rows = []
    for size in SIZES:
        pair = {side: times[f"{side}, {size}"] for side in ("jinit", "jax eager")}
        rows += ratios(f"50 {size} shapes, cold", pair, {"jax eager": 5.0})
    return rows


if __name__ == "__main__":
    if is_child():
        child(CONTENDERS)
    else:
        main("Fifty leaves of fifty shapes, cold", measure)
