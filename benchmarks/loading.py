"""Loading a safetensors file: time against its own reader and `jax.device_put`, and peak memory.

    python benchmarks/loading.py [--rounds 15] [--json FILE]
    GIB=0.1 python benchmarks/loading.py --rounds 3

The file has 1 GiB (`GIB`) of float32 in layers of 24 MiB and an embedding of 64 MiB, and lies in
the page cache. Memory is that of a fresh process each: the highest it had, beyond what it had
before and the parameters themselves.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import jax
import numpy as np
from measure import Ratio, interleave, main, ratios
from rich.console import Console
from safetensors.numpy import load_file, save_file

import jinit

MIB = 2**20
TIMES_AS_FAST = 1 / 1.1  # at most 1.1 times as long
BEYOND = 64  # MiB beyond the largest tensor


def shapes(gib: float) -> dict[str, tuple[int, ...]]:
    """An embedding and layers, of about so many GiB."""
    layers = max(1, round((gib * 1024 - 64) / 24))
    return {"embed/embedding": (16384, 1024)} | {
        f"layers_{n}/{name}/kernel": shape
        for n in range(layers)
        for name, shape in (("up", (1024, 4096)), ("down", (2048, 1024)))
    }


def target(gib: float) -> dict[str, jax.ShapeDtypeStruct]:
    """The model, as shapes."""
    return {name: jax.ShapeDtypeStruct(shape, np.float32) for name, shape in shapes(gib).items()}


def write(path: Path, gib: float) -> None:
    rng = np.random.default_rng(0)
    block = rng.standard_normal(2**20, np.float32)
    save_file({name: np.resize(block, shape) for name, shape in shapes(gib).items()}, path)


def ours(path: str, gib: float) -> object:
    """A model's parameters, and a report."""
    return jinit.load(target(gib), path)[0]


def theirs(path: str) -> object:
    """Arrays by name."""
    return {name: jax.device_put(value) for name, value in load_file(path).items()}


def peak(which: str, path: str, gib: float) -> None:
    """Print the peak of this process beyond its start and the parameters, in MiB."""
    jax.device_put(np.zeros(3)).block_until_ready()
    # Linux's own account of the process, so that the start is not its peak so far.
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    params = jax.block_until_ready(ours(path, gib) if which == "ours" else theirs(path))
    size = sum(value.nbytes for value in jax.tree.leaves(params))
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps((highest - before - size) / MIB))


def measure(rounds: int) -> list[Ratio]:
    gib = float(os.environ.get("GIB", "1"))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model.safetensors")
        write(Path(path), gib)
        for which in ("ours", "theirs"):
            command = [sys.executable, __file__, "--peak", which, path, str(gib)]
            done = subprocess.run(command, capture_output=True, check=True, text=True)
            limit = max(np.prod(shape) for shape in shapes(gib).values()) * 4 / MIB + BEYOND
            beyond = json.loads(done.stdout)
            verdict = "" if which == "theirs" else f", asked {limit:.0f}: "
            verdict += "" if which == "theirs" else "met" if beyond <= limit else "MISSED"
            Console().print(f"memory beyond the parameters, {which}: {beyond:.0f} MiB{verdict}")
        contenders = {"jinit": lambda: ours(path, gib), "safetensors": lambda: theirs(path)}
        times = interleave(contenders, rounds=rounds, warmup=1)
    return ratios(f"{gib:g} GiB, float32", times, {"safetensors": TIMES_AS_FAST})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak"]:
        peak(sys.argv[2], sys.argv[3], float(sys.argv[4]))
    else:
        main("Loading a safetensors file", measure)
