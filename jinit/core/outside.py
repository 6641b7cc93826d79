"""Computing a value at once, whatever transformation surrounds the call.

May import: jax only.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import jax

__all__ = ["run_outside"]

Result = TypeVar("Result")


def run_outside(task: Callable[[], Result], *, x64: bool, device: Any = None) -> Result:
    """`task()`, run outside every JAX transformation that is under way.

    Traces belong to a thread, so that a fresh one computes values even where jit, vmap or an
    eager shard_map surrounds the call (`jax.ensure_compile_time_eval` does not escape the last).

    Args:
        task: takes nothing; must not close over traced values.
        x64: whether 64-bit values exist for the task.
        device: where it runs; None is JAX's default.
    """

    def run() -> Result:
        with jax.enable_x64(x64), jax.default_device(device):
            return task()

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(run).result()
