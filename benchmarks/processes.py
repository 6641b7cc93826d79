"""Cold starts: each contender in a new process, taking turns; what it took and what it compiled.

A benchmark file calls `in_processes` with the names of its contenders; the child runs
`child(contenders)`, which starts the backend, takes the time of one of them and prints it.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax

SWITCH = "--child"


def is_child() -> bool:
    """Whether this process was started to run one contender."""
    return SWITCH in sys.argv


def child(contenders: Mapping[str, Callable[[], Any]]) -> None:
    """Run the contender that the command line names, and print seconds and compilations."""
    run = contenders[sys.argv[sys.argv.index(SWITCH) + 1]]
    compiled: list[str] = []

    def listen(event: str, seconds: float, **details: object) -> None:
        if event.endswith("backend_compile_duration"):
            compiled.append(event)

    jax.block_until_ready(jax.numpy.zeros(()))  # the backend is there
    jax.monitoring.register_event_duration_secs_listener(listen)
    start = time.perf_counter()
    jax.block_until_ready(run())
    print(json.dumps({"seconds": time.perf_counter() - start, "compiled": len(compiled)}))


def in_processes(file: str, names: list[str], rounds: int) -> dict[str, list[dict[str, Any]]]:
    """What each contender took, one process a round, all contenders in every round."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    for _ in range(rounds):
        for name in names:
            command = [sys.executable, file, SWITCH, name]
            done = subprocess.run(command, capture_output=True, text=True, env=environment)
            if done.returncode:
                raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
            found[name].append(json.loads(done.stdout.splitlines()[-1]))
            time.sleep(1)  # the memory of the last process goes back
    return found


def seconds(found: Mapping[str, list[dict[str, Any]]]) -> dict[str, list[float]]:
    """The times alone, as `measure.ratios` takes them."""
    return {name: [one["seconds"] for one in runs] for name, runs in found.items()}
