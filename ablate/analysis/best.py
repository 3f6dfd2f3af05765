"""The best cells of a study: the best one and all that the data do not separate from it."""

from __future__ import annotations

from ablate.analysis.comparisons import block_of, shared_pairs, size_of
from ablate.analysis.intervals import t_interval
from ablate.analysis.multiplicity import holm
from ablate.analysis.observations import Observations
from ablate.analysis.verdicts import ALPHA, evidence
from ablate.study import Plan

__all__ = ["best_cells"]


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
    groups: dict[tuple[str, ...], list[str]] = {}
    for cell in plan.cells:
        if values[cell.label]:
            groups.setdefault(block_of(cell, plan), []).append(cell.label)
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
        pairs = shared_pairs(values[top], values[label])
        differences = [b - a for a, b in pairs.values()]
        raw.append(evidence(t_interval(differences, scale=size_of(pairs)), margin=None).difference)
    return holm(raw)
