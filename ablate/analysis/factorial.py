"""Factorial analysis by least squares: analysis of variance, effects, and what a design cannot tell apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import linalg, special

from ablate.analysis.boundary import Floats
from ablate.analysis.intervals import LEVEL
from ablate.analysis.observations import Observations
from ablate.analysis.terms import (
    SQUARES,
    check_table,
    coded,
    factors_in,
    new_directions,
    occurring,
    term_columns,
    term_names,
)
from ablate.errors import AnalysisError
from ablate.study import Plan

_LARGEST = 1e150  # beyond it sums of squares leave the range of numbers
_CORRELATED = 1e-6  # a correlation above it is no rounding


@dataclass(frozen=True, eq=False)
class Factorial:
    """A least-squares analysis of a factorial experiment.

    Args:
        anova: A row for the block, every term, ``Residual`` and ``Total``, in this order: ``term``, ``df``, ``ss``,
            ``ms``, ``F``, ``p``. Without residual degrees of freedom there is no F.
        effects: A row for every estimable term of two-level factors: ``term``, ``effect`` (mean at the second level
            minus mean at the first; for interactions the product of the signs), its standard ``error``, ``low`` and
            ``high`` end of the 95% t interval, ``p``.
        mixed: Terms that cannot be estimated, with what they are mixed with (``block`` among it).
        squares: Which sums of squares these are, in words.
        estimand: What the effects are.
        notes: What a reader should know, a sentence each.
    """

    anova: pd.DataFrame
    effects: pd.DataFrame
    mixed: Mapping[str, tuple[str, ...]]
    squares: str
    estimand: str
    notes: tuple[str, ...]


def analyse_factorial(
    table: pd.DataFrame,
    response: str,
    factors: Mapping[str, Sequence[object]],
    block: str | None = None,
    order: int | None = None,
    terms: Sequence[str] | None = None,
    squares: str = "partial",
) -> Factorial:
    """Fit a linear model with the given factors, their interactions, and a block.

    Terms enter from low order to high. A term whose columns are combinations of those before it (an alias in a
    fraction, a contrast between blocks, empty cells) is not estimated but named with its partners.

    Args:
        table: A row an observation.
        response: Column of the numbers to explain.
        factors: Levels by factor; the effect of two-level factors is second minus first.
        block: Column whose differences are removed first (seed, replicate, data set), or None.
        order: Highest order of interactions; all by default.
        terms: Exactly these terms instead, such as ``["A", "C", "A:C"]``.
        squares: A key of :data:`SQUARES`. In balanced tables both agree.

    Raises:
        AnalysisError: If columns, levels or terms are unknown, or a number is not finite or above 1e150.

    Example:
        >>> table = pd.DataFrame({"a": [0, 1, 0, 1], "b": [0, 0, 1, 1], "y": [1.0, 3.0, 2.0, 8.0]})
        >>> analyse_factorial(table, "y", {"a": (0, 1), "b": (0, 1)}).effects[["term", "effect"]].values.tolist()
        [['a', 4.0], ['b', 3.0], ['a:b', 2.0]]
    """
    check_table(table, response, factors, block, squares)
    factors, idle = occurring(table, factors)
    y = table[response].to_numpy(dtype=float)
    if len(y) and np.abs(y).max() > _LARGEST:
        raise AnalysisError(
            f"Numbers of {response} reach {np.abs(y).max():.3g}: above {_LARGEST:g} they have no sums of squares."
        )
    # Twice: what rounding leaves of a large mean would pass for an effect of it.
    y = y - math.fsum(y) / len(y)
    y = y - math.fsum(y) / len(y)
    columns = {term: term_columns(table, factors, term) for term in term_names(factors, order, terms)}
    constant = np.full((len(y), 1), 1 / math.sqrt(len(y)))
    blocks = coded(table[block], tuple(pd.unique(table[block]))) if block else np.empty((len(y), 0))
    base = np.hstack([constant, new_directions(blocks, constant)])
    basis = base
    fitted: dict[str, Floats] = {}
    entered: dict[str, Floats] = {}
    mixed: dict[str, tuple[str, ...]] = {}
    for term, term_cols in columns.items():
        new = new_directions(term_cols, basis)
        if new.shape[1] < term_cols.shape[1]:
            mixed[term] = _partners(term_cols, {**({"block": blocks} if block else {}), **fitted})
        if new.shape[1]:
            fitted[term], entered[term] = term_cols, new
            basis = np.hstack([basis, new])
    # The residual from the orthonormal basis, projected twice: it may be many digits smaller than the numbers.
    rest = y - basis @ (basis.T @ y)
    rest = rest - basis @ (basis.T @ rest)
    freedom = len(y) - basis.shape[1]
    residual = math.fsum(rest**2)
    scale = residual / freedom if freedom > 0 else math.nan
    # The coefficients from the columns themselves, which give effects in units of the response; of a term that is mixed
    # with others only what it adds to them can be estimated.
    model = {term: entered[term] if term in mixed else fitted[term] for term in fitted}
    solution = _Solution(np.hstack([base, *model.values()]), y)
    rows = [("block", base.shape[1] - 1, math.fsum((base[:, 1:].T @ y) ** 2))] if block else []
    places: dict[str, slice] = {}
    start = base.shape[1]
    for term, term_cols in model.items():
        width = term_cols.shape[1]
        places[term] = slice(start, start + width)
        start += width
        # Sequential sums of squares follow the order of entry, partial ones have all other terms in the model.
        ss = solution.squares(places[term]) if squares == "partial" else math.fsum((entered[term].T @ y) ** 2)
        rows.append((term, width, ss))
    anova = [(term, df, ss, ss / df if df else math.nan, *_f_test(ss, df, scale, freedom)) for term, df, ss in rows]
    anova.append(("Residual", freedom, residual, scale, math.nan, math.nan))
    anova.append(("Total", len(y) - 1, math.fsum(y**2), math.nan, math.nan, math.nan))
    notes = [f"{name} is at one level everywhere: no effect." for name in idle]
    notes += [f"{term} cannot be told apart from {', '.join(names)}." for term, names in mixed.items()]
    if freedom == 0:
        notes.append("As many terms as observations: no residual, so no standard errors and no F tests.")
    return Factorial(
        pd.DataFrame(anova, columns=["term", "df", "ss", "ms", "F", "p"]),
        _effects(
            solution, {term: place for term, place in places.items() if term not in mixed}, factors, scale, freedom
        ),
        mixed,
        SQUARES[squares],
        "Factorial effect: mean at the second level minus mean at the first, over all settings of the other factors.",
        tuple(notes),
    )


def factorial_table(plan: Plan, values: Observations) -> tuple[pd.DataFrame, dict[str, tuple[str, ...]]]:
    """A study's metric in the form that :func:`analyse_factorial` takes.

    Cells in which a factor is void stay in, at its reference level: the model then reports which interactions their
    absence hides.

    Args:
        plan: The plan.
        values: The metric by cell label and seed.

    Returns:
        A row a run with a column a factor, ``seed`` (to be the block) and the metric, called like the study's; and
        the levels by factor, the reference first.
    """
    metric = plan.study.metric
    rows = [
        {**cell.levels, "seed": seed, metric: value}
        for cell in plan.cells
        for seed, value in values[cell.label].items()
    ]
    levels = {
        factor.name: (factor.reference, *(level.label for level in factor.alternatives)) for factor in plan.factors
    }
    return pd.DataFrame(rows, columns=[*levels, "seed", metric]), levels


class _Solution:
    """Least squares by the QR decomposition, with one step of refinement.

    Args:
        columns: Linearly independent columns.
        y: What they explain.
    """

    def __init__(self, columns: Floats, y: Floats) -> None:
        q, r = np.linalg.qr(columns)
        inverse = linalg.solve_triangular(r, np.eye(len(r)))
        first = inverse @ (q.T @ y)
        self.coefficients: Floats = first + inverse @ (q.T @ (y - columns @ first))
        self.covariance: Floats = inverse @ inverse.T

    def squares(self, place: slice) -> float:
        """Sum of squares of some columns given all others."""
        block = self.coefficients[place]
        return float(block @ np.linalg.solve(self.covariance[place, place], block))


def _partners(columns: Floats, others: Mapping[str, Floats]) -> tuple[str, ...]:
    constant = np.full((len(columns), 1), 1 / math.sqrt(len(columns)))
    term = new_directions(columns, constant)
    partners = []
    for name, other in others.items():
        span = new_directions(other, constant)
        if term.shape[1] and span.shape[1] and float(np.linalg.norm(term.T @ span, 2)) > _CORRELATED:
            partners.append(name)
    return tuple(partners) or ("the mean",)


def _f_test(ss: float, df: int, scale: float, freedom: int) -> tuple[float, float]:
    if not df or not freedom or not scale > 0:
        return math.nan, math.nan
    f = ss / df / scale
    return f, float(special.fdtrc(df, freedom, f))


def _effects(
    solution: _Solution,
    places: Mapping[str, slice],
    factors: Mapping[str, Sequence[object]],
    scale: float,
    freedom: int,
) -> pd.DataFrame:
    rows = []
    for term, place in places.items():
        if all(len(factors[name]) == 2 for name in factors_in(term, factors)):
            # The columns are -1 and +1: from one level to the other it is twice the coefficient.
            effect = 2 * float(solution.coefficients[place.start])
            error = (
                2 * math.sqrt(scale * float(solution.covariance[place.start, place.start])) if scale > 0 else math.nan
            )
            half = error * float(special.stdtrit(freedom, (1 + LEVEL) / 2)) if freedom else math.nan
            p = 2 * float(special.stdtr(freedom, -abs(effect) / error)) if freedom and error > 0 else math.nan
            rows.append((term, effect, error, effect - half, effect + half, p))
    return pd.DataFrame(rows, columns=["term", "effect", "error", "low", "high", "p"])
