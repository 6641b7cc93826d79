import math

import pytest

from jinit.display.numbers import short


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (1.44, "1.4"),
        (0.0312, "0.031"),
        (0.001, "0.001"),
        (0.00099, "9.9e-4"),
        (99.4, "99"),
        (123.0, "1.2e2"),
        (1e6, "1e6"),
        (4.31e-5, "4.3e-5"),
        (1.2e-38, "1e-38"),
        (9.96e9, "1e10"),
        (math.inf, "inf"),
        (math.nan, "nan"),
    ],
)
def test_short(value, text):
    assert short(value) == text


def test_short_is_short():
    for exponent in range(-45, 39):
        for digits in (1.0, 1.26, 9.96, 9.4):
            assert len(short(digits * 10.0**exponent)) <= 6
