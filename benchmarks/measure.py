"""How the benchmarks measure: contenders interleaved in one process, ratios with their spread.

A shared machine drifts, so that an absolute time says little. Each round runs every contender
once, in turn; a ratio is taken within a round, and its median and quartiles over rounds are shown.
Between two runs there is a pause, because thread pools (LAPACK's, torch's) spin on for some
milliseconds after their work and would slow whoever comes next.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
from rich.console import Console
from rich.table import Table

PAUSE = 0.1  # seconds

Contenders = Mapping[str, Callable[[], Any]]


@dataclass(frozen=True)
class Ratio:
    """How many times as long `peer` took as jinit: median and quartiles over rounds."""

    case: str
    peer: str
    median: float
    low: float
    high: float
    ours_ms: float
    bar: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the median reaches the bar; None without one."""
        return None if self.bar is None else self.median >= self.bar


def timed(run: Callable[[], Any]) -> float:
    """Seconds until the result of `run()` is there, after a pause."""
    time.sleep(PAUSE)
    start = time.perf_counter()
    jax.block_until_ready(run())
    return time.perf_counter() - start


def interleave(
    contenders: Contenders, *, rounds: int = 15, warmup: int = 2
) -> dict[str, list[float]]:
    """Times of each contender, one a round, all contenders in every round."""
    for _ in range(warmup):
        for run in contenders.values():
            timed(run)
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            times[name].append(timed(run))
    return times


def ratios(
    case: str, times: Mapping[str, list[float]], bars: Mapping[str, float] | None = None
) -> list[Ratio]:
    """The ratio of every peer's time to the first contender's."""
    ours, *peers = times
    found = []
    for peer in peers:
        each = [theirs / mine for theirs, mine in zip(times[peer], times[ours], strict=True)]
        low, median, high = statistics.quantiles(each, n=4)
        ours_ms = statistics.median(times[ours]) * 1e3
        found.append(Ratio(case, peer, median, low, high, ours_ms, (bars or {}).get(peer)))
    return found


def show(title: str, rows: list[Ratio]) -> None:
    """Print the ratios as a table."""
    table = Table(title=f"{title}\n{machine()}", title_justify="left")
    for heading, justify in (
        ("case", "left"),
        ("jinit, ms", "right"),
        ("against", "left"),
        ("times as fast", "right"),
        ("quartiles", "right"),
        ("asked", "right"),
    ):
        table.add_column(heading, justify=justify)
    for row in rows:
        asked = "" if row.bar is None else f"{row.bar:g} {'met' if row.met else 'MISSED'}"
        spread = f"{row.low:.2f} to {row.high:.2f}"
        table.add_row(row.case, f"{row.ours_ms:.3f}", row.peer, f"{row.median:.2f}", spread, asked)
    Console(width=100).print(table)


def machine() -> str:
    """One line on where this ran."""
    device = jax.devices()[0]
    kind = "" if device.platform == "cpu" else f", {device.device_kind}"
    return f"jax {jax.__version__}, {device.platform}{kind}, Python {platform.python_version()}"


def main(title: str, measure: Callable[..., list[Ratio]]) -> None:
    """Run a benchmark file: `--rounds`, and `--json FILE` to keep the figures."""
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--rounds", type=int, default=15, help="rounds of every contender (15)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    rows = measure(rounds=options.rounds)
    show(title, rows)
    if options.json:
        content = {"title": title, "machine": machine(), "rows": [asdict(row) for row in rows]}
        options.json.write_text(json.dumps(content, indent=2) + "\n")
