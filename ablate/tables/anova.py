"""Tables of models over all cells: the analysis of variance, effects by least squares, ranks over data sets."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ablate.analysis import Factorial, Ranking, Summary, anova, rank_cells
from ablate.analysis.verdicts import ALPHA, holm
from ablate.captions import inference, metric_direction
from ablate.errors import AnalysisError
from ablate.formatting import p_value
from ablate.tables.cells import Column, Estimate
from ablate.tables.table import Table, table_of


@lru_cache(maxsize=1)
def _fitted(summary: Summary) -> Factorial | None:
    """The model behind two tables; None for a design that has none."""
    try:
        return anova(summary.plan, summary.values, summary.rule)
    except AnalysisError:
        return None


def anova_table(summary: Summary) -> Table | None:
    """The analysis of variance of a factorial design or a fraction of one: block, terms, residual and total.

    Returns:
        None for other designs.
    """
    fitted = _fitted(summary)
    if fitted is None:
        return None
    frame = fitted.anova
    is_tested = bool(frame["F"].notna().any())
    columns: list[tuple[Column, Any]] = [
        *([(Column("stratum", "text"), frame["stratum"])] if "stratum" in frame else []),
        (Column("term", "text"), frame["term"]),
        (Column("df", "count"), frame["df"]),
        (Column("SS", "number"), frame["ss"]),
        (Column("MS", "number"), frame["ms"]),
    ]
    if is_tested:
        columns += [(Column("F", "number"), frame["F"]), (Column("p", "p"), frame["p"])]
    if "stratum" in frame:
        block = "each term within the stratum of the units that it varies between"
    else:
        block = "block: the seed" if summary.study.paired else "no block, as runs form no pairs"
    caption = (
        f"Analysis of variance of {metric_direction(summary)} in the study {summary.study.name} "
        f"({summary.study.design}); {block}. Sums of squares: {fitted.squares}."
        + (" p: of each F test, not adjusted for their number." if is_tested else " No tests.")
    )
    return table_of(summary, "anova", columns, caption, fitted.notes)


def least_squares_table(summary: Summary) -> Table | None:
    """The effects of two-level factors and their interactions, as the same model estimates them."""
    fitted = _fitted(summary)
    if fitted is None or not len(fitted.effects):
        return None
    frame = fitted.effects
    ends = zip(frame["effect"], frame["low"], frame["high"], strict=True)
    columns: list[tuple[Column, Any]] = [
        (Column("term", "text"), frame["term"]),
        (Column("effect", "difference"), [Estimate(*each) for each in ends]),
    ]
    stated = "No interval or test."
    if frame["p"].notna().any():
        columns.append((Column("p (Holm)", "p"), holm(frame["p"].tolist())))
        interval, test = inference(fitted, len(frame), "row")
        stated = f"From the residual: {interval}; {test}."
    caption = (
        f"Effects by least squares in the study {summary.study.name} ({summary.study.design}). {fitted.estimand} The "
        f"first level is the reference. {metric_direction(summary)}. {stated}"
    )
    return table_of(summary, "least_squares", columns, caption, fitted.notes)


def ranks_table(summary: Summary) -> Table | None:
    """Mean ranks over data sets, best first, each with a test against the reference and the groups not separated.

    Returns:
        None for fewer than five data sets. Under the sequential rule there are no tests: they would hold for a number
        of seeds fixed in advance.
    """
    try:
        ranking = rank_cells(summary.plan, summary.values)
    except AnalysisError:
        return None
    frame = ranking.table
    columns: list[tuple[Column, Any]] = [
        (Column("cell", "text"), frame["cell"]),
        (Column("mean rank", "ratio"), frame["mean_rank"]),
    ]
    stated = "No tests: seeds were taken until verdicts stood."
    if summary.rule is None:
        columns += [
            (Column("p (Holm)", "p"), frame["p_adjusted"]),
            (Column("group", "text"), [_letters(ranking, cell) for cell in frame["cell"]]),
        ]
        stated = (
            f"Friedman test (Iman and Davenport): {p_value(ranking.friedman)}. Mean ranks further apart than the "
            f"critical difference of {ranking.critical_difference:.3g} differ (Nemenyi, α = {ALPHA:g}); cells that "
            "share a letter do not. p: Wilcoxon signed-rank test of the data sets' means against the reference, "
            "Holm-adjusted."
        )
    caption = (
        f"Ranks of the cells over {ranking.blocks} data sets in the study {summary.study.name} "
        f"({summary.study.design}). {ranking.estimand} {metric_direction(summary)}; rank 1 is best. {stated}"
    )
    return table_of(summary, "ranks", columns, caption, ranking.notes)


def _letters(ranking: Ranking, cell: str) -> str:
    return "".join(chr(ord("a") + index) for index, group in enumerate(ranking.groups) if cell in group)
