"""The table of an ablation study: what each cell has, what it reaches, and what that costs against the reference."""

from __future__ import annotations

from collections.abc import Iterator

from ablate.analysis import Summary
from ablate.analysis.intervals import LEVEL
from ablate.analysis.notes import seed_count
from ablate.analysis.verdicts import ALPHA
from ablate.study import Cell, Factor
from ablate.tables.table import Column, Estimate, Row, Table, Value, label_of

__all__ = ["effects_table"]


def effects_table(summary: Summary) -> Table:
    """The ✓/✗ table of a study, a row a cell.

    Args:
        summary: The summary.

    Returns:
        The columns cell, one a factor, the metric's mean, the difference to the reference, verdict, weights (where
        the runs report them), number of seeds, and, for the screen alone, seconds a run.
    """
    study = summary.study
    has_weights = bool(summary.cells["weights"].notna().any())
    has_seconds = bool(summary.cells["seconds"].notna().any())
    columns = [
        Column("cell", "text", is_name=True),
        *(Column(factor.name, "level") for factor in summary.plan.factors),
        Column(study.metric, "mean"),
        Column("difference", "difference"),
        Column("verdict", "text"),
        *([Column("weights", "count")] if has_weights else []),
        Column("seeds", "count", in_caption=True),
        *([Column("seconds", "seconds", screen_only=True)] if has_seconds else []),
    ]
    effects = {row["cell"]: row for row in summary.effects.to_dict("records")}
    rows = []
    for cell, found in zip(summary.plan.cells, summary.cells.to_dict("records"), strict=True):
        effect = effects.get(cell.label)
        values: list[Value] = [
            cell.label,
            *(_level(factor, cell) for factor in summary.plan.factors),
            Estimate(found["mean"], found["low"], found["high"]),
            Estimate(effect["difference"], effect["low"], effect["high"]) if effect else None,
            effect["verdict"] if effect else None,
            *([found["weights"]] if has_weights else []),
            found["n"],
            *([found["seconds"]] if has_seconds else []),
        ]
        rows.append(Row(tuple(values), bold=bool(found["best"])))
    return Table(
        columns=tuple(columns),
        rows=tuple(rows),
        caption=" ".join(_caption(summary)),
        label=label_of(study.name),
        notes=summary.notes,
    )


def _level(factor: Factor, cell: Cell) -> Value:
    if factor.name in cell.void:
        return None
    level = cell.levels[factor.name]
    return level == "true" if set(factor.labels) <= {"true", "false"} else level


def _caption(summary: Summary) -> Iterator[str]:
    study, cells = summary.study, summary.cells
    better = "larger is better" if study.direction == "max" else "smaller is better"
    yield f"Ablation study {study.name} ({study.design}; {seed_count(cells['n'])} a cell)."
    if cells["half"].notna().any():
        yield f"{study.metric} ({better}): mean ± half of its {LEVEL:.0%} t interval over seeds."
        if summary.rule is not None:
            yield "Seeds were taken until verdicts stood: intervals of single means, and bold type, are a rough guide."
    else:
        yield f"{study.metric} ({better}): mean over seeds."
    yield "Difference: cell minus reference (every factor at its reference level)," + (
        f" paired by seed, with unadjusted {LEVEL:.0%} {summary.interval_name}."
        if summary.effects["low"].notna().any()
        else " paired by seed."
    )
    if summary.effects["p_adjusted"].notna().any():
        margin = "" if study.margin is None else f", margin {study.margin:g}"
        comparisons = f"{len(summary.effects)} comparison{'s' if len(summary.effects) > 1 else ''}"
        yield (
            f"Verdict: what the reference level of the changed factor does; {summary.test_name}s, "
            f"Holm-adjusted over {comparisons}, α = {ALPHA:g}{margin}."
        )
    if cells["best"].any():
        yield "Bold: the best mean and all that a paired t test (Holm) does not separate from it."
    failed = int(cells["failed"].sum())
    if failed:
        yield f"{failed} failed run{'s are' if failed > 1 else ' is'} not in the means."
