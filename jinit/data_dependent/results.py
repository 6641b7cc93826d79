"""What passes found, as rows of a report.

May import: the standard library, NumPy, and of `jinit.data_dependent` judging, planning, report,
running.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from jinit.data_dependent.judging import part_of
from jinit.data_dependent.planning import Scheme
from jinit.data_dependent.report import LsuvRow
from jinit.data_dependent.running import Passed
from jinit.tracing.ledger import Place

__all__ = ["not_run", "rows_of"]

State = Mapping[str, Any]


def _unreached(scheme: Scheme, state: State) -> frozenset[int]:
    """Parameters none of whose operations were run."""
    reached: dict[int, bool] = {}
    for decision in scheme.decisions:
        is_reached = bool(np.any(~np.isnan(state["rms"][decision.numbers])))
        for leaf in decision.writes:
            reached[leaf] = reached.get(leaf, False) or is_reached
    return frozenset(leaf for leaf, found in reached.items() if not found)


def not_run(scheme: Scheme, passed: Passed, paths: Sequence[str]) -> dict[str, str]:
    """Why parameters stay as they are whose operations are in branches that were not taken."""
    gone = sorted(_unreached(scheme, passed.state))
    return {paths[leaf]: "none of its uses was run" for leaf in gone}


def rows_of(
    scheme: Scheme, passed: Passed, paths: Sequence[str], after: Mapping[Place, Any]
) -> Iterator[LsuvRow]:
    """A row for each parameter at each place that decides on it, the first of those that agree."""
    state, gone = passed.state, _unreached(scheme, passed.state)
    seen: set[tuple[int, bytes]] = set()
    for decision in scheme.decisions:
        table, group = decision.numbers, scheme.groups[decision.group]
        for leaf, index in decision.writes.items():
            numbers = index.every()
            if (leaf, numbers.tobytes()) in seen or leaf in gone:
                continue
            seen.add((leaf, numbers.tobytes()))
            yield LsuvRow(
                path=paths[leaf],
                part=part_of(scheme, leaf, numbers),
                operation=decision.site.operation,
                before=state["before"][table],
                scale=state["scale"][table],
                exponent=float(group.exponents[leaf]),
                together=tuple(paths[n] for n in decision.writes if n != leaf),
                reused=decision.reused,
                centered=None if decision.shift is None else paths[decision.shift.leaf],
                after=after.get(decision.site.place),
            )
