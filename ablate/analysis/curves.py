"""Curves over seeds: their means and paired differences, where an effect begins and where overfitting does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ablate.analysis.comparisons import comparisons
from ablate.analysis.intervals import ROUNDING, t_half_width, t_interval
from ablate.analysis.resplit import corrected, inflation
from ablate.analysis.rounds import Round
from ablate.study import Plan
from ablate.study.metric import metric_stem, share_top

_KEYS = ("study", "cell", "seed", "epoch")
_VALIDATION = ("val_", "validation_", "valid_")
_TRAINING = ("train_", "training_", "")
_MEAN_COLUMNS = ("cell", "epoch", "n", "mean", "low", "high")
_SHARE, _LEAST = 0.1, 3


@dataclass(frozen=True)
class Track:
    """A quantity by epoch, measured on data not trained on, and the same quantity on the training data.

    Args:
        validation: Column of the curves.
        training: Column of the same number on the training data, or None.
        is_loss: Whether it is the loss.
    """

    validation: str
    training: str | None = None
    is_loss: bool = False


def tracks(curves: pd.DataFrame, metric: str) -> tuple[Track, ...]:
    """Which curves belong to a study: the validation version of its metric, and the validation loss.

    Where the curves have no such columns: the metric itself and ``loss``, or else the first two columns of numbers.

    Args:
        curves: One row per epoch of a run.
        metric: The study's metric.

    Example:
        >>> curves = pd.DataFrame({"epoch": [1], "loss": [2.0], "val_loss": [2.1], "val_accuracy": [0.3]})
        >>> [(track.validation, track.training) for track in tracks(curves, "test_accuracy")]
        [('val_accuracy', None), ('val_loss', 'loss')]
    """
    columns = curve_columns(curves)
    stem = metric_stem(metric)
    scores = [name for name in (*(f"{prefix}{stem}" for prefix in _VALIDATION), metric, stem) if name in columns]
    losses = [name for name in (*(f"{prefix}loss" for prefix in _VALIDATION), "test_loss", "loss") if name in columns]
    chosen = list(dict.fromkeys([*scores[:1], *losses[:1]])) or list(columns[:2])
    return tuple(Track(name, _training(name, columns), name in losses) for name in chosen)


def _training(name: str, columns: Sequence[str]) -> str | None:
    stem = next((name.removeprefix(prefix) for prefix in (*_VALIDATION, "test_") if name.startswith(prefix)), None)
    if stem is None:
        return None
    return next((f"{prefix}{stem}" for prefix in _TRAINING if f"{prefix}{stem}" in columns), None)


def curve_columns(curves: pd.DataFrame) -> tuple[str, ...]:
    """The columns of a table of curves that hold numbers to draw.

    Args:
        curves: One row per epoch of a run, see :class:`ablate.analysis.Summary`.
    """
    names = [str(name) for name in curves.columns if name not in _KEYS]
    return tuple(name for name in names if pd.to_numeric(curves[name], errors="coerce").notna().any())


def counted_curves(curves: pd.DataFrame, runs: pd.DataFrame, plan: Plan, round: Round | None = None) -> pd.DataFrame:
    """The curves of the runs that count, as in the statistics: finished and, under the sequential rule, already read.

    Args:
        curves: One row per epoch of a run, ordered by cell and seed.
        runs: One row per run: ``cell``, ``seed``, ``state``.
        plan: The plan.
        round: The state of the study under the sequential rule; None where its seeds were fixed.
    """
    counted = runs.loc[runs["state"] == "finished", ["cell", "seed"]]
    if round is not None:
        read = {cell: set(plan.study.seeds[:count]) for cell, count in round.read.items()}
        counted = counted.loc[[seed in read[cell] for cell, seed in zip(counted["cell"], counted["seed"], strict=True)]]
    return curves.merge(counted, on=["cell", "seed"])


def mean_curves(curves: pd.DataFrame, *columns: str, resplit: float | None = None) -> pd.DataFrame:
    """The mean of curves over the seeds of each cell, with its pointwise 95% t interval.

    A cell's curve ends with the last epoch that all its runs reached: beyond it, the mean would change because runs
    stop and not because they learn. Intervals of shares end at their bounds.

    Args:
        curves: One row per epoch of a run: ``cell``, ``seed``, ``epoch``, then numbers; only runs that count, see
            :attr:`ablate.analysis.Summary.counted_curves`.
        columns: The numbers.
        resplit: See :class:`~ablate.study.Study`.

    Returns:
        One row per column, cell and epoch: ``metric`` (the column), ``cell``, ``epoch``, ``n``, ``mean``, ``low``,
        ``high`` (NaN for one run, or runs without spread).

    Example:
        >>> curves = pd.DataFrame({"cell": "full", "seed": [0, 0, 1], "epoch": [1, 2, 1], "loss": [1.0, 0.5, 3.0]})
        >>> mean_curves(curves, "loss")[["metric", "epoch", "n", "mean"]].values.tolist()
        [['loss', 1, 2, 2.0]]
    """
    parts = []
    for column in columns:
        rows = _finite(curves, column)
        table, top = _over_runs(rows, resplit), share_top(column, rows["value"].tolist())
        if top is not None:
            table = table.assign(low=table["low"].clip(lower=0.0), high=table["high"].clip(upper=top))
        parts.append(table.assign(metric=column))
    # An empty table among others would change the types of their columns.
    parts = [part for part in parts if len(part)] or [pd.DataFrame(columns=["metric", *_MEAN_COLUMNS])]
    return pd.concat(parts, ignore_index=True)[["metric", *_MEAN_COLUMNS]]


def difference_curves(curves: pd.DataFrame, plan: Plan, column: str) -> pd.DataFrame:
    """The difference of each cell to its reference by epoch, paired by seed, with its pointwise 95% t interval.

    Args:
        curves: As for :func:`mean_curves`.
        plan: The plan, which says what is compared with what.
        column: The number.

    Returns:
        One row per cell and epoch that all its pairs reached: ``cell``, ``epoch``, ``n`` pairs, ``mean`` difference
        (cell minus reference), ``low``, ``high``.
    """
    rows = _finite(curves, column)
    partner = {pair.cell.label: pair.reference.label for pair in comparisons(plan)}
    cells = rows[rows["cell"].isin(list(partner))]
    cells = cells.assign(reference=cells["cell"].map(partner))
    references = rows.rename(columns={"cell": "reference", "value": "against"})
    if not plan.study.paired:
        references = references.iloc[:0]
    pairs = cells.merge(references, on=["reference", "seed", "epoch"])
    size = np.maximum(pairs["value"].abs(), pairs["against"].abs())
    return _over_runs(pairs.assign(value=pairs["value"] - pairs["against"], size=size), plan.study.resplit)


def _finite(curves: pd.DataFrame, column: str) -> pd.DataFrame:
    rows = curves[["cell", "seed", "epoch"]].assign(value=pd.to_numeric(curves[column], errors="coerce"))
    finite: pd.DataFrame = rows[np.isfinite(rows["value"].to_numpy(dtype=float))]
    return finite


def _over_runs(rows: pd.DataFrame, resplit: float | None) -> pd.DataFrame:
    """Mean and interval of ``value`` by cell and epoch, where all runs of the cell have one."""
    sizes = rows["size"] if "size" in rows else rows["value"].abs()
    groups = rows.assign(size=sizes).groupby(["cell", "epoch"], sort=True)
    table = groups["value"].agg(n="size", mean="mean", spread="std", least="min", most="max")
    table = table.assign(size=groups["size"].max()).reset_index()
    table = table[table["n"] == table["cell"].map(rows.groupby("cell")["seed"].nunique())]
    # As everywhere, a spread within rounding counts as none, and there is no interval.
    varied = (table["n"] > 1) & (table["most"] - table["least"] > ROUNDING * table["size"])
    variance = table["spread"] ** 2 / table["n"] * inflation(resplit or 0.0, table["n"])
    half = t_half_width(table["n"].where(varied)) * np.sqrt(variance)
    table = table.assign(low=table["mean"] - half, high=table["mean"] + half)
    means: pd.DataFrame = table[list(_MEAN_COLUMNS)].reset_index(drop=True)
    return means


def onsets(differences: pd.DataFrame) -> dict[str, int]:
    """By cell, the epoch from which on every interval up to the last one lies on one side of zero.

    The epochs are tested in a fixed sequence, from the last one backwards until the first that fails. So the chance of
    naming too early an epoch is at most 5 % per cell, although the intervals are pointwise. Source: W. Maurer,
    L. Hothorn and W. Lehmacher, Multiple comparisons in drug clinical trials and preclinical assays: a-priori ordered
    hypotheses, Biometrie in der chemisch-pharmazeutischen Industrie 6 (1995), 3-18.

    Args:
        differences: What :func:`difference_curves` returned.

    Returns:
        No entry for a cell whose last interval includes zero or does not exist.

    Example:
        >>> epochs = {"cell": ["w/o a"] * 3, "epoch": [1, 2, 3], "low": [-1.0, 0.1, 0.2], "high": [1.0, 0.5, 0.6]}
        >>> onsets(pd.DataFrame(epochs))
        {'w/o a': 2}
    """
    first: dict[str, int] = {}
    for cell, rows in differences.groupby("cell", sort=False):
        # From the end backwards: the hypotheses are tested in this order, and the first that fails ends it.
        ordered = rows.sort_values("epoch", ascending=False)
        side = np.where(ordered["low"] > 0, 1, np.where(ordered["high"] < 0, -1, 0))
        if side[0]:
            fails = np.flatnonzero(side != side[0])
            # The last epoch that passed: the one tested just before the first failure.
            first[str(cell)] = int(ordered["epoch"].iloc[(fails[0] if len(fails) else len(side)) - 1])
    return first


def end_window(epochs: int) -> int:
    """How many epochs count as the end of a training: the last tenth, at least three."""
    return max(_LEAST, math.ceil(_SHARE * epochs))


def overfitting(curves: pd.DataFrame, validation: str, training: str, resplit: float | None = None) -> pd.DataFrame:
    """Where a cell begins to overfit: its mean validation loss is lowest, and rises while the training loss falls.

    The rise is that of the validation loss from this epoch to the end (the mean of the last tenth of the epochs, at
    least three). An epoch that was picked for being the lowest lies low by luck as well, so in each seed the rise is
    measured from the epoch that is lowest in the mean of the *other* seeds, and the onset counts as shown where the
    95% t interval of the mean rise is above zero. One seed is not enough.

    Args:
        curves: As for :func:`mean_curves`.
        validation: Column of the loss on data that are not trained on.
        training: Column of the loss on the training data.
        resplit: See :class:`~ablate.study.Study`.

    Returns:
        A row for every cell with two seeds or more: ``cell``, ``epoch`` of the lowest mean, ``n``, ``rise`` with its
        interval ``low`` to ``high``, and whether overfitting is ``shown``.
    """
    rows = []
    for cell, own in curves.groupby("cell", sort=False):
        held_out, trained = (_by_seed(own, column) for column in (validation, training))
        if held_out.shape[0] < 2 or held_out.shape[1] <= _LEAST:
            continue
        losses = held_out.to_numpy(dtype=float)
        window = end_window(losses.shape[1])
        ends = losses[:, -window:].mean(axis=1)
        other_means = (losses.sum(axis=0) - losses) / (len(losses) - 1)
        rises = ends - losses[np.arange(len(losses)), other_means.argmin(axis=1)]
        rise = corrected(t_interval(rises.tolist(), scale=float(np.abs(losses).max())), resplit or 0.0)
        lowest = int(losses.mean(axis=0).argmin())
        epoch = int(held_out.columns[lowest])
        training_means = trained.mean(axis=0)
        # Without a training loss at this epoch the comparison is with NaN, which is False: no overfitting is shown.
        fell = training_means.iloc[-window:].mean() < training_means.get(epoch, math.nan)
        shown = bool(rise.low > 0 and fell and lowest < losses.shape[1] - window)
        rows.append((cell, epoch, rise.n, rise.mean, rise.low, rise.high, shown))
    return pd.DataFrame(rows, columns=["cell", "epoch", "n", "rise", "low", "high", "shown"])


def _by_seed(curves: pd.DataFrame, column: str) -> pd.DataFrame:
    """One row per seed, one column per epoch that all of them reached."""
    table = _finite(curves, column).pivot(index="seed", columns="epoch", values="value")
    return table.dropna(axis="columns")
