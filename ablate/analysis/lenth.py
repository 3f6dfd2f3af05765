"""Effects of designs without replicates: Lenth's pseudo standard error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

LEAST_EFFECTS = 5
"""From so many effects on the median says something about noise."""

INTERVAL = "margin of error by Lenth's method"
TEST = "Lenth's test"


@dataclass(frozen=True)
class PseudoError:
    """A standard error of effects that the effects themselves give, most of them being noise.

    Args:
        error: The pseudo standard error, in the unit of the effects.
        freedom: Its degrees of freedom, a third of the number of effects.
    """

    error: float
    freedom: float


def half_normal_quantiles(count: int) -> list[float]:
    """Where so many sizes of noise are expected, in standard deviations, the smallest first.

    Example:
        >>> [round(value, 3) for value in half_normal_quantiles(3)]
        [0.21, 0.674, 1.383]
    """
    shares = (np.arange(count) + 0.5) / count
    quantiles: list[float] = special.ndtri(0.5 + shares / 2).tolist()
    return quantiles


def lenth(effects: Sequence[float]) -> PseudoError | None:
    """Lenth's pseudo standard error of the effects of an orthogonal two-level design.

    Source: R. V. Lenth, Quick and easy analysis of unreplicated factorials, Technometrics 31 (1989), 469-473.

    Args:
        effects: All effects that the design estimates, each with the same variance.

    Returns:
        None for fewer than :data:`LEAST_EFFECTS` effects, or where most of them are zero.

    Example:
        >>> lenth([23.0, -5.0, 1.5, 1.5, 10.0, 0.0, 0.5])
        PseudoError(error=2.25, freedom=2.3333333333333335)
    """
    sizes = np.abs(np.asarray(effects, dtype=float))
    if len(sizes) < LEAST_EFFECTS:
        return None
    first = 1.5 * float(np.median(sizes))
    error = 1.5 * float(np.median(sizes[sizes < 2.5 * first])) if first > 0 else 0.0
    return PseudoError(error, len(sizes) / 3) if error > 0 and math.isfinite(error) else None
