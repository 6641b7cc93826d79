"""Numbers as short text, for tables and labels.

May import: the standard library.
"""

import math

__all__ = ["short", "size"]


def short(value: float) -> str:
    """Two digits, or one where the exponent takes more: six characters at most.

    >>> [short(value) for value in (0.0, 1.414, 0.0312, 12.3, 4.31e-5, 1.2e-38, 1e6)]
    ['0', '1.4', '0.031', '12', '4.3e-5', '1e-38', '1e6']
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if 0.001 <= abs(value) < 99.5:
        return f"{value:.2g}"
    digits = 1 if 1e-9 <= abs(value) < 9.5e9 else 0
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def size(nbytes: float) -> str:
    """Bytes as text.

    >>> size(0), size(1536), size(3.2e9)
    ('0 B', '1.5 KiB', '3.0 GiB')
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if nbytes < 1024:
            return f"{nbytes:.0f} {unit}" if unit == "B" else f"{nbytes:.1f} {unit}"
        nbytes /= 1024
    return f"{nbytes:.1f} TiB"
