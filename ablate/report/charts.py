"""The data of the interactive charts as plain values for JSON: numbers are rounded, long lines lose points."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from ablate.analysis import Summary
    from ablate.study import Cell, Plan

_SELECTED_AT_FIRST = 8  # cells whose curves are shown when the page opens
# How many numbers the mean curves and the lines of single runs may take; a number takes about 8 characters of the page.
_MAX_MEAN_NUMBERS = 80_000
_MAX_RUN_NUMBERS = 60_000
# A line has at most this many points; if the lines of single runs would have fewer than the minimum, all are left out.
_MAX_POINTS, _MIN_POINTS = 200, 10

# The dashes of plotly.js by the names of our lines, see :data:`ablate.figures.colours.LINES`.
_LINES = {"solid": "solid", "dashed": "dash", "dashdot": "dashdot", "long dashed": "longdash"}
_DASHES = (*_LINES.values(), "longdashdot")

_SPLITS = {"train_": "train", "training_": "train", "val_": "validation", "validation_": "validation", "test_": "test"}


def forest_data(summary: Summary) -> dict[str, Any]:
    """The effects with their intervals, and the single seeds behind them.

    Returns:
        ``metric``, ``direction``, ``margin``, and ``rows``, one per effect, the largest contribution or gain first:
        ``cell`` (its label), ``place`` (its index in the plan), ``difference``, ``low``, ``high``, ``n``, ``p``
        (adjusted), ``verdict`` and ``seeds`` (pairs of a seed and its difference).
    """
    from ablate.captions import contributions, takes_only_parts

    places = {cell.label: place for place, cell in enumerate(summary.plan.cells)}
    seeds = {
        cell: list(zip(map(int, pairs["seed"]), _numbers(pairs["difference"]), strict=True))
        for cell, pairs in summary.pairs.groupby("cell")
    }
    cells = {cell.label: cell for cell in summary.plan.cells}
    are_parts = [takes_only_parts(cells[cell], summary.plan) for cell in summary.effects["cell"]]
    turned = contributions(summary.effects, summary, are_parts)["contribution"]
    order = turned.sort_values(ascending=False, kind="stable").index
    effects = summary.effects.loc[order]
    rows = [
        {
            "cell": row["cell"],
            "place": places[row["cell"]],
            **{name: _number(row[name]) for name in ("difference", "low", "high")},
            "n": int(row["n"]),
            "p": _number(row["p_adjusted"]),
            "verdict": row["verdict"],
            "seeds": seeds.get(row["cell"], []),
        }
        for row in effects.to_dict("records")
    ]
    study = summary.study
    return {"metric": study.metric, "direction": study.direction, "margin": study.margin, "rows": rows}


def curves_data(summary: Summary) -> dict[str, Any]:
    """The learning curves: for each cell the mean with its interval, and for each run its own line.

    Returns:
        Plain values by these names.

        - ``metrics``: for each column of the curves its ``column``, ``metric`` and ``split``; the column ``val_loss``
          is the metric ``loss`` of the split ``validation``.
        - ``first_metric``: the metric that is shown when the page opens.
        - ``cells``: for each its ``label``, ``colour`` (as in the static figures), ``dash`` and ``is_selected``
          (whether it is shown when the page opens).
        - ``means``: a line for each column and cell, see `_means`.
        - ``runs``: for each run its lines by column, see `_runs`.
        - ``max_points``: how many points a mean curve is thinned to; None where no curve is that long.
        - ``runs_omitted``: whether the runs are too many to have lines of their own.
    """
    from ablate.analysis.curves import curve_columns, mean_curves
    from ablate.figures.colours import cell_styles

    cells = [cell.label for cell in summary.plan.cells]
    styles = cell_styles(summary.plan)
    columns = curve_columns(summary.curves)
    means = mean_curves(summary.counted_curves, *columns, resplit=summary.study.resplit)
    runs = summary.curves[["cell", "seed"]].drop_duplicates()
    mean_lines = max(len(columns) * max(means["cell"].nunique(), 1), 1)
    # A point of a mean curve takes four numbers: epoch, mean and both ends of the interval.
    points = max(min(_MAX_POINTS, _MAX_MEAN_NUMBERS // (4 * mean_lines)), 2)
    run_points = min(_MAX_POINTS, _MAX_RUN_NUMBERS // max(len(columns) * len(runs), 1))
    selected = _selected_at_first(summary)
    epochs = int(summary.curves["epoch"].value_counts().size) if len(summary.curves) else 0
    return {
        "metrics": [dict(zip(("column", "metric", "split"), (name, *_split(name)), strict=True)) for name in columns],
        "first_metric": _split(summary.study.metric)[0],
        "cells": [
            {
                "label": cell.label,
                "colour": styles[cell.label].colour,
                "dash": _dash(cell, summary.plan, styles[cell.label].line),
                "is_selected": cell.label in selected,
            }
            for cell in summary.plan.cells
        ],
        "means": list(_means(means, cells, points)),
        "runs": list(_runs(summary.curves, columns, cells, run_points)) if run_points >= _MIN_POINTS else [],
        "max_points": points if epochs > points else None,
        "runs_omitted": bool(len(runs)) and run_points < _MIN_POINTS,
    }


def _dash(cell: Cell, plan: Plan, line: str) -> str:
    """The dash of a cell's line, as plotly.js calls it; ``line`` is its line in the static figures.

    In a study with blocks the dash tells the block. Otherwise only cells with several changes are dashed, since these
    can share a colour. Dots are not used: the page draws training curves dotted.
    """
    blocks = [factor for factor in plan.factors if factor.block]
    if blocks:
        block_number = 0
        for factor in blocks:
            block_number = block_number * len(factor.labels) + factor.labels.index(cell.levels[factor.name])
        return _DASHES[block_number % len(_DASHES)]
    return _LINES.get(line, "longdashdot") if len(cell.changed) > 1 else "solid"


def _selected_at_first(summary: Summary) -> set[str]:
    """The labels of all cells, or where they are many, of the first one and those with the largest differences."""
    labels = [cell.label for cell in summary.plan.cells]
    if len(labels) <= _SELECTED_AT_FIRST:
        return set(labels)
    size = summary.effects["difference"].abs().sort_values(ascending=False, kind="stable")
    return {labels[0], *summary.effects.loc[size.index[: _SELECTED_AT_FIRST - 1], "cell"]}


def _split(metric: str) -> tuple[str, str]:
    """A column of the curves as metric and split: the rest of its name, and what the prefix stands for."""
    for prefix, split in _SPLITS.items():
        if metric.startswith(prefix) and metric != prefix:
            return metric.removeprefix(prefix), split
    return metric, "train"


def _means(means: pd.DataFrame, cells: Sequence[str], points: int) -> Iterator[dict[str, Any]]:
    """The mean curve of each column (``metric``) and cell (index in ``cells``), at most ``points`` points."""
    place = {label: index for index, label in enumerate(cells)}
    for (metric, cell), line in means.groupby(["metric", "cell"], sort=False):
        points_shown = line.iloc[thinned(len(line), points)]
        values = {
            "metric": metric,
            "cell": place[str(cell)],
            "n": int(line["n"].iloc[0]),
            "x": [int(epoch) for epoch in points_shown["epoch"]],
            "y": _numbers(points_shown["mean"]),
        }
        if points_shown["low"].notna().any():
            values |= {"low": _numbers(points_shown["low"]), "high": _numbers(points_shown["high"])}
        yield values


def _runs(curves: pd.DataFrame, columns: Sequence[str], cells: Sequence[str], points: int) -> Iterator[dict[str, Any]]:
    """The curves of each run, at most ``points`` points: one ``x`` for all, and a ``y`` for each column."""
    place = {label: index for index, label in enumerate(cells)}
    for (cell, seed), lines in curves.groupby(["cell", "seed"], sort=False):
        points_shown = lines.iloc[thinned(len(lines), points)]
        yield {
            "cell": place[str(cell)],
            "seed": int(str(seed)),
            "x": [int(epoch) for epoch in points_shown["epoch"]],
            "y": {name: _numbers(points_shown[name]) for name in columns if points_shown[name].notna().any()},
        }


def thinned(count: int, most: int) -> list[int]:
    """Of ``count`` points, the indices of at most ``most``: evenly spread, the first and the last among them.

    Example:
        >>> thinned(5, 10), thinned(9, 3)
        ([0, 1, 2, 3, 4], [0, 4, 8])
    """
    if count <= most:
        return list(range(count))
    return [round(step * (count - 1) / (most - 1)) for step in range(most)]


def _numbers(values: Iterable[Any]) -> list[float | None]:
    return [_number(value) for value in values]


def _number(value: float) -> float | None:
    """Round to five significant digits, more than a screen can show; None for NaN and infinity, which JSON lacks."""
    return float(f"{value:.5g}") if math.isfinite(value) else None
