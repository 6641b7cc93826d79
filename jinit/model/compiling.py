"""Compiling several programs at once: the compiler leaves the interpreter alone, and has cores.

May import: jax.
"""

import os
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax

__all__ = ["compile_together"]

_compiled: "weakref.WeakSet[Any]" = weakref.WeakSet()


def compile_together(calls: Sequence[tuple[Callable[..., Any], tuple[Any, ...]]]) -> None:
    """Compile jitted functions for the arguments they are about to be called with, in threads.

    Each is compiled once, however often it occurs; the calls themselves are left to the caller,
    who makes them in a fixed order, as many hosts need. What threads do not inherit (a mesh that
    is set, x64 for a while) makes them step aside: then each call compiles its own.
    """
    new = {id(run): (run, args) for run, args in calls if run not in _compiled}
    if len(new) < 2:
        return
    with ThreadPoolExecutor(min(len(new), os.cpu_count() or 1)) as pool:
        if pool.submit(_context).result() != _context():
            return
        list(pool.map(_compile, new.values()))
    for run, _ in new.values():
        _compiled.add(run)


def _context() -> tuple[Any, ...]:
    """What a trace depends on beside its arguments, and threads have for themselves."""
    config: Any = jax.config
    return (
        config.jax_enable_x64,
        config.jax_default_device,
        jax.sharding.get_abstract_mesh(),
    )


def _compile(call: tuple[Any, tuple[Any, ...]]) -> None:
    run, args = call
    run.lower(*args).compile()
