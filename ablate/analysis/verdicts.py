"""What an effect says about an ingredient: p values, their adjustment, the verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ablate.analysis.intervals import MeanInterval, t_tail
from ablate.formatting import plural

ALPHA = 0.05
"""Probability of any wrong claim in a family of Holm-adjusted tests."""

BELOW = ", below the margin"
"""What follows ``helps`` and ``hurts`` where the whole interval is inside the margin: real, but too small to matter."""

VERDICTS = ("helps", f"helps{BELOW}", "hurts", f"hurts{BELOW}", "no effect", "dispensable", "undecided")


@dataclass(frozen=True)
class Evidence:
    """One ingredient's p values; NaN where nothing can be tested.

    Args:
        difference: Two-sided, of "the contribution is 0".
        equivalence: The larger of two one-sided ones, of "the contribution is outside the margin" (TOST).
        dispensability: One-sided, of "the contribution reaches the margin" (non-inferiority of going without).
    """

    difference: float
    equivalence: float = math.nan
    dispensability: float = math.nan


def evidence(contribution: MeanInterval, margin: float | None) -> Evidence:
    """The unadjusted p values of a contribution, all from the same t statistic.

    Args:
        contribution: Mean contribution over the paired seeds, in units of the metric.
        margin: The least effect that matters, in the same units, or None.

    Example:
        >>> p = evidence(MeanInterval(n=3, mean=2.0, error=0.5, half=2.15), margin=None)
        >>> round(p.difference, 4)
        0.0572
    """
    if math.isnan(contribution.error):
        return Evidence(math.nan)
    freedom, mean, error = contribution.degrees, contribution.mean, contribution.error
    difference = 2 * t_tail(abs(mean) / error, freedom)
    if margin is None:
        return Evidence(difference)
    below = t_tail((margin - mean) / error, freedom)
    above = t_tail((margin + mean) / error, freedom)
    return Evidence(difference, max(below, above), below)


# statsmodels has this too, but its import costs another 0.6 s of every report; it is the oracle of the tests.
def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment, which controls the probability of any false claim.

    Source: S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6
    (1979), 65-70.

    Args:
        p: One p value per comparison; NaN where it cannot be tested yet. It stays in the family, whose size was
            declared with the plan: leaving it out would make the other claims easier.

    Returns:
        The adjusted p values in the same order, at most 1, NaN where they were NaN.

    Example:
        >>> [round(value, 3) for value in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
        >>> holm([0.01, float("nan")])
        [0.02, nan]
    """
    testable = sorted((value, index) for index, value in enumerate(p) if not math.isnan(value))
    adjusted = [math.nan] * len(p)
    largest = 0.0
    for rank, (value, index) in enumerate(testable):
        # The running maximum keeps the adjusted p values in the order of the unadjusted ones.
        largest = max(largest, min(1.0, value * (len(p) - rank)))
        adjusted[index] = largest
    return adjusted


HOLM, BONFERRONI, BONFERRONI_OF_SIX = "Holm", "Bonferroni", "Bonferroni for at least six"
"""How p values are adjusted."""

LEAST_FAMILY = 6
"""What moderated p values are multiplied by at least."""


def bonferroni(p: Sequence[float], least: int = 1) -> list[float]:
    """P values multiplied by their number, at most 1; NaN where they were NaN.

    Args:
        p: The p values.
        least: The least number that they are multiplied by.

    Example:
        >>> bonferroni([0.01, 0.6])
        [0.02, 1.0]
    """
    return [value if math.isnan(value) else min(1.0, value * max(len(p), least)) for value in p]


def correction_of(margin: float | None, is_moderated: bool) -> str:
    """How the p values of a study are adjusted: :data:`HOLM`, :data:`BONFERRONI` or :data:`BONFERRONI_OF_SIX`.

    With a margin each ingredient is asked three questions. Only one claim about it can be wrong: what has no effect can
    be called helpful, what reaches the margin dispensable. So the claims about all ingredients are wrong in at most
    :data:`ALPHA` of all studies by Bonferroni, whatever the question, but not by Holm, who would ask one question at
    milder levels for what was found about another.

    Moderated variances were calibrated for the level of six comparisons or more
    (:func:`ablate.analysis.moderation.moderated`).

    Args:
        margin: The least effect that matters, or None.
        is_moderated: Whether any variance is moderated.
    """
    if is_moderated:
        return BONFERRONI_OF_SIX
    return HOLM if margin is None else BONFERRONI


