"""One model over several processes: each draws its own shards, and together they agree to the bit.

Starts Python processes on this machine that find each other over loopback, as the hosts of a
cluster would. From one key every process draws what its devices hold, without a word to the others.
Then, for the check alone, the parameters are gathered and compared with the same model as one
process draws it, on one device.

    python examples/multihost.py [--processes 2] [--devices 2]
"""

import argparse
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import PartitionSpec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import jinit

TIMEOUT = 120  # seconds

SHAPES = {
    "embed/embedding": (4096, 256),
    "layers/attn/wq/kernel": (4, 256, 256),
    "layers/attn/wo/kernel": (4, 256, 256),
    "layers/mlp/w1/kernel": (4, 256, 1024),
    "layers/mlp/w2/kernel": (4, 1024, 256),
    "layers/norm/scale": (4, 256),
    "lm_head/kernel": (256, 4096),
}
RULES = {
    "**/embedding": jinit.normal(0.02),
    "**/scale": jinit.ones,
    "**/{wo,w2}/kernel": lambda leaf: jinit.normal(0.02 / (2 * leaf.depth) ** 0.5),
    "**/kernel": jinit.lecun_normal(),
}


def spec_of(leaf: jinit.Leaf) -> PartitionSpec:
    """One axis of a kernel goes over the processes, the other over the devices of each."""
    if leaf.name == "scale":
        return PartitionSpec()
    axes = ("process", "device")
    turned = leaf.parts[-2] in ("wo", "w2")
    return PartitionSpec(*(None for _ in leaf.stack), *(axes[::-1] if turned else axes))


def main() -> int:
    """Start the processes and show what they found; or be one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    powers = {"type": int, "default": 2, "choices": (1, 2, 4, 8)}
    parser.add_argument("--processes", help="how many processes (2)", **powers)
    parser.add_argument("--devices", help="devices of each process (2)", **powers)
    parser.add_argument("--join", nargs=3, help=argparse.SUPPRESS)  # as start_processes says
    options = parser.parse_args()
    if options.join is not None:
        address, index, results = options.join
        run_process(address, options.processes, int(index), Path(results))
        return 0
    rows = start_processes(options.processes, options.devices)
    if not rows:
        return 1
    show(rows, f"Processes: {options.processes}, devices of each: {options.devices}")
    return 0 if all(row.together == row.alone for row in rows) else 1


# --- the one that starts the others -----------------------------------------------------------


def start_processes(count: int, devices: int) -> list["Row"]:
    """Run this file `count` times; what the first of them found, or nothing if one failed."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    command = [sys.executable, __file__, f"--processes={count}", "--join", free_address()]
    with tempfile.TemporaryDirectory() as folder:
        results, log = Path(folder, "rows.json"), Path(folder, "log")
        with log.open("w") as output:
            failure = wait_for(
                [
                    subprocess.Popen(
                        [*command, str(index), str(results)],
                        env=environment,
                        stdout=output,
                        stderr=output,
                    )
                    for index in range(count)
                ]
            )
        if failure:
            print(log.read_text(), failure, sep="\n", file=sys.stderr)
            return []
        return [Row(*row) for row in json.loads(results.read_text())]


def free_address() -> str:
    """An address on loopback that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def wait_for(processes: list[subprocess.Popen[bytes]]) -> str:
    """What went wrong, if anything. When one process fails, the others would wait for it."""
    end = time.monotonic() + TIMEOUT
    try:
        while time.monotonic() < end:
            states = [process.poll() for process in processes]
            if any(states):
                return f"exit statuses of the processes: {states}"
            if None not in states:
                return ""
            time.sleep(0.05)
        return f"not done after {TIMEOUT} seconds"
    finally:
        for process in processes:
            process.kill()


# --- each of the processes --------------------------------------------------------------------


class Row(NamedTuple):
    """What the first process holds of a leaf, and what all hold together."""

    path: str
    sharded: str
    share: float
    together: str
    alone: str


def run_process(address: str, count: int, index: int, results: Path) -> None:
    """Draw this process's part of the model and check the whole; the first process reports."""
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(address, count, index)
    rows = draw_and_check(jax.random.key(0))
    if index == 0:
        results.write_text(json.dumps(rows))


def draw_and_check(key: jax.Array) -> list[Row]:
    """The model over all processes, and once more in this one alone."""
    mesh = jax.make_mesh((jax.process_count(), jax.local_device_count()), ("process", "device"))
    target = {path: jax.ShapeDtypeStruct(shape, "float32") for path, shape in SHAPES.items()}
    stacked = {"layers/**": 1}
    drawn = jinit.initialize(target, RULES, key, mesh=mesh, shardings=spec_of, stacked=stacked)
    alone = jinit.initialize(target, RULES, key, stacked=stacked)
    return [compare(path, drawn[path], alone[path]) for path in SHAPES]


def compare(path: str, drawn: jax.Array, alone: jax.Array) -> Row:
    """A leaf's row. Only here do the processes talk to each other."""
    # By place: where a leaf is replicated, the devices of a process hold the same part.
    held = {str(shard.index): shard.data.nbytes for shard in drawn.addressable_shards}
    gathered = multihost_utils.process_allgather(drawn, tiled=True)
    sharded = ", ".join("-" if axis is None else axis for axis in drawn.sharding.spec)
    share = sum(held.values()) / drawn.nbytes
    return Row(path, sharded, share, digest(gathered), digest(alone))


def digest(array: Any) -> str:
    """The first digits of the SHA-256 of an array's bytes."""
    return hashlib.sha256(np.asarray(array).tobytes()).hexdigest()[:12]


# --- what is shown ----------------------------------------------------------------------------


def show(rows: list[Row], title: str) -> None:
    """Print a row a leaf, and the verdict."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False)
    for heading in ("leaf", "shape", "sharded over", "in the first", "SHA-256, all", "one process"):
        table.add_column(heading, justify="right" if heading == "in the first" else "left")
    for row in rows:
        style = "green" if row.together == row.alone else "bold red"
        together = f"[{style}]{row.together}[/]"
        shape, share = str(SHAPES[row.path]), f"{row.share:.0%}"
        table.add_row(row.path, shape, row.sharded, share, together, row.alone)
    equal = sum(row.together == row.alone for row in rows)
    console = Console(width=None if sys.stdout.isatty() else 110)
    console.print(table)
    console.print(f"{equal} of {len(rows)} leaves have the bits that one process draws.")


if __name__ == "__main__":
    sys.exit(main())
