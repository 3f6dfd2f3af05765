"""The tables of effects: the main one, the means on several data sets, and what does not rest on the t test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from ablate.analysis import Summary
from ablate.analysis.decisions import T
from ablate.analysis.verdict_words import claim_of
from ablate.analysis.verdicts import ALPHA, direction_of
from ablate.captions import (
    CONFIDENCE,
    VERDICT_SUBJECT,
    block_label,
    bounds_sentence,
    cell_label,
    inference,
    metric_direction,
)
from ablate.formatting import plural, seed_count
from ablate.study import Cell, Factor
from ablate.tables.cells import Column, Estimate, Value
from ablate.tables.table import Table, table_of

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
    plan, results = summary.plan, summary.cells
    labels = [cell.label for cell in plan.cells]
    means = [Estimate(row["mean"], row["low"], row["high"], bold=row["best"]) for row in results.to_dict("records")]
    differences = {
        row["cell"]: Estimate(row["difference"], row["low"], row["high"], mark_of(row))
        for row in summary.effects.to_dict("records")
    }
    verdicts = dict(zip(summary.effects["cell"], summary.effects["verdict"], strict=True))
    # As runs report them, else as they were measured.
    weights = _known(summary.costs, "weights") | _known(results, "weights")
    flops = _known(summary.costs, "flops")
    scale, unit = next((scale for scale in _SCALES if max(flops.values(), default=0.0) >= scale[0]), _SCALES[-1])
    columns: list[tuple[Column, list[Any]]] = [
        (Column("cell", "text", is_name=True), labels),
        *((Column(factor.name, "level"), [_level(factor, cell) for cell in plan.cells]) for factor in plan.factors),
        (Column(summary.study.metric, "mean"), means),
        (Column("difference", "difference"), [differences.get(label) for label in labels]),
        (Column("verdict", "text"), [verdicts.get(label) for label in labels]),
    ]
    if weights:
        columns.append((Column("weights", "count"), [weights.get(label) for label in labels]))
    if flops:
        columns.append((Column(unit, "number"), [flops[name] / scale if name in flops else None for name in labels]))
    columns.append((Column(f"{summary.counted}s", "count", in_caption=True), list(results["n"])))
    if results["seconds"].notna().any():
        columns.append((Column("seconds", "seconds", screen_only=True), list(results["seconds"])))
    return table_of(summary, "", columns, " ".join(_caption(summary)), summary.notes)


def mark_of(effect: Mapping[Any, Any]) -> str:
    """The mark of a row of effects: only of one whose verdict says that there is a difference.

    Example:
        >>> [mark_of({"verdict": "helps", "p_adjusted": p}) for p in (0.003, 0.02)]
        ['‡', '†']
        >>> mark_of({"verdict": "undecided", "p_adjusted": 0.02})
        ''
    """
    if direction_of(claim_of(effect["verdict"])) not in ("helps", "hurts"):
        return ""
    return next((mark for bound, mark in MARKS if effect["p_adjusted"] <= bound), "")


def _separation(summary: Summary) -> str:
    return "paired t test" if summary.study.paired else "Welch t test"


def _known(frame: pd.DataFrame, name: str) -> dict[str, float]:
    if name not in frame:
        return {}
    return {str(cell): float(value) for cell, value in zip(frame["cell"], frame[name], strict=True) if value == value}


def _level(factor: Factor, cell: Cell) -> Value:
    if factor.name in cell.void:
        return None
    level = cell.levels[factor.name]
    return level == "true" if set(factor.labels) <= {"true", "false"} else level


def _caption(summary: Summary) -> Iterator[str]:
    study, cells, effects = summary.study, summary.cells, summary.effects
    stated = inference(summary, len(effects), margin=study.margin)
    yield f"Ablation study {study.name} ({study.design}; {seed_count(cells['n'], summary.counted)} a cell)."
    if cells["half"].notna().any():
        yield f"{metric_direction(summary)}: mean ± half of its {CONFIDENCE} t interval over {summary.counted}s."
        yield from bounds_sentence(cells)
        if summary.rule is not None:
            yield "Seeds were taken until verdicts stood: intervals of single means, and bold type, are a rough guide."
    else:
        yield f"{metric_direction(summary)}: mean over {summary.counted}s."
    intervals = f", with {stated.interval}" if effects["low"].notna().any() else ""
    yield f"Difference: cell minus reference (every factor at its reference level), {summary.pairing}{intervals}."
    if effects["p_adjusted"].notna().any():
        yield f"Verdict: {VERDICT_SUBJECT}; {stated.test}."
    used = {mark_of(row) for row in effects.to_dict("records")}
    marks = ", ".join(f"{mark} p ≤ {bound:g}" for bound, mark in reversed(MARKS) if mark in used)
    if marks:
        yield f"Marks: {marks}, adjusted."
    if cells["best"].any():
        yield f"Bold: the best mean and all that a {_separation(summary)} (Holm) does not separate from it."
    failed = int(cells["failed"].sum())
    if failed and summary.study.failure_policy != "worst":
        yield f"{plural(failed, 'failed run is', 'failed runs are')} not in the means."


def by_dataset_table(summary: Summary) -> Table | None:
    """What each combination of ingredients reaches on each data set.

    Args:
        summary: The summary.

    Returns:
        The columns cell (its ingredients alone) and one a data set with the metric's mean, bold where nothing on that
        data set is better, marked where the verdict there says that it differs from the reference; None for a study
        without a block.
    """
    plan = summary.plan
    blocks = [factor.name for factor in plan.factors if factor.block]
    if not blocks:
        return None
    marks = {row["cell"]: mark_of(row) for row in summary.effects.to_dict("records")}
    columns: dict[str, dict[str, Estimate]] = {}
    for cell, row in zip(plan.cells, summary.cells.to_dict("records"), strict=True):
        value = Estimate(row["mean"], row["low"], row["high"], marks.get(cell.label, ""), row["best"])
        columns.setdefault(block_label(cell, plan), {})[cell_label(cell, plan)] = value
    labels = list(dict.fromkeys(cell_label(cell, plan) for cell in plan.cells))
    bounds = "".join(f"{sentence} " for sentence in bounds_sentence(summary.cells))
    return table_of(
        summary,
        "by_dataset",
        [
            (Column("cell", "text", is_name=True), labels),
            *((Column(block, "mean"), [values.get(label) for label in labels]) for block, values in columns.items()),
        ],
        f"Study {summary.study.name} by {', '.join(blocks)}: {metric_direction(summary)}, mean ± half of its "
        f"{CONFIDENCE} t interval over seeds. {bounds}Bold: the best mean of a column and all that a "
        f"{_separation(summary)} (Holm) does not separate from it. Marked: differs from the first row of its column "
        f"(† adjusted p ≤ 0.05, ‡ p ≤ 0.01; {inference(summary, len(marks)).test}).",
    )


def robustness_table(summary: Summary) -> Table | None:
    """Standardised effect, p values of three tests, pairing correlation and flags, a row an effect.

    Returns:
        None where no effect has two seeds.
    """
    frame = summary.robustness
    if not len(frame) or not frame["n"].gt(1).any():
        return None
    sequential = summary.rule is not None
    flags = [
        "; ".join([*(["skewed"] if skewed else []), *([f"outlying: seed {seeds}"] if seeds else [])]) or None
        for skewed, seeds in zip(frame["skewed"], frame["outliers"], strict=True)
    ]
    caption = (
        f"Robustness of the effects on {summary.study.metric} in the study {summary.study.name}. d_z: mean "
        "contribution in standard deviations of the paired difference, positive where the reference level is good. "
        "No p value here is adjusted. p (sign flip): exact under all sign patterns, never below 2^(1−n). p "
        "(Welch): without pairing. Correlation: of the paired runs; skewness: of their differences."
    )
    header = "p (sequential)" if sequential else "p (paired t)" if summary.tests == (T,) else "p (test)"
    if header == "p (test)":
        caption += f" p (test): of the test behind the verdict ({summary.test_name})."
    if summary.study.resplit is not None:
        caption += " Splits of one data set overlap: Welch's test is corrected for it, the signs allow no test."
    if sequential:
        caption += (
            " The sign-flip and Welch tests are those of a number of seeds fixed in advance; only the first p value "
            "counts the looks."
        )
    return table_of(
        summary,
        "robustness",
        [
            (Column("cell", "text"), frame["cell"]),
            (Column("seeds", "count"), frame["n"]),
            (Column("d_z", "ratio"), frame["d_z"]),
            (Column(header, "p"), frame["p"]),
            (Column("p (sign flip)", "p"), frame["p_sign_flip"]),
            (Column("p (Welch)", "p"), frame["p_welch"]),
            (Column("correlation", "ratio"), frame["correlation"]),
            (Column("skewness", "ratio"), frame["skewness"]),
            (Column("flags", "text"), flags),
        ],
        caption,
    )
