"""Before the first run: what the chosen seeds can find out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ablate.analysis.boundary import SequentialRule
from ablate.analysis.power import POWER, detectable, holm_power, sequential_power, t_power
from ablate.analysis.verdicts import ALPHA
from ablate.errors import AnalysisError

__all__ = ["Prospect", "prospect"]


@dataclass(frozen=True)
class Prospect:
    """What a design can find out, said before its first run.

    Args:
        seeds: Number of seeds, or the greatest number under the sequential rule.
        comparisons: Number of comparisons that share the error probability.
        detectable: Least effect, in standard deviations of the paired difference, found in 80 % of all studies.
        power: By effect in standard deviations, how often it is found.
        text: The same in a sentence or two.
    """

    seeds: int
    comparisons: int
    detectable: float
    power: Mapping[float, float]
    text: str


def prospect(seeds: int, comparisons: int, rule: SequentialRule | None = None) -> Prospect:
    """What the chosen seeds can detect.

    The level of a single effect is the strictest that Holm's adjustment can ask for, alpha divided by the number of
    comparisons; where there are several effects the later ones are tested more mildly.

    Args:
        seeds: Number of seeds of each cell.
        comparisons: Number of cells that are compared with a reference.
        rule: The sequential rule, which then says how many seeds there are at most.

    Raises:
        AnalysisError: If one of the numbers is not positive.

    Example:
        >>> print(prospect(3, 6).text)
        With 3 seeds and 6 comparisons a single effect must be 8 standard deviations of the paired difference to be \
found in 80 % of all studies; one of 4 is found in 33 %, or in 54 % where all have it.
    """
    if seeds < 1 or comparisons < 1:
        raise AnalysisError(f"{seeds} seeds and {comparisons} comparisons: both must be at least 1.")
    alpha = ALPHA / comparisons
    many = f"{comparisons} comparison{'' if comparisons == 1 else 's'}"
    sizes = (0.5, 1.0, 2.0, 4.0)
    if rule is not None:
        found = {size: sequential_power(size, rule, alpha) for size in sizes}
        power = {size: chance for size, (chance, _) in found.items()}
        low, high = 0.0, 2.0 * detectable(rule.max_seeds, alpha)
        for _ in range(9):
            middle = (low + high) / 2
            low, high = (middle, high) if sequential_power(middle, rule, alpha)[0] < POWER else (low, middle)
        text = (
            f"With 3 to {rule.max_seeds} seeds as needed and {many}, a single effect of {high:.2g} standard deviations "
            f"of the paired difference is found in 80 % of all studies; one of 2 takes about {found[2.0][1]:.0f} "
            f"seeds, one of 4 about {found[4.0][1]:.0f}."
        )
        return Prospect(rule.max_seeds, comparisons, high, power, text)
    if seeds == 1:
        text = "With one seed there are numbers, but no interval, test or verdict."
        return Prospect(1, comparisons, math.inf, dict.fromkeys(sizes, 0.0), text)
    power = {size: float(t_power(size, seeds, alpha)) for size in sizes}
    least = detectable(seeds, alpha)
    shown = max((size for size in sizes if size < least), default=sizes[0])
    text = (
        f"With {seeds} seeds and {many} a single effect must be {least:.2g} standard deviations of the paired "
        f"difference to be found in 80 % of all studies; one of {shown:g} is found in {100 * power[shown]:.0f} %"
    )
    if comparisons > 1:
        text += f", or in {100 * holm_power(shown, seeds, comparisons):.0f} % where all have it"
    text += "."
    return Prospect(seeds, comparisons, least, power, text)
