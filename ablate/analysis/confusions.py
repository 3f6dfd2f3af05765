"""Which classes runs confuse: shares by class, and the accuracy on each class over seeds."""

from __future__ import annotations

import pandas as pd

from ablate.analysis.intervals import t_interval, truncated
from ablate.analysis.resplit import corrected

SHARE_COLUMNS = ("cell", "class", "predicted", "share", "images", "n")
ACCURACY_COLUMNS = ("cell", "class", "accuracy", "low", "high", "images", "n")


def _shares(confusions: pd.DataFrame) -> pd.DataFrame:
    """The table with the ``share`` of the images of a class in each run; classes without an image are left out."""
    table = confusions.assign(images=pd.to_numeric(confusions["images"]).astype(float))
    totals = table.groupby(["cell", "seed", "class"], sort=False)["images"].transform("sum")
    return table.assign(share=table["images"] / totals, total=totals)[totals > 0]


def confusion_shares(confusions: pd.DataFrame) -> pd.DataFrame:
    """The share of the images of each class that is taken for each class, the mean over the runs of a cell.

    Args:
        confusions: A row for each run and pair of classes: ``cell``, ``seed``, ``class``, ``predicted``, ``images``; a
            pair without a row has no image.

    Returns:
        A row for each cell and pair of classes with the columns :data:`SHARE_COLUMNS`; ``images`` is their mean number
        in a run, ``n`` the number of runs with an image of the class.

    Example:
        >>> rows = [("full", 0, "a", "a", 3), ("full", 0, "a", "b", 1), ("full", 1, "a", "a", 4)]
        >>> table = pd.DataFrame(rows, columns=["cell", "seed", "class", "predicted", "images"])
        >>> confusion_shares(table)[["predicted", "share"]].values.tolist()
        [['a', 0.875], ['b', 0.125]]
    """
    table = _shares(confusions)
    if table.empty:
        return pd.DataFrame(columns=list(SHARE_COLUMNS))
    runs = table.groupby(["cell", "class"], sort=False)["seed"].nunique()
    sums = table.groupby(["cell", "class", "predicted"], sort=False)[["share", "images"]].sum().reset_index()
    n = runs.loc[pd.MultiIndex.from_frame(sums[["cell", "class"]])].to_numpy()
    return sums.assign(share=sums["share"] / n, images=sums["images"] / n, n=n)[list(SHARE_COLUMNS)]


def class_accuracies(confusions: pd.DataFrame, resplit: float | None = None) -> pd.DataFrame:
    """The accuracy of each cell on the images of each class, the mean over its runs with its 95% t interval.

    The intervals end at 0 and 1.

    Args:
        confusions: As for :func:`confusion_shares`.
        resplit: See :class:`~ablate.study.Study`.

    Returns:
        A row for each cell and class with the columns :data:`ACCURACY_COLUMNS`; ``images`` is their mean number in a
        run.
    """
    table = _shares(confusions)
    if table.empty:
        return pd.DataFrame(columns=list(ACCURACY_COLUMNS))
    right = table["share"].where(table["class"] == table["predicted"], 0.0)
    by_run = table.assign(right=right).groupby(["cell", "class", "seed"], sort=False)
    runs = pd.DataFrame({"accuracy": by_run["right"].sum(), "images": by_run["total"].first()}).reset_index()
    rows = []
    for (cell, name), own in runs.groupby(["cell", "class"], sort=False):
        mean = truncated(corrected(t_interval(own["accuracy"].tolist(), scale=1.0), resplit or 0.0), 1.0)
        rows.append((cell, name, mean.mean, mean.low, mean.high, float(own["images"].mean()), mean.n))
    return pd.DataFrame(rows, columns=list(ACCURACY_COLUMNS))
