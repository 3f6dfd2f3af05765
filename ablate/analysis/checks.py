"""What could be wrong with the runs themselves: copies that pass for replicates, curves that have not settled."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from ablate.analysis.curves import end_window
from ablate.analysis.intervals import t_interval
from ablate.analysis.observations import metrics_of, ordered, run_lengths
from ablate.study import Plan
from ablate.study.metric import metric_stem

CONVERGENCE_COLUMNS = ("cell", "metric", "n", "epochs", "window", "gain", "low", "high", "improving")

_LARGEST = 1e150


def copies(runs: pd.DataFrame, plan: Plan) -> Iterator[tuple[str, tuple[int, ...], int]]:
    """Seeds of a cell whose runs agree in every metric, which independent runs do not.

    Args:
        runs: The planned runs, see :func:`ablate.analysis.observations.ordered`.
        plan: The plan.

    Yields:
        Cell label, the seeds that agree, and in how many metrics; never where there are fewer than two metrics, since
        a single coarse one is often tied.
    """
    finished = runs[runs["state"] == "finished"]
    table = finished[[name for name in metrics_of(runs, plan) if not name.startswith("seconds")]]
    numbers = table.apply(pd.to_numeric, errors="coerce")
    varied = [name for name in numbers.columns if numbers[name].nunique(dropna=False) > 1]
    if len(varied) < 2:
        return
    rows = pd.concat([finished[["cell", "seed"]], numbers[varied]], axis=1).dropna(subset=varied, how="all")
    rows = rows[rows.duplicated(["cell", *varied], keep=False)]
    for cell, group in rows.groupby("cell", sort=False):
        for _, same in group.groupby(varied, sort=False, dropna=False):
            if len(same) > 1:
                yield str(cell), tuple(int(seed) for seed in same["seed"]), len(varied)


def convergence(curves: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """How much each cell still gained an epoch at the end of its training.

    The slope of the last tenth of the epochs (at least three) by least squares in every run, then the mean over seeds
    with its t interval. A cell whose interval is above zero was still improving, and its effect may be one of
    training time.

    Args:
        curves: A row an epoch of a run: ``cell``, ``seed``, ``epoch``, then numbers.
        plan: The plan, for the metric and its direction.

    Returns:
        A row a cell with the columns :data:`CONVERGENCE_COLUMNS`: the curve looked at, number of seeds, epochs and
        epochs in the window, gain an epoch (positive is better) with interval; empty without a validation curve. A
        cell whose curves end in infinite numbers has no row: nothing can be said of it.
    """
    column, sign = _curve(curves, plan)
    rows = []
    if column is not None:
        table = curves[["cell", "seed", "epoch"]].assign(value=pd.to_numeric(curves[column], errors="coerce"))
        table = ordered(table.dropna(subset=["value"]), plan, ("seed", "epoch"))
        epochs, values = (table[name].to_numpy(dtype=float) for name in ("epoch", "value"))
        starts, counts = run_lengths(table)
        runs: dict[str, list[tuple[int, int]]] = {}
        for label, start, count in zip(table["cell"].iloc[starts], starts.tolist(), counts.tolist(), strict=True):
            runs.setdefault(label, []).append((start, start + count))
        for cell in plan.cells:
            slopes = []
            window = last = 0
            for start, end in runs.get(cell.label, ()):
                window = end_window(end - start)
                last = int(epochs[end - 1])
                if end - start > window:
                    slopes.append(sign * _slope(epochs[end - window : end], values[end - window : end]))
            if slopes and bool(np.isfinite(slopes).all()):
                gain = t_interval(slopes)
                rows.append((cell.label, column, gain.n, last, window, gain.mean, gain.low, gain.high, gain.low > 0))
    return pd.DataFrame(rows, columns=list(CONVERGENCE_COLUMNS))


def _slope(epochs: np.ndarray, values: np.ndarray) -> float:
    """By least squares; NaN where a number is infinite, or too large to be multiplied."""
    if not (np.abs(values) < _LARGEST).all():
        return math.nan
    x = epochs - epochs.mean()
    return float(x @ values / (x @ x))


def _curve(curves: pd.DataFrame, plan: Plan) -> tuple[str | None, float]:
    metric, direction = plan.study.metric, 1.0 if plan.study.direction == "max" else -1.0
    for name, sign in ((f"val_{metric_stem(metric)}", direction), ("val_loss", -1.0), (metric, direction)):
        if name in curves.columns and pd.to_numeric(curves[name], errors="coerce").notna().any():
            return name, sign
    return None, 1.0
