"""Oracles for presets: stds by path written down by hand, and laws told apart by samples."""

import fnmatch
import json
import math

import jax
import numpy as np

import jinit

# Standard deviations of a standard normal cut at 2 and at 3, from the density alone.


def _cut_std(bound):
    density = math.exp(-(bound**2) / 2) / math.sqrt(2 * math.pi)
    return math.sqrt(1 - 2 * bound * density / math.erf(bound / math.sqrt(2)))


CUT2, CUT3 = _cut_std(2.0), _cut_std(3.0)

# The Kolmogorov-Smirnov statistic that equal laws exceed once in 10^7 comparisons.
KS = math.sqrt(-math.log(1e-7 / 2) / 2)


def stds(target, rules, **options):
    """The std asked for each leaf, by path."""
    return {row.path: row.std for row in jinit.plan(target, rules, **options)}


def assert_stds(target, rules, expected, **options):
    """Every leaf has the std of the first pattern (shell style) that its path matches.

    Patterns that match no leaf are as wrong as leaves that match none.
    """
    found = stds(target, rules, **options)
    used = set()
    for path, std in found.items():
        pattern = next((p for p in expected if fnmatch.fnmatchcase(path, p)), None)
        assert pattern is not None, f"{path} is not in the table"
        used.add(pattern)
        assert std is not None, path
        np.testing.assert_allclose(std, expected[pattern], rtol=1e-6, err_msg=path)
    assert used == set(expected), f"{set(expected) - used} match nothing"


def assert_json_round_trip(rules):
    """Rules survive JSON."""
    text = json.dumps(rules.to_config())
    assert jinit.Rules.from_config(json.loads(text)) == rules


def assert_same_law(ours, theirs, name=""):
    """Two samples are of one law: equal if constant, else by Kolmogorov and Smirnov."""
    ours, theirs = (np.sort(np.asarray(a, np.float64).reshape(-1)) for a in (ours, theirs))
    if np.ptp(theirs) == 0 or np.ptp(ours) == 0:
        np.testing.assert_array_equal(np.unique(ours), np.unique(theirs), err_msg=name)
        return
    every = np.concatenate([ours, theirs])
    gap = np.searchsorted(ours, every, "right") / len(ours)
    gap = np.abs(gap - np.searchsorted(theirs, every, "right") / len(theirs)).max()
    limit = KS * math.sqrt((len(ours) + len(theirs)) / (len(ours) * len(theirs)))
    assert gap < limit, f"{name}: {gap:.4f} is not below {limit:.4f}"


def assert_row(row, theirs):
    """What a plan gives a leaf is the law that `theirs` was drawn from.

    Orthogonal kernels have a root mean square that is exact; others are sampled here, by NumPy.
    """
    theirs = np.asarray(theirs, np.float64)
    assert math.prod(row.leaf.shape) == theirs.size, row.path
    law = row.init.law(row.leaf.shape, row.leaf.dtype)
    if law is None:
        assert row.init.scheme.__name__ == "orthogonal"
        np.testing.assert_allclose(np.sqrt((theirs**2).mean()), row.std, rtol=1e-5)
    else:
        assert_same_law(_sampled(law), theirs, row.path)


def _sampled(law, n=50_000):
    """Independent values of a law, drawn without jinit."""
    rng = np.random.default_rng(0)
    match type(law).__name__:
        case "Constant":
            return np.full(n, law.value, np.float32)
        case "Normal":
            return rng.normal(law.center, law.stddev, n)
        case "Uniform":
            return law.scale * rng.uniform(law.low, law.high, n)
        case "TruncatedNormal":
            unit = rng.normal(size=2 * n)
            inside = unit[(unit > law.lower) & (unit < law.upper)]
            return law.center + law.stddev * inside
    raise AssertionError(law)


def by_path(tree):
    """Leaves by path, names joined by slashes."""
    flat, _ = jax.tree_util.tree_flatten_with_path(tree)
    names = lambda path: "/".join(  # noqa: E731
        str(getattr(k, "key", getattr(k, "name", getattr(k, "idx", k)))) for k in path
    )
    return {names(path): leaf for path, leaf in flat}
