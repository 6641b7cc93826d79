"""Reading checkpoints of each format onto the device: time and peak memory, against its library.

    python benchmarks/load_speed.py [--rounds 15] [--json FILE]
    GIB=0.1 FORMATS=safetensors,npz python benchmarks/load_speed.py --rounds 3

Each file has 1 GiB (`GIB`) of float32 in matrices of 16 MiB, and lies in the page cache. Both sides
end with `jax.device_put` of every tensor. Memory is that of a new process each: the highest it had
beyond its start and the parameters. Shards are eight parts of each matrix along either axis; what
the process read is the system's own account; of a file that is mapped, as torch's is, pages count
as memory too, though the system may take them back at any time. `loading.py` measures `jinit.load`,
whole models.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from measure import Ratio, interleave, main, ratios
from rich.console import Console

from jinit.pretrained import convert, open_source

MIB = 2**20
SIDE = 2048
TENSOR = 4 * SIDE * SIDE
BARS = {"safetensors": 1 / 1.1}  # at most 1.1 times as long
BEYOND = 64  # MiB beyond the largest tensor
FILES = {
    "safetensors": "model.safetensors",
    "npz": "model.npz",
    "msgpack": "model.msgpack",
    "torch": "model.pt",
    "orbax": "model.orbax",
}
LIBRARIES = {
    ".safetensors": ("safetensors.numpy",),
    ".msgpack": ("flax.serialization",),
    ".pt": ("torch",),
    ".orbax": ("orbax.checkpoint", "tensorstore"),
}
SHARDS = 8


def write(directory: Path, gib: float, formats: list[str]) -> None:
    """One checkpoint of each format, with the same tensors."""
    matrix = np.random.default_rng(0).standard_normal((SIDE, SIDE), np.float32)
    tensors = {f"layer_{n}": matrix + n for n in range(max(1, round(gib * 1024 * MIB / TENSOR)))}
    for name in formats:
        if name == "torch":
            import torch

            state = {key: torch.from_numpy(value) for key, value in tensors.items()}
            torch.save(state, directory / FILES[name])
        else:
            convert(tensors, directory / FILES[name])


def ours(path: str) -> dict[str, jax.Array]:
    """Through a source, tensor by tensor."""
    with open_source(path) as source:
        return {name: jax.device_put(source.read(name)) for name in source}


def load_safetensors(path: str) -> Any:
    from safetensors.numpy import load_file

    return load_file(path)


def load_npz(path: str) -> Any:
    with np.load(path) as loaded:
        return {name: loaded[name] for name in loaded.files}


def load_msgpack(path: str) -> Any:
    from flax import serialization

    return serialization.msgpack_restore(Path(path).read_bytes())


def load_torch(path: str) -> Any:
    import torch

    state = torch.load(path, weights_only=True)  # mapped, nothing would be read
    return {name: tensor.numpy() for name, tensor in state.items()}


def load_orbax(path: str) -> Any:
    import orbax.checkpoint as ocp

    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as reader:
        return reader.restore(path)


def theirs(name: str, path: str) -> dict[str, jax.Array]:
    """Through the format's own library, all at once."""
    loaded = globals()[f"load_{name}"](path)
    return {key: jax.device_put(value) for key, value in loaded.items()}


# --- In processes of their own ----------------------------------------------------------------


def memory(kind: str) -> int:
    """Bytes of this process: "VmRSS" now, "VmHWM" at most so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(kind)).split()[1]) * 1024


def peak(run: Callable[[], dict[str, jax.Array]]) -> float:
    """MiB beyond the start and the parameters."""
    jax.device_put(np.zeros(3)).block_until_ready()
    before = memory("VmRSS")
    params = jax.block_until_ready(run())
    size = sum(value.nbytes for value in params.values())
    return (memory("VmHWM") - before - size) / MIB


def bytes_read() -> int:
    """What this process has read from files by calls, whatever came from the cache."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["rchar"])


def sharded(path: str, axis: int) -> tuple[float, float]:
    """How often each byte was read, and MiB of memory beyond, over eight devices."""
    mesh = jax.make_mesh((SHARDS,), ("x",))
    sharding = jax.NamedSharding(mesh, jax.P(*[None] * axis, "x"))

    def run() -> dict[str, jax.Array]:
        with open_source(path) as source:
            return {
                name: jax.make_array_from_callback(spec.shape, sharding, partial(source.read, name))
                for name, spec in source.items()
            }

    before = bytes_read()
    beyond = peak(run)
    return (bytes_read() - before) / Path(path).stat().st_size, beyond


def child(arguments: list[str]) -> None:
    what, name, path = arguments
    for library in LIBRARIES.get(Path(path).suffix, ()):  # which takes memory of its own
        importlib.import_module(library)
    if what == "peak":
        side = {"ours": partial(ours, path)}.get(name, partial(theirs, name, path))
        print(json.dumps(peak(side)))
    else:
        print(json.dumps(sharded(path, int(name))))


def in_child(*arguments: str) -> Any:
    environment = dict(os.environ)
    if arguments[0] == "shards":
        environment["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={SHARDS}"
    command = [sys.executable, __file__, "--child", *arguments]
    done = subprocess.run(command, capture_output=True, check=True, text=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def memory_lines(name: str, path: str) -> list[str]:
    """What was measured in processes of their own, in words."""
    us, them = in_child("peak", "ours", path), in_child("peak", name, path)
    limit = TENSOR / MIB + BEYOND
    asked = f" (asked {limit:.0f}: {'met' if us <= limit else 'MISSED'})" if name in BARS else ""
    lines = [f"{name}, MiB beyond the parameters: {us:.0f}{asked}, its library {them:.0f}"]
    for axis in (0, 1) if name == "safetensors" else ():
        times, beyond = in_child("shards", str(axis), path)
        lines.append(f"  {SHARDS} shards of axis {axis}: {beyond:.0f} MiB beyond; bytes read by")
        lines[-1] += f" calls {times:.3f} times the file, the others through a map of it"
    return lines


def measure(rounds: int) -> list[Ratio]:
    gib = float(os.environ.get("GIB", "1"))
    formats = os.environ.get("FORMATS", ",".join(FILES)).split(",")
    console, found = Console(), []
    with tempfile.TemporaryDirectory() as directory:
        write(Path(directory), gib, formats)
        for name in formats:
            path = str(Path(directory) / FILES[name])
            console.print(*memory_lines(name, path), sep="\n")
            contenders = {"jinit": partial(ours, path), name: partial(theirs, name, path)}
            times = interleave(contenders, rounds=rounds, warmup=1)
            found += ratios(f"{name}, {gib:g} GiB", times, BARS)
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2:])
    else:
        main("Reading checkpoints onto the device", measure)
