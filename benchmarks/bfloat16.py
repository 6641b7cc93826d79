"""What bfloat16 weights are worth: jinit's against jax.nn.initializers'.

Drawn natively, bfloat16 has 7 random bits: 128 values and a mean off zero on every seed, which a
deep network multiplies up. Rounding a float32 draw once costs nothing and keeps the law.

    python benchmarks/bfloat16.py
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import initializers
from rich.console import Console
from rich.table import Table

import jinit

SHAPE, WIDTH, DEPTH = (4096, 4096), 2048, 12


def quality(init) -> dict[str, str]:
    """Distinct values and mean of one draw, in units of its standard deviation."""
    weights = np.asarray(init(jax.random.key(0), SHAPE, jnp.bfloat16)).astype(np.float64)
    sigma = np.sqrt(2 / SHAPE[0])
    errors = weights.mean() / (sigma / np.sqrt(weights.size))
    return {
        "distinct values": f"{len(np.unique(weights))}",
        "mean / sigma": f"{weights.mean() / sigma:+.5f}",
        "in standard errors": f"{errors:+.1f}",
        "std / sigma": f"{weights.std() / sigma:.4f}",
    }


def second_moments(init) -> list[float]:
    """Mean square of the pre-activations of a ReLU network whose weights are bfloat16."""
    x = jax.random.normal(jax.random.key(1), (256, WIDTH))
    moments = []
    for layer in range(DEPTH):
        weights = init(jax.random.fold_in(jax.random.key(2), layer), (WIDTH, WIDTH), jnp.bfloat16)
        x = x @ weights.astype(jnp.float32)
        moments.append(float((x**2).mean()))
        x = jax.nn.relu(x)
    return moments


def main() -> None:
    """Print both tables."""
    console = Console(width=100)
    inits = {"jinit": jinit.he_normal(), "jax": initializers.he_normal()}
    table = Table(title="he_normal, 4096 x 4096 in bfloat16", title_justify="left")
    table.add_column("")
    for name in inits:
        table.add_column(name, justify="right")
    columns = [quality(init) for init in inits.values()]
    for measure in columns[0]:
        table.add_row(measure, *(column[measure] for column in columns))
    for layer, moments in zip(
        (1, 4, 12), zip(*map(_picked, inits.values()), strict=True), strict=True
    ):
        table.add_row(f"E h^2, layer {layer} of 12", *(f"{moment:.3f}" for moment in moments))
    console.print(table)


def _picked(init) -> list[float]:
    moments = second_moments(init)
    return [moments[0], moments[3], moments[11]]


if __name__ == "__main__":
    main()
