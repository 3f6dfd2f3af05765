"""Power: which effects a number of seeds detects, and how many seeds an effect takes."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from ablate.analysis.boundary import FIRST_LOOK, SHAPE, SequentialRule, running_scores
from ablate.analysis.intervals import LEVEL, MeanInterval
from ablate.analysis.moderation import shrink, spread_of_runs
from ablate.analysis.verdicts import ALPHA, LEAST_FAMILY

POWER = 0.8
"""Probability with which an effect should be found."""

MOST = 10_000
"""Seeds beyond which the search ends."""

_STUDIES, _SEED = 2000, 20261123
_MOST_DRAWS = 8_000_000


def t_power(effect: float, n: Any, alpha: Any = ALPHA, sides: int = 2, samples: int = 1, overlap: float = 0.0) -> Any:
    """Probability that a paired t test finds an effect.

    Args:
        effect: True mean difference in standard deviations of the paired difference.
        n: Number of seeds, two or more; a number or an array.
        alpha: Level of the test.
        sides: Two, or one for a test against a margin.
        samples: One for pairs, or two for runs that form none, of which there are ``n`` each with the same spread.
        overlap: See :func:`ablate.analysis.resplit.corrected`.

    Returns:
        The power, in the shape of ``n``.

    Example:
        >>> round(float(t_power(1.0, 10)), 3)
        0.803
    """
    n = np.asarray(n)
    freedom = samples * (n - 1)
    critical = -special.stdtrit(freedom, np.asarray(alpha) / sides)
    noncentral = effect * np.sqrt(n)
    if overlap:
        # The correction assumes this much covariance between seeds; the estimate varies as it says.
        noncentral = noncentral / np.sqrt(1 + n * overlap)
    # scipy gives NaN for probabilities too small to be computed. ``reverse``: significant with the wrong sign.
    missed = special.nctdtr(freedom, noncentral, critical)
    reverse = special.nctdtr(freedom, noncentral, -critical) if sides == 2 else np.zeros(())
    power = 1 - np.where(np.isnan(missed), 0.0, missed) + np.where(np.isnan(reverse), 0.0, reverse)
    return np.minimum(np.maximum(power, 0.0), 1.0)


def seeds_needed(
    effect: float,
    alpha: float = ALPHA,
    sides: int = 2,
    power: float = POWER,
    rule: SequentialRule | None = None,
    most: int = MOST,
    samples: int = 1,
    overlap: float = 0.0,
) -> int | None:
    """The least number of seeds with which an effect is found often enough.

    Args:
        effect: True mean difference in standard deviations of the paired difference; its sign does not matter.
        alpha: Level of the test.
        sides: Two, or one.
        power: How often is enough.
        rule: The sequential rule, or None. With it the number is an upper bound: the power at each look is that of
            this look alone, without those before it.
        most: Where the search ends.
        samples: See :func:`t_power`; for seeds fixed in advance.
        overlap: Likewise.

    Returns:
        The number; None if it exceeds the last look, or ``most``.

    Example:
        >>> seeds_needed(1.0), seeds_needed(1.0, alpha=0.05 / 6), seeds_needed(0.0)
        (10, 16, None)
    """
    if rule is None:
        # With a fixed level the power grows with the number of seeds, so that bisection finds the number.
        counts = range(2, most + 1)
        place = bisect_left(
            counts, True, key=lambda n: bool(t_power(abs(effect), n, alpha, sides, samples, overlap) >= power)
        )
        return counts[place] if place < len(counts) else None
    n = np.arange(FIRST_LOOK, rule.max_seeds + 1)
    levels = sides * special.ndtr(-rule.critical(alpha, one_sided=sides == 1) * n**-SHAPE)
    enough = np.flatnonzero(t_power(abs(effect), n, levels, sides) >= power)
    return int(n[enough[0]]) if len(enough) else None


def detectable(n: int, alpha: float = ALPHA, power: float = POWER) -> float:
    """The least effect, in standard deviations of the paired difference, that ``n`` seeds find often enough.

    Example:
        >>> round(detectable(10), 2)
        1.0
        >>> detectable(1)
        inf
    """
    if n < 2:
        return math.inf
    return least_value(lambda effect: bool(t_power(effect, n, alpha) >= power), 1.0, 60)


def least_value(is_enough: Callable[[float], bool], start: float, steps: int) -> float:
    """About the least number that is enough, by bisection; every larger number must be enough, too.

    Args:
        is_enough: Whether a number is enough.
        start: The search is below the first of ``start``, twice that, four times that, ... that is enough.
        steps: How often the interval is halved.
    """
    low, high = 0.0, start
    while not is_enough(high):
        high *= 2
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def sequential_power(effect: float, rule: SequentialRule, alpha: float = ALPHA) -> tuple[float, float]:
    """How often the sequential rule finds an effect, and after how many seeds it stops, by simulation.

    Args:
        effect: True mean difference in standard deviations of the paired difference.
        rule: The rule.
        alpha: Level for one comparison.

    Returns:
        The power, and the mean number of seeds; the same in every call.
    """
    draws = np.random.default_rng(_SEED).standard_normal((_STUDIES, rule.max_seeds)) + effect
    crossed = np.abs(running_scores(draws)[:, FIRST_LOOK - 1 :]) >= rule.critical(alpha)
    stopped = np.where(crossed.any(axis=1), crossed.argmax(axis=1) + FIRST_LOOK, rule.max_seeds)
    return float(crossed.any(axis=1).mean()), float(stopped.mean())


def holm_power(effect: float, n: int, comparisons: int, alpha: float = ALPHA) -> float:
    """Mean share of effects that Holm's adjustment finds where all are equal, by simulation.

    Args:
        effect: Every true mean difference in standard deviations of the paired difference.
        n: Number of seeds, two or more.
        comparisons: Number of cells that are compared with one reference.
        alpha: Probability of any wrong claim.

    Returns:
        The mean share of effects that are found; the same in every call.
    """
    rng = np.random.default_rng(_SEED)
    # Thousands of comparisons are an average themselves: fewer studies do, and fit into memory.
    studies = max(1, min(_STUDIES, _MOST_DRAWS // (comparisons * n)))
    # All cells of a study are compared with one reference, whose noise their differences share.
    noise = rng.standard_normal((studies, 1, n)) - rng.standard_normal((studies, comparisons, n))
    draws = effect + noise / math.sqrt(2)
    t = np.abs(draws.mean(axis=-1)) * math.sqrt(n) / draws.std(axis=-1, ddof=1)
    p = np.sort(2 * special.stdtr(n - 1, -t), axis=-1)
    accepted = p * (comparisons - np.arange(comparisons)) > alpha
    detected = np.where(accepted.any(axis=-1), accepted.argmax(axis=-1), comparisons)
    return float(detected.mean() / comparisons)


def moderated_power(effect: float, n: int, cells: int, comparisons: int, alpha: float = ALPHA) -> float:
    """Share of effects that moderated variances with Bonferroni's adjustment find, by simulation.

    Args:
        effect: True mean difference in standard deviations of the paired difference, which all cells share.
        n: Number of seeds, from 3 to 7.
        cells: Number of cells that are compared with one reference.
        comparisons: Number of comparisons that share the error probability, six at least.
        alpha: Probability of any wrong claim.

    Returns:
        The mean share, whether or not the other cells have an effect; the same in every call.
    """
    rng = np.random.default_rng(_SEED)
    studies = max(1, min(_STUDIES, _MOST_DRAWS // (cells * n)))
    noise = rng.standard_normal((studies, 1, n)) - rng.standard_normal((studies, cells, n))
    draws = noise / math.sqrt(2)
    variances, prior = shrink(draws.var(axis=-1, ddof=1), np.full((studies, cells), n), *spread_of_runs(draws))
    t = np.abs(draws.mean(axis=-1) + effect) * math.sqrt(n) / np.sqrt(variances)
    p = 2 * special.stdtr(n - 1 + prior, -t) * max(comparisons, LEAST_FAMILY)
    return float((p <= alpha).mean())


SIZES = 0.8
"""Confidence level of the interval of sizes for which the number of seeds is given."""

MOST_ADVISED = 100
"""Numbers of seeds beyond this are not told apart: nobody trains them."""


@dataclass(frozen=True)
class SeedsNeeded:
    """How many seeds a new study would need to decide about an effect.

    Args:
        likely: If the effect is as large as it looks; None beyond :data:`MOST_ADVISED`.
        fewest: At the end of the 80% interval of its size that is easier to decide.
        most: At the other end; None beyond :data:`MOST_ADVISED`.
    """

    likely: int | None
    fewest: int | None
    most: int | None

    def __str__(self) -> str:
        likely, fewest, most = (
            f"more than {MOST_ADVISED}" if number is None else str(number)
            for number in (self.likely, self.fewest, self.most)
        )
        return likely if fewest == most else f"{likely} ({fewest} to {most})"


def advised_seeds(contribution: MeanInterval, comparisons: int, margin: float | None = None) -> SeedsNeeded | None:
    """How many seeds a new study would need, with the uncertainty of the size that was seen.

    Few seeds say little of an effect's size in standard deviations, so that a single number misleads: half of all
    effects are smaller than they look. The size has an interval by the noncentral t distribution.

    Args:
        contribution: Mean contribution so far.
        comparisons: Number of comparisons that share the error probability.
        margin: The least effect that matters, or None.

    Returns:
        The numbers; None where nothing is known about the spread.

    Example:
        >>> str(advised_seeds(MeanInterval(n=5, mean=1.0, error=0.5, half=1.4), comparisons=1))
        '12 (6 to more than 100)'
    """
    if not contribution.error > 0:
        return None
    root = math.sqrt(contribution.n)
    spread = contribution.error * root
    low, high = size_interval(contribution.mean / contribution.error, contribution.degrees)
    numbers = []
    # The hardest size may lie between the ends, where neither a difference nor a small effect is easy to show.
    for size in (contribution.mean / spread, *np.linspace(low / root, high / root, 9).tolist()):
        alpha = ALPHA / comparisons
        counts = [seeds_needed(size, alpha, most=MOST_ADVISED)]
        if margin is not None and size * spread < margin:
            one_sided = min(alpha, (1 - LEVEL) / 2)
            counts.append(seeds_needed(margin / spread - size, one_sided, sides=1, most=MOST_ADVISED))
        reachable = [number for number in counts if number is not None]
        numbers.append(min(reachable, default=None))
    likely = numbers[0]
    beyond = MOST_ADVISED + 1
    ordered = sorted(beyond if number is None else number for number in numbers)
    # Where the interval of sizes holds 0, or the middle of the margin, the hardest size is inside.
    if margin is None and low <= 0 <= high:
        ordered[-1] = beyond
    fewest, most = (None if number == beyond else number for number in (ordered[0], ordered[-1]))
    return SeedsNeeded(likely, fewest, most)


def size_interval(statistic: float, freedom: float, level: float = SIZES) -> tuple[float, float]:
    """The interval of the noncentrality of a t statistic: of an effect's size times the root of the number of seeds.

    Example:
        >>> [round(end, 2) for end in size_interval(2.0, 4)]
        [0.34, 3.44]
    """
    tail = (1 - level) / 2

    def end(probability: float) -> float:
        # The probability of a smaller statistic falls with the noncentrality.
        low, high = statistic - 40.0 - 4 * abs(statistic), statistic + 40.0 + 4 * abs(statistic)
        for _ in range(60):
            middle = (low + high) / 2
            # Not a number where the probability is too small to be computed.
            is_above = bool(special.nctdtr(freedom, middle, statistic) > probability)
            low, high = (middle, high) if is_above else (low, middle)
        return (low + high) / 2

    return end(1 - tail), end(tail)


def seeds_more(
    contribution: MeanInterval, comparisons: int, margin: float | None = None, rule: SequentialRule | None = None
) -> int | None:
    """About how many seeds an undecided effect still needs, if what was seen so far is the truth.

    Of the claims that would then be true (there is an effect; it stays below the margin) the one that needs the
    fewest seeds counts.

    Args:
        contribution: Mean contribution so far.
        comparisons: Number of comparisons that share the error probability.
        margin: The least effect that matters, or None.
        rule: The sequential rule, or None for seeds fixed in advance.

    Returns:
        The number of further seeds, at least 1; None if the total is above what the rule allows or :data:`MOST`, or if
        nothing is known about the spread.

    Example:
        >>> seeds_more(MeanInterval(n=5, mean=1.0, error=0.5, half=1.4), comparisons=1)
        7
    """
    if math.isnan(contribution.error) or contribution.error == 0:
        return None
    spread = contribution.error * math.sqrt(contribution.n)
    alpha = ALPHA / comparisons
    numbers = [seeds_needed(contribution.mean / spread, alpha, rule=rule)]
    if margin is not None and contribution.mean < margin:
        # The claim also needs the two-sided interval to end below the margin.
        one_sided = min(alpha, (1 - LEVEL) / 2)
        numbers.append(seeds_needed((margin - contribution.mean) / spread, one_sided, sides=1, rule=rule))
    reachable = [number for number in numbers if number is not None]
    return max(1, min(reachable) - contribution.n) if reachable else None
