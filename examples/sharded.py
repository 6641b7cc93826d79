"""One model on four meshes: the same bits, each device drawing only its own shards.

    python examples/sharded.py

Eight devices are played by the CPU. For each mesh the draw of the whole model is compiled, to show
what a device needs for it, and run. Then one kernel is drawn once more by every other route.

Needs `pip install "jinit[flax,report]"`.
"""

import hashlib
import re
import sys
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from flax import nnx
from jax.sharding import AxisType, Mesh, PartitionSpec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import jinit

WIDTH, HIDDEN, VOCABULARY = 512, 2048, 8192
MESHES = ((8, 1), (4, 2), (2, 4), (1, 8))
COLLECTIVE = re.compile(r"all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter")


class Model(nnx.Module):
    """An embedding, a residual block and a head: enough to have leaves of several kinds."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.embed = nnx.Embed(VOCABULARY, WIDTH, rngs=rngs)
        self.norm = nnx.LayerNorm(WIDTH, rngs=rngs)
        self.up = nnx.Linear(WIDTH, HIDDEN, rngs=rngs)
        self.down = nnx.Linear(HIDDEN, WIDTH, rngs=rngs)
        self.head = nnx.Linear(WIDTH, VOCABULARY, use_bias=False, rngs=rngs)

    def __call__(self, tokens: jax.Array) -> jax.Array:
        """Logits."""
        x = self.embed(tokens)
        return self.head(x + self.down(nnx.gelu(self.up(self.norm(x)))))


RULES = {
    "**/embedding": jinit.normal(0.02),
    "down/kernel": jinit.he_normal(nonlinearity="gelu"),
    "**/kernel": jinit.lecun_normal(),
    "**/scale": jinit.ones,
    "**/bias": jinit.zeros,
}


def spec_of(leaf: jinit.Leaf) -> PartitionSpec:
    """Kernels and tables over both axes of the mesh; vectors on every device."""
    if len(leaf.shape) < 2:
        return PartitionSpec()
    return (
        PartitionSpec("model", "data") if "down" in leaf.parts else PartitionSpec("data", "model")
    )


def main() -> int:
    """Print a row a mesh, then a row a route; the exit status is 0 if all bits agree."""
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", 8)
    key, console = jax.random.key(0), Console()
    model = digest(parameters(key))
    meshes = {shape: make_mesh(shape) for shape in MESHES}
    found = {shape: mesh_row(key, mesh) for shape, mesh in meshes.items()}
    table = new_table(
        "The model", "mesh", "bytes a device", "temporaries", "collectives", "SHA-256"
    )
    table.add_row("none", "", "", "", model)
    for shape, cells in found.items():
        table.add_row(" x ".join(map(str, shape)), *cells)
    console.print(table, "", sep="\n")
    routes = {name: digest(draw()) for name, draw in kernel_routes(key, meshes[4, 2]).items()}
    table = new_table("One kernel, 4 x 2", "route", "SHA-256")
    for name, found_digest in routes.items():
        table.add_row(name, found_digest)
    console.print(table)
    return int({cells[-1] for cells in found.values()} != {model} or len({*routes.values()}) > 1)


# --- the model --------------------------------------------------------------------------------


def make_mesh(shape: tuple[int, int]) -> Mesh:
    return jax.make_mesh(shape, ("data", "model"), axis_types=(AxisType.Auto, AxisType.Auto))


def abstract() -> Model:
    """The model's shapes."""
    return nnx.eval_shape(lambda: Model(nnx.Rngs(0)))


def parameters(key: jax.Array, mesh: Mesh | None = None) -> Any:
    """The parameters, on a mesh or on one device."""
    shardings = None if mesh is None else spec_of
    model = jinit.initialize(abstract(), RULES, key, mesh=mesh, shardings=shardings)
    return nnx.state(model, nnx.Param)


def mesh_row(key: jax.Array, mesh: Mesh) -> tuple[str, ...]:
    """What a device needs, by the compiler's count, and the bits that come out."""
    compiled = jax.jit(lambda key: parameters(key, mesh)).lower(key).compile()
    memory = compiled.memory_analysis()
    sizes = (memory.output_size_in_bytes, memory.temp_size_in_bytes)
    collectives = len(COLLECTIVE.findall(compiled.as_text()))
    return (*(f"{n:,}" for n in sizes), str(collectives), digest(parameters(key, mesh)))


# --- one kernel -------------------------------------------------------------------------------


def kernel_routes(key: jax.Array, mesh: Mesh) -> dict[str, Callable[[], Any]]:
    """The ways to the same kernel, each a function that goes it."""
    plan = jinit.plan(abstract(), RULES, mesh=mesh, shardings=spec_of)
    row, own = plan["up/kernel"], jinit.leaf_key(key, "up/kernel")
    init, shape, sharding = row.init, row.leaf.shape, row.leaf.sharding
    return {
        "initialize": lambda: parameters(key, mesh)["up"]["kernel"][...],
        "the scheme, on one device": lambda: init(own, shape),
        "the scheme, out_sharding=": lambda: init(own, shape, out_sharding=sharding),
        "the scheme, under jit": lambda: jax.jit(
            lambda key: init(key, shape), out_shardings=sharding
        )(own),
        "draw_slice, shard by shard": lambda: jax.make_array_from_callback(
            shape, sharding, lambda index: jinit.draw_slice(init, own, shape, index)
        ),
    }


# --- what is shown ----------------------------------------------------------------------------


def digest(tree: Any) -> str:
    """The first digits of the SHA-256 of all arrays' bytes, in the tree's order."""
    arrays = (np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree))
    return hashlib.sha256(b"".join(arrays)).hexdigest()[:12]


def new_table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False)
    for heading in headings:
        left = heading in ("mesh", "route", "SHA-256")
        table.add_column(heading, justify="left" if left else "right")
    return table


if __name__ == "__main__":
    sys.exit(main())
