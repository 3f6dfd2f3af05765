"""The ranks of the cells over five data sets or more."""

from __future__ import annotations

from ablate.analysis import Ranking, Summary
from ablate.analysis.verdicts import ALPHA
from ablate.tables.answers import better
from ablate.tables.numbers import probability
from ablate.tables.table import Column, Row, Table, label_of

__all__ = ["ranks_table"]


def ranks_table(found: Ranking, summary: Summary) -> Table:
    """Mean ranks, best first, each with a test against the reference and the groups that are not separated.

    Args:
        found: The ranking.
        summary: The summary. Under the sequential rule there are no tests: they would hold for a number of seeds fixed
            in advance.
    """
    tested = summary.rule is None
    letters = {cell: _letters(found, cell) for cell in found.table["cell"]}
    rows = [
        Row((row["cell"], row["mean_rank"], *((row["p_adjusted"], letters[row["cell"]]) if tested else ())))
        for row in found.table.to_dict("records")
    ]
    caption = (
        f"Ranks of the cells over {found.blocks} data sets in the study {summary.study.name} ({summary.study.design}). "
        f"{found.estimand} {better(summary)}; rank 1 is best."
    )
    if tested:
        caption += (
            f" Friedman test (Iman and Davenport): p {probability(found.friedman)}. Mean ranks further apart than the "
            f"critical difference of {found.critical_difference:.3g} differ (Nemenyi, α = {ALPHA:g}); cells that share "
            "a letter do not. p: Wilcoxon signed-rank test of the data sets' means against the reference, "
            "Holm-adjusted."
        )
    else:
        caption += " No tests: seeds were taken until verdicts stood."
    return Table(
        columns=(
            Column("cell", "text"),
            Column("mean rank", "ratio"),
            *((Column("p (Holm)", "p"), Column("group", "text")) if tested else ()),
        ),
        rows=tuple(rows),
        caption=caption,
        label=label_of(summary.study.name, "ranks"),
        notes=found.notes,
    )


def _letters(found: Ranking, cell: str) -> str:
    return "".join(chr(ord("a") + index) for index, group in enumerate(found.groups) if cell in group)
