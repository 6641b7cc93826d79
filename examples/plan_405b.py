"""Llama 3.1 405B over 512 devices, planned, compiled and partly drawn on a laptop.

Plans the whole model by the rules of `jinit.presets.llama`. Compiles each distinct draw for 512
devices, which needs no memory but shows what each device would need. Then draws what one of the
devices would hold, to the bit, and measures its spread. Takes less than a minute, and 2 GiB.

    python examples/plan_405b.py [--dtype float32] [--fsdp 64] [--tensor 8] [--device 137]

Needs `pip install "jinit[report]"`.
"""

import argparse
import re
import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, PartitionSpec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import jinit
import jinit.presets
from jinit.model.rows import Row

LAYERS, WIDTH, HIDDEN, VOCABULARY = 126, 16384, 53248, 128256
HEADS, KV_HEADS, HEAD_WIDTH = 128, 8, 128

COLLECTIVE = re.compile(r"all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter")


class Compiled(NamedTuple):
    """What a draw takes on each of the devices."""

    arguments: int
    output: int
    temporaries: int
    collectives: int
    seconds: float


class Drawn(NamedTuple):
    """One device's part of a leaf, after it was drawn."""

    shape: tuple[int, ...]
    size: int
    std: float
    seconds: float


def main() -> None:
    """Plan, compile for all devices, draw one device's part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dtype", default="float32", help="dtype of the weights (float32)")
    parser.add_argument("--fsdp", type=int, default=64, help="devices along one mesh axis (64)")
    parser.add_argument("--tensor", type=int, default=8, help="devices along the other (8)")
    parser.add_argument("--device", type=int, default=137, help="whose part to draw (137)")
    options = parser.parse_args()
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", options.fsdp * options.tensor)
    console = Console()
    plan = make_plan(options.dtype, options.fsdp, options.tensor)
    console.print(plan, "", compilation_table(compile_all(plan)), "", sep="\n")
    device = jax.devices()[options.device]
    drawn = {row.path: draw_part(row, device) for row in plan}
    console.print(shard_table(plan, drawn, device), "", summary(plan, drawn), sep="\n")


# --- the plan ---------------------------------------------------------------------------------


def make_plan(dtype: str, fsdp: int, tensor: int) -> jinit.Plan:
    """Every leaf with its law and its sharding; nothing is allocated."""
    types = (AxisType.Auto, AxisType.Auto)
    mesh = jax.make_mesh((fsdp, tensor), ("fsdp", "tensor"), axis_types=types)
    return jinit.plan(
        shapes(dtype),
        jinit.presets.llama(),
        mesh=mesh,
        shardings=spec_of,
        stacked={"layers/**": 1},
    )


def shapes(dtype: str) -> dict[str, jax.ShapeDtypeStruct]:
    """The model's parameters; axis 0 of `layers` counts the layers."""

    def layers(*shape: int) -> tuple[int, ...]:
        return (LAYERS, *shape)

    inputs, keys = HEADS * HEAD_WIDTH, KV_HEADS * HEAD_WIDTH
    whole = {
        "embed/embedding": (VOCABULARY, WIDTH),
        "layers/attn_norm/scale": layers(WIDTH),
        "layers/attn/wq/kernel": layers(WIDTH, inputs),
        "layers/attn/wk/kernel": layers(WIDTH, keys),
        "layers/attn/wv/kernel": layers(WIDTH, keys),
        "layers/attn/wo/kernel": layers(inputs, WIDTH),
        "layers/mlp_norm/scale": layers(WIDTH),
        "layers/mlp/w1/kernel": layers(WIDTH, HIDDEN),
        "layers/mlp/w3/kernel": layers(WIDTH, HIDDEN),
        "layers/mlp/w2/kernel": layers(HIDDEN, WIDTH),
        "norm/scale": (WIDTH,),
        "lm_head/kernel": (WIDTH, VOCABULARY),
    }
    return {path: jax.ShapeDtypeStruct(shape, dtype) for path, shape in whole.items()}


