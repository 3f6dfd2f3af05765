"""Across data sets: effects pooled over a few, ranks over many."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import special

from ablate.analysis.boundary import SequentialRule
from ablate.analysis.effects import Effect, paired_effects
from ablate.analysis.estimates import OVER_DATA_SETS, Estimates
from ablate.analysis.intervals import t_interval
from ablate.analysis.observations import Observations, block_of, blocks_of, varied
from ablate.analysis.verdicts import ALPHA, evidence, holm
from ablate.errors import AnalysisError
from ablate.study import Cell, Factor, Plan
from ablate.study.cell import reference_label

FEW = 5
"""Least number of data sets for which cells can be ranked."""


def pool_effects(plan: Plan, values: Observations, rule: SequentialRule | None = None) -> Estimates:
    """The effect of every ingredient over all data sets, of which those of the study are a sample.

    The unit is the data set: the effects of the single data sets, each a mean over its seeds, are averaged with equal
    weights, and their own spread gives a t interval with as many degrees of freedom as there are data sets less one.
    Weights by precision would follow the luck of a few seeds: with three seeds on ten data sets their interval (Hartung
    and Knapp's) covers in 89% of all cases, and this one in 95%. Seeds of different data sets are never treated as one
    sample.

    Args:
        plan: A plan with a block factor.
        values: The metric by cell label and seed.
        rule: The sequential rule under which the seeds were taken, or None.

    Returns:
        One row per ingredient's change: ``factor``, ``level``, number of ``blocks``, ``difference``, ``low``, ``high``,
        ``contribution``, ``p``, ``p_adjusted`` (Holm), ``between`` (standard deviation of the true effects between
        data sets) and ``i2`` (share of the spread that is not noise); the last two are NaN without two seeds.

    Raises:
        AnalysisError: If the plan has no block factor with two or more levels, or no ingredient was compared in two.
    """
    if blocks_of(plan) == [{}]:
        raise AnalysisError(
            f"Study '{plan.study.name}' runs on one data set: no factor is a block. Sweep the data, for example "
            "data=digits,telugu."
        )
    blocks = [", ".join(block.values()) for block in blocks_of(plan)]
    by_change: dict[tuple[str, str], list[Effect]] = {}
    for paired in paired_effects(values, plan):
        # A moderated variance would make the precision of one data set's effects hang on the others.
        effect = replace(paired, difference=paired.own_difference)
        levels = "+".join(effect.cell.levels[name] for name in effect.changed)
        by_change.setdefault(("+".join(effect.changed), levels), []).append(effect)
    rows, notes = [], []
    for (factor, level), effects in by_change.items():
        usable = [effect for effect in effects if effect.difference.n > 0]
        if len(usable) < len(effects):
            notes.append(f"{factor}={level}: left out where no seed is shared with the reference.")
        if len(usable) >= 2:
            rows.append((factor, level, len(usable), *_combined(usable, plan)))
    if not rows:
        raise AnalysisError(
            f"No ingredient was compared in two of the data sets {', '.join(blocks)}: there is nothing to pool."
        )
    columns = ["factor", "level", "blocks", "difference", "low", "high", "contribution", "p", "between", "i2"]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(8, "p_adjusted", holm(table["p"].tolist()))
    if rule is not None:
        table[["low", "high", "p", "p_adjusted"]] = math.nan
        notes.append(
            "Seeds were taken until verdicts stood, for which no interval or p value over data sets is known: none is "
            "given."
        )
    if len(blocks) < FEW:
        notes.append(f"{len(blocks)} data sets say little about others: read the effects of each beside the mean.")
    return Estimates(
        "Mean effect over data sets of which these are a sample, each with the same weight.",
        table,
        tuple(notes),
        interval=OVER_DATA_SETS,
        test="t test over data sets",
        counted="data set",
    )


def _combined(effects: list[Effect], plan: Plan) -> tuple[float, ...]:
    means = [effect.difference.mean for effect in effects]
    pooled = t_interval(means, scale=max(abs(value) for effect in effects for side in effect.samples for value in side))
    sign = -1.0 if plan.study.direction == "max" else 1.0
    p = evidence(pooled, None).difference
    errors = [effect.difference.error for effect in effects]
    between = i2 = math.nan
    if not any(math.isnan(error) for error in errors):
        # What the means vary more than their own errors explain.
        noise = math.fsum(error**2 for error in errors) / len(errors)
        spread = 0.0 if math.isnan(pooled.error) else pooled.error**2 * pooled.n
        between = math.sqrt(max(0.0, spread - noise))
        i2 = between**2 / (between**2 + noise)
    return pooled.mean, pooled.low, pooled.high, 0.0 + sign * pooled.mean, p, between, i2


@dataclass(frozen=True, eq=False)
class Ranking:
    """Cells ranked on each of five data sets or more.

    Args:
        estimand: What is compared.
        table: One row per cell, best first: ``cell`` (its ingredients), ``mean_rank`` over data sets (1 is best),
            ``p`` of Wilcoxon's signed-rank test of its means against the reference's, ``p_adjusted`` (Holm).
        blocks: Number of data sets.
        friedman: p value of "all cells are alike" (Friedman's test in the form of Iman and Davenport).
        critical_difference: Mean ranks further apart than this differ (Nemenyi).
        groups: Maximal groups of cells, neighbours in mean rank, that do not differ by the critical difference.
        notes: What is left out, a sentence each.
    """

    estimand: str
    table: pd.DataFrame
    blocks: int
    friedman: float
    critical_difference: float
    groups: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def critical_difference(cells: int, blocks: int, alpha: float = ALPHA) -> float:
    """The difference of two mean ranks that Nemenyi's test calls significant.

    Source: J. Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 7 (2006), 1-30, sec. 3.2.2.

    Example:
        >>> round(critical_difference(4, 14), 2)
        1.25
    """
    from scipy.stats import studentized_range

    quantile = float(studentized_range.ppf(1 - alpha, cells, np.inf)) / math.sqrt(2)
    return quantile * math.sqrt(cells * (cells + 1) / (6 * blocks))


def rank_cells(plan: Plan, values: Observations) -> Ranking:
    """Rank the cells on every data set by their mean over seeds, and say which differ.

    Built from scipy's tests: packages for this add a plotting stack, or decide by themselves which test to use.

    Args:
        plan: A plan with a block factor.
        values: The metric by cell label and seed.

    Raises:
        AnalysisError: If fewer than five data sets have at least two cells in common.
    """
    from scipy import stats

    ingredients = varied(plan)
    means: dict[tuple[str, ...], dict[str, float]] = {}
    cells: dict[str, None] = {}
    for cell in plan.cells:
        label = _ingredient_label(cell, ingredients)
        cells[label] = None
        if values[cell.label]:
            means.setdefault(block_of(cell, plan), {})[label] = t_interval(list(values[cell.label].values())).mean
    shared = [label for label in cells if all(label in block for block in means.values())]
    if len(means) < FEW or len(shared) < 2:
        raise AnalysisError(
            f"Ranks need at least {FEW} data sets with two cells or more in common; there are {len(means)} with "
            f"{len(shared)}. For fewer data sets pool the effects."
        )
    sign = -1.0 if plan.study.direction == "max" else 1.0
    scores = np.array([[block[label] for label in shared] for block in means.values()])
    # Rounded, because the last bits of a mean are no reason to rank one cell before another.
    ranks = stats.rankdata(np.round(sign * scores, 12), axis=1).mean(axis=0)
    table = pd.DataFrame({"cell": shared, "mean_rank": ranks, "p": math.nan})
    full = reference_label(ingredients)
    if full in shared:
        reference = scores[:, shared.index(full)]
        p_values = [_wilcoxon_p(column - reference) for column in scores.T]
        table["p"] = pd.Series(p_values).where(table["cell"] != full)
    tested = table["p"].notna()
    table.loc[tested, "p_adjusted"] = holm(table.loc[tested, "p"].tolist())
    table = table.sort_values("mean_rank", kind="stable", ignore_index=True)
    distance = critical_difference(len(shared), len(means))
    left_out = [label for label in cells if label not in shared]
    notes = [f"Not on all data sets, left out: {'; '.join(left_out)}."] if left_out else []
    smallest = int(tested.sum()) * 2.0 ** (1 - len(means))
    if smallest > ALPHA:
        notes.append(
            f"The signed-rank test of {len(means)} data sets has no p value below {min(1.0, smallest):.2g} after "
            f"Holm's adjustment over {int(tested.sum())}: nothing could be significant."
        )
    return Ranking(
        "Mean rank of the cells over data sets, each by its mean over seeds. It depends on which cells are ranked.",
        table,
        len(means),
        _iman_davenport(ranks, len(means)),
        distance,
        _groups(table, distance),
        tuple(notes),
    )


def _iman_davenport(ranks: np.ndarray, blocks: int) -> float:
    """The p value of Friedman's test, by the F statistic that Iman and Davenport found less conservative."""
    k = len(ranks)
    chi2 = 12 * blocks / (k * (k + 1)) * (float(np.sum(ranks**2)) - k * (k + 1) ** 2 / 4)
    rest = blocks * (k - 1) - chi2
    if rest <= 1e-9:
        return 0.0  # the same order in every block
    return float(special.fdtrc(k - 1, (k - 1) * (blocks - 1), (blocks - 1) * chi2 / rest))


def _wilcoxon_p(differences: np.ndarray) -> float:
    """The p value of Wilcoxon's signed-rank test of the differences of two cells, one per data set."""
    from scipy import stats

    rounded = np.round(differences, 12)
    moved = rounded[rounded != 0]
    return float(stats.wilcoxon(moved, method="exact").pvalue) if len(moved) else 1.0


def _groups(table: pd.DataFrame, distance: float) -> tuple[tuple[str, ...], ...]:
    """Maximal groups of cells, neighbours in mean rank, that lie within a distance; none is part of another."""
    ranks, cells = table["mean_rank"].tolist(), table["cell"].tolist()
    spans: list[tuple[int, int]] = []
    for start in range(len(ranks)):
        end = max(index for index in range(start, len(ranks)) if ranks[index] - ranks[start] <= distance)
        if end > start and not any(a <= start and end <= b for a, b in spans):
            spans.append((start, end))
    return tuple(tuple(cells[start : end + 1]) for start, end in spans)


def _ingredient_label(cell: Cell, ingredients: list[Factor]) -> str:
    changed = [factor.name for factor in ingredients if factor.name in cell.changed]
    return ", ".join(f"{name}={cell.levels[name]}" for name in changed) or reference_label(ingredients)
