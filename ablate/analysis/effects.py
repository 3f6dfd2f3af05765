"""Paired effects: what changes when a cell is trained instead of its reference, seed by seed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from ablate.analysis.intervals import MeanInterval, t_interval
from ablate.analysis.multiplicity import holm
from ablate.analysis.observations import Observations
from ablate.analysis.verdicts import ALPHA, Evidence, evidence, verdict
from ablate.study import Cell, Plan, Study

__all__ = ["EFFECT_COLUMNS", "PAIR_COLUMNS", "Effect", "best_cells", "effects_frame", "paired_effects", "pairs_frame"]

EFFECT_COLUMNS = (
    "study",
    "cell",
    "factor",
    "level",
    "metric",
    "n",
    "reference_mean",
    "cell_mean",
    "difference",
    "low",
    "high",
    "contribution",
    "p",
    "p_adjusted",
    "verdict",
)
PAIR_COLUMNS = ("cell", "seed", "reference", "value", "difference")


@dataclass(frozen=True)
class Effect:
    """A cell against its reference, paired by seed.

    Args:
        cell: The cell.
        reference: The cell it is compared with: all ingredients at their reference, in the same block.
        changed: Names of the ingredients in which the two differ.
        pairs: By seed, the metric of the reference and of the cell, for the seeds that both have finished.
        difference: Cell minus reference.
        contribution: The difference with the sign that makes a good ingredient positive.
        raw: Unadjusted p values.
        adjusted: The same, adjusted by Holm over all effects of the study, each question in its own family.
        verdict: What follows, one of :data:`ablate.analysis.verdicts.VERDICTS`.
    """

    cell: Cell
    reference: Cell
    changed: tuple[str, ...]
    pairs: Mapping[int, tuple[float, float]]
    difference: MeanInterval
    contribution: MeanInterval
    raw: Evidence
    adjusted: Evidence
    verdict: str

    @property
    def is_constant(self) -> bool:
        """Whether two or more seeds show the very same difference, so that no variance can be estimated."""
        return self.difference.n > 1 and math.isnan(self.difference.error)


def paired_effects(values: Observations, plan: Plan) -> tuple[Effect, ...]:
    """The effect of every cell that is not a reference itself, in the order of the plan.

    Args:
        values: The metric by cell label and seed.
        plan: The plan. Factors that are blocks (data sets) are never compared across: a cell's reference is the cell
            of the same block levels with everything else at its reference.
    """
    blocks = {factor.name for factor in plan.factors if factor.block}
    by_levels = {tuple(cell.levels.values()): cell for cell in plan.cells}
    found = []
    for cell in plan.cells:
        wanted = tuple(cell.levels[factor.name] if factor.block else factor.reference for factor in plan.factors)
        reference = by_levels.get(wanted)
        if reference is None or reference is cell:
            continue
        pairs = _pairs(values[reference.label], values[cell.label])
        difference = t_interval([b - a for a, b in pairs.values()], scale=_scale(pairs))
        contribution = _turned(difference, plan.study)
        raw = evidence(contribution, plan.study.margin)
        changed = tuple(name for name in cell.changed if name not in blocks)
        found.append(Effect(cell, reference, changed, pairs, difference, contribution, raw, raw, ""))
    return _judged(found, plan.study)


def _pairs(reference: Mapping[int, float], cell: Mapping[int, float]) -> dict[int, tuple[float, float]]:
    return {seed: (reference[seed], cell[seed]) for seed in sorted(reference.keys() & cell.keys())}


def _scale(pairs: Mapping[int, tuple[float, float]]) -> float:
    return max((abs(value) for pair in pairs.values() for value in pair), default=0.0)


def _turned(difference: MeanInterval, study: Study) -> MeanInterval:
    # 0 - x, because -x would print a zero difference as -0.0.
    return replace(difference, mean=0.0 - difference.mean) if study.direction == "max" else difference


def _judged(effects: list[Effect], study: Study) -> tuple[Effect, ...]:
    families = zip(
        holm([effect.raw.difference for effect in effects]),
        holm([effect.raw.equivalence for effect in effects]),
        holm([effect.raw.dispensability for effect in effects]),
        strict=True,
    )
    return tuple(
        replace(effect, adjusted=adjusted, verdict=verdict(effect.contribution, adjusted, study.margin))
        for effect, adjusted in zip(effects, (Evidence(*p) for p in families), strict=True)
    )


def effects_frame(effects: tuple[Effect, ...], plan: Plan) -> pd.DataFrame:
    """The effects as a table with the columns :data:`EFFECT_COLUMNS`, a row an effect."""
    rows = [
        (
            plan.study.name,
            effect.cell.label,
            "+".join(effect.changed),
            "+".join(effect.cell.levels[name] for name in effect.changed),
            plan.study.metric,
            effect.difference.n,
            t_interval([reference for reference, _ in effect.pairs.values()]).mean,
            t_interval([value for _, value in effect.pairs.values()]).mean,
            effect.difference.mean,
            effect.difference.low,
            effect.difference.high,
            effect.contribution.mean,
            effect.raw.difference,
            effect.adjusted.difference,
            effect.verdict,
        )
        for effect in effects
    ]
    return pd.DataFrame(rows, columns=list(EFFECT_COLUMNS))


def pairs_frame(effects: tuple[Effect, ...]) -> pd.DataFrame:
    """The single seeds behind the effects as a table with the columns :data:`PAIR_COLUMNS`, a row a seed."""
    rows = [
        (effect.cell.label, seed, reference, value, value - reference)
        for effect in effects
        for seed, (reference, value) in effect.pairs.items()
    ]
    return pd.DataFrame(rows, columns=list(PAIR_COLUMNS))


def best_cells(values: Observations, plan: Plan) -> frozenset[str]:
    """Labels of the best cell of every block and of all cells that the data do not separate from it.

    The best cell has the best mean. Another one counts as separated when the paired t test of the two, adjusted by
    Holm over all comparisons with the best cell, has a p value of at most :data:`~ablate.analysis.verdicts.ALPHA`.

    Args:
        values: The metric by cell label and seed.
        plan: The plan.

    Returns:
        No label for a block whose best cell has fewer than two seeds: then nothing could have been separated.
    """
    sign = 1 if plan.study.direction == "max" else -1
    blocks = [factor.name for factor in plan.factors if factor.block]
    groups: dict[tuple[str, ...], list[str]] = {}
    for cell in plan.cells:
        if values[cell.label]:
            groups.setdefault(tuple(cell.levels[name] for name in blocks), []).append(cell.label)
    best: set[str] = set()
    for labels in groups.values():
        top = max(labels, key=lambda label: sign * t_interval(list(values[label].values())).mean)
        if len(values[top]) < 2:
            continue
        others = [label for label in labels if label != top]
        best |= {
            top,
            *(label for label, p in zip(others, _against(top, others, values), strict=True) if not p <= ALPHA),
        }
    return frozenset(best)


def _against(top: str, others: list[str], values: Observations) -> list[float]:
    raw = []
    for label in others:
        pairs = _pairs(values[top], values[label])
        differences = [b - a for a, b in pairs.values()]
        raw.append(evidence(t_interval(differences, scale=_scale(pairs)), margin=None).difference)
    return holm(raw)