def adjusted_over(correction: str, count: int, noun: str = "comparison") -> str:
    """How p values are adjusted, for a caption.

    Args:
        correction: See :func:`correction_of`.
        count: Over how many.
        noun: What one of them is.

    Example:
        >>> adjusted_over(HOLM, 3)
        'Holm-adjusted over 3 comparisons'
        >>> adjusted_over(BONFERRONI_OF_SIX, 4)
        'Bonferroni-adjusted over 4 comparisons, counted as 6'
    """
    if correction == HOLM:
        return f"Holm-adjusted over {plural(count, noun)}"
    counted = correction == BONFERRONI_OF_SIX and count < LEAST_FAMILY
    return f"Bonferroni-adjusted over {plural(count, noun)}" + (f", counted as {LEAST_FAMILY}" if counted else "")


def adjust(raw: Sequence[Evidence], correction: str = HOLM) -> list[Evidence]:
    """The evidence of all ingredients, adjusted over them, each of the three questions by itself.

    Args:
        raw: The p values, one set per ingredient.
        correction: See :func:`correction_of`.

    Example:
        >>> [p.difference for p in adjust([Evidence(0.01), Evidence(0.04)])]
        [0.02, 0.04]
        >>> [p.difference for p in adjust([Evidence(0.01), Evidence(0.04)], BONFERRONI)]
        [0.02, 0.08]
    """
    questions = zip(*((p.difference, p.equivalence, p.dispensability) for p in raw), strict=True)
    if correction == HOLM:
        adjusted = [holm(p) for p in questions]
    else:
        least = LEAST_FAMILY if correction == BONFERRONI_OF_SIX else 1
        adjusted = [bonferroni(p, least) for p in questions]
    return [Evidence(*p) for p in zip(*adjusted, strict=True)]


def verdict(contribution: MeanInterval, adjusted: Evidence, margin: float | None) -> str:
    """The first claim that holds, in the order helps, hurts, no effect, dispensable; else undecided.

    A claim needs both its adjusted p value at or below :data:`ALPHA` and the unadjusted 95% interval that readers see
    on the right side of zero or of the margin. What helps or hurts, but is shown to stay below the margin in either
    direction, is called so.

    Args:
        contribution: Mean contribution with its interval; positive where the ingredient is good.
        adjusted: Its p values, each adjusted over all ingredients.
        margin: The least effect that matters, or None: then nothing can be called without effect.

    Returns:
        One of :data:`VERDICTS`.

    Example:
        >>> verdict(MeanInterval(n=5, mean=1.2, error=0.2, half=0.56), Evidence(0.02), margin=None)
        'helps'
        >>> verdict(MeanInterval(n=5, mean=0.07, error=0.01, half=0.03), Evidence(0.01, 0.001, 0.001), margin=1.0)
        'helps, below the margin'
    """
    is_equivalent = (
        margin is not None
        and adjusted.equivalence <= ALPHA
        and -margin < contribution.low
        and contribution.high < margin
    )
    if adjusted.difference <= ALPHA and contribution.low > 0:
        return f"helps{BELOW}" if is_equivalent else "helps"
    if adjusted.difference <= ALPHA and contribution.high < 0:
        return f"hurts{BELOW}" if is_equivalent else "hurts"
    if is_equivalent:
        return "no effect"
    if margin is not None and adjusted.dispensability <= ALPHA and contribution.high < margin:
        return "dispensable"
    return "undecided"


def direction_of(conclusion: str) -> str:
    """The verdict without what it says of the margin.

    Example:
        >>> direction_of("helps, below the margin")
        'helps'
    """
    return conclusion.removesuffix(BELOW)


def blocking_p_value(contribution: MeanInterval, adjusted: Evidence, margin: float | None) -> tuple[str, float] | None:
    """For an undecided effect, the claim that its interval suggests and the adjusted p value that forbids it.

    Returns:
        What the interval does, and the p value; None where the interval suggests nothing.

    Example:
        >>> blocking_p_value(MeanInterval(n=5, mean=1.2, error=0.2, half=0.56), Evidence(0.09), margin=None)
        ('excludes 0', 0.09)
    """
    if (contribution.low > 0 or contribution.high < 0) and adjusted.difference > ALPHA:
        return "excludes 0", adjusted.difference
    if margin is not None and contribution.high < margin and adjusted.dispensability > ALPHA:
        return f"stays below the margin of {margin:g}", adjusted.dispensability
    return None


def blocking_interval(contribution: MeanInterval, adjusted: Evidence, margin: float | None) -> tuple[str, float] | None:
    """For an undecided effect, the claim that its adjusted p value allows and what in its interval forbids it.

    Returns:
        What the interval does, and the p value; None where no p value allows a claim.

    Example:
        >>> blocking_interval(MeanInterval(n=5, mean=0.2, error=0.3, half=0.83), Evidence(0.6, 0.04, 0.04), margin=1.0)
        ('reaches the margin of 1', 0.04)
    """
    if adjusted.difference <= ALPHA and contribution.low <= 0 <= contribution.high:
        return "includes 0", adjusted.difference
    if margin is not None and adjusted.dispensability <= ALPHA and contribution.high >= margin:
        return f"reaches the margin of {margin:g}", adjusted.dispensability
    return None
