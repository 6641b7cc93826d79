"""The first call at a shape, compilation included, against eager jax.nn.initializers.

Every round uses a shape that the process has not seen, so that both sides compile it.

    python benchmarks/first_calls.py [--rounds 15] [--json first.json]
"""

import jax
from jax.nn import initializers
from measure import Ratio, main, ratios, timed

import jinit

NAMES = ("he_normal", "he_uniform", "normal", "truncated_normal")


def measure(rounds: int) -> list[Ratio]:
    """One new shape a round; the two sides take turns at going first."""
    key, rows = jax.random.key(0), []
    for place, name in enumerate(NAMES):
        sides = {"jinit": getattr(jinit, name)(), "jax": getattr(initializers, name)()}
        times: dict[str, list[float]] = {side: [] for side in sides}
        for round_ in range(rounds + 1):
            shape = (101 + 2 * round_, 64 + place)  # programs are shared between laws
            order = list(sides) if round_ % 2 else list(reversed(sides))
            for side in order:
                seconds = timed(lambda init=sides[side], shape=shape: init(key, shape))
                if round_:  # the first round starts the backend and compiles what shapes share
                    times[side].append(seconds)
        rows += ratios(name, times, {"jax": 2.0})
    return rows


if __name__ == "__main__":
    main("First call at a new shape, compilation included", measure)
