"""Factorial analysis by least squares: analysis of variance, effects, and what a design cannot tell apart."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from ablate.analysis.intervals import LEVEL
from ablate.analysis.observations import Observations
from ablate.errors import AnalysisError, suggestion
from ablate.study import Plan

__all__ = ["SQUARES", "Factorial", "aliases", "analyse_factorial", "factorial_table"]

SQUARES = {
    "partial": "partial (type III): each term given all others, factors coded to sum to zero",
    "sequential": "sequential (type I): each term given the block and the terms above it",
}

_TINY = 1e-9

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Factorial:
    """A least-squares analysis of a factorial experiment.

    Args:
        anova: A row for the block, every term, ``Residual`` and ``Total``, in this order: ``term``, ``df``, ``ss``,
            ``ms``, ``F``, ``p``. Without residual degrees of freedom there is no F.
        effects: A row for every estimable term of two-level factors: ``term``, ``effect`` (mean at the second level
            minus mean at the first; for interactions the product of the signs), its standard ``error``, ``low`` and
            ``high`` end of the 95 % t interval, ``p``.
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
        AnalysisError: If columns, levels or terms are unknown, or a number is not finite.

    Example:
        >>> table = pd.DataFrame({"a": [0, 1, 0, 1], "b": [0, 0, 1, 1], "y": [1.0, 3.0, 2.0, 8.0]})
        >>> found = analyse_factorial(table, "y", {"a": (0, 1), "b": (0, 1)})
        >>> found.effects[["term", "effect"]].values.tolist()
        [['a', 4.0], ['b', 3.0], ['a:b', 2.0]]
    """
    _check(table, response, factors, block, squares)
    y = table[response].to_numpy(dtype=float)
    y = y - math.fsum(y) / len(y)
    y = y - math.fsum(y) / len(y)
    columns = {term: _columns(table, factors, term) for term in _terms(factors, order, terms)}
    constant = np.full((len(y), 1), 1 / math.sqrt(len(y)))
    blocks = _coded(table[block], tuple(pd.unique(table[block]))) if block else np.empty((len(y), 0))
    base = np.hstack([constant, _new_directions(blocks, constant)])
    basis = base
    fitted: dict[str, Floats] = {}
    mixed: dict[str, tuple[str, ...]] = {}
    for term, own in columns.items():
        fresh = _new_directions(own, basis)
        if fresh.shape[1] < own.shape[1]:
            mixed[term] = _partners(own, {**({"block": blocks} if block else {}), **fitted})
        if fresh.shape[1]:
            fitted[term] = own
            basis = np.hstack([basis, fresh])
    rest = y - basis @ (basis.T @ y)
    rest = rest - basis @ (basis.T @ rest)
    freedom = len(y) - basis.shape[1]
    residual = math.fsum(rest**2)
    scale = residual / freedom if freedom > 0 else math.nan
    rows = [("block", base.shape[1] - 1, math.fsum((base[:, 1:].T @ y) ** 2))] if block else []
    below = base
    for term, own in fitted.items():
        if squares == "partial":
            below = np.hstack([base, *(other for name, other in fitted.items() if name != term)])
            below = np.hstack([constant, _new_directions(below[:, 1:], constant)])
        fresh = _new_directions(own, below)
        rows.append((term, fresh.shape[1], math.fsum((fresh.T @ y) ** 2)))
        if squares == "sequential":
            below = np.hstack([below, fresh])
    anova = [(term, df, ss, ss / df if df else math.nan, *_f_test(ss, df, scale, freedom)) for term, df, ss in rows]
    anova.append(("Residual", freedom, residual, scale, math.nan, math.nan))
    anova.append(("Total", len(y) - 1, math.fsum(y**2), math.nan, math.nan, math.nan))
    notes = [f"{term} cannot be told apart from {', '.join(names)}." for term, names in mixed.items()]
    if freedom == 0:
        notes.append("As many terms as observations: no residual, so no standard errors and no F tests.")
    return Factorial(
        pd.DataFrame(anova, columns=["term", "df", "ss", "ms", "F", "p"]),
        _effects(y, np.hstack([constant, blocks]), fitted, mixed, factors, scale, freedom),
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
    _check(table, None, factors, None, "partial")
    constant = np.full((len(table), 1), 1 / math.sqrt(len(table)))
    spans = {term: _new_directions(_columns(table, factors, term), constant) for term in _terms(factors, order, None)}
    rows = []
    for (term, one), (other, two) in itertools.combinations(spans.items(), 2):
        if one.shape[1] and two.shape[1]:
            correlation = float(np.linalg.norm(one.T @ two, 2))
            if correlation > _TINY:
                rows.append((term, other, round(min(correlation, 1.0), 9)))
    return pd.DataFrame(rows, columns=["term", "other", "correlation"])


def _check(
    table: pd.DataFrame, response: str | None, factors: Mapping[str, Sequence[object]], block: str | None, squares: str
) -> None:
    faults = []
    for name in [*factors, *([response] if response is not None else []), *([block] if block is not None else [])]:
        if name not in table.columns:
            known = [str(column) for column in table.columns]
            faults.append(f"The table has no column '{name}'. Columns: {', '.join(known)}.{suggestion(name, known)}")
    for name, levels in factors.items():
        if name in table.columns:
            foreign = sorted({str(value) for value in table[name]} - {str(level) for level in levels})
            if foreign or not table[name].isin(list(levels)).all():
                faults.append(
                    f"Column '{name}' has other levels than {', '.join(map(str, levels))}: {', '.join(foreign)}."
                )
    if squares not in SQUARES:
        faults.append(
            f"Unknown sums of squares '{squares}'. Allowed: {', '.join(SQUARES)}.{suggestion(squares, SQUARES)}"
        )
    if not len(table):
        faults.append("The table is empty.")
    elif response in table.columns and not np.isfinite(pd.to_numeric(table[response], errors="coerce")).all():
        faults.append(
            f"Column '{response}' has values that are not finite numbers; leave these rows out or repeat the runs."
        )
    if faults:
        raise AnalysisError("\n".join(faults))


def _terms(factors: Mapping[str, Sequence[object]], order: int | None, terms: Sequence[str] | None) -> list[str]:
    known = [":".join(names) for size in range(1, len(factors) + 1) for names in itertools.combinations(factors, size)]
    if terms is None:
        return [term for term in known if order is None or term.count(":") < order]
    unknown = [term for term in terms if term not in known]
    if unknown:
        raise AnalysisError(
            "\n".join(f"Unknown term '{term}'. Terms: {', '.join(known)}.{suggestion(term, known)}" for term in unknown)
        )
    return [term for term in known if term in terms]


def _coded(values: pd.Series, levels: Sequence[object]) -> Floats:
    """Columns that sum to zero over the levels; for two levels a single one, -1 and +1."""
    position = {level: index for index, level in enumerate(levels)}
    index = values.map(position).to_numpy(dtype=int)
    coding = np.vstack([-np.ones((1, len(levels) - 1)), np.eye(len(levels) - 1)])
    return np.asarray(coding[index], dtype=float)


def _columns(table: pd.DataFrame, factors: Mapping[str, Sequence[object]], term: str) -> Floats:
    names = [name for name in factors if name in _names(term, factors)]
    product = np.ones((len(table), 1))
    for name in names:
        coded = _coded(table[name], tuple(factors[name]))
        product = np.einsum("ij,ik->ijk", product, coded).reshape(len(table), -1)
    return product


def _names(term: str, factors: Mapping[str, Sequence[object]]) -> tuple[str, ...]:
    # Factor names may contain colons themselves, so that the term cannot simply be split.
    for size in range(1, len(factors) + 1):
        for names in itertools.combinations(factors, size):
            if ":".join(names) == term:
                return names
    raise AnalysisError(f"Unknown term '{term}'.")


def _new_directions(columns: Floats, basis: Floats) -> Floats:
    """An orthonormal basis of what columns add to a space that is spanned by an orthonormal basis."""
    if not columns.shape[1]:
        return columns
    left = columns
    for _ in range(2):
        left = left - basis @ (basis.T @ left)
    size = np.linalg.norm(columns, axis=0).max(initial=0.0)
    if size == 0:
        return columns[:, :0]
    directions, strength, _ = np.linalg.svd(left / size, full_matrices=False)
    kept = directions[:, strength > _TINY]
    for _ in range(2):
        kept = kept - basis @ (basis.T @ kept)
    return np.linalg.qr(kept)[0] if kept.shape[1] else kept


def _partners(columns: Floats, others: Mapping[str, Floats]) -> tuple[str, ...]:
    constant = np.full((len(columns), 1), 1 / math.sqrt(len(columns)))
    own = _new_directions(columns, constant)
    found = []
    for name, other in others.items():
        span = _new_directions(other, constant)
        if own.shape[1] and span.shape[1] and float(np.linalg.norm(own.T @ span, 2)) > 1e-6:
            found.append(name)
    return tuple(found) or ("the mean",)


def _f_test(ss: float, df: int, scale: float, freedom: int) -> tuple[float, float]:
    if not df or not freedom or not scale > 0:
        return math.nan, math.nan
    f = ss / df / scale
    return f, float(special.fdtrc(df, freedom, f))


def _effects(
    y: Floats,
    base: Floats,
    fitted: Mapping[str, Floats],
    mixed: Mapping[str, tuple[str, ...]],
    factors: Mapping[str, Sequence[object]],
    scale: float,
    freedom: int,
) -> pd.DataFrame:
    kept = [term for term in fitted if term not in mixed]
    rows = []
    for term in kept:
        if all(len(factors[name]) == 2 for name in _names(term, factors)):
            others = np.hstack([base, *(fitted[name] for name in fitted if name != term)])
            constant = base[:, :1]
            rest = _new_directions(others[:, 1:], constant)
            column = fitted[term][:, 0]
            basis = np.hstack([constant, rest])
            for _ in range(2):
                column = column - basis @ (basis.T @ column)
            norm = float(column @ column)
            effect = 2 * math.fsum(column * y) / norm
            error = 2 * math.sqrt(scale / norm) if scale > 0 else math.nan
            half = error * float(special.stdtrit(freedom, (1 + LEVEL) / 2)) if freedom else math.nan
            p = 2 * float(special.stdtr(freedom, -abs(effect) / error)) if freedom and error > 0 else math.nan
            rows.append((term, effect, error, effect - half, effect + half, p))
    return pd.DataFrame(rows, columns=["term", "effect", "error", "low", "high", "p"])
