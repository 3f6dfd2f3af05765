"""Before the first run: what the chosen seeds can detect."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ablate.analysis.boundary import FIRST_LOOK, SequentialRule
from ablate.analysis.comparisons import comparisons
from ablate.analysis.failures import MOST_COLLAPSES, failure_rate
from ablate.analysis.intervals import LEVEL
from ablate.analysis.moderation import FEW_SEEDS, FEWEST_CELLS, FEWEST_SEEDS
from ablate.analysis.power import (
    POWER,
    detectable,
    holm_power,
    least_value,
    moderated_power,
    seeds_needed,
    sequential_power,
    t_power,
)
from ablate.analysis.verdicts import ALPHA
from ablate.formatting import percent, plural
from ablate.study import Plan, Study

_SIZES = (0.5, 1.0, 2.0, 4.0)  # of effects, in standard deviations of the paired difference


@dataclass(frozen=True)
class Prospect:
    """What a design can detect, computed before its first run.

    Args:
        seeds: Number of seeds, or the greatest number under the sequential rule.
        comparisons: Number of comparisons that share the error probability.
        detectable: Least effect, in standard deviations of the paired difference, found in 80% of all studies.
        power: By effect in standard deviations, how often it is found.
        text: The same in a sentence or two.
    """

    seeds: int
    comparisons: int
    detectable: float
    power: Mapping[float, float]
    text: str


def prospect(
    seeds: int, comparisons: int, rule: SequentialRule | None = None, cells: int | None = None, step_down: bool = True
) -> Prospect:
    """What the chosen seeds can detect.

    The level of a single effect is the strictest that Holm's adjustment can ask for, alpha divided by the number of
    comparisons; where there are several effects, the less significant ones are tested at milder levels.

    Args:
        seeds: Number of seeds of each cell, at least 1.
        comparisons: Number of cells that are compared with a reference, at least 1.
        rule: The sequential rule, which then says how many seeds there are at most.
        cells: How many of the comparisons share one reference; by default all do.
        step_down: Whether p values are adjusted by Holm, as they are without a margin.

    Example:
        >>> print(prospect(3, 6).text)
        With 3 seeds and 6 comparisons an effect must be 3.3 times the standard deviation of the paired difference to \
be found in 80% of all studies; one of 2 times is found in 51%. Variances are moderated: cells must spread alike.
        >>> print(prospect(8, 6).text)
        With 8 seeds and 6 comparisons a single effect must be 1.6 times the standard deviation of the paired \
difference to be found in 80% of all studies; one of 1 times is found in 32%, or in 42% where all have it.
    """
    # Holm tests the smallest p value at this level; an effect found at it is found whatever the other p values are.
    alpha = ALPHA / comparisons
    family = plural(comparisons, "comparison")
    often = f"found in {percent(POWER)} of all studies"
    if rule is not None:
        simulated = {size: sequential_power(size, rule, alpha) for size in _SIZES}
        power = {size: chance for size, (chance, _) in simulated.items()}
        start = 2.0 * detectable(rule.max_seeds, alpha)
        smallest = least_value(lambda size: sequential_power(size, rule, alpha)[0] >= POWER, start, 9)
        text = (
            f"With {FIRST_LOOK} to {rule.max_seeds} seeds as needed and {family}, a single effect of {smallest:.1f} "
            f"times the standard deviation of the paired difference is {often}; one of 2 times takes about "
            f"{simulated[2.0][1]:.0f} seeds, one of 4 times about {simulated[4.0][1]:.0f}."
        )
        return Prospect(rule.max_seeds, comparisons, smallest, power, text)
    if seeds == 1:
        text = "With one seed there are numbers, but no interval, test or verdict."
        return Prospect(1, comparisons, math.inf, dict.fromkeys(_SIZES, 0.0), text)
    cells = comparisons if cells is None else cells
    if FEWEST_SEEDS <= seeds < FEW_SEEDS and cells >= FEWEST_CELLS:

        def found(size: float) -> float:
            return moderated_power(size, seeds, cells, comparisons)

        power = {size: found(size) for size in _SIZES}
        smallest = least_value(lambda size: found(size) >= POWER, 1.0, 9)
        smaller = max((size for size in _SIZES if size < smallest), default=_SIZES[0])
        text = (
            f"With {seeds} seeds and {family} an effect must be {smallest:.1f} times the standard deviation of the "
            f"paired difference to be {often}; one of {smaller:g} times is found in {percent(power[smaller])}. "
            "Variances are moderated: cells must spread alike."
        )
        return Prospect(seeds, comparisons, smallest, power, text)
    power = {size: float(t_power(size, seeds, alpha)) for size in _SIZES}
    smallest = detectable(seeds, alpha)
    smaller = max((size for size in _SIZES if size < smallest), default=_SIZES[0])
    text = (
        f"With {seeds} seeds and {family} a single effect must be {smallest:.1f} times the standard deviation of "
        f"the paired difference to be {often}; one of {smaller:g} times is found in {percent(power[smaller])}"
    )
    if comparisons > 1 and step_down:
        text += f", or in {percent(holm_power(smaller, seeds, comparisons))} where all have it"
    return Prospect(seeds, comparisons, smallest, power, f"{text}.")


def plan_prospect(plan: Plan) -> Prospect | None:
    """What the seeds of a plan can detect, and which margin they can tell from nothing.

    Args:
        plan: The plan.

    Returns:
        The prospect; None where no cell is compared with another.

    Example:
        >>> from ablate.study import Factor, Level, Study, make_plan
        >>> residual = Factor("residual", (Level("true"), Level("false")), "true")
        >>> plan = make_plan(Study("demo", "leave_one_out", tuple(range(10)), "score", margin=0.01), [residual])
        >>> print(plan_prospect(plan).text)
        With 10 seeds and 1 comparison a single effect must be 1.0 times the standard deviation of the paired \
