"""Laws of runs under which verdicts may be wrong; the truth of each is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Law = Callable[[np.random.Generator, tuple[int, int, int]], tuple[Floats, Floats]]
"""From (studies, cells, seeds): runs of the reference (studies, 1, seeds) and of the cells; NaN for a failed run."""

CELLS = 6


@dataclass(frozen=True)
class Scenario:
    """Runs of many studies.

    Args:
        law: Draws them; higher is better.
        truth: The mean contribution of each ingredient.
        margin: The least effect that matters, or None.
        sizes: Numbers of seeds; 0 is ``seeds=auto``.
        excluded: Why the documentation excludes it by name, or empty; for those sizes in ``excluded_at``.
        excluded_at: At which numbers of seeds.
    """

    law: Law
    truth: tuple[float, ...] = (0.0,) * CELLS
    margin: float | None = None
    sizes: tuple[int, ...] = (3, 5, 10, 0)
    excluded: str = ""
    excluded_at: tuple[int, ...] = (3, 5, 10, 0)


def _both(draw: Callable[[np.random.Generator, tuple[int, ...]], Floats]) -> Law:
    """The same law for the reference and all cells."""

    def law(rng: np.random.Generator, shape: tuple[int, int, int]) -> tuple[Floats, Floats]:
        return draw(rng, (shape[0], 1, shape[2])), draw(rng, shape)

    return law


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return rng.standard_normal(shape)


def _effects(truth: tuple[float, ...], spreads: tuple[float, ...] = ()) -> Law:
    """Cells with contributions ``truth``, in units of the metric, and spreads."""

    def law(rng: np.random.Generator, shape: tuple[int, int, int]) -> tuple[Floats, Floats]:
        studies, _, seeds = shape
        scale = np.array(spreads or (1.0,) * len(truth))[:, np.newaxis]
        cells = scale * rng.standard_normal(shape) - np.array(truth)[:, np.newaxis]
        return rng.standard_normal((studies, 1, seeds)), cells

    return law


def of_size(d: float, cells: int = CELLS) -> tuple[float, ...]:
    """Contributions of ``d`` standard deviations of the paired difference, for cells and reference of spread 1."""
    return (d * math.sqrt(2),) * cells


def _skewed(rng: np.random.Generator, shape: tuple[int, int, int]) -> tuple[Floats, Floats]:
    studies, _, seeds = shape
    return -math.exp(0.5) + 0.3 * rng.standard_normal((studies, 1, seeds)), -np.exp(rng.standard_normal(shape))


def _paired(rng: np.random.Generator, shape: tuple[int, int, int]) -> tuple[Floats, Floats]:
    studies, _, seeds = shape
    common = math.sqrt(0.8) * rng.standard_normal((studies, 1, seeds))
    return (
        common + math.sqrt(0.2) * rng.standard_normal((studies, 1, seeds)),
        common + math.sqrt(0.2) * rng.standard_normal(shape),
    )


def _ties(rng: np.random.Generator, shape: tuple[int, int, int]) -> tuple[Floats, Floats]:
    studies, _, seeds = shape
    reference = rng.binomial(270, 0.97, (studies, 1, seeds)) / 270
    moved = rng.choice((-1, 0, 1), shape, p=(0.125, 0.75, 0.125)) / 270
    return reference, reference + moved


def _collapsing(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    runs = 0.97 + 0.01 * rng.standard_normal(shape)
    return np.where(rng.random(shape) < 0.05, 0.1, runs)


def _one_collapses(rng: np.random.Generator, shape: tuple[int, int, int]) -> tuple[Floats, Floats]:
    studies, _, seeds = shape
    cells = 0.97 + 0.003 * rng.standard_normal(shape)
    cells[:, 0] = np.where(rng.random((studies, seeds)) < 0.05, 0.1, cells[:, 0])
    return 0.97 + 0.003 * rng.standard_normal((studies, 1, seeds)), cells


def _lost_at_random(rng: np.random.Generator, shape: tuple[int, int, int]) -> tuple[Floats, Floats]:
    runs = rng.standard_normal((shape[0], shape[1] + 1, shape[2]))
    runs[rng.random(runs.shape) < 0.2] = np.nan
    return runs[:, :1], runs[:, 1:]


def _worst_lost(share: float) -> Law:
    """The worst runs of the cells fail."""

    def law(rng: np.random.Generator, shape: tuple[int, int, int]) -> tuple[Floats, Floats]:
        studies, _, seeds = shape
        cells = rng.standard_normal(shape)
        worst = {0.1: -1.2815515655446004, 0.2: -0.8416212335729143}[share]
        return rng.standard_normal((studies, 1, seeds)), np.where(cells < worst, np.nan, cells)

    return law


def _binomial(images: int, accuracy: float) -> Law:
    return _both(lambda rng, shape: rng.binomial(images, accuracy, shape) / images)


_ODD = (math.sqrt(17.0), 1.0, 1.0, 1.0, 1.0, 1.0)  # the first difference spreads three times as much as the others
_WORST_LOST = "intervals where the worst runs of a cell are lost (errors hold)"
_BELOW_COLLAPSE = "a collapse in less than 30% of runs is not excluded by 9 to 20 of them"

SCENARIOS: Mapping[str, Scenario] = {
    "normal": Scenario(_both(_normal)),
    "Laplace": Scenario(_both(lambda rng, shape: rng.laplace(size=shape))),
    "t with 3 df": Scenario(_both(lambda rng, shape: rng.standard_t(3, size=shape))),
    "lognormal": Scenario(_both(lambda rng, shape: -np.exp(rng.standard_normal(shape)))),
    "skewed cells, tight reference": Scenario(_skewed),
    "skewed cell, tight reference, K=1": Scenario(
        _skewed, (0.0,), excluded="one skewed cell alone, its reference not: three to ten runs cannot show it"
    ),
    "binomial 270, .97": Scenario(_binomial(270, 0.97)),
    "binomial 270, .995": Scenario(_binomial(270, 0.995)),
    "binomial 1000, .97": Scenario(_binomial(1000, 0.97)),
    "heavy ties": Scenario(_ties),
    "collapse everywhere, 5%": Scenario(_both(_collapsing)),
    "unequal spread .3 to 10": Scenario(_effects((0.0,) * CELLS, (0.3, 1.0, 1.0, 3.0, 5.0, 10.0))),
    "one cell of 3 times the spread": Scenario(_effects((0.0,) * CELLS, _ODD)),
    "one cell of 3 times the spread, others d=4": Scenario(
        _effects((0.0, *of_size(4, 5)), _ODD), (0.0, *of_size(4, 5))
    ),
    "one cell of 3 times the spread, K=4": Scenario(_effects((0.0,) * 4, _ODD[:4]), (0.0,) * 4, sizes=(3, 5, 10)),
    "two cells of 3 times the spread": Scenario(
        _effects((0.0,) * CELLS, (_ODD[0], _ODD[0], 1.0, 1.0, 1.0, 1.0)),
        excluded="several cells that spread three times as much as the others, three seeds",
        excluded_at=(3,),
    ),
    "reference of 3 times the spread": Scenario(
        lambda rng, shape: (3 * rng.standard_normal((shape[0], 1, shape[2])), rng.standard_normal(shape)),
        excluded="a reference that spreads three times as much as the cells, three to five seeds",
        excluded_at=(3, 5),
    ),
    "paired, rho .8": Scenario(_paired),
    "20% lost at random": Scenario(_lost_at_random),
    "worst 10% of cells lost": Scenario(_worst_lost(0.1), excluded=_WORST_LOST),
    "worst 20% of cells lost": Scenario(_worst_lost(0.2), excluded=_WORST_LOST),
    "one cell collapses, 5%": Scenario(
        _one_collapses, (0.05 * 0.87, *(0.0,) * 5), margin=0.01, excluded=_BELOW_COLLAPSE
    ),
    "three at 0, three at the margin": Scenario(
        _effects((0.0, 0.0, 0.0, 2.0, 2.0, 2.0)), (0.0, 0.0, 0.0, 2.0, 2.0, 2.0), margin=2.0
    ),
    "20 cells": Scenario(_both(_normal), (0.0,) * 20, sizes=(3, 5, 10)),
}

POWER: Mapping[str, Scenario] = {
    f"d={d:g}": Scenario(_effects(of_size(d)), of_size(d), sizes=(3, 4, 5, 6, 7, 8, 10, 0)) for d in (0.5, 1, 2, 4)
}


@dataclass(frozen=True)
class Pooled:
    """Studies on several data sets, three seeds on each, whose effects are pooled; the mean effect is 0.

    Args:
        effects: From (studies, cells, data sets) the true effects on each data set.
        noise: Least and greatest spread of runs over the data sets.
        excluded: See :class:`Scenario`.
        excluded_at: At which numbers of data sets.
    """

    effects: Callable[[np.random.Generator, tuple[int, ...]], Floats]
    noise: tuple[float, float] = (1.0, 1.0)
    excluded: str = ""
    excluded_at: tuple[int, ...] = (3, 10)

    def law(self, rng: np.random.Generator, shape: tuple[int, int, int, int]) -> Floats:
        """The contributions by study, cell, data set and seed."""
        studies, _, sets, seeds = shape
        noise = rng.standard_normal((studies, 1, sets, seeds)) - rng.standard_normal(shape)
        return self.effects(rng, shape[:3])[..., np.newaxis] + noise * np.geomspace(*self.noise, sets)[:, np.newaxis]


def _varying(spread: float) -> Callable[[np.random.Generator, tuple[int, ...]], Floats]:
    return lambda rng, shape: spread * rng.standard_normal(shape)


POOLED: Mapping[str, Pooled] = {
    "pooled: effects alike": Pooled(_varying(0.0)),
    "pooled: effects vary by .5": Pooled(_varying(0.5)),
    "pooled: effects vary by 2": Pooled(_varying(2.0)),
    "pooled: the same, noise .3 to 3": Pooled(_varying(0.5), (0.3, 3.0)),
    "pooled: effects skewed (exponential)": Pooled(
        lambda rng, shape: rng.exponential(size=shape) - 1.0,
        excluded="effects that are skewed over data sets",
    ),
}
DATA_SETS, SEEDS_EACH = (3, 10), 3
