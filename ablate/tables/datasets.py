"""The table across data sets: a row a cell, a column a data set."""

from __future__ import annotations

from ablate.analysis import Summary
from ablate.analysis.intervals import LEVEL
from ablate.study import Cell, Plan, cell_of
from ablate.tables.effects import mark_of
from ablate.tables.table import Column, Estimate, Row, Table, Value, label_of

__all__ = ["datasets_table"]


def datasets_table(summary: Summary) -> Table | None:
    """What each combination of ingredients reaches on each data set.

    Args:
        summary: The summary.

    Returns:
        The columns cell (its ingredients alone) and one a data set with the metric's mean, bold where nothing on that
        data set is better, marked where the verdict there says that it differs from the reference; None for a study
        without a block.
    """
    blocks = [factor.name for factor in summary.plan.factors if factor.block]
    if not blocks:
        return None
    study = summary.study
    found = {row["cell"]: row for row in summary.cells.to_dict("records")}
    effects = {row["cell"]: row for row in summary.effects.to_dict("records")}
    grid: dict[str, dict[str, Cell]] = {}
    columns: dict[str, None] = {}
    for cell in summary.plan.cells:
        block = ", ".join(cell.levels[name] for name in blocks)
        columns[block] = None
        grid.setdefault(_ingredients(cell, summary.plan), {})[block] = cell
    rows = []
    for words, cells in grid.items():
        values: list[Value] = [words]
        for block in columns:
            if block not in cells:
                values.append(None)
                continue
            row, effect = found[cells[block].label], effects.get(cells[block].label)
            mark = mark_of(effect) if effect else ""
            values.append(Estimate(row["mean"], row["low"], row["high"], mark, bold=bool(row["best"])))
        rows.append(Row(tuple(values)))
    better = "larger is better" if study.direction == "max" else "smaller is better"
    return Table(
        columns=(Column("cell", "text", is_name=True), *(Column(block, "mean") for block in columns)),
        rows=tuple(rows),
        caption=(
            f"Study {study.name} by {', '.join(blocks)}: {study.metric} ({better}), mean ± half of its {LEVEL:.0%} t "
            "interval over seeds. Bold: the best mean of a column and all that a paired t test (Holm) does not "
            "separate from it. Marked: differs from the first row of its column († adjusted p ≤ 0.05, ‡ p ≤ 0.01)."
        ),
        label=label_of(study.name, "by_dataset"),
    )


def _ingredients(cell: Cell, plan: Plan) -> str:
    """The label of a cell without the words for its block."""
    return cell_of(cell.levels, [factor for factor in plan.factors if not factor.block]).label
