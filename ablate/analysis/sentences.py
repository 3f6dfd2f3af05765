"""What an effect says, as a sentence for a paper."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ablate.analysis.effects import Effect
from ablate.analysis.intervals import MeanInterval
from ablate.analysis.power import seeds_more
from ablate.analysis.sequential import Course
from ablate.study import Cell, Plan

__all__ = ["Unit", "change_in_words", "p_text", "rounded", "sentence", "unit_of"]

_SHARES = ("accuracy", "acc")

# Decimal places beyond which numbers are written with an exponent.
_PLAIN = 9


def p_text(p: float) -> str:
    """A p value as papers print it.

    Example:
        >>> p_text(0.0142), p_text(0.00004), p_text(0.3), p_text(1.0)
        ('p = .014', 'p < .001', 'p = .30', 'p = 1.00')
    """
    if p < 0.001:
        return "p < .001"
    text = f"{p:.3f}" if p < 0.0995 else f"{p:.2f}"
    return f"p = {text.removeprefix('0')}"


@dataclass(frozen=True)
class Unit:
    """How differences of a metric are said.

    Args:
        scale: What they are multiplied by.
        words: What follows the number: of accuracies percentage points, of others nothing.
    """

    scale: float = 1.0
    words: str = ""

    def of(self, found: MeanInterval) -> MeanInterval:
        """A difference in this unit."""
        scale = self.scale
        return replace(found, mean=found.mean * scale, error=found.error * scale, half=found.half * scale)

    def margin(self, margin: float) -> str:
        """A margin in words.

        Example:
            >>> Unit(100.0, " points").margin(0.01), Unit().margin(0.01)
            ('1 point', '0.01')
        """
        number = f"{margin * self.scale:.10g}"
        return f"{number}{self.words[:-1] if number == '1' else self.words}"


def unit_of(metric: str, values: Iterable[float]) -> Unit:
    """The unit of a metric: points where it is an accuracy, given as a share or in per cent.

    Args:
        metric: Its name.
        values: Its values in all runs.

    Example:
        >>> unit_of("test_accuracy", [0.97, 0.98]), unit_of("val_loss", [0.1])
        (Unit(scale=100.0, words=' points'), Unit(scale=1.0, words=''))
    """
    if set(_SHARES) & set(re.split(r"[^a-z]+", metric.lower())):
        numbers = list(values)
        if all(0 <= value <= 1 for value in numbers):
            return Unit(100.0, " points")
        if all(1 < value <= 100 for value in numbers):
            return Unit(1.0, " points")
    return Unit()


def sentence(effect: Effect, plan: Plan, comparisons: int, course: Course | None = None) -> str:
    """The effect of a cell with its interval, number of seeds and p value, and what is claimed.

    Intervals are unadjusted; the p value is the Holm-adjusted one of the claim that is made.

    Args:
        effect: The effect.
        plan: The plan.
        comparisons: Number of effects over which p values were adjusted.
        course: Where the study stands under the sequential rule, or None for a fixed number of seeds.

    Returns:
        One sentence, or two for an undecided effect.
    """
    metric = plan.study.metric.replace("_", " ")
    change = change_in_words(effect.cell, effect.changed, plan)
    change = change[0].upper() + change[1:]
    unit = unit_of(plan.study.metric, (value for pair in effect.pairs.values() for value in pair))
    found = unit.of(effect.difference)
    n = f"n = {found.n} paired seed{'' if found.n == 1 else 's'}"
    if found.n == 0:
        return f"{change}: no seed in common with the reference, so nothing can be said about {metric}."
    if found.n == 1:
        changed = f"{change} changes {metric} by {_signed(found.mean)}{unit.words}"
        return f"{changed} in a single seed, which allows no inference."
    if effect.is_constant:
        return (
            f"{change} changes {metric} by {_signed(found.mean)}{unit.words} for all {found.n} seeds alike, which "
            "allows no inference."
        )
    if math.isnan(found.half):
        return f"{change} changes {metric} by {_signed(found.mean)}{unit.words} so far ({n}), before the first look."
    margin = "" if plan.study.margin is None else unit.margin(plan.study.margin)
    kind = "95 % CI" if course is None else "95 % repeated CI"
    places = _places(found.half)
    mean, low, high = rounded(found)
    if effect.verdict in ("helps", "hurts"):
        verb, ends = ("raises", (found.low, found.high)) if found.mean > 0 else ("lowers", (-found.high, -found.low))
        size = f"{kind} {_fixed(ends[0], places)} to {_fixed(ends[1], places)}"
        by = _fixed(abs(found.mean), places)
        return f"{change} {verb} {metric} by {by}{unit.words} ({size}, {n}, {p_text(effect.adjusted.difference)})."
    changed = f"{change} changes {metric} by {mean}{unit.words} ({kind} {low} to {high}, {n}"
    if effect.verdict == "no effect":
        return (
            f"{changed}), by less than the margin of {margin} in either direction (equivalence "
            f"{p_text(effect.adjusted.equivalence)})."
        )
    if effect.verdict == "dispensable":
        p = p_text(effect.adjusted.dispensability)
        return f"{changed}), which excludes a turn for the worse by the margin of {margin} (non-inferiority {p})."
    more = _more(effect, plan, comparisons, course)
    return f"{changed}, {p_text(effect.adjusted.difference)}), which decides nothing. {more}"


def _more(effect: Effect, plan: Plan, comparisons: int, course: Course | None) -> str:
    rule = None if course is None else course.rule
    more = seeds_more(effect.contribution, comparisons, plan.study.margin, rule)
    if more is None:
        limit = "anyone would train" if rule is None else f"the {rule.max_seeds} allowed"
        return f"If this is its true size, it takes more seeds than {limit}."
    return f"If this is its true size, about {more} more seed{'' if more == 1 else 's'} would decide."


def change_in_words(cell: Cell, changed: Sequence[str], plan: Plan) -> str:
    """What is done to the reference, as the subject of a sentence: ``removing residual``.

    Args:
        cell: The changed cell.
        changed: Names of the factors that make the change; blocks are not among them.
        plan: The plan.
    """
    gone, added, words = [], [], []
    for factor in plan.factors:
        if factor.name in changed:
            level = cell.levels[factor.name]
            name = factor.words or factor.name.rpartition(".")[2].replace("_", " ")
            if (factor.reference, level) == ("true", "false"):
                gone.append(name)
            elif (factor.reference, level) == ("false", "true"):
                added.append(name)
            else:
                words.append(f"setting {name} to {level} instead of {factor.reference}")
    words = [f"{verb} {_listed(names)}" for verb, names in (("removing", gone), ("adding", added)) if names] + words
    where = [f"{factor.name} {cell.levels[factor.name]}" for factor in plan.factors if factor.block]
    return (_listed(words) or "this") + (f" (on {', '.join(where)})" if where else "")


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def rounded(found: MeanInterval) -> tuple[str, str, str]:
    """A mean and the ends of its interval in plain notation, two significant digits of half the interval.

    Example:
        >>> rounded(MeanInterval(5, -0.01234, 0.003, 0.00832))
        ('−0.0123', '−0.0207', '−0.0040')
        >>> rounded(MeanInterval(5, -1.234e-20, 3e-21, 8.32e-21))
        ('−1.23e−20', '−2.07e−20', '−4.0e−21')
    """
    places = _places(found.half)
    return _fixed(found.mean, places), _fixed(found.low, places), _fixed(found.high, places)


def _places(half: float) -> int:
    # Two significant digits of half the interval; the exponent after rounding, so that 0.0996 counts as 0.10.
    return 1 - int(f"{half:.1e}".split("e")[1]) if half > 0 else 3


def _fixed(value: float, places: int) -> str:
    if abs(places) > _PLAIN:
        # Nobody reads twenty zeros: as many digits of the mantissa as the places leave.
        digits = max(0, places + int(f"{value:e}".split("e")[1])) if value else 0
        mantissa, exponent = f"{value:.{digits}e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    text = f"{round(value, places):.{max(places, 0)}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def _signed(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")
