import math

import pytest

from jinit.demo.verdicts import health, outcome


@pytest.mark.parametrize(
    ("first", "last", "word"),
    [
        (1.0, 1.0, "steady"),
        (1.0, 0.11, "steady"),
        (1.0, 9.0, "steady"),
        (1.0, 0.09, "fading"),
        (1.0, 2e-6, "fading"),
        (1.0, 11.0, "growing"),
        (3e-5, 20.0, "growing"),
        (1.0, 5e-7, "vanished"),
        (1.0, 0.0, "vanished"),
        (1.0, 2e6, "exploded"),
        (1e-38, 1e38, "exploded"),
        (0.0, 0.0, "zero"),
        (0.0, 1.0, "exploded"),
        (1.0, math.inf, "overflowed"),
        (math.nan, 1.0, "overflowed"),
    ],
)
def test_health(first, last, word):
    assert health(first, last) == word


@pytest.mark.parametrize(
    ("loss", "accuracy", "word"),
    [
        (0.1, 0.95, "learned"),
        (0.1, 0.90, "learned"),
        (0.5, 0.89, "learned in part"),
        (1.5, 0.49, "barely learned"),
        (2.2, 0.15, "barely learned"),
        # 0.1 + 3 sqrt(0.1 * 0.9 / 360) = 0.1474
        (2.3, 0.147, "just guessing"),
        (2.3, 0.05, "just guessing"),
        (math.nan, 0.95, "diverged"),
        (math.inf, 0.95, "diverged"),
    ],
)
def test_outcome(loss, accuracy, word):
    assert outcome((2.3, loss), accuracy, guessing=0.1, images=360) == word
