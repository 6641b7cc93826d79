"""Independent oracles: written from definitions, in NumPy, with nothing of jinit in them."""

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
