"""Analysis of variance with several error strata: split plots, nested seeds, data sets as a sample.

A factor is tested against the spread of the units that it was given to: one that was set once for each seed against
that between seeds of one level, and not against the smaller one between runs of a seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from ablate.analysis.boundary import Floats
from ablate.analysis.factorial import new_directions, occurring_levels, term_columns, term_factors
from ablate.analysis.observations import Observations, varied
from ablate.study import Plan

Stratum = tuple[str, ...]
"""The columns whose combinations are the units of a stratum; the last stratum, of single runs, is not listed."""

WITHIN = "within"
"""The name of the stratum of single runs."""


def is_incomplete(plan: Plan, values: Observations) -> bool:
    """Whether adopted runs make incomplete blocks: no two seeds have all cells, although cells share seeds."""
    if not (plan.study.adopted and plan.study.paired) or len(varied(plan)) < len(plan.factors):
        return False
    seeds = [set(by_seed) for by_seed in values.values()]
    return len(set.union(*seeds)) > 1 and len(set.intersection(*seeds)) < 2


def nested_factors(plan: Plan, values: Observations) -> tuple[str, ...]:
    """The factors of an adopted study of which every seed has one level only, where some seeds have several cells."""
    if not (plan.study.adopted and plan.study.paired):
        return ()
    levels: dict[int, list[Mapping[str, str]]] = {}
    for cell in plan.cells:
        for seed in values[cell.label]:
            levels.setdefault(seed, []).append(cell.levels)
    if all(len(cells) == 1 for cells in levels.values()):
        return ()
    return tuple(
        factor.name
        for factor in varied(plan)
        if all(len({cell[factor.name] for cell in cells}) == 1 for cells in levels.values())
    )


def error_strata(plan: Plan, values: Observations) -> tuple[Stratum, ...]:
    """The strata above that of single runs, where the seed is more than a block; empty where it is one.

    Args:
        plan: The plan of a study on one data set.
        values: The metric by cell label and seed.
    """
    if not plan.study.paired or len(varied(plan)) < len(plan.factors):
        return ()
    if plan.study.whole_plots:
        return (("seed",), ("seed", *plan.study.whole_plots))
    return (("seed",),) if nested_factors(plan, values) else ()


@dataclass(frozen=True, eq=False)
class StrataAnalysis:
    """An analysis of variance with error strata.

    Args:
        anova: A row for every term and the residual of each stratum, and ``Total``: ``stratum``, ``term``, ``df``,
            ``ss``, ``ms``, ``F``, ``p``.
        errors: By term, the mean square and the degrees of freedom of the residual that it is tested against.
        notes: What a reader should know, a sentence each.
    """

    anova: pd.DataFrame
    errors: Mapping[str, tuple[float, int]]
    notes: tuple[str, ...]


def analyse_strata(
    table: pd.DataFrame,
    response: str,
    factors: Mapping[str, Sequence[object]],
    strata: Sequence[Stratum],
    order: int | None = None,
) -> StrataAnalysis:
    """Fit factors and their interactions, each within the stratum of the units that it varies between.

    Source: J. A. Nelder, The analysis of randomized experiments with orthogonal block structure, Proceedings of the
    Royal Society A 283 (1965), 147-178. In unbalanced tables a term may have a part in several strata; the table shows
    each.

    Args:
        table: One row per run.
        response: Column of the finite numbers to explain.
        factors: All levels in the table by factor.
        strata: The strata from the coarsest to the finest, without that of single runs.
        order: Highest order of interactions; all by default.

    Example:
        >>> rows = [(plot, a, b, y) for (plot, a), pair in
        ...         zip([(0, 0), (1, 0), (2, 1), (3, 1)], [(1, 2), (2, 4), (5, 6), (7, 9)]) for b, y in enumerate(pair)]
        >>> table = pd.DataFrame(rows, columns=["plot", "a", "b", "y"])
        >>> result = analyse_strata(table, "y", {"a": (0, 1), "b": (0, 1)}, [("plot",)])
        >>> result.anova[["stratum", "term", "df"]].values.tolist()  # doctest: +NORMALIZE_WHITESPACE
        [['plot', 'a', 1], ['plot', 'Residual', 2], ['within', 'b', 1], ['within', 'a:b', 1],
         ['within', 'Residual', 2], ['', 'Total', 7]]
    """
    used = occurring_levels(table, factors)
    y = table[response].to_numpy(dtype=float)
    for _ in range(2):  # what rounding leaves of a large mean after one subtraction could pass for an effect
        y = y - math.fsum(y) / len(y)
    terms = {":".join(names): term_columns(table, used, names) for names in term_factors(used, order)}
    basis = np.full((len(y), 1), 1 / math.sqrt(len(y)))
    rows: list[tuple[str, str, int, float, float, float, float]] = []
    errors: dict[str, tuple[float, int]] = {}
    homes: dict[str, list[str]] = {}
    for units in (*strata, None):
        if units is None:
            name, space = WITHIN, None
        else:
            name, space = ":".join(units), new_directions(_indicators(table, list(units)), basis)
            if not space.shape[1]:
                continue
        part = _projected(y[:, np.newaxis], space, basis)[:, 0]
        df_left = space.shape[1] if space is not None else len(y) - basis.shape[1]
        spans = _term_spans({term: _projected(columns, space, basis) for term, columns in terms.items()}, terms)
        sums_of_squares = []
        for term, (df, directions) in spans.items():
            ss = math.fsum((directions.T @ part) ** 2)
            sums_of_squares.append((term, df, ss))
            homes.setdefault(term, []).append(name)
        joint = np.hstack([directions for _, directions in _sequential(spans)]) if spans else part[:, np.newaxis][:, :0]
        residual = max(0.0, math.fsum((part - joint @ (joint.T @ part)) ** 2))
        df_left -= joint.shape[1]
        scale = residual / df_left if df_left else math.nan
        for term, df, ss in sums_of_squares:
            f = ss / df / scale if df_left and scale > 0 else math.nan
            p = float(special.fdtrc(df, df_left, f)) if f == f else math.nan
            rows.append((name, term, df, ss, ss / df, f, p))
            errors.setdefault(term, (scale, df_left))
        if df_left:
            rows.append((name, "Residual", df_left, residual, scale, math.nan, math.nan))
        if space is not None:
            basis = np.hstack([basis, space])
    rows.append(("", "Total", len(y) - 1, math.fsum(y**2), math.nan, math.nan, math.nan))
    notes = [f"{term} is estimated in the strata {', '.join(names)}." for term, names in homes.items() if names[1:]]
    notes += [f"{term} cannot be estimated." for term in terms if term not in homes]
    return StrataAnalysis(
        pd.DataFrame(rows, columns=["stratum", "term", "df", "ss", "ms", "F", "p"]), errors, tuple(notes)
    )


def _indicators(table: pd.DataFrame, units: list[str]) -> Floats:
    codes = table.groupby(units, sort=False).ngroup().to_numpy()
    return np.eye(int(codes.max()) + 1)[codes]


def _projected(columns: Floats, space: Floats | None, basis: Floats) -> Floats:
    """The part of columns in a stratum: in its space, or in what the coarser strata leave."""
    if space is not None:
        return space @ (space.T @ columns)
    for _ in range(2):  # "twice is enough" (Kahan)
        columns = columns - basis @ (basis.T @ columns)
    return columns


def _term_spans(parts: Mapping[str, Floats], whole: Mapping[str, Floats]) -> dict[str, tuple[int, Floats]]:
    """By term that a stratum can estimate, its degrees of freedom and its directions given all other terms there."""
    entered: dict[str, Floats] = {}
    joint: Floats | None = None
    for term, columns in parts.items():
        # What is left of a term outside its stratum is rounding noise.
        strong = columns[:, np.linalg.norm(columns, axis=0) > 1e-7 * np.linalg.norm(whole[term], axis=0).max()]
        start = np.zeros((len(columns), 0)) if joint is None else joint
        new = new_directions(strong, start)
        if new.shape[1]:
            entered[term] = strong if new.shape[1] == strong.shape[1] else new
            joint = np.hstack([start, new])
    spans = {}
    for term, columns in entered.items():
        others = [other for name, other in entered.items() if name != term]
        empty = np.zeros((len(columns), 0))
        rest = new_directions(np.hstack(others), empty) if others else empty
        alone = new_directions(columns, rest)
        spans[term] = (alone.shape[1], alone)
    return {term: span for term, span in spans.items() if span[0]}


def _sequential(spans: Mapping[str, tuple[int, Floats]]) -> list[tuple[str, Floats]]:
    """Orthonormal directions that all terms together span."""
    directions: list[tuple[str, Floats]] = []
    joint: Floats | None = None
    for term, (_, own) in spans.items():
        start = np.zeros((len(own), 0)) if joint is None else joint
        new = new_directions(own, start)
        directions.append((term, new))
        joint = np.hstack([start, new])
    return directions
