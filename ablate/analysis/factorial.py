"""Factorial analysis by least squares: analysis of variance, effects, and what a design cannot tell apart."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy import linalg, special

from ablate.analysis.boundary import Floats
from ablate.analysis.intervals import LEVEL
from ablate.analysis.lenth import INTERVAL, TEST, lenth
from ablate.analysis.resplit import scope
from ablate.errors import AnalysisError

TINY = 1e-9
"""Relative length below which what a column adds to the columns before it counts as nothing."""

_LARGEST = 1e150  # above it sums of squares may overflow
_CORRELATED = 1e-6  # a correlation above it is more than rounding noise


@dataclass(frozen=True, eq=False)
class Factorial:
    """A least-squares analysis of a factorial experiment.

    Args:
        anova: A row for the block, every term, ``Residual`` and ``Total``, in this order: ``term``, ``df``, ``ss``,
            ``ms``, ``F``, ``p``. Without residual degrees of freedom there is no F.
        effects: A row for every estimable term of two-level factors: ``term``, ``effect`` (mean at the second level
            minus mean at the first; for interactions, "second" is where the product of the factors' signs is +1), its
            standard ``error``, ``low`` and ``high`` end of the 95% t interval, ``p``.
        mixed: Terms that cannot be estimated, or only in part, each with the terms that it is mixed with (``block``
            can be one).
        notes: What a reader should know, a sentence each.
        squares: Which sums of squares these are, in words.
        estimand: What the effects are.
        levels: A row for every level but the first of each factor whose main effect can be estimated: ``factor``,
            ``level``, ``effect`` against the first level, ``share`` of the residual variance that its own variance is.
        scale: Mean square of the residual; NaN where there is none.
        freedom: Degrees of freedom of the residual.
        interval: What the intervals of the effects are.
        test: What their p values are of.
        scope: Of which data they speak, see :func:`ablate.analysis.resplit.scope`.
    """

    anova: pd.DataFrame
    effects: pd.DataFrame
    mixed: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]
    squares: str = "partial (type III): each term given all others, factors coded to sum to zero"
    estimand: str = (
        "Factorial effect: mean at the second level minus mean at the first, over all settings of the other factors."
    )
    levels: pd.DataFrame = field(default_factory=pd.DataFrame)
    scale: float = math.nan
    freedom: int = 0
    interval: str = "t interval"
    test: str = "t test"
    scope: str = scope(None)


def analyse_factorial(
    table: pd.DataFrame,
    response: str,
    factors: Mapping[str, Sequence[object]],
    block: str | None = None,
    order: int | None = None,
) -> Factorial:
    """Fit a linear model with the given factors, their interactions, and a block.

    Terms enter from low order to high. A term whose columns are combinations of those before it (an alias in a
    fraction, a contrast between blocks, empty cells) is not estimated but named with its partners.

    Args:
        table: One row per observation, at least one.
        response: Column of the finite numbers to explain.
        factors: All levels in the table by factor; the effect of two-level factors is second minus first.
        block: Column whose differences are removed first (seed, replicate, data set), or None.
        order: Highest order of interactions; all by default.

    Raises:
        AnalysisError: If a number is above 1e150.

    Example:
        >>> table = pd.DataFrame({"a": [0, 1, 0, 1], "b": [0, 0, 1, 1], "y": [1.0, 3.0, 2.0, 8.0]})
        >>> analyse_factorial(table, "y", {"a": (0, 1), "b": (0, 1)}).effects[["term", "effect"]].values.tolist()
        [['a', 4.0], ['b', 3.0], ['a:b', 2.0]]
    """
    used = occurring_levels(table, factors)
    y = table[response].to_numpy(dtype=float)
    if np.abs(y).max() > _LARGEST:
        raise AnalysisError(
            f"Numbers of {response} reach {np.abs(y).max():.3g}: above {_LARGEST:g} they have no sums of squares."
        )
    # Centred twice: what rounding leaves of a large mean after one subtraction could pass for an effect.
    y = y - math.fsum(y) / len(y)
    y = y - math.fsum(y) / len(y)
    constant = np.full((len(y), 1), 1 / math.sqrt(len(y)))
    model: dict[str, Floats] = {}
    fitted: dict[str, Floats] = {}
    mixed: dict[str, tuple[str, ...]] = {}
    basis = constant
    if block is not None:
        fitted["block"] = _sum_coding(table[block], tuple(pd.unique(table[block])))
        model["block"] = new_directions(fitted["block"], constant)
        basis = np.hstack([constant, model["block"]])
    two_level = set()
    for names in term_factors(used, order):
        term = ":".join(names)
        columns = term_columns(table, used, names)
        new = new_directions(columns, basis)
        if new.shape[1] < columns.shape[1]:
            mixed[term] = _partners(columns, fitted)
        elif columns.shape[1] == 1:
            two_level.add(term)
        if new.shape[1]:
            # The columns themselves give effects in units of the response. Of a term that is mixed with others, only
            # the directions that it adds can be estimated.
            fitted[term], model[term] = columns, new if term in mixed else columns
            basis = np.hstack([basis, new])
    # By projection on the orthonormal basis, twice: residuals may be many digits smaller than the response.
    residuals = _orthogonal(y[:, np.newaxis], basis)
    freedom = len(y) - basis.shape[1]
    residual_ss = math.fsum(residuals.ravel() ** 2)
    scale = residual_ss / freedom if freedom > 0 else math.nan
    coefficients, covariance = _least_squares(np.hstack([constant, *model.values()]), y)
    anova, effects, levels = [], [], []
    variances: list[float] = []
    end = 1
    for term, columns in model.items():
        df = columns.shape[1]
        place = slice(end, end + df)
        end += df
        if term == "block":
            ss = math.fsum((columns.T @ y) ** 2)
        else:
            ss = float(coefficients[place] @ np.linalg.solve(covariance[place, place], coefficients[place]))
        anova.append((term, df, ss, ss / df if df else math.nan, *_f_test(ss, df, scale, freedom)))
        if term in used and term not in mixed:
            levels += _level_rows(term, used[term], coefficients[place], covariance[place, place])
        if term in two_level:
            # The column is -1 and +1, so going from one level to the other changes the response by two coefficients.
            effect = 2 * float(coefficients[place.start])
            error = 2 * math.sqrt(scale * float(covariance[place.start, place.start])) if scale > 0 else math.nan
            half = error * float(special.stdtrit(freedom, (1 + LEVEL) / 2)) if freedom else math.nan
            p = 2 * float(special.stdtr(freedom, -abs(effect) / error)) if freedom and error > 0 else math.nan
            effects.append((term, effect, error, effect - half, effect + half, p))
            variances.append(float(covariance[place.start, place.start]))
    anova.append(("Residual", freedom, residual_ss, scale, math.nan, math.nan))
    anova.append(("Total", len(y) - 1, math.fsum(y**2), math.nan, math.nan, math.nan))
    notes = [f"{name} is at one level everywhere: no effect." for name in factors if name not in used]
    notes += [f"{term} cannot be told apart from {', '.join(names)}." for term, names in mixed.items()]
    result = Factorial(
        pd.DataFrame(anova, columns=["term", "df", "ss", "ms", "F", "p"]),
        pd.DataFrame(effects, columns=["term", "effect", "error", "low", "high", "p"]),
        mixed,
        tuple(notes),
        levels=pd.DataFrame(levels, columns=["factor", "level", "effect", "share"]),
        scale=scale,
        freedom=freedom,
    )
    return result if freedom else _without_residual(result, variances)


def _level_rows(
    factor: str, levels: Sequence[object], coefficients: Floats, covariance: Floats
) -> list[tuple[str, object, float, float]]:
    """The effects of the levels of a factor against its first; see ``Factorial.levels``."""
    rows = []
    for place, level in enumerate(levels[1:]):
        # By the coding the first level is minus the sum of the others.
        weights = np.ones(len(coefficients))
        weights[place] += 1
        rows.append((factor, level, float(weights @ coefficients), float(weights @ covariance @ weights)))
    return rows


def _without_residual(result: Factorial, variances: Sequence[float]) -> Factorial:
    """A model with as many terms as observations: tested by Lenth's method where its effects are equally precise."""
    effects = result.effects["effect"].to_numpy(dtype=float)
    # Where a term is not estimated, a part of the runs' spread is in none of the effects.
    alike = len(variances) > 0 and max(variances) <= 1.000001 * min(variances)
    pseudo = lenth(effects.tolist()) if alike else None
    if pseudo is None:
        note = "As many terms as observations: no residual, so no standard errors and no F tests."
        return replace(result, notes=(*result.notes, note))
    half = pseudo.error * float(special.stdtrit(pseudo.freedom, (1 + LEVEL) / 2))
    p = 2 * special.stdtr(pseudo.freedom, -np.abs(effects) / pseudo.error)
    note = (
        f"As many terms as observations, so no residual: effects are tested by Lenth's method (pseudo standard error "
        f"{pseudo.error:.4g} on {pseudo.freedom:.3g} degrees of freedom), which takes most of them to be noise."
    )
    tested = result.effects.assign(error=pseudo.error, low=effects - half, high=effects + half, p=p)
    return replace(result, effects=tested, notes=(*result.notes, note), interval=INTERVAL, test=TEST)


def occurring_levels(table: pd.DataFrame, factors: Mapping[str, Sequence[object]]) -> dict[str, tuple[object, ...]]:
    """The levels that occur, by factor, without the factors of which only one does."""
    levels = {
        name: tuple(level for level in every_level if (table[name] == level).any())
        for name, every_level in factors.items()
    }
    return {name: present for name, present in levels.items() if len(present) > 1}


def term_factors(factors: Iterable[str], order: int | None = None) -> list[tuple[str, ...]]:
    """The factors of each term of a model, from low order to high, up to an order."""
    names = list(factors)
    sizes = range(1, min(len(names), order or len(names)) + 1)
    return [term for size in sizes for term in itertools.combinations(names, size)]


def term_columns(table: pd.DataFrame, factors: Mapping[str, Sequence[object]], term: Sequence[str]) -> Floats:
    """The columns of a term: products of its factors' columns."""
    product = np.ones((len(table), 1))
    for name in term:
        columns = _sum_coding(table[name], factors[name])
        product = np.einsum("ij,ik->ijk", product, columns).reshape(len(table), -1)
    return product


def new_directions(columns: Floats, basis: Floats) -> Floats:
    """An orthonormal basis of what columns add to the space that ``basis`` (orthonormal, too) spans."""
    if not columns.shape[1]:
        return columns
    size = np.linalg.norm(columns, axis=0).max(initial=0.0)
    if size == 0:
        return columns[:, :0]
    # Relative to the longest column, so that a remainder of rounding noise is recognised as nothing new.
    directions, strength, _ = np.linalg.svd(_orthogonal(columns, basis) / size, full_matrices=False)
    new = _orthogonal(directions[:, strength > TINY], basis)
    return np.linalg.qr(new)[0] if new.shape[1] else new


def _sum_coding(values: pd.Series, levels: Sequence[object]) -> Floats:
    """Columns that sum to zero over the levels; for two levels a single one, -1 and +1."""
    # Sum coding: the first level is minus the sum of the others, so that a main effect is a deviation from the
    # mean over levels and partial sums of squares do not depend on which level comes first.
    position = {level: index for index, level in enumerate(levels)}
    index = values.map(position).to_numpy(dtype=int)
    coding = np.vstack([-np.ones((1, len(levels) - 1)), np.eye(len(levels) - 1)])
    return np.asarray(coding[index], dtype=float)


def _orthogonal(columns: Floats, basis: Floats) -> Floats:
    # After one projection nearly parallel columns still have a part in the basis, by rounding; the second projection
    # removes it ("twice is enough", Kahan).
    for _ in range(2):
        columns = columns - basis @ (basis.T @ columns)
    return columns


def _least_squares(columns: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Coefficients of linearly independent columns, and their covariance in units of the residual variance."""
    q, r = np.linalg.qr(columns)
    inverse = linalg.solve_triangular(r, np.eye(len(r)))
    coefficients = inverse @ (q.T @ y)
    # One step of iterative refinement restores the digits that correlated columns cost.
    coefficients = coefficients + inverse @ (q.T @ (y - columns @ coefficients))
    return coefficients, inverse @ inverse.T


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
