"""A progress bar that leaves nothing behind, and none at all where no one watches.

May import: rich.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["progress_bar", "stderr_bar"]


@contextmanager
def progress_bar(console: Console, verb: str, total: int) -> Iterator[Callable[[str], None]]:
    """Yield a function to call, with what is being worked on, after each of `total` parts."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with bar:
        task = bar.add_task(verb, total=total)
        yield lambda name: bar.update(task, advance=1, description=f"{verb} {name}")


@contextmanager
def stderr_bar(verb: str, total: int) -> Iterator[Callable[[str], None]]:
    """The same on stderr, wherever that leads: to be asked for."""
    with progress_bar(Console(stderr=True, force_terminal=True), verb, total) as tick:
        yield tick
