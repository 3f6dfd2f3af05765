"""Curves over seeds: their means, their paired differences, and from which epoch on something is to be said."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ablate.analysis.comparisons import comparisons
from ablate.analysis.intervals import ROUNDING, t_half_width, t_interval
from ablate.analysis.observations import run_lengths
from ablate.study import Plan

__all__ = ["Track", "difference_curves", "end_window", "mean_curves", "onsets", "overfitting", "tracks"]

_KEYS = ("study", "cell", "seed", "epoch")
_VALIDATION = ("val_", "validation_", "valid_")
_TRAINING = ("train_", "training_", "")
_SHARE, _LEAST = 0.1, 3


@dataclass(frozen=True)
class Track:
    """What a study watches by epoch: a number on data that are not trained on, and the same on the training data.

    Args:
        validation: Column of the curves.
        training: Column of the same number on the training data, or None.
        is_loss: Whether it is the loss.
    """

    validation: str
    training: str | None = None
    is_loss: bool = False


def tracks(curves: pd.DataFrame, metric: str) -> tuple[Track, ...]:
    """What of the curves belongs to a study: the validation version of its metric, and the validation loss.

    Where the curves have no such columns: the metric itself and ``loss``, or else the first two columns of numbers.

    Args:
        curves: A row an epoch of a run.
        metric: The study's metric.

    Example:
        >>> curves = pd.DataFrame({"epoch": [1], "loss": [2.0], "val_loss": [2.1], "val_accuracy": [0.3]})
        >>> [(track.validation, track.training) for track in tracks(curves, "test_accuracy")]
        [('val_accuracy', None), ('val_loss', 'loss')]
    """
    known = [name for name in curves.columns if name not in _KEYS]
    known = [name for name in known if pd.to_numeric(curves[name], errors="coerce").notna().any()]
    stem = metric.removeprefix("test_").removeprefix("val_")
    scores = [name for name in (*(f"{prefix}{stem}" for prefix in _VALIDATION), metric, stem) if name in known]
    losses = [name for name in (*(f"{prefix}loss" for prefix in _VALIDATION), "test_loss", "loss") if name in known]
    chosen = list(dict.fromkeys([*scores[:1], *losses[:1]])) or known[:2]
    return tuple(Track(name, _training(name, known), name in losses) for name in chosen)


def _training(name: str, known: list[str]) -> str | None:
    stem = next((name.removeprefix(prefix) for prefix in (*_VALIDATION, "test_") if name.startswith(prefix)), None)
    if stem is None:
        return None
    return next((f"{prefix}{stem}" for prefix in _TRAINING if f"{prefix}{stem}" in known), None)


def mean_curves(curves: pd.DataFrame, column: str) -> pd.DataFrame:
    """The mean of a curve over the seeds of each cell, with its pointwise 95 % t interval.

    A cell's curve ends with the last epoch that all its runs reached: beyond it, the mean would change because runs
    stop and not because they learn.

    Args:
        curves: A row an epoch of a run: ``cell``, ``seed``, ``epoch``, then numbers; only runs that count.
        column: The number.

    Returns:
        A row a cell and epoch: ``cell``, ``epoch``, ``n``, ``mean``, ``low``, ``high`` (NaN for one run, or runs
        without spread).
    """
    rows = _finite(curves, column)
    return _summarised(rows, _runs(rows))


def difference_curves(curves: pd.DataFrame, plan: Plan, column: str) -> pd.DataFrame:
    """The difference of each cell to its reference by epoch, paired by seed, with its pointwise 95 % t interval.

    Args:
        curves: As for :func:`mean_curves`.
        plan: The plan, which says what is compared with what.
        column: The number.

    Returns:
        A row a cell and epoch that all its pairs reached: ``cell``, ``epoch``, ``n`` pairs, ``mean`` difference (cell
        minus reference), ``low``, ``high``.
    """
    rows = _finite(curves, column)
    partner = {found.cell.label: found.reference.label for found in comparisons(plan)}
    own = rows[rows["cell"].isin(list(partner))]
    own = own.assign(reference=own["cell"].map(partner))
    other = rows.rename(columns={"cell": "reference", "value": "against"})
    pairs = own.merge(other, on=["reference", "seed", "epoch"])
    size = np.maximum(pairs["value"].abs(), pairs["against"].abs())
    pairs = pairs.assign(value=pairs["value"] - pairs["against"], size=size)
    return _summarised(pairs, _runs(pairs))


def _runs(rows: pd.DataFrame) -> pd.Series:
    """How many runs each cell has."""
    # Rows of a run stand together: a million of them need not be told apart one by one.
    starts, _ = run_lengths(rows)
    return rows.iloc[starts].groupby("cell")["seed"].nunique()


def _finite(curves: pd.DataFrame, column: str) -> pd.DataFrame:
    rows = curves[["cell", "seed", "epoch"]].assign(value=pd.to_numeric(curves[column], errors="coerce"))
    finite: pd.DataFrame = rows[np.isfinite(rows["value"].to_numpy(dtype=float))]
    return finite


def _summarised(rows: pd.DataFrame, runs: pd.Series) -> pd.DataFrame:
    sizes = rows["size"] if "size" in rows else rows["value"].abs()
    places, labels = pd.factorize(rows["cell"], sort=True)  # a million numbers are compared faster than as many texts
    groups = rows.assign(size=sizes, cell=places).groupby(["cell", "epoch"], sort=True)
    found = groups.agg(
        n=("value", "size"),
        mean=("value", "mean"),
        spread=("value", "std"),
        least=("value", "min"),
        most=("value", "max"),
        size=("size", "max"),
    ).reset_index()
    found = found.assign(cell=labels.take(found["cell"].to_numpy()))
    found = found[found["n"] == found["cell"].map(runs)]
    # As everywhere, a spread within rounding is none: no interval follows from it.
    varied = (found["n"] > 1) & (found["most"] - found["least"] > ROUNDING * found["size"])
    half = t_half_width(found["n"].where(varied)) * found["spread"] / np.sqrt(found["n"])
    found = found.assign(low=found["mean"] - half, high=found["mean"] + half)
    return found[["cell", "epoch", "n", "mean", "low", "high"]].reset_index(drop=True)


def onsets(differences: pd.DataFrame) -> dict[str, int]:
    """By cell, the epoch from which on every interval up to the last one lies on one side of zero.

    The epochs are tested in a fixed sequence, from the last one backwards until the first that fails. So the chance of
    naming too early an epoch is at most 5 % a cell, although the intervals are pointwise. Source: W. Maurer,
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
    found: dict[str, int] = {}
    for cell, rows in differences.groupby("cell", sort=False):
        ordered = rows.sort_values("epoch", ascending=False)
        side = np.where(ordered["low"] > 0, 1, np.where(ordered["high"] < 0, -1, 0))
        if side[0]:
            fails = np.flatnonzero(side != side[0])
            found[str(cell)] = int(ordered["epoch"].iloc[(fails[0] if len(fails) else len(side)) - 1])
    return found