difference to be found in 80% of all studies; one of 0.5 times is found in 29%. What does nothing is found \
dispensable as often if the margin is at least 1.0 times that standard deviation.
    """
    count, study = len(comparisons(plan)), plan.study
    if not count:
        return None
    if not study.paired or study.resplit is not None:
        return _other_prospect(study, count)
    rule = SequentialRule(len(study.seeds)) if study.sequential else None
    references = Counter(comparison.reference.label for comparison in comparisons(plan))
    overall = prospect(len(study.seeds), count, rule, min(references.values()), study.margin is None)
    if study.margin is None or len(study.seeds) < 2:
        return overall
    if rule is None and failure_rate(0, len(study.seeds)) > MOST_COLLAPSES:
        enough = next(count for count in range(1, 100) if failure_rate(0, count) <= MOST_COLLAPSES)
        text = f"{overall.text} To call anything dispensable takes {enough} seeds: fewer exclude no collapse."
        return replace(overall, text=text)
    smallest = _least_margin(len(study.seeds), min(ALPHA / count, (1 - LEVEL) / 2), rule)
    text = (
        f"{overall.text} What does nothing is found dispensable as often if the margin is at least {smallest:.1f} "
        "times that standard deviation."
    )
    return replace(overall, text=text)


def _other_prospect(study: Study, comparisons: int) -> Prospect:
    """What runs can detect that form no pairs, or whose splits of one data set overlap."""
    runs, alpha = len(study.seeds), ALPHA / comparisons
    counted = plural(runs, "seed" if study.paired else "run")
    where = "" if study.paired else " a cell, which form no pairs,"
    unit = "the paired difference" if study.paired else "the difference of two runs"
    if runs == 1:
        text = f"With one {'seed' if study.paired else 'run'} there are numbers, but no interval, test or verdict."
        return Prospect(1, comparisons, math.inf, dict.fromkeys(_SIZES, 0.0), text)

    def found(size: float) -> float:
        samples = 1 if study.paired else 2
        return float(t_power(size, runs, alpha, samples=samples, overlap=study.resplit or 0.0))

    smallest = least_value(lambda size: found(size) >= POWER, 1.0, 20)
    power = {size: found(size) for size in _SIZES}
    text = (
        f"With {counted}{where} and {plural(comparisons, 'comparison')} a single effect must be {smallest:.1f} times "
        f"the standard deviation of {unit} to be found in {percent(POWER)} of all studies; one of 2 times is found in "
        f"{percent(power[2.0])}."
    )
    return Prospect(runs, comparisons, smallest, power, text)


def _least_margin(seeds: int, alpha: float, rule: SequentialRule | None) -> float:
    """Least margin, in standard deviations of the paired difference, that 80% of studies without effect exclude."""

    def is_enough(shift: float) -> bool:
        if rule is not None:
            return seeds_needed(shift, alpha, sides=1, rule=rule) is not None
        return bool(t_power(shift, seeds, alpha, sides=1) >= POWER)

    return least_value(is_enough, 1.0, 12)
