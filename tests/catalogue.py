"""The catalogue: every public scheme, an example of it, and its law written down independently.

`tests/test_catalogue.py` runs every case through every promise that all schemes keep. The cases of
a family live beside the family's own tests, in `tests/schemes/cases_<family>.py`.
"""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Moments:
    """The law of one weight, from its formula: what n independent draws are held against.

    `kurtosis` is E(w - mean)^4 / std^4: 3 for a normal, 1.8 for a uniform, 2.1061 for a normal cut
    at two standard deviations. `low` and `high` bound the support.
    """

    mean: float
    std: float
    kurtosis: float
    low: float = -np.inf
    high: float = np.inf


@dataclass(frozen=True)
class Case:
    """One configured scheme at one shape.

    Attributes:
        init: the configured scheme.
        shape: a shape for which it is defined.
        moments: its law, where weights are independent; `shape` then has some thousands of them.
        check: asserts what its structure promises, given the weights in float64 (or complex128).
        random: whether the key matters.
        floats: whether it refuses integer dtypes.
        complexes: whether it is defined for complex dtypes.
        modulus: sqrt(E|w - mean|^2) of complex weights, where it is not `moments.std`.
        empty: a shape without elements for which it is defined, or None.
    """

    init: Any
    shape: tuple[int, ...]
    moments: Moments | None = None
    check: Callable[[np.ndarray], None] | None = None
    random: bool = True
    floats: bool = True
    complexes: bool = True
    modulus: float | None = None
    empty: tuple[int, ...] | None = None

    def __str__(self) -> str:
        return f"{self.init!r}@{'x'.join(map(str, self.shape))}".removeprefix("jinit.")


def uniform_moments(low: float, high: float) -> Moments:
    return Moments((low + high) / 2, (high - low) / np.sqrt(12), 1.8, low, high)


def disk_std(radius: float) -> float:
    """sqrt(E|w|^2) of a point drawn uniformly from a disk about zero."""
    return radius / np.sqrt(2)


def truncated_modulus_std(stddev: float, bound: float) -> float:
    """sqrt(E|w|^2) of a circular normal whose modulus is cut at `bound` standard deviations.

    |w|^2 is exponential, cut at bound^2: its mean is 1 - bound^2 / (exp(bound^2) - 1).
    """
    return stddev * np.sqrt(1 - bound**2 / np.expm1(bound**2))


def normal_moments(std: float, mean: float = 0.0) -> Moments:
    return Moments(mean, std, 3.0)


def truncated_moments(stddev: float, lower: float = -2.0, upper: float = 2.0) -> Moments:
    """`stddev` times a standard normal between `lower` and `upper`, by brute-force quadrature."""
    x = np.linspace(max(lower, -40), min(upper, 40), 2_000_001)
    p = np.exp(-(x**2) / 2)
    p[0] = p[0] / 2
    p[-1] = p[-1] / 2
    p = p / p.sum()
    mean = (x * p).sum()
    variance = ((x - mean) ** 2 * p).sum()
    kurtosis = ((x - mean) ** 4 * p).sum() / variance**2
    return Moments(
        stddev * mean, stddev * np.sqrt(variance), kurtosis, stddev * lower, stddev * upper
    )


def load_cases() -> list[Case]:
    """Every family's cases."""
    cases: list[Case] = []
    for path in sorted(Path(__file__).parent.glob("schemes/cases_*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        cases.extend(module.CASES)
    return cases
