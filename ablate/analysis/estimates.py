"""Estimates that say what they estimate: a number a seed, summarised over seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from ablate.analysis.boundary import SequentialRule
from ablate.analysis.intervals import MeanInterval, t_interval
from ablate.analysis.observations import Observations
from ablate.analysis.sequential import Path, repeated_interval, sequential_evidence
from ablate.analysis.verdicts import Evidence, adjust, evidence, verdict
from ablate.study import Cell, Plan, Study

__all__ = ["ESTIMATE_COLUMNS", "Contrast", "Estimates", "by_seed", "cell_at", "estimate"]

ESTIMATE_COLUMNS = ("n", "difference", "low", "high", "contribution", "p", "p_adjusted", "verdict")


@dataclass(frozen=True, eq=False)
class Estimates:
    """A table and the quantity that it estimates.

    Args:
        estimand: What the numbers are, in a sentence: the same ingredient has different effects under different
            questions.
        table: A row an effect.
        notes: What is left out or not to be had, a sentence each.
        interval: What the intervals are.
        test: What the p values are of.
    """

    estimand: str
    table: pd.DataFrame
    notes: tuple[str, ...] = ()
    interval: str = "t interval"
    test: str = "t test"

    def under(self, rule: SequentialRule | None) -> Estimates:
        """The same, with the interval and the test of a sequential rule."""
        if rule is None:
            return self
        return replace(self, interval="repeated confidence interval", test="sequential t test")


@dataclass(frozen=True)
class Contrast:
    """One number a seed, such as an average of differences between cells.

    Args:
        keys: What it is the contrast of, in the columns of the table.
        values: By seed, the contrast in units of the metric; more is a greater metric, whatever its direction.
        size: Magnitude of the metric, against which the contrast may be rounding noise.
    """

    keys: Mapping[str, object] = field(hash=False)
    values: Mapping[int, float] = field(hash=False)
    size: float = 0.0


def estimate(contrasts: Sequence[Contrast], study: Study, rule: SequentialRule | None = None) -> pd.DataFrame:
    """A row a contrast: its keys, then :data:`ESTIMATE_COLUMNS`; Holm over all rows.

    Args:
        contrasts: The contrasts, all with the same keys, which ask one family of questions.
        study: For the direction of the metric and the margin.
        rule: The sequential rule under which the seeds were taken. Intervals are then repeated ones, and p values count
            all looks: both hold at whatever seed the cells of a contrast stopped.
    """
    sign = -1.0 if study.direction == "max" else 1.0
    means = [_mean(contrast, rule) for contrast in contrasts]
    turned = [replace(mean, mean=0.0 + sign * mean.mean) for mean in means]
    if rule is None:
        raw = [evidence(mean, study.margin) for mean in turned]
    else:
        raw = [_last_evidence(contrast, sign, rule, study.margin) for contrast in contrasts]
    rows = [
        {
            **contrast.keys,
            "n": mean.n,
            "difference": mean.mean,
            "low": mean.low,
            "high": mean.high,
            "contribution": good.mean,
            "p": single.difference,
            "p_adjusted": adjusted.difference,
            "verdict": verdict(good, adjusted, study.margin),
        }
        for contrast, mean, good, single, adjusted in zip(contrasts, means, turned, raw, adjust(raw), strict=True)
    ]
    return pd.DataFrame(rows, columns=[*(contrasts[0].keys if contrasts else ()), *ESTIMATE_COLUMNS])


def _path(contrast: Contrast, sign: float = 1.0) -> Path:
    values = tuple(sign * value for value in contrast.values.values())
    return Path(values, (contrast.size,) * len(values))


def _mean(contrast: Contrast, rule: SequentialRule | None) -> MeanInterval:
    if rule is None:
        return t_interval(list(contrast.values.values()), scale=contrast.size)
    return repeated_interval(_path(contrast), len(contrast.values), rule)


def _last_evidence(contrast: Contrast, sign: float, rule: SequentialRule, margin: float | None) -> Evidence:
    looks = sequential_evidence(_path(contrast, sign), rule, margin)
    return looks[-1] if looks else Evidence(math.nan)


def cell_at(plan: Plan, levels: Mapping[str, str]) -> Cell | None:
    """The cell of a combination of levels, where void factors match any level; None if the plan has none.

    Args:
        plan: The plan.
        levels: Level label by factor name, for every factor.
    """
    for cell in plan.cells:
        if all(cell.levels[name] == label or name in cell.void for name, label in levels.items()):
            return cell
    return None


def by_seed(values: Observations, weights: Iterable[tuple[str, float]]) -> tuple[dict[int, float], float]:
    """A weighted sum of cells by seed, over the seeds that all of them have, and the magnitude of what went in.

    Args:
        values: The metric by cell label and seed.
        weights: Cell labels with their weights.
    """
    total: dict[str, float] = {}
    for cell, weight in weights:
        total[cell] = total.get(cell, 0.0) + weight
    used = {cell: weight for cell, weight in total.items() if weight}
    shared = set.intersection(*(set(values[cell]) for cell in used)) if used else set()
    sums = {seed: sum(weight * values[cell][seed] for cell, weight in used.items()) for seed in sorted(shared)}
    size = max((abs(values[cell][seed]) for cell in used for seed in shared), default=0.0)
    return sums, size
