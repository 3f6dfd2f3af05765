"""The table of an ablation study: what each cell has, what it reaches, and what that costs against the reference."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ablate.analysis import Summary
from ablate.analysis.intervals import LEVEL
from ablate.analysis.notes import seed_count
from ablate.analysis.verdicts import ALPHA
from ablate.study import Cell, Factor
from ablate.tables.table import Column, Estimate, Row, Table, Value, label_of

__all__ = ["MARKS", "effects_table", "mark_of"]

MARKS = ((0.01, "‡"), (ALPHA, "†"))
"""Behind a difference that the verdict rests on: the sign of the least bound that its adjusted p value keeps."""

_SCALES = ((1e9, "GFLOPs"), (1e6, "MFLOPs"), (1e3, "kFLOPs"), (1.0, "FLOPs"))


def effects_table(summary: Summary) -> Table:
    """The ✓/✗ table of a study, a row a cell.

    Args:
        summary: The summary.

    Returns:
        The columns cell, one a factor, the metric's mean, the difference to the reference with its mark, verdict,
        weights and operations of one image (where they are known), number of seeds, and, for the screen alone, seconds
        a run.
    """
    study = summary.study
    weights, flops = _costs(summary)
    unit = next((scale for scale in _SCALES if max(flops.values(), default=0.0) >= scale[0]), _SCALES[-1])
    has_seconds = bool(summary.cells["seconds"].notna().any())
    columns = [
        Column("cell", "text", is_name=True),
        *(Column(factor.name, "level") for factor in summary.plan.factors),
        Column(study.metric, "mean"),
        Column("difference", "difference"),
        Column("verdict", "text"),
        *([Column("weights", "count")] if weights else []),
        *([Column(unit[1], "number")] if flops else []),
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
            Estimate(effect["difference"], effect["low"], effect["high"], mark_of(effect)) if effect else None,
            effect["verdict"] if effect else None,
            *([weights.get(cell.label)] if weights else []),
            *([flops[cell.label] / unit[0] if cell.label in flops else None] if flops else []),
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


def mark_of(effect: Mapping[Any, Any]) -> str:
    """The mark of a row of effects: only of one whose verdict says that there is a difference.

    Example:
        >>> [mark_of({"verdict": "helps", "p_adjusted": p}) for p in (0.003, 0.02)]
        ['‡', '†']
        >>> mark_of({"verdict": "undecided", "p_adjusted": 0.02})
        ''
    """
    if effect["verdict"] not in ("helps", "hurts"):
        return ""
    return next((mark for bound, mark in MARKS if effect["p_adjusted"] <= bound), "")


def _costs(summary: Summary) -> tuple[dict[str, float], dict[str, float]]:
    """Weights and floating-point operations by cell: as runs report them, else as they were measured."""
    weights = dict(zip(summary.cells["cell"], summary.cells["weights"], strict=True))
    measured = summary.costs
    if len(measured):
        for cell, number in zip(measured["cell"], measured["weights"], strict=True):
            if not weights.get(cell, math.nan) == weights.get(cell):
                weights[cell] = number
    flops = dict(zip(measured["cell"], measured["flops"], strict=True)) if "flops" in measured else {}
    known = {cell: float(number) for cell, number in weights.items() if number == number}
    return known, {cell: float(number) for cell, number in flops.items() if number == number}


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
    used = {mark_of(row) for row in summary.effects.to_dict("records")}
    marks = ", ".join(f"{mark} p ≤ {bound:g}" for bound, mark in reversed(MARKS) if mark in used)
    if marks:
        yield f"Marks: {marks}, adjusted."
    if cells["best"].any():
        yield "Bold: the best mean and all that a paired t test (Holm) does not separate from it."
    failed = int(cells["failed"].sum())
    if failed and summary.study.failure_policy != "worst":
        yield f"{failed} failed run{'s are' if failed > 1 else ' is'} not in the means."
