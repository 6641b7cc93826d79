"""A verdict: one thing that a report has to say in words.

May import: the standard library.
"""

import math
from dataclasses import dataclass

__all__ = ["SEVERITIES", "Verdict", "percent", "told"]

SEVERITIES = ("error", "warning", "note", "fine")


@dataclass(frozen=True)
class Verdict:
    """What a report says of a model.

    Attributes:
        kind: "nonfinite", "zero", "vanishing signal", "exploding signal", "vanishing gradient",
            "exploding gradient", "dead", "saturated", "collapse", "alike inputs", "mean",
            "uneven", "no gradient", "small head", "spectrum" or "fine".
        severity: "error" for what will not train, "warning" for what may train badly, "note" for
            what may well be meant, "fine".
        text: the verdict.
        where: names of the rows or parameters that it is about, the first or worst first.
    """

    kind: str
    severity: str
    text: str
    where: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.severity}: {self.text}"


def told(value: float) -> str:
    """A number to two digits.

    >>> told(0.7071), told(3.4e-05), told(12345.0), told(0.999)
    ('0.71', '3.4e-5', '1.2e4', '1.0')
    """
    if not math.isfinite(value):
        return f"{value}"
    mantissa, exponent = f"{value:.1e}".split("e")
    rounded = float(f"{mantissa}e{exponent}")
    if rounded == 0 or 0.001 <= abs(rounded) < 1000:
        return f"{rounded:.1f}" if 1 <= abs(rounded) < 10 else f"{rounded:g}"
    return f"{mantissa}e{int(exponent)}"


def percent(share: float) -> str:
    """A share as a percentage, never rounded to none or all.

    >>> percent(0.917), percent(0.0001), percent(0.9999), percent(1.0)
    ('92%', 'under 1%', 'over 99%', '100%')
    """
    if 0 < share < 0.005:
        return "under 1%"
    return "over 99%" if 0.995 <= share < 1 else f"{share:.0%}"
