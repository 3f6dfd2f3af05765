"""What a design cannot tell apart."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ablate.analysis.terms import TINY, check_table, new_directions, occurring, term_columns, term_names
from ablate.study import Plan

__all__ = ["aliases", "plan_aliases"]


def aliases(table: pd.DataFrame, factors: Mapping[str, Sequence[object]], order: int = 2) -> pd.DataFrame:
    """Which terms a design mixes with each other.

    Args:
        table: A row a run, a column a factor.
        factors: Levels by factor.
        order: Highest order of the terms considered.

    Returns:
        A row a pair of terms that are correlated: ``term``, ``other``, ``correlation`` from 0 to 1, the greatest
        between their columns. 1 is a full alias: the design cannot tell the two apart.

    Example:
        >>> half = pd.DataFrame({"a": [0, 0, 1, 1], "b": [0, 1, 0, 1], "c": [1, 0, 0, 1]})
        >>> aliases(half, {name: (0, 1) for name in "abc"}).values.tolist()
        [['a', 'b:c', 1.0], ['b', 'a:c', 1.0], ['c', 'a:b', 1.0]]
    """
    check_table(table, None, factors, None, "partial")
    factors, _ = occurring(table, {name: tuple(dict.fromkeys(levels)) for name, levels in factors.items()})
    constant = np.full((len(table), 1), 1 / math.sqrt(len(table)))
    spans = {
        term: new_directions(term_columns(table, factors, term), constant) for term in term_names(factors, order, None)
    }
    rows = []
    for (term, one), (other, two) in itertools.combinations(spans.items(), 2):
        if one.shape[1] and two.shape[1]:
            correlation = float(np.linalg.norm(one.T @ two, 2))
            if correlation > TINY:
                rows.append((term, other, round(min(correlation, 1.0), 9)))
    return pd.DataFrame(rows, columns=["term", "other", "correlation"])


def plan_aliases(plan: Plan, order: int = 2) -> pd.DataFrame:
    """Which terms the cells of a plan mix with each other, see :func:`aliases`; known before the first run."""
    table = pd.DataFrame([dict(cell.levels) for cell in plan.cells])
    return aliases(table, {factor.name: (factor.reference, *factor.labels) for factor in plan.factors}, order)
