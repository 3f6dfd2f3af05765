"""What could be wrong with the runs themselves: identical runs, curves that have not settled."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from ablate.analysis.curves import end_window
from ablate.analysis.intervals import t_interval
from ablate.analysis.observations import metrics_of
from ablate.analysis.resplit import corrected
from ablate.study import Plan
from ablate.study.metric import metric_stem

CONVERGENCE_COLUMNS = ("cell", "metric", "n", "epochs", "window", "gain", "low", "high", "improving")

MAJORITY = "majority_accuracy"
"""The number of a run that says what guessing the largest class scores."""
_SAME = 1e-6  # accuracies of 32 bits that are the same
_LARGEST = 1e150


def identical_runs(runs: pd.DataFrame, plan: Plan) -> Iterator[tuple[str, tuple[int, ...], int]]:
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


def seed_is_idle(runs: pd.DataFrame, plan: Plan) -> bool:
    """Whether the seed seems to change nothing: in every cell with several finished runs they agree in the metric.

    One coarse metric is often tied in a cell, but hardly in all of them; so at least two such cells are needed.

    Args:
        runs: The planned runs, see :func:`ablate.analysis.observations.ordered`.
        plan: The plan.
    """
    metric = plan.study.metric
    if metric not in runs.columns:
        return False
    finished = runs[runs["state"] == "finished"]
    cells = pd.to_numeric(finished[metric], errors="coerce").groupby(finished["cell"], sort=False)
    several = cells.count() >= 2
    return int(several.sum()) >= 2 and bool((cells.nunique()[several] == 1).all())


def guessing_cells(runs: pd.DataFrame, plan: Plan) -> tuple[str, ...]:
    """Cells whose finished runs all score what guessing the largest class scores, so that they have learned nothing.

    Args:
        runs: The planned runs. A task that can say what that score is reports it as ``majority_accuracy``.
        plan: The plan, for the metric.
    """
    metric = plan.study.metric
    if metric_stem(metric) != "accuracy" or not {metric, MAJORITY} <= set(runs.columns):
        return ()
    finished = runs[runs["state"] == "finished"]
    scores, guesses = (pd.to_numeric(finished[name], errors="coerce") for name in (metric, MAJORITY))
    is_guess = (scores - guesses).abs() < _SAME
    by_cell = is_guess.groupby(finished["cell"], sort=False).all()
    return tuple(str(cell) for cell, guessed in by_cell.items() if guessed)


def convergence(curves: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """How much each cell still gained per epoch at the end of its training.

    The slope of the last tenth of the epochs (at least three) by least squares in every run, then the mean over seeds
    with its t interval. A cell whose interval is above zero was still improving, and its effect may be one of
    training time.

    Args:
        curves: One row per epoch of a run, ordered by cell, seed and epoch, then numbers.
        plan: The plan, for the metric and its direction.

    Returns:
        One row per cell with the columns :data:`CONVERGENCE_COLUMNS`: the curve looked at, number of seeds, epochs and
        epochs in the window, gain per epoch (positive is better) with interval; empty without a validation curve. A
        cell whose curves end in infinite numbers has no row: nothing can be said of it.
    """
    column, sign = _curve(curves, plan)
    rows = []
    if column is not None:
        table = curves[["cell", "seed", "epoch"]].assign(value=pd.to_numeric(curves[column], errors="coerce"))
        table = table.dropna(subset=["value"])
        # All runs at once: one by one, thousands of runs would take seconds.
        runs = table.groupby(["cell", "seed"], sort=False)
        lengths = runs["epoch"].transform("size")
        windows = lengths.map({length: end_window(length) for length in lengths.unique()})
        table = table.assign(window=windows, last=runs["epoch"].transform("last"))
        table = table[(runs.cumcount(ascending=False) < windows) & (lengths > windows)]
        # Infinite numbers, and those whose products would overflow, have no slope.
        value = table["value"].where(table["value"].abs() < _LARGEST)
        x = table["epoch"] - table.groupby(["cell", "seed"], sort=False)["epoch"].transform("mean")
        ends = table.assign(xy=sign * x * value, xx=x * x).groupby(["cell", "seed"], sort=False)
        slopes = ends["xy"].sum(skipna=False) / ends["xx"].sum()
        measured = ends[["last", "window"]].last().groupby("cell", sort=False).last().to_dict("index")
        for cell, gains in slopes.groupby("cell", sort=False):
            if gains.notna().all():
                gain = corrected(t_interval(gains.tolist()), plan.study.resplit or 0.0)
                last, window = measured[cell]["last"], measured[cell]["window"]
                rows.append((cell, column, gain.n, int(last), window, gain.mean, gain.low, gain.high, gain.low > 0))
    return pd.DataFrame(rows, columns=list(CONVERGENCE_COLUMNS))


def _curve(curves: pd.DataFrame, plan: Plan) -> tuple[str | None, float]:
    metric, direction = plan.study.metric, 1.0 if plan.study.direction == "max" else -1.0
    for name, sign in ((f"val_{metric_stem(metric)}", direction), ("val_loss", -1.0), (metric, direction)):
        if name in curves.columns and pd.to_numeric(curves[name], errors="coerce").notna().any():
            return name, sign
    return None, 1.0
