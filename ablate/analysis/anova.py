"""The analysis of variance of a study, with the seed as block, and the terms that its design cannot tell apart."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import special

from ablate.analysis.boundary import SequentialRule
from ablate.analysis.factorial import (
    TINY,
    Factorial,
    analyse_factorial,
    new_directions,
    occurring_levels,
    term_columns,
    term_factors,
)
from ablate.analysis.intervals import LEVEL, ROUNDING
from ablate.analysis.lenth import TEST
from ablate.analysis.observations import Observations, block_of, varied
from ablate.analysis.resplit import inflation, scope
from ablate.analysis.strata import Stratum, analyse_strata, error_strata, nested_factors
from ablate.errors import AnalysisError
from ablate.formatting import listing, plural
from ablate.study import DESIGNS, Plan
from ablate.study.design import model_order

_MOST_FOR_ALL = 5
"""Greatest number of factors for which the table has all interactions of a full factorial."""

_LISTED = 12


def anova(plan: Plan, values: Observations, rule: SequentialRule | None = None) -> Factorial:
    """Fit main effects, and as many interactions as the design is made for.

    A full factorial has all interactions (only those of two factors where it has more than five), a fraction those
    of two factors; screening and optimal designs have main effects alone. The block is the seed, or the seed within a
    data set; runs that form no pairs have no block. Split plots, nested seeds and data sets have their error strata,
    see :mod:`ablate.analysis.strata`. Where each seed splits one data set anew, tests and intervals are the corrected
    ones (:mod:`ablate.analysis.resplit`), and designs without replicates have none.

    Args:
        plan: The plan, of a design with an ``anova_order``.
        values: The metric by cell label and seed.
        rule: The sequential rule under which the seeds were taken, or None. With it there are no tests or intervals:
            they would hold for a number of seeds fixed in advance.

    Raises:
        AnalysisError: If the design is none of these, has fewer than two ingredients, or no run has finished.

    Example:
        >>> from ablate.study import Factor, Level, Study, make_plan
        >>> factors = [Factor(name, (Level("true"), Level("false")), "true") for name in "ab"]
        >>> plan = make_plan(Study("demo", "factorial", (0, 1), "score"), factors)
        >>> scores = {"full": 0.9, "w/o a": 0.7, "w/o b": 0.8, "w/o a, w/o b": 0.6}
        >>> values = {cell: {0: score, 1: score + 0.01} for cell, score in scores.items()}
        >>> anova(plan, values).effects[["term", "effect"]].round(3).values.tolist()
        [['a', -0.2], ['b', -0.1], ['a:b', 0.0]]
    """
    factors, metric = varied(plan), plan.study.metric
    order = model_order(plan.study.design)
    if order is None or len(factors) < 2:
        designs = [name for name, design in DESIGNS.items() if design.anova_order is not None]
        raise AnalysisError(
            f"The design '{plan.study.design}' with {plural(len(factors), 'ingredient')} has no analysis of variance: "
            f"it takes two or more, and one of {', '.join(designs)}."
        )
    if len(factors) > _MOST_FOR_ALL:
        order = min(order, 2)
    table, levels = model_table(plan, values), model_levels(plan)
    if len(factors) < len(plan.factors):
        return _over_data_sets(plan, table, levels, order, rule)
    if rule is None and (strata := error_strata(plan, values)):
        return _by_strata(plan, values, table, levels, order, strata)
    result = analyse_factorial(table, metric, levels, block="seed" if plan.study.paired else None, order=order)
    notes = [*result.notes, *(_partly_aliased(plan, levels) if order == 1 else [])]
    if rule is not None:
        notes.append(
            "Seeds were taken until verdicts stood: F tests and t intervals would hold for a number fixed in advance, "
            "so none is given."
        )
    elif _has_spread(result, table[metric]):
        return _for_splits(replace(result, notes=tuple(notes)), plan, values)
    else:
        notes.append("What remains is no more than rounding: without spread no F tests and no intervals.")
    noise = ROUNDING * float(table[metric].abs().max())
    effect = result.effects["effect"].where(result.effects["effect"].abs() > noise, 0.0)
    return replace(
        result,
        anova=result.anova.assign(F=math.nan, p=math.nan),
        effects=result.effects.assign(effect=effect, error=math.nan, low=math.nan, high=math.nan, p=math.nan),
        notes=tuple(notes),
    )


def model_levels(plan: Plan) -> dict[str, tuple[str, ...]]:
    """The levels of each ingredient, the reference first."""
    return {factor.name: (factor.reference, *(level.label for level in factor.alternatives)) for factor in varied(plan)}


def model_table(plan: Plan, values: Observations) -> pd.DataFrame:
    """The runs as rows: a column a factor, ``seed`` (within its data set), and the metric.

    Cells in which a factor is void stay in, with that factor at its reference level. The combinations that void factors
    rule out are then empty, and the model reports which interactions cannot be estimated without them.

    Raises:
        AnalysisError: If no run has finished.
    """
    # The same seed on two data sets makes two blocks, because it draws different things there.
    rows = [
        {**cell.levels, "seed": "/".join([*block_of(cell, plan), str(seed)]), plan.study.metric: value}
        for cell in plan.cells
        for seed, value in values[cell.label].items()
    ]
    if not rows:
        raise AnalysisError("No run has finished.")
    return pd.DataFrame(rows)


def _over_data_sets(
    plan: Plan, table: pd.DataFrame, levels: Mapping[str, Sequence[object]], order: int, rule: SequentialRule | None
) -> Factorial:
    """The analysis with data sets as a sample: each by its means over seeds, every term against its spread over them.

    With the seeds as replicates a term that differs between data sets would be called significant for these data sets
    alone, in a third of all studies without any effect on the average.
    """
    blocks = [factor.name for factor in plan.factors if factor.block]
    means = table.groupby([*blocks, *levels], sort=False, as_index=False)[plan.study.metric].mean()
    unit = ", ".join(blocks)
    means = means.assign(**{unit: ["/".join(row) for row in means[blocks].itertuples(index=False)]})
    strata = [(unit,), *((unit, *term) for term in term_factors(levels, order))]
    result = analyse_strata(means, plan.study.metric, levels, strata, order)
    frame = result.anova
    notes = [
        f"The levels of {unit} are taken as a sample, each by its means over seeds: a term is tested against how much "
        "it differs between them. What holds on each of them stands in the table of effects.",
        *result.notes,
    ]
    if rule is not None:
        frame = frame.assign(F=math.nan, p=math.nan)
        notes.append("Seeds were taken until verdicts stood, for which no F test is known: none is given.")
    return _of_strata(frame, notes)


def _by_strata(
    plan: Plan,
    values: Observations,
    table: pd.DataFrame,
    levels: Mapping[str, Sequence[object]],
    order: int,
    strata: Sequence[Stratum],
) -> Factorial:
    result = analyse_strata(table, plan.study.metric, levels, strata, order)
    units = " and ".join(":".join(stratum) for stratum in strata)
    note = (
        f"Error strata: {units}, and single runs within them. A factor that was set once for each unit is tested "
        "against the spread of these units."
    )
    return _for_splits(_of_strata(result.anova, [note, *result.notes]), plan, values)


def _of_strata(frame: pd.DataFrame, notes: Sequence[str]) -> Factorial:
    effects = pd.DataFrame(columns=["term", "effect", "error", "low", "high", "p"])
    squares = "of each term given all others of its stratum"
    return Factorial(frame, effects, {}, tuple(notes), squares)


def split_count(plan: Plan, values: Observations, term: str) -> int:
    """Over how many splits of one data set the means are that a term compares: seeds, or runs that form no pairs.

    Args:
        plan: The plan.
        values: The metric by cell label and seed.
        term: A factor, or factors joined by colons.
    """
    if plan.study.paired and term not in nested_factors(plan, values):
        return len(set().union(*values.values()))
    return max((len(by_seed) for by_seed in values.values()), default=0)


def _for_splits(result: Factorial, plan: Plan, values: Observations) -> Factorial:
    """The analysis of seeds that each split one data set anew: what their overlap leaves of its tests.

    A contrast of cells over seeds has a variance that is too small by the same factor whatever it compares, so every
    F statistic is divided by it. Whether blocks differ is no question that it answers.
    """
    ratio = plan.study.resplit
    if ratio is None:
        return result
    if result.test == TEST:
        note = (
            "Each seed splits one data set anew, and Lenth's method takes all noise from a single run a cell: what the "
            "split decides is not in it, and no correction is known, so no interval and no test is given."
        )
        effects = result.effects.assign(error=math.nan, low=math.nan, high=math.nan, p=math.nan)
        return replace(result, effects=effects, notes=(*result.notes, note), scope=scope(ratio))
    frame = result.anova
    factors = {term: inflation(ratio, split_count(plan, values, term)) for term in frame["term"]}
    f = frame["F"] / frame["term"].map(factors)
    if plan.study.paired:
        f = f.where(frame["term"] != "block")
    strata = frame["stratum"] if "stratum" in frame else pd.Series("", index=frame.index)
    residual = frame.loc[frame["term"] == "Residual"].set_index(strata[frame["term"] == "Residual"])["df"]
    p = special.fdtrc(frame["df"], strata.map(residual), f)
    effects = result.effects
    if len(effects):
        error = effects["error"] * np.sqrt(effects["term"].map(factors))
        half = error * float(special.stdtrit(result.freedom, (1 + LEVEL) / 2))
        ends = {"low": effects["effect"] - half, "high": effects["effect"] + half}
        p_effects = 2 * special.stdtr(result.freedom, -effects["effect"].abs() / error)
        effects = effects.assign(error=error, **ends, p=p_effects)
    note = (
        f"Each seed splits one data set anew ({ratio:g} test examples for each training example): F is divided, and "
        f"the variance of effects multiplied, by 1 + n · {ratio:g} for means over n splits (Nadeau and Bengio)."
    )
    test = f"corrected {result.test}"
    return replace(
        result,
        anova=frame.assign(F=f, p=p),
        effects=effects,
        notes=(*result.notes, note),
        test=test,
        scope=scope(ratio),
    )


def _has_spread(result: Factorial, values: pd.Series) -> bool:
    """Whether the residual is more than the rounding of the numbers behind it; without a residual there is no test."""
    residual = float(result.anova.loc[result.anova["term"] == "Residual", "ms"].iloc[0])
    return not residual <= (ROUNDING * float(values.abs().max())) ** 2


def _partly_aliased(plan: Plan, levels: Mapping[str, Sequence[object]]) -> list[str]:
    """Notes on the interactions that are mixed with main effects, although the model has main effects only."""
    cells = pd.DataFrame([{name: cell.levels[name] for name in levels} for cell in plan.cells]).drop_duplicates()
    pairs = aliases(cells, levels)
    pairs = pairs[~pairs["term"].str.contains(":") & pairs["other"].str.contains(":")]
    fully = pairs[pairs["correlation"] >= 1]
    partly = pairs[pairs["correlation"] < 1].sort_values("correlation", ascending=False, kind="stable")
    notes = []
    if len(fully):
        pairs_text = listing((f"{row.term} with {row.other}" for row in fully.itertuples()), _LISTED, "; ")
        notes.append(f"Main effects that cannot be told apart from interactions: {pairs_text}.")
    if len(partly):
        top = partly.iloc[0]
        notes.append(
            f"Main effects are partly mixed with {partly['other'].nunique()} interactions of two, {top['term']} with "
            f"{top['other']} the most (correlation {top['correlation']:.2f}): they hold as far as these are small."
        )
    return notes


def aliases(table: pd.DataFrame, factors: Mapping[str, Sequence[object]], order: int = 2) -> pd.DataFrame:
    """Which terms a design mixes with each other.

    Args:
        table: One row per run, one column per factor.
        factors: Levels by factor.
        order: Highest order of the terms considered.

    Returns:
        One row per pair of terms that are correlated: ``term``, ``other``, ``correlation`` from 0 to 1, the greatest
        between a combination of the columns of one and a combination of those of the other. 1 is a full alias: the
        design cannot tell the two apart.

    Example:
        >>> half = pd.DataFrame({"a": [0, 0, 1, 1], "b": [0, 1, 0, 1], "c": [1, 0, 0, 1]})
        >>> aliases(half, {name: (0, 1) for name in "abc"}).values.tolist()
        [['a', 'b:c', 1.0], ['b', 'a:c', 1.0], ['c', 'a:b', 1.0]]
    """
    used = occurring_levels(table, factors)
    constant = np.full((len(table), 1), 1 / math.sqrt(len(table)))
    # The mean is taken out of every term: without it all would be correlated through their sums.
    spans = {
        ":".join(term): new_directions(term_columns(table, used, term), constant) for term in term_factors(used, order)
    }
    rows = []
    for (term, one), (other, two) in itertools.combinations(spans.items(), 2):
        if one.shape[1] and two.shape[1]:
            # The largest canonical correlation of the two spaces, which for two-level terms is that of two columns.
            correlation = float(np.linalg.norm(one.T @ two, 2))
            if correlation > TINY:
                rows.append((term, other, round(min(correlation, 1.0), 9)))
    return pd.DataFrame(rows, columns=["term", "other", "correlation"])
