"""An ensemble of 32 against a Python loop of `model.init`, cold and warm.

python benchmarks/ensembles.py [--rounds 5] [--json ensembles.json]
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from measure import Ratio, interleave, main, ratios
from processes import child, in_processes, is_child, seconds

import jinit

MEMBERS = 32


class Perceptron(nn.Module):
    """Four layers of 512 units."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Logits."""
        for _ in range(3):
            x = nn.relu(nn.Dense(512)(x))
        return nn.Dense(10)(x)


RULES = {"**/bias": jinit.zeros, "**/kernel": jinit.lecun_normal()}
INPUTS = jax.ShapeDtypeStruct((1, 64), "float32")


def ours() -> Any:
    """All members at once."""
    target = jinit.with_inputs(Perceptron(), INPUTS)
    return jinit.ensemble(target, RULES, jax.random.key(0), MEMBERS)


def loop() -> Any:
    """One `init` a member, then a stack."""
    keys = jax.random.split(jax.random.key(0), MEMBERS)
    members = [Perceptron().init(key, jnp.zeros(INPUTS.shape)) for key in keys]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)


CONTENDERS = {"jinit": ours, "loop of model.init": loop}


def measure(rounds: int) -> list[Ratio]:
    """New processes; then one process with everything compiled."""
    cold = seconds(in_processes(__file__, list(CONTENDERS), min(rounds, 5)))
    warm = interleave(CONTENDERS, rounds=rounds)
    return ratios(f"{MEMBERS} members, cold", cold) + ratios(f"{MEMBERS} members, warm", warm)


if __name__ == "__main__":
    if is_child():
        child(CONTENDERS)
    else:
        main("An ensemble of 32 perceptrons", measure)