def end_window(epochs: int) -> int:
    """How many epochs count as the end of a training: the last tenth, at least three."""
    return max(_LEAST, math.ceil(_SHARE * epochs))


def overfitting(curves: pd.DataFrame, validation: str, training: str) -> pd.DataFrame:
    """Where a cell begins to overfit: its mean validation loss is lowest, and rises while the training loss falls.

    The rise is that of the validation loss from this epoch to the end (the mean of the last tenth of the epochs, at
    least three). An epoch that was picked for being the lowest lies low by luck as well, so in each seed the rise is
    measured from the epoch that is lowest in the mean of the *other* seeds, and the onset counts as shown where the
    95 % t interval of the mean rise is above zero. One seed shows nothing.

    Args:
        curves: As for :func:`mean_curves`.
        validation: Column of the loss on data that are not trained on.
        training: Column of the loss on the training data.

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
        others = (losses.sum(axis=0) - losses) / (len(losses) - 1)
        rises = ends - losses[np.arange(len(losses)), others.argmin(axis=1)]
        found = t_interval(rises.tolist(), scale=float(np.abs(losses).max()))
        lowest = int(losses.mean(axis=0).argmin())
        epoch = int(held_out.columns[lowest])
        fell = _fell(trained, epoch, window)
        shown = bool(found.low > 0 and fell and lowest < losses.shape[1] - window)
        rows.append((cell, epoch, found.n, found.mean, found.low, found.high, shown))
    return pd.DataFrame(rows, columns=["cell", "epoch", "n", "rise", "low", "high", "shown"])


def _by_seed(curves: pd.DataFrame, column: str) -> pd.DataFrame:
    """A row a seed, a column an epoch that all of them reached."""
    table = _finite(curves, column).pivot(index="seed", columns="epoch", values="value")
    return table.dropna(axis="columns")


def _fell(trained: pd.DataFrame, epoch: int, window: int) -> bool:
    if epoch not in trained.columns:
        return False
    means = trained.mean(axis=0)
    return bool(means.iloc[-window:].mean() < means[epoch])
