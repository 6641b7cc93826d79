"""What every reproduction prints and writes: a paper's claim beside what was measured.

A script measures, collects a `Finding` for each thing that the paper says, and ends with
`publish`: a table on the terminal, a figure, and the same in JSON. A finding that does not hold
makes the script fail.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table


class Settings(NamedTuple):
    """How a script was called."""

    fast: bool
    seeds: int
    out: Path


class Finding(NamedTuple):
    """One thing that was measured: what the paper says of it, what came out, whether they agree."""

    what: str
    claimed: str
    measured: str
    holds: bool


class Source(NamedTuple):
    """Where a claim stands, and the claim in our words."""

    paper: str
    claim: str


def parse_settings(description: str | None, *, seeds: int, fast_seeds: int = 2) -> Settings:
    """The command line of a reproduction; `seeds` are the starts that a figure is made of."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--fast", action="store_true", help="small settings, for a quick look")
    parser.add_argument("--seeds", type=int, help=f"starts to draw (default {seeds})")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the figure and JSON")
    given = parser.parse_args()
    if given.seeds is not None and given.seeds < 1:
        parser.error(f"--seeds (={given.seeds}) must be at least 1")
    return Settings(given.fast, given.seeds or (fast_seeds if given.fast else seeds), given.out)


def publish(
    name: str, source: Source, findings: Sequence[Finding], figure: Figure, settings: Settings
) -> None:
    """Print the findings and write `NAME.png` and `NAME.json`.

    Raises:
        SystemExit: a finding does not hold.
    """
    settings.out.mkdir(parents=True, exist_ok=True)
    picture, record = (settings.out / f"{name}.{kind}" for kind in ("png", "json"))
    figure.savefig(picture, dpi=144)
    record.write_text(
        json.dumps(
            {
                **source._asdict(),
                "jax": jax.__version__,
                "fast": settings.fast,
                "seeds": settings.seeds,
                "findings": [finding._asdict() for finding in findings],
            },
            indent=2,
        )
        + "\n"
    )
    console = Console()
    console.print(_table(source, findings), f"written: {picture}, {record}", sep="\n")
    if failed := [finding.what for finding in findings if not finding.holds]:
        raise SystemExit(f"not reproduced: {', '.join(failed)}")


def _table(source: Source, findings: Sequence[Finding]) -> Table:
    table = Table(title=f"{source.paper}: {source.claim}", title_justify="left", show_lines=True)
    for column in ("", "the paper", "measured here", "holds"):
        table.add_column(column)
    for finding in findings:
        table.add_row(*finding[:3], "yes" if finding.holds else "no")
    return table