def spec_of(leaf: jinit.Leaf) -> PartitionSpec:
    """Fully sharded over "fsdp" and, across features, over "tensor"."""
    if leaf.name == "scale":
        return PartitionSpec()
    across_inputs = leaf.name == "embedding" or leaf.parts[-2] in ("wo", "w2")
    axes = ("tensor", "fsdp") if across_inputs else ("fsdp", "tensor")
    return PartitionSpec(*(None for _ in leaf.stack), *axes)


# --- compiled for all devices -----------------------------------------------------------------


def compile_all(plan: jinit.Plan) -> dict[str, Compiled]:
    """Each distinct draw, under the names of the leaves that it is for."""
    groups: dict[object, list[Row]] = {}
    for row in plan:
        leaf = row.leaf
        groups.setdefault((row.init, leaf.shape, leaf.sharding), []).append(row)
    return {", ".join(row.path for row in rows): compile_draw(rows[0]) for rows in groups.values()}


def compile_draw(row: Row) -> Compiled:
    """Compile a leaf's draw for all devices, as `jinit.initialize` does, and do not run it."""
    leaf, start = row.leaf, time.perf_counter()

    def draw(key: jax.Array) -> jax.Array:
        return row.init(key, leaf.shape, leaf.dtype, leaf.sharding)

    compiled = jax.jit(draw).lower(jax.random.key(0)).compile()
    memory, seconds = compiled.memory_analysis(), time.perf_counter() - start
    collectives = len(COLLECTIVE.findall(compiled.as_text()))
    return Compiled(
        memory.argument_size_in_bytes,
        memory.output_size_in_bytes,
        memory.temp_size_in_bytes,
        collectives,
        seconds,
    )


# --- drawn for one device ---------------------------------------------------------------------


def draw_part(row: Row, device: jax.Device) -> Drawn:
    """Draw what `device` would hold of a leaf, measure it, and let it go."""
    leaf = row.leaf
    key = jinit.leaf_key(jax.random.key(0), leaf.path)
    index = leaf.sharding.devices_indices_map(leaf.shape)[device]
    start = time.perf_counter()
    part = jinit.draw_slice(row.init, key, leaf.shape, index, leaf.dtype).block_until_ready()
    seconds = time.perf_counter() - start
    return Drawn(part.shape, part.size, float(jnp.std(part, dtype=jnp.float32)), seconds)


# --- what is shown ----------------------------------------------------------------------------


def table_of(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False)
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "leaf" else "right")
    return table


def compilation_table(compiled: dict[str, Compiled]) -> Table:
    title = f"Compiled for {jax.device_count()} devices: bytes on each of them"
    headings = ("arguments", "output", "temporaries", "collectives", "seconds")
    table = table_of(title, "leaf", *headings)
    for paths, found in compiled.items():
        sizes = (f"{n:,}" for n in (found.arguments, found.output, found.temporaries))
        table.add_row(paths, *sizes, str(found.collectives), f"{found.seconds:.2f}")
    return table


def shard_table(plan: jinit.Plan, drawn: dict[str, Drawn], device: jax.Device) -> Table:
    title = f"Drawn: what device {device.id} holds"
    table = table_of(title, "leaf", "part", "std asked", "std drawn", "seconds")
    for row in plan:
        part = drawn[row.path]
        shape, spreads = " x ".join(map(str, part.shape)), (f"{row.std:.6f}", f"{part.std:.6f}")
        table.add_row(row.path, shape, *spreads, f"{part.seconds:.2f}")
    return table


def summary(plan: jinit.Plan, drawn: dict[str, Drawn]) -> str:
    seconds = sum(part.seconds for part in drawn.values())
    weights = sum(part.size for part in drawn.values())
    total = plan.totals
    alone = seconds * total["weights"] / weights / 60
    return (
        f"One device's part: {total['bytes_per_device'] / 2**30:.2f} GiB of "
        f"{total['bytes'] / 2**40:.2f} TiB, in {seconds:.1f} s, compilation included. At that rate "
        f"this machine alone would take {alone:.0f} minutes for all {total['weights'] / 1e9:.1f} "
        "billion weights; the devices draw theirs at the same time and exchange nothing."
    )


if __name__ == "__main__":
    main()
