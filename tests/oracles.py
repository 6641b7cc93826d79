"""Independent oracles: written from definitions, in NumPy, with nothing of jinit in them."""

from collections.abc import Callable

import numpy as np

MASK = (1 << 32) - 1


def threefry(key: tuple[int, int], counter: int) -> tuple[int, int]:
    """Threefry-2x32-20 of one 64-bit counter, on Python integers."""
    words = (key[0], key[1], key[0] ^ key[1] ^ 0x1BD11BDA)
    rotations = (13, 15, 26, 6, 17, 29, 16, 24)
    x, y = ((counter >> 32) + words[0]) & MASK, ((counter & MASK) + words[1]) & MASK
    for step in range(20):
        x = (x + y) & MASK
        turn = rotations[step % 8]
        y = ((y << turn) | (y >> (32 - turn))) & MASK ^ x
        if step % 4 == 3:
            inject = step // 4 + 1
            x = (x + words[inject % 3]) & MASK
            y = (y + words[(inject + 1) % 3] + inject) & MASK
    return x, y


def kolmogorov_smirnov(samples: np.ndarray, cdf) -> float:
    """sqrt(n) times the largest distance between the samples' distribution and `cdf`."""
    ordered = np.sort(np.asarray(samples, np.float64).ravel())
    n = ordered.size
    expected = cdf(ordered)
    steps = np.arange(n + 1) / n
    return float(np.sqrt(n) * max((steps[1:] - expected).max(), (expected - steps[:-1]).max()))


# P(sqrt(n) D > 2.77) = 2 exp(-2 * 2.77^2) = 4e-7 for large n (Kolmogorov's limit).
KS_LIMIT = 2.77


# Chance that a correct draw fails one comparison.
ALPHA = 1e-7


def assert_law(values: np.ndarray, cdf: Callable[[np.ndarray], np.ndarray]) -> None:
    """The empirical distribution is within the Dvoretzky-Kiefer-Wolfowitz band of `cdf`.

    P(sup |F_n - F| > e) <= 2 exp(-2 n e^2), with Massart's constant: exact for every n and F.
    """
    x = np.sort(np.ravel(values))
    n = x.size
    assert n >= 1000, "too few values to tell laws apart"
    band = np.sqrt(np.log(2 / ALPHA) / (2 * n))
    expected = cdf(x)
    assert np.max(np.arange(1, n + 1) / n - expected) < band
    assert np.max(expected - np.arange(n) / n) < band


def assert_uniform(values: np.ndarray, low: float, high: float, *, rounding: float = 1e-6) -> None:
    """Independent values from U[low, high): their distribution, and that both ends are reached."""
    slack = rounding * max(abs(low), abs(high))
    assert values.min() >= low - slack
    assert values.max() <= high + slack
    assert_law(values, lambda x: np.clip((x - low) / (high - low), 0, 1))
    # The gap at an end is exponential with mean width / n.
    gap = (high - low) * -np.log(ALPHA) / values.size + slack
    assert values.min() < low + gap
    assert values.max() > high - gap


def assert_normal(values: np.ndarray, std: float) -> None:
    """Independent values from N(0, std^2)."""
    from scipy.special import ndtr

    assert_law(values, lambda x: ndtr(x / std))
