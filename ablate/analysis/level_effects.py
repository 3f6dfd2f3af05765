"""Main effects by least squares: a verdict an ingredient for fractions, screening, squares, blocks, split plots."""

from __future__ import annotations

import math
from dataclasses import replace

from ablate.analysis.anova import anova, model_levels, model_table, split_count
from ablate.analysis.estimates import Contrast, Estimates, estimate
from ablate.analysis.factorial import Factorial, analyse_factorial
from ablate.analysis.intervals import MeanInterval, interval_of
from ablate.analysis.lenth import TEST
from ablate.analysis.observations import Observations, varied
from ablate.analysis.strata import StrataAnalysis, analyse_strata, error_strata, is_incomplete
from ablate.analysis.verdict_words import subject_of
from ablate.errors import AnalysisError
from ablate.study import Plan
from ablate.study.design import is_fraction, model_order

RUNS = "run"
"""What ``n`` counts where an effect rests on a model of all runs."""


def needs_model(plan: Plan, values: Observations) -> bool:
    """Whether the main effects of a plan follow from its model alone, and not from pairs of cells.

    Args:
        plan: The plan.
        values: The metric by cell label and seed.
    """
    if len(varied(plan)) < max(2, len(plan.factors)) or not any(values.values()):
        return False
    if is_fraction(plan.study.design):
        return True
    if model_order(plan.study.design) is None:
        return False
    is_single = max(len(by_seed) for by_seed in values.values()) == 1
    return is_single or is_incomplete(plan, values) or bool(error_strata(plan, values))


def level_effects(plan: Plan, values: Observations) -> Estimates:
    """The effect of each level of each factor against its reference, from the model that the design is made for.

    Args:
        plan: The plan, of a design with a model.
        values: The metric by cell label and seed.

    Returns:
        One row per level that is not the reference: ``factor``, ``level``, then
        :data:`ablate.analysis.estimates.ESTIMATE_COLUMNS`, of which ``n`` counts the runs at the level. The error is
        the residual of the model, or of the stratum of the factor; of designs with as many effects as runs that of
        Lenth's method.

    Raises:
        AnalysisError: If no main effect can be estimated.
    """
    table, levels = model_table(plan, values), model_levels(plan)
    order = model_order(plan.study.design)
    metric, block = plan.study.metric, "seed" if plan.study.paired else None
    strata = error_strata(plan, values)
    if strata:
        # Within a stratum the coefficients are those of the balanced table; only their error is that of the stratum.
        fitted = analyse_factorial(table, metric, levels, order=order)
        tests: StrataAnalysis | None = analyse_strata(table, metric, levels, strata, order)
    else:
        fitted, tests = anova(plan, values), None
        if fitted.levels.empty and not fitted.mixed:
            fitted = analyse_factorial(table, metric, levels, block, order)
    contrasts, notes = [], []
    for factor in varied(plan):
        rows = fitted.levels[fitted.levels["factor"] == factor.name]
        if rows.empty:
            partners = ", ".join(fitted.mixed.get(factor.name, ("the other terms",)))
            notes.append(f"{factor.name}: its main effect cannot be told apart from {partners}.")
        for row in rows.to_dict("records"):
            runs = int((table[factor.name] == row["level"]).sum())
            interval = _interval(fitted, tests, factor.name, runs, float(row["effect"]), float(row["share"]))
            keys = {"factor": factor.name, "level": row["level"]}
            size = float(table[metric].abs().max())
            about = subject_of(factor.reference, str(row["level"]))
            contrasts.append(Contrast(keys, {}, size, interval, split_count(plan, values, factor.name), about))
    if not contrasts:
        raise AnalysisError(f"The runs of study '{plan.study.name}' estimate no main effect. {' '.join(notes)}")
    estimates = estimate(
        "Main effect by least squares: change of the metric when the factor leaves its reference level, averaged "
        "equally over the levels of the other factors.",
        contrasts,
        plan.study,
        notes=(*notes, *fitted.notes),
        interval=fitted.interval,
        test=TEST if fitted.test == TEST else "t test",
    )
    return replace(estimates, counted=RUNS)


def _interval(
    fitted: Factorial, tests: StrataAnalysis | None, factor: str, runs: int, effect: float, share: float
) -> MeanInterval:
    if tests is not None:
        scale, freedom = tests.errors.get(factor, (math.nan, 0))
        return interval_of(runs, effect, math.sqrt(scale * share) if scale > 0 else math.nan, freedom)
    if fitted.freedom:
        has_error = fitted.scale > 0 and fitted.anova["F"].notna().any()
        return interval_of(runs, effect, math.sqrt(fitted.scale * share) if has_error else math.nan, fitted.freedom)
    row = fitted.effects[fitted.effects["term"] == factor]
    error = float(row["error"].iloc[0]) if len(row) else math.nan
    return interval_of(runs, effect, error, len(fitted.effects) / 3)
