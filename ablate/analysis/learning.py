"""How cells learn: the mean of each curve over the seeds of a cell, epoch by epoch."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ablate.analysis.intervals import t_half_width

__all__ = ["LEARNING_COLUMNS", "curve_columns", "mean_curves"]

LEARNING_COLUMNS = ("metric", "cell", "epoch", "n", "mean", "low", "high")


def curve_columns(curves: pd.DataFrame) -> tuple[str, ...]:
    """The columns of a table of curves that hold numbers to draw.

    Args:
        curves: A row an epoch of a run, see :class:`ablate.analysis.Summary`.
    """
    names = [str(name) for name in curves.columns if name not in ("study", "cell", "seed", "epoch")]
    return tuple(name for name in names if pd.to_numeric(curves[name], errors="coerce").notna().any())


def mean_curves(curves: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """The mean of every curve over the finished runs of a cell, with its pointwise 95 % t interval.

    A cell's line ends with the last epoch that all its finished runs reached: beyond it, the mean would change because
    runs stop and not because they learn.

    Args:
        curves: A row an epoch of a run: ``cell``, ``seed``, ``epoch``, then numbers.
        runs: A row a run: ``cell``, ``seed``, ``state``.

    Returns:
        A row a metric, cell and epoch, with the columns :data:`LEARNING_COLUMNS`; ``low`` and ``high`` are NaN where
        there is one run.

    Example:
        >>> curves = pd.DataFrame({"cell": "full", "seed": [0, 0, 1], "epoch": [1, 2, 1], "loss": [1.0, 0.5, 3.0]})
        >>> runs = pd.DataFrame({"cell": "full", "seed": [0, 1], "state": "finished"})
        >>> mean_curves(curves, runs)[["metric", "epoch", "n", "mean"]].values.tolist()
        [['loss', 1, 2, 2.0]]
    """
    finished = runs.loc[runs["state"] == "finished", ["cell", "seed"]]
    count = finished.groupby("cell").size()
    kept = curves.merge(finished, on=["cell", "seed"], how="inner")
    parts = []
    for metric in curve_columns(kept):
        rows = kept[["cell", "epoch"]].assign(value=pd.to_numeric(kept[metric], errors="coerce"))
        rows = rows[np.isfinite(rows["value"])]
        found = rows.groupby(["cell", "epoch"], sort=False)["value"].agg(n="size", mean="mean", spread="std")
        found = found.reset_index()
        found = found[found["n"] == found["cell"].map(count)]
        half = t_half_width(found["n"].where(found["n"] > 1)) * found["spread"] / np.sqrt(found["n"])
        parts.append(found.assign(metric=metric, low=found["mean"] - half, high=found["mean"] + half))
    parts = [part for part in parts if len(part)]
    columns = list(LEARNING_COLUMNS)
    if not parts:
        return pd.DataFrame(columns=columns)
    lines: pd.DataFrame = pd.concat(parts, ignore_index=True)[columns]
    return lines.sort_values(["metric", "cell", "epoch"], kind="stable")
