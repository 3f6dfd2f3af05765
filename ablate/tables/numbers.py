"""How many digits a number deserves, and how it is written."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Decimal

from ablate.analysis.sentences import p_text
from ablate.tables.table import Column, Estimate

__all__ = [
    "DASH",
    "bare",
    "count",
    "decimals",
    "duration",
    "fixed",
    "probability",
    "significant",
    "typographic",
]

DASH = "–"

# How many digits a number without an interval keeps, and how many the half width of an interval.
_SIGNIFICANT = 4
_UNCERTAIN = 2
# The power of ten beyond which a number without an interval has an exponent.
_PLAIN = 6
# From here on nobody counts digits, with an interval or without.
_UNREADABLE = 1e15


def decimals(estimate: Estimate) -> int:
    """The number of decimals of an estimate: two significant digits of half its interval.

    Args:
        estimate: A number with its interval, or without: then it keeps four significant digits.

    Returns:
        Digits after the decimal point; negative where tens, hundreds, ... are to be rounded away.

    Example:
        >>> [decimals(found) for found in (Estimate(0.97163, 0.9589, 0.9843), Estimate(0.97163), Estimate(9, -50, 190))]
        [3, 4, -1]
    """
    if math.isfinite(estimate.half) and estimate.half > 0:
        return _places(estimate.half, _UNCERTAIN)
    return max(0, _places(estimate.value, _SIGNIFICANT))


def _places(value: float, significant: int) -> int:
    if value == 0 or not math.isfinite(value):
        return significant - 1
    # The exponent after rounding: 0.0996 has two significant digits as 0.10, not as 0.100.
    exponent = int(f"{abs(value):.{significant - 1}e}".split("e")[1])
    return significant - 1 - exponent


def fixed(value: float, places: int) -> str:
    """A number in plain notation with an ASCII minus; a rounded zero has no sign.

    Example:
        >>> fixed(-0.0123, 3), fixed(1234.5, -1), fixed(-0.0001, 2)
        ('-0.012', '1230', '0.00')
        >>> fixed(1.5e200, 0)
        '1.500e200'
    """
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= _UNREADABLE:
        return f"{value:.{_SIGNIFICANT - 1}e}".replace("e+", "e")
    rounded = Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    text = f"{rounded:f}"
    return text.lstrip("-") if rounded == 0 else text


def bare(column: Column, value: float) -> str:
    """A number without an interval, with an ASCII minus; very large and very small ones with an exponent.

    Example:
        >>> bare(Column("F", "number"), 130.04), bare(Column("correlation", "ratio"), -0.9966)
        ('130.0', '-1.00')
        >>> bare(Column("SS", "number"), 1.53e-8)
        '1.530e-8'
    """
    if column.kind == "ratio":
        return fixed(value, 2)
    if value == 0 or not math.isfinite(value) or 10**-_PLAIN <= abs(value) < 10**_PLAIN:
        return fixed(value, decimals(Estimate(value)))
    mantissa, exponent = f"{value:.{_SIGNIFICANT - 1}e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def probability(p: float) -> str:
    """A p value as papers print it.

    Example:
        >>> probability(0.0142), probability(0.00004), probability(0.3), probability(1.0)
        ('.014', '< .001', '.30', '1.00')
    """
    return p_text(p).removeprefix("p ").removeprefix("= ")


def significant(value: float, digits: int = 3) -> str:
    """A number with so many significant digits, but never less than its whole part.

    Example:
        >>> significant(0.99634), significant(5.5387), significant(36864.0), significant(1.0)
        ('0.996', '5.54', '36864', '1.00')
    """
    return fixed(value, max(0, _places(value, digits)))


def typographic(number: str) -> str:
    """A written number with a true minus sign."""
    return number.replace("-", "−")


def count(value: float) -> str:
    """A whole number with its thousands set apart.

    Example:
        >>> count(36864.0)
        '36,864'
    """
    return f"{round(value):,}"


def duration(seconds: float) -> str:
    """A duration as one reads it.

    Example:
        >>> duration(4.61), duration(83.0), duration(7322.0)
        ('4.6 s', '1 min 23 s', '2 h 2 min')
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
