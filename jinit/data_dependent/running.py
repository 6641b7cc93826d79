"""Passes, as many as are needed: one, unless all uses of some weight together decide.

May import: the standard library, NumPy, and of `jinit.data_dependent` judging, moments, passes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jinit.data_dependent.judging import check_state
from jinit.data_dependent.moments import CONSTANT
from jinit.data_dependent.passes import Passes

__all__ = ["Limits", "Passed", "run_passes"]


class Limits(NamedTuple):
    """What is to be reached, how closely, and in how many passes at most."""

    target: float
    tolerance: float
    max_passes: int


class Passed(NamedTuple):
    """What came of all passes.

    Attributes:
        leaves: new values, by parameter.
        state: the vectors that the last one left, on the host.
        passes: how many there were.
        settled: whether the target was reached.
    """

    leaves: Mapping[int, Any]
    state: Mapping[str, Any]
    passes: int
    settled: bool


def run_passes(
    passes: Passes, arrays: Sequence[Any], paths: Sequence[str], limits: Limits
) -> Passed:
    """Run a model until each of its linear layers has what is asked for.

    Raises:
        ValueError: some outcome asks for a scale that there is none of.
    """
    pooled = _pooled(passes)
    scale = np.where(pooled, 1.0, 0.0)
    target = np.asarray(limits.target, passes.dtype)
    first: Any = None
    for count in range(1, limits.max_passes + 1):
        leaves, vectors = passes.rescale(arrays, passes.known(scale, arrays), target)
        state = {name: np.array(vector) for name, vector in vectors.items()}
        found = _judge_together(state, pooled)
        first = found if first is None else first
        state["before"] = np.where(pooled, first, state["before"])
        check_state(passes.scheme, state, paths, f"{passes.statistic} {limits.target:g}")
        off = np.abs(found[pooled] / limits.target - 1)
        if not np.any(off > limits.tolerance):
            return Passed(leaves, state, count, settled=True)
        factors = np.where(pooled & (found > 0), limits.target / np.where(found > 0, found, 1), 1)
        scale = scale * factors
    return Passed(leaves, state, count, settled=False)


def _pooled(passes: Passes) -> Any:
    """Which numbers all uses together decide on."""
    pooled = np.zeros(passes.scheme.size, np.bool_)
    for decision in passes.scheme.decisions:
        if decision.pooled:
            for index in decision.writes.values():
                pooled[index.every()] = True
    return pooled


def _judge_together(state: dict[str, Any], pooled: Any) -> Any:
    """The statistics of all uses together; faults are noted in the state as single ones are."""
    if "count" not in state:
        return np.full(pooled.shape, np.nan)
    met = pooled & (state["count"] > 0)
    with np.errstate(all="ignore"):
        found = np.sqrt(state["squares"] / state["count"])
        rms = np.sqrt(found**2 + state["mean"] ** 2)
    state["rms"] = np.where(pooled, rms, state["rms"])
    judged = np.where(np.isfinite(rms), state["scale"], np.nan)
    judged = np.where(found <= CONSTANT * rms, 0.0, judged)
    state["scale"] = np.where(met, judged, state["scale"])
    return np.where(met, found, np.nan)
