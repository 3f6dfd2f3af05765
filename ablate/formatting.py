"""How numbers, intervals, p values, durations and lists are written, everywhere: tables, figures, page, terminal.

Plain numbers have an ASCII minus, as CSV and LaTeX want it; :func:`typographic` gives them a true minus sign.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

DASH = "–"
"""What stands where there is no number."""

_UNREADABLE = 1e15  # from here on nobody counts digits, with an interval or without
_WIDTH = 118  # of help pages
_MANTISSA = 3  # decimals of a number in exponent form


def decimal_places(value: float, significant: int) -> int:
    """Digits after the decimal point that leave a number so many significant ones.

    Args:
        value: The number, or half the width of the interval that says how precise it is.
        significant: Significant digits.

    Returns:
        Negative where tens, hundreds, ... are to be rounded away.

    Example:
        >>> decimal_places(0.0123, 2), decimal_places(0.0996, 2), decimal_places(123.0, 2)
        (3, 2, -1)
    """
    if value == 0 or not math.isfinite(value):
        return significant - 1
    # The exponent after rounding: 0.0996 has two significant digits as 0.10, not as 0.100.
    exponent = int(f"{abs(value):.{significant - 1}e}".split("e")[1])
    return significant - 1 - exponent


def fixed(value: float, places: int) -> str:
    """A number in plain notation; a rounded zero has no sign.

    Example:
        >>> fixed(-0.0123, 3), fixed(1234.5, -1), fixed(-0.0001, 2)
        ('-0.012', '1230', '0.00')
        >>> fixed(1.5e200, 0)
        '1.500e200'
    """
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= _UNREADABLE:
        return exponent_form(value)
    rounded = Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    text = f"{rounded:f}"
    return text.lstrip("-") if rounded == 0 else text


def exponent_form(value: float, digits: int = _MANTISSA) -> str:
    """A number with an exponent and so many decimals of its mantissa.

    Example:
        >>> exponent_form(1.53e-8), exponent_form(-2e20, 1)
        ('1.530e-8', '-2.0e20')
    """
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def significant(value: float, digits: int = 3) -> str:
    """A number with so many significant digits, but never less than its whole part.

    Example:
        >>> significant(0.99634), significant(5.5387), significant(36864.0), significant(1.0)
        ('0.996', '5.54', '36864', '1.00')
    """
    return fixed(value, max(0, decimal_places(value, digits)))


def signed(value: float) -> str:
    """A difference with three significant digits at the most, and a true minus sign.

    Example:
        >>> signed(-0.01234), signed(0.5)
        ('−0.0123', '0.5')
    """
    return typographic(f"{value:.3g}")


def typographic(number: str) -> str:
    """A written number with a true minus sign."""
    return number.replace("-", "−")


def rounded_interval(mean: float, low: float, high: float) -> tuple[str, str, str]:
    """A mean and the ends of its interval, to two significant digits of half the interval.

    Example:
        >>> rounded_interval(-0.01234, -0.02066, -0.00402)
        ('−0.0123', '−0.0207', '−0.0040')
        >>> rounded_interval(-1.234e-20, -2.066e-20, -4.02e-21)
        ('−1.23e−20', '−2.07e−20', '−4.0e−21')
    """
    places = decimal_places((high - low) / 2, 2) if high - low > 0 else 3
    return _in_places(mean, places), _in_places(low, places), _in_places(high, places)


_PLAIN_PLACES = 9  # decimals beyond which numbers are written with an exponent


def _in_places(value: float, places: int) -> str:
    if abs(places) > _PLAIN_PLACES:
        # Nobody reads twenty zeros: as many digits of the mantissa as the places leave.
        digits = max(0, places + int(f"{value:e}".split("e")[1])) if value else 0
        return typographic(exponent_form(value, digits))
    return typographic(fixed(round(value, places), max(places, 0)))


def interval(mean: float, low: float, high: float) -> str:
    """An estimate with its interval, rounded by it.

    Example:
        >>> interval(-0.01234, -0.0207, -0.0040)
        '−0.0123 [−0.0207, −0.0040]'
        >>> interval(0.5, float("nan"), float("nan"))
        '+0.5'
    """
    if high - low > 0:
        value, *ends = rounded_interval(mean, low, high)
        return f"{value} [{', '.join(ends)}]"
    return typographic(f"{mean:+.3g}") if mean else "0"


def p_value(p: float) -> str:
    """A p value as papers print it.

    Example:
        >>> p_value(0.0142), p_value(0.00004), p_value(0.3), p_value(1.0)
        ('p = .014', 'p < .001', 'p = .30', 'p = 1.00')
    """
    text = probability(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def probability(p: float) -> str:
    """The number of a p value as papers print it.

    Example:
        >>> probability(0.0142), probability(0.00004), probability(0.3), probability(1.0)
        ('.014', '< .001', '.30', '1.00')
    """
    if p < 0.001:
        return "< .001"
    text = f"{p:.3f}" if p < 0.0995 else f"{p:.2f}"
    return text.removeprefix("0")


def percent(share: float) -> str:
    """A share in percent.

    Example:
        >>> percent(0.95)
        '95%'
    """
    return f"{share:.0%}"


def count(value: float) -> str:
    """A whole number with its thousands set apart.

    Example:
        >>> count(36864.0)
        '36,864'
    """
    return f"{round(value):,}"


def plural(number: int, noun: str, nouns: str = "") -> str:
    """A number with its noun.

    Args:
        number: How many.
        noun: What, in the singular.
        nouns: What, in the plural, where that is not the singular with an ``s``.

    Example:
        >>> plural(1, "seed"), plural(3, "seed"), plural(2, "study", "studies")
        ('1 seed', '3 seeds', '2 studies')
    """
    return f"{number} {noun if number == 1 else nouns or noun + 's'}"


def seed_count(counts: Iterable[int], noun: str = "seed") -> str:
    """How many seeds cells have, as captions say it.

    Args:
        counts: Their numbers of seeds.
        noun: What is counted, where it is not seeds.

    Example:
        >>> seed_count([3, 3]), seed_count([2, 3]), seed_count([1])
        ('n = 3 seeds', 'n = 2 to 3 seeds', 'n = 1 seed')
    """
    numbers = sorted(set(counts))
    if len(numbers) > 1:
        return f"n = {numbers[0]} to {numbers[-1]} {noun}s"
    return f"n = {plural(numbers[0], noun)}"


def listing(items: Iterable[object], most: int = 10, separator: str = ", ") -> str:
    """Items one after another, as many as fit, and how many more there are.

    Example:
        >>> listing(["a", "b", "c"], 2), listing([1, 2])
        ('a, b and 1 more', '1, 2')
    """
    texts = [str(item) for item in items]
    joiner = "; and" if separator == "; " else " and"
    more = f"{joiner} {len(texts) - most} more" if len(texts) > most else ""
    return separator.join(texts[:most]) + more


def enumeration(items: Sequence[str]) -> str:
    """Items as a sentence lists them.

    Example:
        >>> enumeration(["a"]), enumeration(["a", "b", "c"])
        ('a', 'a, b and c')
    """
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def better_direction(direction: str) -> str:
    """Which way a metric is good, as captions and the terminal say it.

    Example:
        >>> better_direction("max"), better_direction("min")
        ('higher is better', 'lower is better')
    """
    return f"{'higher' if direction == 'max' else 'lower'} is better"


def duration(seconds: float) -> str:
    """A duration for reading.

    Example:
        >>> duration(4.61), duration(65), duration(7322.0)
        ('4.6 s', '1 min 05 s', '2 h 02 min')
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def titled_rows(title: str, rows: Sequence[tuple[str, str]]) -> str:
    """A title and two columns, the right one wrapped, as help pages have them.

    Example:
        >>> print(titled_rows("Keys", [("seeds=3", "how many"), ("name", "of the study")]))
        Keys:
          seeds=3  how many
          name     of the study
        <BLANKLINE>
    """
    indent = max((len(left) for left, _ in rows), default=0) + 4
    lines = [f"{title}:"]
    for left, right in rows:
        first, *rest = textwrap.wrap(right, _WIDTH - indent) or [""]
        lines += [f"  {left:{indent - 2}}{first}".rstrip(), *(" " * indent + line for line in rest)]
    return "\n".join([*lines, ""])
