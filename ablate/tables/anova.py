"""The analysis of variance of a factorial design or a fraction of one, and its effects by least squares."""

from __future__ import annotations

from ablate.analysis import Factorial, Summary
from ablate.analysis.intervals import LEVEL
from ablate.analysis.verdicts import ALPHA, holm
from ablate.tables.answers import better
from ablate.tables.table import Column, Estimate, Row, Table, label_of

__all__ = ["anova_table", "least_squares_table"]


def anova_table(found: Factorial, summary: Summary) -> Table:
    """The analysis of variance: a row for the block, every term, the residual and the total."""
    tested = bool(found.anova["F"].notna().any())
    columns = [Column("term", "text"), Column("df", "count"), Column("SS", "number"), Column("MS", "number")]
    columns += [Column("F", "number"), Column("p", "p")] if tested else []
    names = ["term", "df", "ss", "ms", *(["F", "p"] if tested else [])]
    blocks = [factor.name for factor in summary.plan.factors if factor.block]
    block = f"the seed within {', '.join(blocks)}" if blocks else "the seed"
    return Table(
        columns=tuple(columns),
        rows=tuple(Row(tuple(row[name] for name in names)) for row in found.anova.to_dict("records")),
        caption=(
            f"Analysis of variance of {better(summary)} in the study {summary.study.name} ({summary.study.design}); "
            f"block: {block}. Sums of squares: {found.squares}."
            + (" p: of each F test, not adjusted for their number." if tested else " No tests.")
        ),
        label=label_of(summary.study.name, "anova"),
        notes=found.notes,
    )


def least_squares_table(found: Factorial, summary: Summary) -> Table:
    """The effects of two-level factors and their interactions, as the same model estimates them."""
    effects = found.effects
    tested = bool(effects["p"].notna().any())
    adjusted = holm(effects["p"].tolist()) if tested else []
    rows = [
        Row((row["term"], Estimate(row["effect"], row["low"], row["high"]), *([adjusted[index]] if tested else [])))
        for index, row in enumerate(effects.to_dict("records"))
    ]
    caption = (
        f"Effects by least squares in the study {summary.study.name} ({summary.study.design}). {found.estimand} The "
        f"first level is the reference. {better(summary)}."
    )
    if tested:
        caption += (
            f" {LEVEL:.0%} t interval from the residual, unadjusted; p values Holm-adjusted over the {len(rows)} rows "
            f"of this table, α = {ALPHA:g}."
        )
    else:
        caption += " No interval or test."
    return Table(
        columns=(
            Column("term", "text"),
            Column("effect", "difference"),
            *([Column("p (Holm)", "p")] if tested else []),
        ),
        rows=tuple(rows),
        caption=caption,
        label=label_of(summary.study.name, "least-squares"),
        notes=found.notes,
    )
