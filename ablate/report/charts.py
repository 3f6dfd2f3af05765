"""The data of the interactive charts, as plain values for JSON: rounded, and thinned where there are many."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from ablate.analysis import Summary
    from ablate.study import Cell, Plan

_SELECTED_AT_FIRST = 8
# How many numbers a page may hold, of about 8 characters each.
_MAX_MEAN_NUMBERS = 80_000
_MAX_RUN_NUMBERS = 60_000
# Points of a line: never more, and lines of single runs not with less.
_MAX_POINTS, _MIN_POINTS = 200, 10

# As plotly.js calls them.
_LINES = {"solid": "solid", "dashed": "dash", "dashdot": "dashdot", "long dashed": "longdash"}
_DASHES = (*_LINES.values(), "longdashdot")

_SPLITS = {"train_": "train", "training_": "train", "val_": "validation", "validation_": "validation", "test_": "test"}


def forest_data(summary: Summary) -> dict[str, Any]:
    """The effects with their intervals, and the single seeds behind them.

    Returns:
        ``metric``, ``direction``, ``margin`` and ``rows``, from the largest contribution down: cell, its place in the
        plan, difference, low, high, n, adjusted p, verdict, and seeds as pairs of seed and difference.
    """
    places = {cell.label: place for place, cell in enumerate(summary.plan.cells)}
    seeds = {
        cell: list(zip(map(int, pairs["seed"]), _numbers(pairs["difference"]), strict=True))
        for cell, pairs in summary.pairs.groupby("cell")
    }
    effects = summary.effects.sort_values("contribution", ascending=False, kind="stable")
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
    """The learning curves: of each cell the mean with its interval, and of each run its own line.

    Returns:
        ``metrics`` (column, metric and split of each: the column ``val_loss`` is the metric ``loss`` of the split
        ``validation``), ``first_metric`` (the one that is selected at first), ``cells`` (label, colour of the static
        figures, dash, whether selected at first), ``means`` by metric and cell, ``runs`` by metric, ``max_points`` (how
        many points of a line are kept, None for all), ``runs_omitted`` (whether there are too many runs for lines of
        their own).
    """
    from ablate.analysis.curves import curve_columns, mean_curves
    from ablate.figures.colours import cell_styles

    cells = [cell.label for cell in summary.plan.cells]
    styles = cell_styles(summary.plan)
    columns = curve_columns(summary.curves)
    means = mean_curves(summary.counted_curves, *columns)
    runs = summary.curves[["cell", "seed"]].drop_duplicates()
    lines = max(len(columns) * max(means["cell"].nunique(), 1), 1)
    points = max(min(_MAX_POINTS, _MAX_MEAN_NUMBERS // (4 * lines)), 2)
    run_points = min(_MAX_POINTS, _MAX_RUN_NUMBERS // max(len(columns) * len(runs), 1))
    selected = _selected_at_first(summary)
    longest = int(summary.curves["epoch"].value_counts().size) if len(summary.curves) else 0
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
        "max_points": points if longest > points else None,
        "runs_omitted": bool(len(runs)) and run_points < _MIN_POINTS,
    }


def _dash(cell: Cell, plan: Plan, line: str) -> str:
    """How lines of one colour differ: by the data set, or else as several changes do in the figures.

    Dots are left for the training curves.
    """
    blocks = [factor for factor in plan.factors if factor.block]
    if blocks:
        place = 0
        for factor in blocks:
            place = place * len(factor.labels) + factor.labels.index(cell.levels[factor.name])
        return _DASHES[place % len(_DASHES)]
    return _LINES.get(line, "longdashdot") if len(cell.changed) > 1 else "solid"


def _selected_at_first(summary: Summary) -> set[str]:
    labels = [cell.label for cell in summary.plan.cells]
    if len(labels) <= _SELECTED_AT_FIRST:
        return set(labels)
    size = summary.effects["difference"].abs().sort_values(ascending=False, kind="stable")
    return {labels[0], *summary.effects.loc[size.index[: _SELECTED_AT_FIRST - 1], "cell"]}


def _split(metric: str) -> tuple[str, str]:
    """The metric without its prefix, and the split that the prefix names."""
    for prefix, split in _SPLITS.items():
        if metric.startswith(prefix) and metric != prefix:
            return metric.removeprefix(prefix), split
    return metric, "train"


def _means(means: pd.DataFrame, cells: Sequence[str], points: int) -> Iterator[dict[str, Any]]:
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
    """The indices of the points of a line that are drawn: evenly spread, the first and the last among them.

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
    """Five significant digits, more than a screen can show; None for NaN and infinity, which JSON lacks."""
    return float(f"{value:.5g}") if math.isfinite(value) else None
